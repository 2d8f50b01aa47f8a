from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, func, select, text, update
from sqlalchemy.exc import IntegrityError
from tests.build import DIGEST, ERROR, LOCATION, batch, claimed, keys, log, new_run, planned, queued

from dagwright_shared.model import events as e
from dagwright_shared.model.errors import ConflictError, InvalidRequestError, NotFoundError
from dagwright_shared.model.keys import AssetCheckKey, RunId, StepKey, new_run_id
from dagwright_shared.model.runs import FINAL, TRANSITIONS, Run, RunStatus, StepStatus, Trigger, TriggerKind
from dagwright_shared.store import assets, events, queue, run_list, runs, tables


def at(conn: Connection, status: RunStatus) -> Run:
    """A run that has been brought to a status by the store's own functions."""
    if status is RunStatus.QUEUED:
        return got(conn, queued(conn))
    run = claimed(conn)
    if status in (RunStatus.STARTED, RunStatus.SUCCESS):
        events.append(conn, [batch(run, [planned()])])
    if status is RunStatus.SUCCESS:
        events.append(conn, [batch(run, [e.RunSucceeded()], first=2)])
    if status is RunStatus.FAILURE:
        assert runs.fail(conn, run.run_id, run.epoch, error=ERROR, reason="it broke")
    if status in (RunStatus.CANCELING, RunStatus.CANCELED):
        runs.request_cancel(conn, run.run_id)
    if status is RunStatus.CANCELED:
        assert runs.cancel_lost(conn, run.run_id, run.epoch)
    found = got(conn, run.run_id)
    assert found.status is status
    return found


def got(conn: Connection, run_id: RunId) -> Run:
    run = runs.get(conn, run_id)
    assert run is not None
    return run


def try_to(conn: Connection, run: Run, target: RunStatus) -> None:
    """Ask for a transition by the function that makes it."""
    final = {RunStatus.SUCCESS: e.RunSucceeded(), RunStatus.FAILURE: e.RunFailed(), RunStatus.CANCELED: e.RunCanceled()}
    if target is RunStatus.STARTING:
        runs.claim(conn, limit=10, lease_seconds=1)
    elif target is RunStatus.QUEUED:
        runs.requeue(conn, run.run_id, run.epoch, not_before=None, reason="again")
    elif target is RunStatus.CANCELING:
        try:
            runs.request_cancel(conn, run.run_id)
        except ConflictError:
            assert run.status in FINAL
    elif target is RunStatus.STARTED:
        events.append(conn, [batch(run, [planned()], first=run.last_seq + 1)])
    elif run.status is RunStatus.QUEUED and target is RunStatus.FAILURE:
        runs.fail(conn, run.run_id, run.epoch, error=ERROR, reason="no")
    elif run.status is RunStatus.QUEUED and target is RunStatus.CANCELED:
        runs.cancel_lost(conn, run.run_id, run.epoch)
    else:
        events.append(conn, [batch(run, [final[target]], first=run.last_seq + 1)])


@pytest.mark.parametrize("target", RunStatus)
@pytest.mark.parametrize("source", RunStatus)
def test_transitions(conn: Connection, source: RunStatus, target: RunStatus) -> None:
    run = at(conn, source)
    try_to(conn, run, target)
    now = got(conn, run.run_id).status
    if source is RunStatus.QUEUED and target is RunStatus.CANCELING:
        assert now is RunStatus.CANCELED, "a queued run has no worker to wait for"
    elif target in TRANSITIONS[source]:
        assert now is target
    else:
        assert now is source


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "SUCCESS"},
        {"status": "QUEUED", "ended_at": datetime.now(UTC)},
        {"status": "STARTING"},
        {"status": "STARTED", "epoch": 1},
        {"status": "PAUSED"},
    ],
)
def test_checks_refuse_impossible_rows(conn: Connection, wrong: dict[str, object]) -> None:
    run_id = queued(conn)
    with pytest.raises(IntegrityError, match="ck_runs"):
        conn.execute(update(tables.runs).where(tables.runs.c.run_id == run_id).values(**wrong))


