"""Server-Sent Events: nothing lost or told twice, whatever happens to connections and notifications."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from tests.build import batch, log, planned
from tests.integration.webserver.conftest import Running, problems
from tests.integration.webserver.test_reading import claim, launch, write

from dagwright_shared.model.events import RunSucceeded
from dagwright_shared.store import listen

pytestmark = pytest.mark.integration


class Messages:
    """The messages of one open stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def __iter__(self) -> Iterator[tuple[str, str | None, Any]]:
        kind, seq, data = "", None, None
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "id":
                seq = value
            elif name == "data":
                data = json.loads(value)
            elif not line and data is not None:
                yield kind, seq, data
                kind, seq, data = "", None, None

    def next(self, kind: str) -> Any:
        """The next message of a kind; those before it are passed over."""
        return next(data for found, _, data in self if found == kind)


@contextmanager
def follow(api: httpx.Client, path: str, **headers: str) -> Iterator[Messages]:
    with api.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Messages(answer)


def test_a_run_is_told_as_it_goes(api: httpx.Client, store: Engine) -> None:
    run_id = launch(api, job="ping", location="flights")
    with follow(api, f"/runs/{run_id}/stream") as stream:
        assert stream.next("run")["status"] == "QUEUED"
        run = claim(store, run_id)
        while (seen := stream.next("run")["status"]) != "STARTING":
            assert seen == "QUEUED"
        write(store, batch(run, [planned("ping"), ("ping", log("one"))]))
        assert stream.next("event")["type"] == "RUN_STARTED"
        assert stream.next("event")["message"] == "one"
        assert stream.next("run")["status"] == "STARTED"
        write(store, batch(run, [RunSucceeded()], first=3))
        assert stream.next("event")["seq"] == 3
        assert stream.next("end") == {"run_id": run_id, "status": "SUCCESS"}


def test_reconnecting_goes_on_where_it_was(api: httpx.Client, store: Engine) -> None:
    run = claim(store, launch(api, job="ping", location="flights"))
    write(store, batch(run, [planned("ping"), *[("ping", log(str(n))) for n in range(1200)], RunSucceeded()]))
    path = f"/runs/{run.run_id}/stream"
    with follow(api, path) as stream:
        seen = [int(seq or 0) for kind, seq, _ in stream if kind == "event"]
    assert seen == list(range(1, 1203))
    with follow(api, path, **{"Last-Event-ID": "700"}) as stream:
        assert [int(seq or 0) for kind, seq, _ in stream if kind == "event"] == list(range(701, 1203))
    with follow(api, f"{path}?after_seq=1200") as stream:
        assert [int(seq or 0) for kind, seq, _ in stream if kind == "event"] == [1201, 1202]
    # All has been told: the browser is told not to come back.
    assert api.get(path, headers={"Last-Event-ID": "1202"}).status_code == 204
    problems(api.get(path, headers={"Last-Event-ID": "x"}))


def test_lists_hear_of_changes(api: httpx.Client, store: Engine) -> None:
    with follow(api, "/stream?topics=runs,assets") as stream:
        run_id = launch(api, job="ping", location="flights")
        change = stream.next("change")
        while change["ids"] and run_id not in change["ids"]:
            change = stream.next("change")
        with store.begin() as conn:
            listen.notify(conn, "locations")
            listen.notify(conn, "assets")
        while (change := stream.next("change"))["topic"] != "assets":
            assert change["topic"] == "runs"
    assert problems(api.get("/stream?topics=rnus"))["topics"]["suggestion"] == "runs"
    problems(api.get("/stream?topics="))


def test_a_storm_of_notifications_is_told_as_few(api: httpx.Client, store: Engine) -> None:
    with follow(api, "/stream?topics=queue,locations") as stream:
        for _ in range(300):
            with store.begin() as conn:
                listen.notify(conn, "queue")
        with store.begin() as conn:
            listen.notify(conn, "locations")
        told = 0
        for _, _, data in stream:
            told += 1
            if data["topic"] == "locations" and told > 2:
                break
        assert told < 100


def test_open_streams_do_not_hold_up_a_stop(store: Engine, database_url: str) -> None:
    with Running(database_url=database_url) as server, httpx.Client(base_url=f"{server.url}/api/v1", timeout=60, trust_env=False) as api:
        ended = threading.Event()
        run_id = launch(api, job="ping", location="flights")

        def watch() -> None:
            with (
                httpx.Client(base_url=f"{server.url}/api/v1", timeout=60, trust_env=False) as other,
                follow(other, f"/runs/{run_id}/stream") as s,
            ):
                opened.set()
                for _ in s:
                    pass
            ended.set()

        opened = threading.Event()
        thread = threading.Thread(target=watch)
        thread.start()
        assert opened.wait(60)
    assert ended.wait(60)
    thread.join()
