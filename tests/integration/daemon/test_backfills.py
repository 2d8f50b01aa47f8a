"""The backfills loop on a real database: runs are asked for once, ends are counted once, cancels reach everything."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, text
from tests import build
from tests.integration.daemon import rig
from tests.integration.daemon.rig import until

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops import backfills as loops
from dagwright_daemon.loops.backfills import Backfills
from dagwright_daemon.loops.recovery import Recovery
from dagwright_daemon.runner import Runner
from dagwright_shared.decide.retries import RetryDefaults
from dagwright_shared.model import subsets
from dagwright_shared.model.backfills import JOB, PRIORITY, Backfill, BackfillStatus, NewBackfill, Target
from dagwright_shared.model.errors import ConflictError, NotFoundError
from dagwright_shared.model.events import AssetMaterialized, Payload, RunFailed, RunSucceeded
from dagwright_shared.model.keys import AssetKey, RunId
from dagwright_shared.model.partitions import DynamicPartitions, Partitions, StaticPartitions, TimeWindowPartitions
from dagwright_shared.model.runs import Run, RunStatus, TriggerKind
from dagwright_shared.model.snapshot import AssetDepSnapshot, AssetSnapshot, JobSnapshot, LocationSnapshot
from dagwright_shared.model.subsets import Subset
from dagwright_shared.store import backfill_runs, backfills, events, queue, run_list, runs
from dagwright_shared.wire.snapshot import digest_of, encode_snapshot

DAYS = TimeWindowPartitions(cron="0 0 * * *", format="%Y-%m-%d", start=datetime(2024, 1, 1, tzinfo=UTC))
LETTERS = StaticPartitions(keys=("a", "b", "c"))
NOW = datetime(2060, 3, 1, tzinfo=UTC)


def asset(name: str, *deps: str, of: Partitions | None = DAYS) -> AssetSnapshot:
    return AssetSnapshot(key=AssetKey(name), op_name=name, deps=tuple(AssetDepSnapshot(key=AssetKey(dep)) for dep in deps), partitions=of)


SNAPSHOT = LocationSnapshot(
    location=rig.HERE,
    dagwright_version="0",
    python_version="3",
    assets=(asset("many"), asset("below", "many"), asset("total", "below", of=None), asset("people", of=DynamicPartitions(name="people"))),
    jobs=(JobSnapshot(name="report", partitions=LETTERS),),
)


@pytest.fixture
def backend(store_engine: Engine) -> rig.Backend:
    return rig.Backend(engine=store_engine, snapshot_value=SNAPSHOT)


@pytest.fixture
def loop(store_engine: Engine, code_server: rig.CodeServer) -> Backfills:
    code_server.publish()
    return Backfills(store_engine, Catalog())


def ask(conn: Connection, parts: dict[str, Subset], **fields: object) -> str:
    backfill_id = str(uuid.uuid4())
    made = NewBackfill(
        backfill_id=backfill_id,
        location=rig.HERE,
        digest=digest_of(encode_snapshot(SNAPSHOT)),
        target=Target(as_of=NOW, parts=parts, dynamic={"people": ("anna", "ben")}),
        asset_keys=tuple(AssetKey(name) for name in parts if name),
        **fields,  # type: ignore[arg-type]
    )
    assert backfills.create(conn, made)
    assert not backfills.create(conn, made)
    return backfill_id


def started(engine: Engine, parts: dict[str, Subset], **fields: object) -> str:
    with engine.begin() as conn:
        return ask(conn, parts, **fields)


def tick(loop: Backfills) -> int:
    return loop.tick(Turn(now=NOW)).done


def get(engine: Engine, backfill_id: str) -> Backfill:
    with engine.connect() as conn:
        found = backfills.get(conn, backfill_id)
    assert found is not None
    return found


def queued(engine: Engine) -> list[Run]:
    with engine.connect() as conn:
        return sorted(run_list.list_page(conn, status=[RunStatus.QUEUED], limit=1000).items, key=lambda run: run.partition)


def end(engine: Engine, *payloads: Payload, count: int = 1) -> list[Run]:
    """Have the next queued runs do this."""
    with engine.begin() as conn:
        claimed = runs.claim(conn, limit=count, lease_seconds=60)
        for run in claimed:
            events.append(conn, [build.batch(run, [build.planned("step"), *payloads])])
    return claimed


def made(name: str, run: Run | None = None, partition: tuple[str, ...] = ()) -> AssetMaterialized:
    return AssetMaterialized(asset_key=AssetKey(name), partition=run.partition if run else partition)


def test_runs_of_a_backfill(store_engine: Engine, loop: Backfills) -> None:
    first_days = subsets.of_range(0, 3)
    backfill_id = started(store_engine, {"many": first_days, "below": first_days, "total": subsets.of_range(0, 1)}, tags={"team": "x"})
    assert tick(loop) > 0
    found = queued(store_engine)
    assert [run.partition for run in found] == [("2024-01-01",), ("2024-01-02",), ("2024-01-03",)]
    run = found[0]
    assert run.asset_keys == (AssetKey("many"), AssetKey("below"))
    assert (run.trigger.kind, run.trigger.name, run.priority) == (TriggerKind.BACKFILL, backfill_id, PRIORITY)
    assert run.tags == {"team": "x", "dagwright/backfill": backfill_id}
    assert run.backfill is not None
    assert (run.backfill.first, run.backfill.last) == (0, 0)
    assert get(store_engine, backfill_id).status is BackfillStatus.IN_PROGRESS
    assert tick(loop) == 0

    end(store_engine, RunSucceeded(), count=3)
    tick(loop)
    [last] = queued(store_engine)
    assert (last.asset_keys, last.partition) == ((AssetKey("total"),), ())
    end(store_engine, RunSucceeded())
    tick(loop)
    done = get(store_engine, backfill_id)
    assert done.status is BackfillStatus.COMPLETED
    assert done.ended_at is not None
    assert done.progress.open_runs == 0


def test_what_a_failed_run_made_counts_and_its_downstream_is_skipped(store_engine: Engine, loop: Backfills) -> None:
    days = subsets.of_range(4, 6)
    backfill_id = started(store_engine, {"many": days, "below": days, "total": subsets.of_range(0, 1)})
    tick(loop)
    end(store_engine, made("many", partition=("2024-01-05",)), RunFailed(error=build.ERROR))
    tick(loop)
    assert get(store_engine, backfill_id).progress.part("many").ended == subsets.EMPTY, "recovery has not said whether it is tried again"
    Recovery(store_engine, trusts_lapses=lambda _: True, lease_seconds=9, retries=RetryDefaults()).tick(Turn(now=NOW))
    tick(loop)
    progress = get(store_engine, backfill_id).progress
    assert progress.part("many").succeeded == subsets.of_range(4, 5)
    assert progress.part("below").failed == subsets.of_range(4, 5)
    assert progress.part("total").skipped == subsets.of_range(0, 1)
    end(store_engine, RunSucceeded())
    tick(loop)
    assert get(store_engine, backfill_id).status is BackfillStatus.FAILED


def test_a_retry_is_a_run_of_the_backfill(store_engine: Engine, loop: Backfills) -> None:
    backfill_id = started(store_engine, {"many": subsets.of_range(0, 1)}, tags={"dagwright/max_retries": "1"})
    recovery = Recovery(store_engine, trusts_lapses=lambda _: True, lease_seconds=9, retries=RetryDefaults())
    tick(loop)
    end(store_engine, RunFailed(error=build.ERROR))
    recovery.tick(Turn(now=NOW))
    tick(loop)
    with store_engine.begin() as conn:
        conn.execute(text("UPDATE runs SET not_before = NULL"))
    [retry] = queued(store_engine)
    assert retry.backfill is not None
    found = get(store_engine, backfill_id)
    assert (found.status, found.progress.open_runs) == (BackfillStatus.IN_PROGRESS, 1)
    end(store_engine, RunSucceeded())
    tick(loop)
    assert get(store_engine, backfill_id).status is BackfillStatus.COMPLETED


def test_cancel_reaches_queued_and_active_runs(store_engine: Engine, loop: Backfills, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "_ENDS", 25)
    backfill_id = started(store_engine, {"below": subsets.of_range(0, 40), "total": subsets.of_range(0, 1)})
    tick(loop)
    with store_engine.begin() as conn:
        [active] = runs.claim(conn, limit=1, lease_seconds=60)
        events.append(conn, [build.batch(active, [build.planned("step")])])
        assert backfills.request_cancel(conn, backfill_id).status is BackfillStatus.CANCELING
        counts = backfill_runs.counts(conn, backfill_id)
        assert (counts[RunStatus.QUEUED], counts[RunStatus.CANCELING]) == (39, 1)
        assert runs.claim(conn, limit=50, lease_seconds=60) == [], "what is being canceled starts no more"
        assert queue.candidates(conn, locations=[rig.HERE], background=True, limit=50) == []
        assert backfills.request_cancel(conn, backfill_id).status is BackfillStatus.CANCELING
    assert loop.tick(Turn(now=NOW)).more, "the queued runs are taken out in bounded steps"
    assert len(queued(store_engine)) == 39 - 25
    tick(loop)
    with store_engine.connect() as conn:
        assert backfill_runs.counts(conn, backfill_id)[RunStatus.CANCELED] == 39
        gone = run_list.list_page(conn, status=[RunStatus.CANCELED], limit=1).items[0]
        [told] = events.read(conn, gone.run_id)
        assert (told.type, told.seq, gone.last_seq) == ("RUN_CANCELED", 1, 1)
        assert "its backfill was canceled" in told.message
    tick(loop)
    assert get(store_engine, backfill_id).status is BackfillStatus.CANCELING
    with store_engine.begin() as conn:
        assert runs.cancel_lost(conn, active.run_id, active.epoch)
    tick(loop)
    found = get(store_engine, backfill_id)
    assert found.status is BackfillStatus.CANCELED
    assert len(found.progress.part("below").canceled) == 40
    assert len(found.progress.part("total").canceled) == 1
    with store_engine.begin() as conn:
        assert backfills.request_cancel(conn, backfill_id).status is BackfillStatus.CANCELED
        resumed = backfills.resume(conn, backfill_id, digest=found.digest)
        assert (resumed.status, resumed.attempt) == (BackfillStatus.REQUESTED, 2)
    tick(loop)
    assert len(queued(store_engine)) == 40


def test_what_cannot_be_done(store_engine: Engine, loop: Backfills) -> None:
    backfill_id = started(store_engine, {"many": subsets.of_range(0, 1)})
    with store_engine.begin() as conn:
        with pytest.raises(ConflictError, match="it is under way"):
            backfills.resume(conn, backfill_id, digest=get(store_engine, backfill_id).digest)
        with pytest.raises(NotFoundError):
            backfills.request_cancel(conn, str(uuid.uuid4()))
        with pytest.raises(NotFoundError):
            backfills.request_cancel(conn, "nonsense")
    tick(loop)
    end(store_engine, RunSucceeded())
    tick(loop)
    with store_engine.begin() as conn, pytest.raises(ConflictError, match="it has ended"):
        backfills.request_cancel(conn, backfill_id)
    with store_engine.begin() as conn, pytest.raises(ConflictError, match="it made everything"):
        backfills.resume(conn, backfill_id, digest=get(store_engine, backfill_id).digest)


def test_jobs_and_dynamic_partitions(store_engine: Engine, loop: Backfills) -> None:
    started(store_engine, {JOB: subsets.of_range(1, 3)}, job_name="report", config={"ops": {}})
    started(store_engine, {"people": subsets.of_range(0, 2)})
    tick(loop)
    found = queued(store_engine)
    assert [(run.job_name, run.partition) for run in found] == [(None, ("anna",)), ("report", ("b",)), (None, ("ben",)), ("report", ("c",))]
    assert found[1].config == {"ops": {}}


def test_definitions_that_do_not_fit_any_more_fail_it(store_engine: Engine, loop: Backfills, code_server: rig.CodeServer) -> None:
    backfill_id = started(store_engine, {"below": subsets.of_range(0, 2), "total": subsets.of_range(0, 1)})
    tick(loop)
    code_server.backend.become(LocationSnapshot(location=rig.HERE, dagwright_version="0", python_version="3", assets=SNAPSHOT.assets[2:3]))
    code_server.publish()
    end(store_engine, RunSucceeded())
    tick(loop)
    assert get(store_engine, backfill_id).status is BackfillStatus.IN_PROGRESS
    end(store_engine, RunSucceeded())
    tick(loop)
    found = get(store_engine, backfill_id)
    assert found.status is BackfillStatus.FAILED
    assert found.error is not None
    assert "asset 'below' is no longer defined" in found.error.message
    assert found.progress.part("below").succeeded == subsets.of_range(0, 2)


def test_steps_are_bounded(store_engine: Engine, loop: Backfills, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "_RUNS", 4)
    monkeypatch.setattr(loops, "_AHEAD", 6)
    backfill_id = started(store_engine, {"many": subsets.of_range(0, 9)})
    assert loop.tick(Turn(now=NOW)).more
    tick(loop)
    assert len(queued(store_engine)) == 6
    assert tick(loop) == 0
    end(store_engine, RunSucceeded(), count=6)
    while tick(loop):
        pass
    assert len(queued(store_engine)) == 3
    end(store_engine, RunSucceeded(), count=3)
    while tick(loop):
        pass
    assert get(store_engine, backfill_id).status is BackfillStatus.COMPLETED


def test_what_is_under_way(store_engine: Engine, loop: Backfills) -> None:
    started(store_engine, {"many": subsets.of_range(0, 3), "total": subsets.of_range(0, 1)})
    started(store_engine, {JOB: subsets.of_range(0, 3)}, job_name="report")
    with store_engine.connect() as conn:
        found = {each.asset_key.to_user_string(): each.ordinals for each in backfills.underway(conn)}
    assert found == {"many": subsets.of_range(0, 3), "total": subsets.of_range(0, 1)}


def test_a_whole_daemon(store_engine: Engine, code_server: rig.CodeServer, daemons: Callable[..., Runner]) -> None:
    code_server.publish()
    daemons()
    parts = {"many": subsets.of_range(0, 20), "below": subsets.of_range(0, 20), "total": subsets.of_range(0, 1)}
    backfill_id = started(store_engine, parts)
    until(lambda: get(store_engine, backfill_id).status is BackfillStatus.COMPLETED, seconds=30)
    assert len({spec.partition for spec in code_server.backend.launched}) == len(code_server.backend.launched) == 21
    assert {RunId(spec.run_id) for spec in code_server.backend.launched} == set(code_server.backend.launched_at)