def test_enqueue_keeps_everything(conn: Connection) -> None:
    made = new_run(
        asset_keys=keys("a/b", "c"),
        check_keys=(AssetCheckKey(keys("c")[0], "good"),),
        step_keys=(StepKey("s"),),
        partition=("2024-01-01", "eu"),
        config={"ops": {"x": {"config": {"n": 1.5, "l": [None, True]}}}},
        tags={"team": "a"},
        trigger=Trigger(kind=TriggerKind.SCHEDULE, name="daily", tick_id=7),
        priority=3,
        run_key="once",
        parent_run_id=new_run_id(),
        root_run_id=new_run_id(),
        inherited={StepKey("t"): new_run_id()},
        retry_number=2,
        not_before=datetime(2030, 1, 1, tzinfo=UTC),
    )
    assert runs.enqueue(conn, [made]) == [made.run_id]
    run = got(conn, made.run_id)
    for name in made.__dataclass_fields__:
        assert getattr(run, name) == getattr(made, name), name
    assert (run.status, run.epoch, run.last_seq) == (RunStatus.QUEUED, 0, 0)


def test_run_key_and_run_id_make_one_run(conn: Connection) -> None:
    first, second, other = new_run(run_key="k"), new_run(run_key="k"), new_run(run_key="l")
    assert runs.enqueue(conn, [first, second, other]) == [first.run_id, other.run_id]
    assert runs.enqueue(conn, [first, second, other]) == []
    assert runs.enqueue(conn, []) == []


def test_get_takes_any_text(conn: Connection) -> None:
    assert runs.get(conn, "no id") is None
    assert runs.get(conn, new_run_id()) is None


def test_claim_order_and_conditions(conn: Connection) -> None:
    old, new, urgent = queued(conn), queued(conn), queued(conn, priority=5)
    queued(conn, not_before=datetime.now(UTC) + timedelta(hours=1))
    elsewhere = queued(conn, location="there")
    assert [run.run_id for run in runs.claim(conn, limit=2, lease_seconds=9, locations=["here"])] == [urgent, old]
    [run] = runs.claim(conn, limit=9, lease_seconds=9, locations=["here"])
    assert (run.run_id, run.status, run.epoch) == (new, RunStatus.STARTING, 1)
    assert runs.claim(conn, limit=9, lease_seconds=9, locations=[]) == []
    assert [run.run_id for run in runs.claim(conn, limit=9, lease_seconds=9)] == [elsewhere]
    row = conn.execute(select(tables.runs).where(tables.runs.c.run_id == new)).one()
    assert (row.launch_attempts, round((row.lease_expires_at - row.claimed_at).total_seconds())) == (1, 9)
    assert queue.counts(conn).active == 4


def test_two_claimers_never_get_the_same_run(store_engine: Engine) -> None:
    with store_engine.begin() as conn:
        wanted = set(runs.enqueue(conn, [new_run() for _ in range(200)]))
    found: list[RunId] = []
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        while True:
            with store_engine.begin() as conn:
                got_now = runs.claim(conn, limit=7, lease_seconds=60)
            if not got_now:
                return
            found.extend(run.run_id for run in got_now)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200
    assert set(found) == wanted


@pytest.mark.parametrize("extend", ["renew", "vouch"])
def test_leases_are_taken_in_the_order_of_ids(store_engine: Engine, extend: str) -> None:
    """Another transaction holds a run in the middle and goes on to a later one, as a hub does: nobody waits in a circle."""
    ids = [new_run_id() for _ in range(3)]
    with store_engine.begin() as conn:
        for run_id in reversed(ids):  # the table has them the other way round
            runs.enqueue(conn, [replace(new_run(), run_id=run_id)])
        held = [(run.run_id, run.epoch) for run in runs.claim(conn, limit=3, lease_seconds=1)]
    held.sort(reverse=True)

    def work() -> None:
        with store_engine.begin() as conn:
            conn.execute(text("SET LOCAL application_name = 'extends leases'"))
            if extend == "renew":
                assert runs.renew(conn, held, seconds=600, server_id="s") == set(ids)
            else:
                runs.vouch(conn, held, seconds=600)

    lock = text("SELECT run_id FROM runs WHERE run_id = :run_id FOR UPDATE NOWAIT")
    waits = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'extends leases' AND wait_event_type = 'Lock'")
    with ThreadPoolExecutor(1) as pool:
        with store_engine.begin() as conn, store_engine.connect() as watching:
            conn.execute(lock, {"run_id": ids[1]})
            job = pool.submit(work)
            deadline = time.monotonic() + 60
            while not watching.execute(waits).scalar():
                watching.rollback()
                assert time.monotonic() < deadline, "it has to wait for the run in the middle"
            conn.execute(lock, {"run_id": ids[2]})
        job.result(20)
    with store_engine.connect() as conn:
        found = conn.execute(select(func.min(tables.runs.c.lease_expires_at), func.clock_timestamp())).one()
    assert found[0] > found[1] + timedelta(seconds=300)


