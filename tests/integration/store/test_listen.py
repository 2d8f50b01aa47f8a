from __future__ import annotations

import queue
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from dagwright_shared.store import listen


class Heard:
    def __init__(self) -> None:
        self.topics: queue.Queue[str] = queue.Queue()

    def next(self) -> str:
        return self.topics.get(timeout=60)


@pytest.fixture
def heard(database_url: str) -> Iterator[Heard]:
    ears = Heard()
    listener = listen.Listener(database_url, ears.topics.put, {"queue", "runs"})
    listener.start()
    assert ears.next() == "*"
    yield ears
    listener.stop()


def tell(engine: Engine, *topics: str) -> None:
    with engine.begin() as conn:
        listen.notify(conn, *topics)


def test_topics_arrive_after_commit_once_and_filtered(store_engine: Engine, heard: Heard) -> None:
    with store_engine.begin() as conn:
        listen.notify(conn, "runs:1", "assets", "runs:1")
        listen.notify(conn, "runs:1")
        listen.notify(conn)
    tell(store_engine, "queue")
    assert [heard.next(), heard.next()] == ["runs:1", "queue"]
    assert heard.topics.empty()


def test_rolled_back_says_nothing(store_engine: Engine, heard: Heard) -> None:
    with store_engine.connect() as conn:
        listen.notify(conn, "queue")
        conn.rollback()
    tell(store_engine, "runs:2")
    assert heard.next() == "runs:2"


def test_reconnects(store_engine: Engine, heard: Heard) -> None:
    with store_engine.begin() as conn:
        killed = conn.execute(
            text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE application_name = 'dagwright listener' AND datname = current_database()"
            )
        )
        assert killed.scalar_one() >= 1
    assert heard.next() == "*"
    tell(store_engine, "queue")
    assert heard.next() == "queue"


def test_callback_that_raises_does_not_end_the_thread(store_engine: Engine, database_url: str) -> None:
    said: queue.Queue[str] = queue.Queue()

    def fail(topic: str) -> None:
        said.put(topic)
        raise RuntimeError(topic)

    listener = listen.Listener(database_url, fail)
    listener.start()
    assert said.get(timeout=60) == "*"
    tell(store_engine, "anything")
    assert said.get(timeout=60) == "anything"
    tell(store_engine, "more")
    assert said.get(timeout=60) == "more"
    listener.stop()
    listener.stop()


def test_stops_while_the_database_is_away() -> None:
    listener = listen.Listener("postgresql://nobody@127.0.0.1:1/none", lambda topic: None)
    listener.start()
    listener.stop()
    assert not listener._thread.is_alive()
