"""Two daemons, workers that die, clocks that jump, and daemons that crash before and after each transaction: used slots = live attempts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine, text
from tests import build
from tests.conftest import CLEAN
from tests.integration.daemon import rig
from tests.integration.daemon.rig import until

from dagwright_daemon import crash_points
from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.queue import Queue
from dagwright_daemon.loops.recovery import Recovery
from dagwright_daemon.servers import CodeServers
from dagwright_shared.decide.recovery import MAX_LAUNCHES
from dagwright_shared.decide.retries import RetryDefaults
from dagwright_shared.model.errors import DagwrightError, InvalidRequestError, UnavailableError
from dagwright_shared.model.events import EventBatch, RunEvent, RunSucceeded, StepStarted, StepSucceeded, Usage
from dagwright_shared.model.keys import StepKey
from dagwright_shared.model.limits import Limits
from dagwright_shared.model.runs import ACTIVE, LaunchSpec, RunStatus
from dagwright_shared.store import events, pools, queue, runs
from dagwright_shared.store.pools import SlotClaim

LIMITS = Limits(max_concurrent_runs=4, default_pool_slots=1)
POOL, STEPS, SLOTS = "db", ("a", "b", "c"), 2
USAGE = Usage(cpu_seconds=0.0, peak_memory_bytes=0)
CLAIMING = ["before runs are claimed", "after runs were claimed"]
LAUNCHING = ["before a run is launched", "after a run was launched"]
"""Reached in a thread for each launch."""
REFUSING = ["before the end of a launch is written", "after the end of a launch was written"]
"""Reached in such a thread too, where a code server does not take the run."""
RECOVERING = [
    "before lost runs are settled",
    "after lost runs were settled",
    "before slow runs are settled",
    "after slow runs were settled",
    "before retries are decided",
    "after retries were decided",
]


REFUSALS = [UnavailableError("it is going down"), InvalidRequestError("there is no such job")]
"""What a code server says to a launch: the run is put back, and the run fails."""


class CrashError(Exception):
    """The daemon is gone: what it has not committed has not happened, and it does nothing any more."""


@dataclass
class Worker:
    """A run worker, as far as slots go."""

    spec: LaunchSpec
    seq: int
    wants: set[str] = field(default_factory=set)

    def claim(self, step: str) -> SlotClaim:
        return SlotClaim(run_id=self.spec.run_id, epoch=self.spec.epoch, step_key=StepKey(step), attempt=1, pool=POOL)


class Machine(RuleBasedStateMachine):
    engine: Engine
    servers: CodeServers
    backend: rig.Backend

    def __init__(self) -> None:
        super().__init__()
        with self.engine.begin() as conn:
            conn.execute(text("DELETE FROM runs"))
            pools.define(conn, POOL, SLOTS)
        self.backend.launched.clear()
        self.backend.work = lambda _: []
        self.backend.refuse = lambda _: None
        self.workers: list[Worker] = []
        self.daemons = [self._daemon() for _ in range(2)]

    @initialize()
    def begin(self) -> None:
        """Something to do from the start."""
        for background in (False, True, False):
            self.enqueue(0, background)
        self.launch(0, None)
        for worker in self.workers:
            for step in STEPS[:2]:
                self._ask(worker, step)

    def _daemon(self) -> tuple[Queue, Recovery]:
        made = Queue(self.engine, self.servers, Catalog(), settings=LIMITS, launch_timeout=30.0, lease_seconds=9.0, log_limit_bytes=1000)
        retries = RetryDefaults(max_retries=1)
        return made, Recovery(self.engine, trusts_lapses=lambda _: True, lease_seconds=9.0, retries=retries, max_resumes=1)

    def _tick(self, which: int, crash: str | None, *, recover: bool) -> None:
        def hook(name: str) -> None:
            if name == crash:
                raise CrashError if name in CLAIMING or name in RECOVERING else SystemExit

        crash_points.at_each(hook)
        claimer, recovery = self.daemons[which]
        try:
            (recovery if recover else claimer).tick(Turn(now=datetime.now(UTC)))
            until(lambda: not claimer.launching, what="every launch to end")
        except CrashError:
            claimer.release()
            self.daemons[which] = self._daemon()
            return
        finally:
            crash_points.at_each(None)
        if crash in LAUNCHING or crash in REFUSING:
            claimer.release()
            self.daemons[which] = self._daemon()
        known = {(worker.spec.run_id, worker.spec.epoch) for worker in self.workers}
        fresh = [spec for spec in self.backend.launched if (spec.run_id, spec.epoch) not in known]
        self.workers += [Worker(spec=spec, seq=spec.first_seq + 1) for spec in fresh]  # the backend has told the start

    @rule(priority=st.integers(-1, 1), background=st.booleans())
    def enqueue(self, priority: int, background: bool) -> None:
        tags = {"dagster/backfill": "b"} if background else {}
        with self.engine.begin() as conn:
            build.queued(conn, location=rig.HERE, priority=priority, tags=tags)

    @rule(which=st.integers(0, 1), crash=st.sampled_from([None, None, None, *CLAIMING, *LAUNCHING]))
    def launch(self, which: int, crash: str | None) -> None:
        self._tick(which, crash, recover=False)

    @rule(which=st.integers(0, 1), error=st.sampled_from(REFUSALS), crash=st.sampled_from([None, *REFUSING]))
    def launch_in_vain(self, which: int, error: DagwrightError, crash: str | None) -> None:
        self.backend.refuse = lambda _: error
        self._tick(which, crash, recover=False)
        self.backend.refuse = lambda _: None

    @rule(which=st.integers(0, 1), crash=st.sampled_from([None, None, *RECOVERING]))
    def recover(self, which: int, crash: str | None) -> None:
        with self.engine.begin() as conn:
            conn.execute(text("UPDATE runs SET not_before = NULL WHERE status = 'QUEUED'"))
        self._tick(which, crash, recover=True)

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), step=st.sampled_from(STEPS))
    def ask(self, data: st.DataObject, step: str) -> None:
        """Also workers that have been fenced off ask, and get nothing."""
        self._ask(data.draw(st.sampled_from(self.workers)), step)

    def _ask(self, worker: Worker, step: str) -> None:
        with self.engine.begin() as conn:
            granted = pools.ask(conn, [worker.claim(step)], LIMITS)
            run = runs.get(conn, worker.spec.run_id)
        assert run is None or not granted or (run.epoch == worker.spec.epoch and run.status in ACTIVE)

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), step=st.sampled_from(STEPS), ends=st.booleans())
    def report(self, data: st.DataObject, step: str, ends: bool) -> None:
        worker = data.draw(st.sampled_from(self.workers))
        told = [(step, StepStarted(attempt=1, pid=1)), (step, StepSucceeded(attempt=1, usage=USAGE))]
        payloads = [RunEvent(seq=worker.seq + n, time=datetime.now(UTC), step_key=StepKey(s), payload=p) for n, (s, p) in enumerate(told)]
        if ends:
            payloads.append(RunEvent(seq=worker.seq + 2, time=datetime.now(UTC), payload=RunSucceeded()))
        batch = EventBatch(run_id=worker.spec.run_id, epoch=worker.spec.epoch, events=tuple(payloads))
        with self.engine.begin() as conn:
            answer = events.append(conn, [batch], lease_seconds=9.0)
        if answer.get(worker.spec.run_id) is not None:
            worker.seq += len(payloads)

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """A worker is killed, and its code server has seen it."""
        worker = data.draw(st.sampled_from(self.workers))
        with self.engine.begin() as conn:
            runs.end_lease(conn, worker.spec.run_id, worker.spec.epoch, reason="the worker was killed")

    @rule(seconds=st.sampled_from([-30, 30, 3600]))
    def jump(self, seconds: int) -> None:
        """The database's clock jumps: forwards, leases lapse all at once."""
        with self.engine.begin() as conn:
            conn.execute(text("UPDATE runs SET lease_expires_at = lease_expires_at - make_interval(secs => :s)"), {"s": seconds})

    @rule(slots=st.integers(0, 3))
    def resize(self, slots: int) -> None:
        with self.engine.begin() as conn:
            pools.lock(conn, [POOL])
            before = pools.usage(conn, LIMITS)[POOL][0]
            pools.define(conn, POOL, slots)
            pools.grant(conn, [POOL], LIMITS)
            assert pools.usage(conn, LIMITS)[POOL][0] <= max(before, slots)

    @invariant()
    def slots_are_of_live_attempts(self) -> None:
        with self.engine.begin() as conn:
            pools.grant(conn, [POOL], LIMITS)  # as whoever waits does when it hears that a slot is free
            found = conn.execute(text("SELECT s.*, r.epoch AS run_epoch, r.status FROM pool_slots s JOIN runs r USING (run_id)")).all()
            used, slots = pools.usage(conn, LIMITS)[POOL]
        for row in found:
            assert row.epoch == row.run_epoch, "a slot of an attempt that has been fenced off"
            assert RunStatus(row.status) in ACTIVE, "a slot of a run that is over, or queued"
        waiting = sum(row.acquired_at is None for row in found)
        assert used == len(found) - waiting
        assert waiting == 0 or used >= (slots or 0), "somebody waits while a slot is free"

    @invariant()
    def no_epoch_is_launched_twice(self) -> None:
        counts = Counter((spec.run_id, spec.epoch) for spec in self.backend.launched)
        assert all(count == 1 for count in counts.values())

    @invariant()
    def limits_hold(self) -> None:
        with self.engine.connect() as conn:
            found = queue.counts(conn)
        assert found.active <= LIMITS.max_concurrent_runs
        assert found.background <= LIMITS.background_runs

    def teardown(self) -> None:
        """Left alone, everything comes to rest: no run stays active, and no slot stays used."""
        for _ in range(MAX_LAUNCHES * 4):
            with self.engine.begin() as conn:
                conn.execute(
                    text("UPDATE runs SET lease_expires_at = clock_timestamp() WHERE status IN ('STARTING', 'STARTED', 'CANCELING')")
                )
            self.recover(0, None)
        with self.engine.connect() as conn:
            assert queue.counts(conn).active == 0
            assert pools.slots(conn) == ()
        for claimer, _ in self.daemons:
            claimer.release()


@pytest.fixture
def machine(store_engine: Engine, code_server: rig.CodeServer, servers: CodeServers) -> Iterator[type[Machine]]:
    Machine.engine, Machine.servers, Machine.backend = store_engine, servers, code_server.backend
    yield Machine
    crash_points.at_each(None)
    with store_engine.begin() as conn:
        conn.execute(text(CLEAN))


# Threads that launch are ended on purpose.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_used_slots_are_live_attempts(machine: type[Machine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=20, stateful_step_count=30, deadline=None, print_blob=True))