def test_requeue_waits_and_reopens(conn: Connection) -> None:
    run = at(conn, RunStatus.STARTED)
    later = datetime.now(UTC) + timedelta(hours=1)
    assert runs.requeue(conn, run.run_id, run.epoch, not_before=later, reason="code server away")
    assert not runs.requeue(conn, run.run_id, run.epoch, not_before=later, reason="again")
    again = got(conn, run.run_id)
    assert (again.status, again.not_before, again.status_reason, again.started_at) == (RunStatus.QUEUED, later, "code server away", None)
    assert runs.claim(conn, limit=1, lease_seconds=1) == []


def test_fail_fences_and_tells_of_assets_and_steps(conn: Connection) -> None:
    run = claimed(conn, asset_keys=keys("a", "b"), partition=("p",))
    made = ("x", e.AssetMaterialized(asset_key=keys("a")[0], partition=("p",)))
    events.append(conn, [batch(run, [planned("x", "y"), ("x", e.StepStarted(attempt=1, pid=1)), made])])
    assert not runs.fail(conn, run.run_id, run.epoch + 1, error=ERROR, reason="not the owner")
    assert runs.fail(conn, run.run_id, run.epoch, error=ERROR, reason="worker lost")
    assert not runs.fail(conn, run.run_id, run.epoch, error=ERROR, reason="twice")
    after = got(conn, run.run_id)
    assert (after.status, after.error, after.status_reason, after.epoch) == (RunStatus.FAILURE, ERROR, "worker lost", run.epoch + 1)
    x, y = runs.steps(conn, run.run_id)
    assert (x.status, x.error, y.status) == (StepStatus.FAILURE, ERROR, StepStatus.SKIPPED)
    assert [row.type for row in events.read(conn, run.run_id, after_seq=3)] == ["ASSET_FAILED", "RUN_FAILED"]
    ids = assets.ids(conn, defined=False)
    a, b = (assets.partition(conn, ids[(LOCATION, key)], ("p",)) for key in "ab")
    assert a is not None
    assert b is not None
    assert (a.failed, b.failed, b.failed_run_id) == (False, True, run.run_id)
    assert events.append(conn, [batch(run, [log()], first=4)]) == {run.run_id: None}


def test_cancel_queued_run_leaves_an_event(conn: Connection) -> None:
    run = runs.request_cancel(conn, queued(conn), reason="by ann")
    assert run.status is RunStatus.CANCELED
    assert [row.type for row in events.read(conn, run.run_id)] == ["RUN_CANCELED"]
    assert runs.request_cancel(conn, run.run_id).status is RunStatus.CANCELED


def test_cancel_errors(conn: Connection) -> None:
    with pytest.raises(NotFoundError):
        runs.request_cancel(conn, new_run_id())
    with pytest.raises(NotFoundError):
        runs.request_cancel(conn, "nonsense")
    with pytest.raises(ConflictError, match="has ended"):
        runs.request_cancel(conn, at(conn, RunStatus.SUCCESS).run_id)


def test_leases(conn: Connection) -> None:
    mine, lost, ended = claimed(conn), claimed(conn, lease_seconds=0), at(conn, RunStatus.SUCCESS)
    assert [run.run_id for run in runs.lapsed(conn)] == [lost.run_id]
    held = [(run.run_id, run.epoch) for run in (mine, ended)] + [(lost.run_id, lost.epoch - 1)]
    assert runs.renew(conn, held, seconds=60, server_id="s") == {mine.run_id}
    assert got(conn, mine.run_id).server_id == "s"
    assert runs.renew(conn, [], seconds=60, server_id="s") == set()
    assert runs.end_lease(conn, mine.run_id, mine.epoch, reason="worker died")
    assert not runs.end_lease(conn, mine.run_id, mine.epoch + 1, reason="worker died")
    assert {run.run_id for run in runs.lapsed(conn)} == {lost.run_id, mine.run_id}
    runs.request_cancel(conn, mine.run_id)
    assert [run.run_id for run in runs.canceling(conn)] == [mine.run_id]


