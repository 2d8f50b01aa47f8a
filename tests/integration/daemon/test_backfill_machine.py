"""Two daemons, runs that end as they like, cancels, resumes, and crashes before and after each transaction.

Whatever happens: no part of a backfill is made by two runs of one attempt, and it ends exactly when all of its target has.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection, Engine, text
from tests import build
from tests.conftest import CLEAN

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops import backfills as loops
from dagwright_daemon.loops.backfills import Backfills
from dagwright_shared.model import subsets
from dagwright_shared.model.backfills import BackfillStatus, NewBackfill, Target
from dagwright_shared.model.events import AssetMaterialized, Payload, RunFailed, RunSucceeded
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.partitions import StaticPartitions, TimeWindowPartitions
from dagwright_shared.model.runs import NewRun, Run, RunStatus, Trigger, TriggerKind
from dagwright_shared.model.snapshot import AssetDepSnapshot, AssetSnapshot, LocationSnapshot
from dagwright_shared.store import backfills, events, locations, queue, runs
from dagwright_shared.wire.snapshot import digest_of, encode_snapshot

NOW = datetime(2024, 2, 1, tzinfo=UTC)
DAYS = TimeWindowPartitions(cron="0 0 * * *", format="%Y-%m-%d", start=datetime(2024, 1, 1, tzinfo=UTC))
WEEKS = TimeWindowPartitions(cron="0 0 * * 1", format="%Y-%m-%d", start=datetime(2024, 1, 1, tzinfo=UTC))
HERE = build.LOCATION


def asset(name: str, *deps: str, of: Any) -> AssetSnapshot:
    found = tuple(AssetDepSnapshot(key=AssetKey(dep)) for dep in deps)
    return AssetSnapshot(key=AssetKey(name), op_name=name, deps=found, partitions=of)


ASSETS = (asset("day", of=DAYS), asset("twin", "day", of=DAYS), asset("week", "twin", of=WEEKS), asset("all", "week", of=None))
SNAPSHOT = LocationSnapshot(
    location=HERE, dagwright_version="0", python_version="3", assets=(*ASSETS, asset("other", of=StaticPartitions(keys=("a", "b"))))
)
TARGET = {
    "day": subsets.of_range(0, 8),
    "twin": subsets.of_range(2, 8),
    "week": subsets.of_range(0, 2),
    "all": subsets.of_range(0, 1),
    "other": subsets.of_range(0, 2),
}


# A retry takes the place of its run once that is settled; what is canceled before it starts is settled at once.
_OPEN = text("""
SELECT count(*) FROM runs WHERE NOT settled AND backfill_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM runs first WHERE first.run_id = runs.parent_run_id AND NOT first.settled)
    AND NOT EXISTS (SELECT FROM runs again WHERE again.parent_run_id = runs.run_id AND again.settled)
""")


class Crash(BaseException):
    """The daemon dies here."""


class CrashingEngine:
    """An engine whose next transaction is lost before, or whose daemon dies after, its commit."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.point = engine, ""

    def connect(self) -> Any:
        return self.engine.connect()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with self.engine.begin() as conn:
            yield conn
            if self.point == "before commit":
                raise Crash
        if self.point == "after commit":
            raise Crash


