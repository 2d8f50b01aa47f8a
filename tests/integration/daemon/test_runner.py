"""The runner: wakes, leases, errors, reports, shutdown."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from tests.integration.daemon.rig import until

from dagwright_daemon.loop import Loop, Outcome, Turn
from dagwright_daemon.runner import Runner, identity
from dagwright_shared.store import leases, listen


class Counter:
    """A loop that counts its ticks, and can be held up or made to fail."""

    def __init__(self, name: str = "counter") -> None:
        self.name, self.ticks, self.released = name, 0, 0
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.wake_at: frozenset[datetime] | None = None
        self.heeds = True

    def tick(self, _: Turn) -> Outcome:
        self.ticks += 1
        self.gate.wait(60)
        if self.error is not None:
            raise self.error
        return Outcome(done=1, wake_at=self.wake_at)

    def release(self) -> None:
        self.released += 1

    def loop(self) -> Loop:
        topics = frozenset({"queue"})
        return Loop(name=self.name, interval=3600.0, topics=topics, tick=self.tick, heeds=lambda _: self.heeds, release=self.release)


class Start:
    """Starts daemons of given loops."""

    def __init__(self, engine: Engine, url: str) -> None:
        self.engine, self.url = engine, url
        self.runners: list[Runner] = []

    def __call__(self, *counters: Counter) -> Runner:
        loops: Sequence[Loop] = [counter.loop() for counter in counters]
        made = Runner(self.engine, self.url, identity(), lambda _outage, _trusts: loops)
        self.runners.append(made)
        made.start()
        return made


@pytest.fixture
def start(store_engine: Engine, database_url: str) -> Iterator[Start]:
    made = Start(store_engine, database_url)
    yield made
    for runner in made.runners:
        runner.stop()


def quiet(counter: Counter) -> int:
    """The number of ticks once the wakes of the start are over."""
    seen = -1

    def still() -> bool:
        nonlocal seen
        before, seen = seen, counter.ticks
        threading.Event().wait(0.1)
        return before == seen > 0

    until(still)
    return seen


def test_a_notification_wakes(start: Start, store_engine: Engine) -> None:
    counter = Counter()
    start(counter)
    before = quiet(counter)
    with store_engine.begin() as conn:
        listen.notify(conn, "queue")
    until(lambda: counter.ticks == before + 1)
    with store_engine.begin() as conn:
        listen.notify(conn, "assets", "runs:1")
    assert quiet(counter) == before + 1


def test_a_loop_without_anything_to_evaluate_sleeps_through_events(start: Start, store_engine: Engine) -> None:
    idle, busy = Counter("idle"), Counter("busy")
    idle.heeds = False
    start(idle, busy)
    before = quiet(idle), quiet(busy)
    with store_engine.begin() as conn:
        listen.notify(conn, "queue")
    until(lambda: busy.ticks == before[1] + 1)
    assert quiet(idle) == before[0]
    idle.heeds = True
    with store_engine.begin() as conn:
        listen.notify(conn, "queue")
    until(lambda: idle.ticks == before[0] + 1)


def test_a_wake_during_a_tick_is_not_lost(start: Start) -> None:
    counter = Counter()
    runner = start(counter)
    before = quiet(counter)
    counter.gate.clear()
    runner.wake("counter")
    until(lambda: counter.ticks == before + 1)
    for _ in range(5):
        runner.wake("counter")
    counter.gate.set()
    until(lambda: counter.ticks == before + 2)
    assert quiet(counter) == before + 2


def test_a_loop_is_woken_at_the_time_it_asked_for(start: Start) -> None:
    counter = Counter()
    runner = start(counter)
    before = quiet(counter)
    counter.wake_at = frozenset({datetime.now(UTC) + timedelta(seconds=0.5)})
    runner.wake("counter")
    began = time.monotonic()
    until(lambda: counter.ticks == before + 2)
    assert time.monotonic() - began > 0.3


def test_an_error_backs_off_and_is_reported(start: Start, store_engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    counter = Counter()
    runner = start(counter)
    quiet(counter)
    counter.error = RuntimeError("the disk is full")
    runner.wake("counter")
    until(lambda: runner.reports()["counter"].failures == 2)
    assert runner.reports()["counter"].error == "RuntimeError: the disk is full"
    assert sum("loop failed" in record.message for record in caplog.records) == 1
    counter.error = None
    until(lambda: runner.reports()["counter"].failures == 0)


def test_one_leads_and_the_other_takes_over(start: Start, store_engine: Engine) -> None:
    ours, theirs = Counter(), Counter()
    first = start(ours)
    until(lambda: first.owned("counter"))
    second = start(theirs)
    assert quiet(ours) > 0
    assert theirs.ticks == 0
    began = time.monotonic()
    assert first.stop()
    with store_engine.connect() as conn:
        assert all(lease.expired or lease.term == 2 for lease in leases.leases(conn)), "it is handed over, not left to lapse"
    until(lambda: theirs.ticks > 0)
    print(f"\nhanded over after {time.monotonic() - began:.2f} s")
    assert ours.released == 1
    with store_engine.connect() as conn:
        (lease,) = leases.leases(conn)
    assert lease.term == 2
    assert second.owned("counter")


def test_leases_of_a_dead_daemon_lapse(start: Start, store_engine: Engine) -> None:
    with store_engine.begin() as conn:
        leases.acquire(conn, ["counter"], "dead", 3.6)
    began, counter = time.monotonic(), Counter()
    start(counter)
    until(lambda: counter.ticks > 0)
    took = time.monotonic() - began
    print(f"\ntaken over from the dead after {took:.2f} s")
    assert took > 3


def test_a_stolen_lease_stops_the_loop(start: Start, store_engine: Engine) -> None:
    counter = Counter()
    runner = start(counter)
    quiet(counter)
    with store_engine.begin() as conn:
        conn.execute(text("UPDATE leases SET holder = 'thief', expires_at = now() + interval '1 minute', term = term + 1"))
    until(lambda: not runner.owned("counter"))
    until(lambda: counter.released == 1)
    before = counter.ticks
    runner.wake("counter")
    threading.Event().wait(0.2)
    assert counter.ticks == before


def test_the_heartbeat_tells_of_each_loop(start: Start, store_engine: Engine) -> None:
    runner = start(Counter("one"), Counter("two"))
    until(lambda: _daemons(store_engine))
    assert set(_daemons(store_engine)[0].loops) == {"one", "two"}
    runner.stop()
    assert _daemons(store_engine) == []


def test_a_stop_does_not_wait_for_a_stuck_tick(start: Start) -> None:
    counter = Counter()
    runner = start(counter)
    before = quiet(counter)
    counter.gate.clear()
    runner.wake("counter")
    until(lambda: counter.ticks > before)
    began = time.monotonic()
    assert not runner.stop()
    assert time.monotonic() - began < 30
    counter.gate.set()


def _daemons(engine: Engine) -> list[leases.DaemonRow]:
    with engine.connect() as conn:
        return leases.daemons(conn)