def test_retryable(conn: Connection) -> None:
    run = at(conn, RunStatus.FAILURE)
    at(conn, RunStatus.SUCCESS)
    assert [one.run_id for one in runs.retryable(conn, 10)] == [run.run_id]
    assert runs.mark_retried(conn, run.run_id)
    assert not runs.mark_retried(conn, run.run_id)
    assert runs.retryable(conn, 10) == []


def test_launch_spec_continues_the_numbers(conn: Connection) -> None:
    run = at(conn, RunStatus.STARTED)
    runs.requeue(conn, run.run_id, run.epoch, not_before=None, reason="lost")
    [again] = runs.claim(conn, limit=1, lease_seconds=1)
    spec = runs.launch_spec(again, 1000)
    assert (spec.epoch, spec.first_seq, spec.digest, spec.log_limit_bytes) == (2, 2, DIGEST, 1000)


def test_pages(conn: Connection) -> None:
    made = [queued(conn) for _ in range(5)][::-1]
    seen, cursor = [], None
    while True:
        page = run_list.list_page(conn, limit=2, cursor=cursor)
        seen += [run.run_id for run in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == made


@pytest.mark.parametrize("cursor", ["x", "e30", "W10", "WzEsMl0", "öö", "WyIyMDI0LTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwibm8iXQ"])
def test_bad_cursor(conn: Connection, cursor: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        run_list.list_page(conn, cursor=cursor)
    assert [problem.path for problem in raised.value.problems] == ["cursor"]


def test_filters(conn: Connection) -> None:
    c = at(conn, RunStatus.STARTED).run_id
    a = queued(conn, tags={"team": "x"}, asset_keys=keys("k"), job_name=None)
    b = queued(conn, job_name="other", location="there", trigger=Trigger(kind=TriggerKind.SENSOR, name="s", tick_id=4), root_run_id=a)

    def found(**filters: object) -> list[RunId]:
        return [run.run_id for run in run_list.list_page(conn, **filters).items]  # type: ignore[arg-type]

    assert found() == [b, a, c]
    assert found(status=[RunStatus.QUEUED]) == [b, a]
    assert found(job_name="other") == found(location="there") == found(trigger=TriggerKind.SENSOR) == [b]
    assert found(trigger_name="s") == found(tick_id=4) == found(search="other") == [b]
    assert found(tags={"team": "x"}) == found(asset_key="k") == found(search=a) == [a]
    assert found(asset_key="nope") == found(asset_key="k", location="there") == found(search="zzz") == []
    assert found(root_run_id=a) == [b, a]
    assert found(search=a[:8]) == [b, a, c], "ids made in the same minute begin alike"
    now = datetime.now(UTC)
    assert found(created_before=now - timedelta(hours=1)) == []
    assert found(created_after=now - timedelta(hours=1)) == [b, a, c]
    counts = run_list.counts_by_status(conn)
    assert (counts[RunStatus.QUEUED], counts[RunStatus.STARTED], counts[RunStatus.FAILURE]) == (2, 1, 0)
    assert run_list.counts_by_status(conn, since=now + timedelta(hours=1)) == counts
    assert run_list.of_ticks(conn, [4, 5]) == {4: (b,), 5: ()}
    with pytest.raises(InvalidRequestError, match="limit"):
        found(limit=0)


def test_database_clock(conn: Connection) -> None:
    before = conn.execute(text("SELECT clock_timestamp()")).scalar_one()
    first, second = queued(conn), queued(conn)
    assert before < got(conn, first).created_at < got(conn, second).created_at


def test_a_run_keeps_its_range_of_partitions(conn: Connection) -> None:
    run = new_run(partition=("2013-01-01",), partition_end=("2013-01-31",))
    runs.enqueue(conn, [run, new_run(partition=("2013-01-01",))])
    found = {got(conn, other.run_id).partition_end for other in run_list.list_page(conn).items}
    assert found == {("2013-01-31",), None}
    (claimed_run,) = (r for r in runs.claim(conn, limit=2, lease_seconds=1) if r.run_id == run.run_id)
    spec = runs.launch_spec(claimed_run, 1)
    assert (spec.partition, spec.partition_end) == (("2013-01-01",), ("2013-01-31",))


@pytest.mark.parametrize("ends", [((), ("b",)), (("a",), ()), (("a",), ("b", "c"))])
def test_half_a_range_is_refused(conn: Connection, ends: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    with pytest.raises(IntegrityError, match="range_has_both_ends"):
        runs.enqueue(conn, [new_run(partition=ends[0], partition_end=ends[1])])