class Machine(RuleBasedStateMachine):
    engine: ClassVar[Engine]

    @initialize()
    def begin(self) -> None:
        payload = encode_snapshot(SNAPSHOT)
        self.digest = digest_of(payload)
        self.backfill_id = str(uuid.uuid4())
        self.crashing = [CrashingEngine(self.engine), CrashingEngine(self.engine)]
        self.daemons = [Backfills(each, Catalog()) for each in self.crashing]  # type: ignore[arg-type]
        with self.engine.begin() as conn:
            conn.execute(text(CLEAN))
            locations.publish_snapshot(conn, location=HERE, digest=self.digest, payload=payload, snapshot=SNAPSHOT)
            target = Target(as_of=NOW, parts=TARGET)
            keys = tuple(AssetKey(name) for name in TARGET)
            new = NewBackfill(backfill_id=self.backfill_id, location=HERE, digest=self.digest, target=target, asset_keys=keys)
            assert backfills.create(conn, new)

    @rule(which=st.integers(0, 1), point=st.sampled_from(["", "", "before commit", "after commit"]))
    def step(self, which: int, point: str) -> None:
        self.crashing[which].point = point
        try:
            self.daemons[which].tick(Turn(now=NOW))
        except Crash:
            self.daemons[which] = Backfills(self.crashing[which], Catalog())  # type: ignore[arg-type]
        self.crashing[which].point = ""

    @rule(how=st.sampled_from(["good", "good", "good", "bad", "partly", "canceled", "later"]), count=st.integers(1, 6))
    def runs_end(self, how: str, count: int) -> None:
        stopped = self.status() is BackfillStatus.CANCELING
        with self.engine.begin() as conn:
            claimed = runs.claim(conn, limit=count, lease_seconds=60)
            assert not (stopped and claimed), "what is being canceled starts no more"
            for run in claimed:
                if how == "later":
                    continue
                if how == "canceled":
                    runs.request_cancel(conn, run.run_id)
                    runs.cancel_lost(conn, run.run_id, run.epoch)
                    continue
                first = AssetMaterialized(asset_key=run.asset_keys[0], partition=run.partition)
                payloads: list[Payload] = [RunSucceeded()] if how == "good" else [RunFailed(error=build.ERROR)]
                events.append(conn, [build.batch(run, [build.planned("s"), *([first] if how == "partly" else []), *payloads])])

    @rule(again=st.booleans())
    def recovery_decides(self, again: bool) -> None:
        with self.engine.begin() as conn:
            for run in runs.retryable(conn):
                if runs.mark_retried(conn, run.run_id) and again and run.retry_number == 0:
                    runs.enqueue(conn, [self._retry(run)])

    def _retry(self, run: Run) -> NewRun:
        return build.new_run(
            job_name=None,
            asset_keys=run.asset_keys,
            partition=run.partition,
            partition_end=run.partition_end,
            backfill=run.backfill,
            run_key=f"retry:{run.run_id}",
            retry_number=1,
            trigger=Trigger(kind=TriggerKind.RETRY),
            parent_run_id=run.run_id,
        )

    @precondition(lambda self: self.status() in (BackfillStatus.REQUESTED, BackfillStatus.IN_PROGRESS))
    @rule(sure=st.integers(0, 3))
    def cancel(self, sure: int) -> None:
        if sure == 0:
            with self.engine.begin() as conn:
                backfills.request_cancel(conn, self.backfill_id)

    @rule(how=st.sampled_from(["good", "bad"]))
    def active_runs_end(self, how: str) -> None:
        """Those that were started before and have not ended, also once they are asked to stop."""
        with self.engine.begin() as conn:
            for run in queue.active(conn):
                if run.status is RunStatus.CANCELING:
                    assert runs.cancel_lost(conn, run.run_id, run.epoch)
                else:
                    payload: Payload = RunSucceeded() if how == "good" else RunFailed(error=build.ERROR)
                    events.append(conn, [build.batch(run, [build.planned("s"), payload])])

    @precondition(lambda self: self.status() in (BackfillStatus.CANCELED, BackfillStatus.FAILED))
    @rule()
    def resume(self) -> None:
        with self.engine.begin() as conn:
            backfills.resume(conn, self.backfill_id, digest=self.digest)

    def status(self) -> BackfillStatus:
        return self._found().status

    def _found(self) -> Any:
        with self.engine.connect() as conn:
            found = backfills.get(conn, self.backfill_id)
        assert found is not None
        return found

    @invariant()
    def no_partition_is_asked_for_twice(self) -> None:
        if not hasattr(self, "backfill_id"):
            return
        query = """
            SELECT count(*) FROM (SELECT split_part(run_key, ':', 3), key, ordinal
                FROM runs, unnest(asset_keys) AS key, generate_series(backfill_first, backfill_last) AS ordinal
                WHERE run_key LIKE 'backfill:%' GROUP BY 1, 2, 3 HAVING count(*) > 1) twice"""
        with self.engine.connect() as conn:
            assert conn.exec_driver_sql(query.replace("%", "%%")).scalar_one() == 0

    @invariant()
    def it_ends_when_all_has_ended(self) -> None:
        if not hasattr(self, "backfill_id"):
            return
        found = self._found()
        with self.engine.connect() as conn:
            open_runs = conn.execute(_OPEN).scalar_one()
        assert found.progress.open_runs == open_runs
        for name, subset in TARGET.items():
            part = found.progress.part(name)
            assert part.enqueued <= subset
            assert sum(map(len, (part.succeeded, part.failed, part.canceled, part.skipped))) == len(part.ended)
        if found.status.is_final:
            assert open_runs == 0
            assert all(subset <= found.progress.part(name).ended for name, subset in TARGET.items())
            lost = any(found.progress.part(name).lost for name in TARGET)
            assert lost or found.status is not BackfillStatus.FAILED
            assert not lost or found.status is not BackfillStatus.COMPLETED

    def teardown(self) -> None:
        """From wherever it is, it comes to an end."""
        if not hasattr(self, "backfill_id"):
            return
        for _ in range(60):
            if self.status().is_final:
                break
            self.step(0, "")
            self.active_runs_end("good")
            self.runs_end("good", 100)
            self.recovery_decides(again=False)
        assert self.status().is_final
        self.it_ends_when_all_has_ended()
        with self.engine.connect() as conn:
            states = dict(conn.execute(text("SELECT status, count(*) FROM runs GROUP BY status")).all())  # type: ignore[arg-type]
        assert set(states) <= {RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.CANCELED}


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a cancel takes several."""
    monkeypatch.setattr(loops, "_ENDS", 3)


def test_backfills_whatever_happens(store_engine: Engine) -> None:
    Machine.engine = store_engine
    run_state_machine_as_test(
        Machine,
        settings=settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)),
    )


@pytest.mark.parametrize("point", ["before commit", "after commit"])
def test_a_crash_at_each_point(store_engine: Engine, point: str) -> None:
    Machine.engine = store_engine
    machine = Machine()
    machine.begin()
    for how in ("good", "partly", "bad", "good", "good", "good"):
        machine.step(0, point)
        machine.no_partition_is_asked_for_twice()
        machine.step(1, "")
        machine.runs_end(how, 4)
        machine.recovery_decides(again=True)
        machine.it_ends_when_all_has_ended()
    machine.teardown()
