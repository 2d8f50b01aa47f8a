from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy import event as sa_event
from tests.build import ERROR, LOCATION, batch, claimed, event, keys, log, planned, queued

from dagwright_shared.model import events as e
from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, StepKey
from dagwright_shared.model.metadata import normalize_metadata
from dagwright_shared.model.runs import Run, RunStatus, StepStatus
from dagwright_shared.store import assets, event_data, events, logs, runs
from dagwright_shared.store.asset_ids import AssetIds

USAGE = e.Usage(cpu_seconds=0.5, peak_memory_bytes=1000)
A = AssetKey("a")


def started(conn: Connection, *steps: str, **fields: object) -> Run:
    run = claimed(conn, **fields)
    assert events.append(conn, [batch(run, [planned(*steps)])]) == {run.run_id: 1}
    return run


def status(conn: Connection, run: Run) -> RunStatus:
    found = runs.get(conn, run.run_id)
    assert found is not None
    return found.status


def test_whole_run_in_one_batch(conn: Connection) -> None:
    run = claimed(conn)
    sent = batch(
        run, [planned("x", "y"), ("x", e.StepStarted(attempt=1, pid=2)), ("x", e.StepSucceeded(attempt=1, usage=USAGE)), e.RunSucceeded()]
    )
    assert events.append(conn, [sent], server_id="s1") == {run.run_id: 4}
    after = runs.get(conn, run.run_id)
    assert after is not None
    assert (after.status, after.last_seq, after.server_id) == (RunStatus.SUCCESS, 4, "s1")
    assert (after.started_at, after.ended_at) == (sent.events[0].time, sent.events[-1].time)
    x, y = runs.steps(conn, run.run_id)
    assert (x.status, x.cpu_seconds, x.peak_memory_bytes, x.started_at) == (StepStatus.SUCCESS, 0.5, 1000, sent.events[1].time)
    assert y.status is StepStatus.SKIPPED
    assert [row.payload for row in events.read(conn, run.run_id)] == [one.payload for one in sent.events]


def test_older_epoch_is_fenced_and_writes_nothing(conn: Connection) -> None:
    run = started(conn)
    assert runs.requeue(conn, run.run_id, run.epoch, not_before=None, reason="lost")
    assert events.append(conn, [batch(run, [log()], first=2)]) == {run.run_id: None}
    [again] = runs.claim(conn, limit=10, lease_seconds=60)
    assert again.epoch == run.epoch + 1
    assert events.append(conn, [batch(run, [log()], first=2)]) == {run.run_id: None}
    assert events.append(conn, [batch(again, [planned()], first=2)]) == {run.run_id: 2}
    assert len(events.read(conn, run.run_id)) == 2


def test_unknown_run_is_fenced(conn: Connection) -> None:
    run = claimed(conn)
    conn.execute(text("DELETE FROM runs"))
    assert events.append(conn, [batch(run, [log()])]) == {run.run_id: None}


def test_replay_is_acknowledged_and_not_doubled(conn: Connection) -> None:
    run = started(conn)
    one = batch(run, [log("1"), log("2")], first=2)
    assert events.append(conn, [one]) == {run.run_id: 3}
    assert events.append(conn, [one]) == {run.run_id: 3}
    # The acknowledgement was lost and the worker sends the same again with more.
    more = batch(run, [log("1"), log("2"), e.RunSucceeded()], first=2)
    assert events.append(conn, [more]) == {run.run_id: 4}
    assert events.append(conn, [more]) == {run.run_id: 4}, "also when the run is final"
    assert [row.seq for row in events.read(conn, run.run_id)] == [1, 2, 3, 4]
    assert events.append(conn, [batch(run, [log()], first=5)]) == {run.run_id: None}, "but nothing new after the end"


def test_gap_is_not_taken(conn: Connection) -> None:
    run = started(conn)
    assert events.append(conn, [batch(run, [log(), e.RunSucceeded()], first=5)]) == {run.run_id: 1}
    assert status(conn, run) is RunStatus.STARTED
    assert len(events.read(conn, run.run_id)) == 1


def test_batches_of_one_run_and_of_many(conn: Connection) -> None:
    first, second, lost = started(conn), started(conn), started(conn)
    assert runs.fail(conn, lost.run_id, lost.epoch, error=ERROR, reason="gone")
    sent = [batch(first, [log()], first=2), batch(second, [log()], first=2), batch(lost, [log()], first=2), batch(first, [log()], first=3)]
    assert events.append(conn, sent) == {first.run_id: 3, second.run_id: 2, lost.run_id: None}
    assert events.append(conn, []) == {}


def test_append_costs_a_constant_number_of_statements(conn: Connection) -> None:
    def cost(count: int) -> int:
        said: list[str] = []
        some = [claimed(conn, asset_keys=keys("a")) for _ in range(count)]
        work = [planned("x"), ("x", e.StepStarted(attempt=1, pid=1)), ("x", e.AssetMaterialized(asset_key=A)), e.RunSucceeded()]
        sa_event.listen(conn, "before_cursor_execute", listener := lambda c, cur, statement, *rest: said.append(statement))
        answer = events.append(conn, [batch(run, work) for run in some], assets=ids)
        sa_event.remove(conn, "before_cursor_execute", listener)
        assert set(answer.values()) == {4}
        return len(said)

    ids = AssetIds()
    cost(1)
    assert cost(2) == cost(50) <= 9


def test_step_retry_and_failure(conn: Connection) -> None:
    run = started(conn, "x", "open", "waiting")
    work = [
        ("x", e.StepStarted(attempt=1, pid=1)),
        ("x", e.StepRetrying(attempt=1, error=ERROR)),
        ("open", e.StepStarted(attempt=1, pid=1)),
    ]
    events.append(conn, [batch(run, work, first=2)])
    x, opened, _ = runs.steps(conn, run.run_id)
    assert (x.status, x.error, opened.status) == (StepStatus.RETRYING, ERROR, StepStatus.STARTED)
    work = [
        ("x", e.StepStarted(attempt=2, pid=1)),
        ("x", e.StepFailed(attempt=2, error=ERROR, usage=USAGE)),
        e.RunFailed(failed_steps=(StepKey("x"),)),
    ]
    events.append(conn, [batch(run, work, first=5)])
    x, opened, waiting = runs.steps(conn, run.run_id)
    assert (x.status, x.attempt, x.error) == (StepStatus.FAILURE, 2, ERROR)
    assert (opened.status, waiting.status) == (StepStatus.FAILURE, StepStatus.SKIPPED)


def test_canceled_run_closes_its_steps(conn: Connection) -> None:
    run = started(conn, "x", "y")
    events.append(conn, [batch(run, [("x", e.StepStarted(attempt=1, pid=1))], first=2)])
    assert runs.request_cancel(conn, run.run_id).status is RunStatus.CANCELING
    assert events.append(conn, [batch(run, [log(), e.RunCanceled()], first=3)]) == {run.run_id: 4}
    assert [step.status for step in runs.steps(conn, run.run_id)] == [StepStatus.CANCELED, StepStatus.SKIPPED]
    assert status(conn, run) is RunStatus.CANCELED


def test_start_that_arrives_after_a_cancel_request(conn: Connection) -> None:
    run = claimed(conn)
    runs.request_cancel(conn, run.run_id)
    assert events.append(conn, [batch(run, [planned("x")])]) == {run.run_id: 1}
    assert status(conn, run) is RunStatus.CANCELING
    assert events.append(conn, [batch(run, [e.RunSucceeded()], first=2)]) == {run.run_id: 2}
    assert status(conn, run) is RunStatus.SUCCESS


def test_dynamic_step_is_made_by_its_first_event(conn: Connection) -> None:
    run = started(conn, "x")
    events.append(conn, [batch(run, [("x[1]", e.StepStarted(attempt=1, pid=1)), ("x[0]", e.StepSkipped(reason="no"))], first=2)])
    assert [(step.step_key, step.status) for step in runs.steps(conn, run.run_id)] == [
        ("x", StepStatus.PENDING),
        ("x[1]", StepStatus.STARTED),
        ("x[0]", StepStatus.SKIPPED),
    ]


def test_asset_state(conn: Connection) -> None:
    run = started(conn)
    at = datetime.now(UTC)
    made = e.AssetMaterialized(asset_key=A, partition=("p",), metadata=normalize_metadata({"rows": 3}), data_version="v1")
    check = e.CheckEvaluated(check_key=AssetCheckKey(A, "good"), passed=False, severity=e.Severity.WARN)
    sent = e.EventBatch(
        run_id=run.run_id,
        epoch=run.epoch,
        events=(
            event(2, made, time=at),
            event(3, e.AssetFailed(asset_key=A, partition=("p",)), time=at + timedelta(seconds=1)),
            event(4, e.AssetObserved(asset_key=A, data_version="v0")),
            event(5, check),
        ),
    )
    ids = AssetIds()
    assert events.append(conn, [sent], assets=ids) == {run.run_id: 5}
    asset_id = assets.ids(conn, defined=False)[(LOCATION, "a")]
    row = assets.partition(conn, asset_id, ("p",))
    assert row is not None
    assert (row.run_id, row.seq, row.materialized_at, row.data_version, row.failed) == (run.run_id, 2, at, "v1", True)
    assert row.metadata == {"rows": {"type": "int", "raw_value": 3}}
    whole = assets.partition(conn, asset_id, ())
    assert whole is not None
    assert (whole.materialized_at, whole.observed_data_version) == (None, "v0")
    assert assets.latest(conn, [asset_id])[asset_id].partition == ("p",)
    [result] = assets.checks(conn, [asset_id])
    assert (result.name, result.passed, result.severity) == ("good", False, "WARN")
    [row2] = events.of_asset(conn, [asset_id], types=["ASSET_MATERIALIZED"])
    assert row2.payload == made


def test_older_materialization_does_not_replace_a_newer_one(conn: Connection) -> None:
    new, old = started(conn), started(conn)
    now = datetime.now(UTC)
    for run, at in ((new, now), (old, now - timedelta(hours=1))):
        made = event(2, e.AssetMaterialized(asset_key=A), time=at)
        events.append(conn, [e.EventBatch(run_id=run.run_id, epoch=run.epoch, events=(made,))])
    [asset_id] = assets.ids_of(conn, "a")
    assert assets.latest(conn, [asset_id])[asset_id].run_id == new.run_id


def test_rolled_back_asset_is_not_remembered(conn: Connection) -> None:
    ids = AssetIds()
    ids.resolve(conn, [(LOCATION, "a")])
    ids.resolve(conn, [(LOCATION, "a")])
    conn.rollback()
    fresh = ids.resolve(conn, [(LOCATION, "a")])
    conn.commit()
    assert ids.resolve(conn, [(LOCATION, "a")]) == fresh
    assert assets.ids(conn, defined=False) == fresh


def test_captured_output(conn: Connection) -> None:
    run = started(conn, "x")
    x = StepKey("x")

    def chunk(offset: int, data: bytes, **fields: bool) -> e.LogChunk:
        return e.LogChunk(step_key=x, attempt=1, stream=e.LogStream.STDOUT, offset=offset, data=data, **fields)

    events.append(conn, [batch(run, [], chunks=(chunk(0, b"ab\x00"), chunk(3, b"\xffcd")))])
    events.append(conn, [batch(run, [e.RunSucceeded()], first=2, chunks=(chunk(3, b"\xffcd"), chunk(6, b"e", truncated=True)))])
    assert logs.read(conn, run.run_id, x, 1, e.LogStream.STDOUT) == b"ab\x00\xffcde"
    assert logs.read(conn, run.run_id, x, 1, e.LogStream.STDOUT, offset=2, limit=3) == b"\x00\xffc"
    assert logs.read(conn, run.run_id, x, 1, e.LogStream.STDERR) == b""
    [file] = logs.files(conn, run.run_id)
    assert (file.size, file.truncated) == (7, True)


@pytest.mark.parametrize(
    "said", ["nul \x00 here", "lone \ud800 surrogate", "literal \\u0000", "%s %(x)s :y 'q' \"d\"", "é€😀", "\x1b[31m", ""]
)
def test_text_that_postgres_would_refuse(conn: Connection, said: str) -> None:
    run = started(conn)
    assert events.append(conn, [batch(run, [log(said), e.EngineMessage(message=said)], first=2)]) == {run.run_id: 3}
    [row, _] = events.read(conn, run.run_id, after_seq=1)
    if "\x00" not in said and "\ud800" not in said:
        assert row.message == said
    assert "here" in row.message or "nul" not in said


def test_paging(conn: Connection) -> None:
    run = started(conn)
    events.append(conn, [batch(run, [log(str(i)) for i in range(2, 101)], first=2)])
    assert [row.seq for row in events.read(conn, run.run_id, after_seq=50, limit=10)] == list(range(51, 61))
    assert [row.seq for row in events.tail(conn, run.run_id, limit=3)] == [98, 99, 100]
    assert [row.seq for row in events.tail(conn, run.run_id, before_seq=3)] == [1, 2]


PAYLOADS = [
    planned("x"),
    e.StepsPlanned(steps=(e.PlannedStep(key=StepKey("x[a]"), op_name="x"),), gone=(StepKey("x[?]"),), first_ordinal=3),
    e.RunSucceeded(),
    e.RunFailed(error=ERROR, failed_steps=(StepKey("x"),), reason="because"),
    e.RunCanceled(reason="asked"),
    e.StepStarted(attempt=2, pid=3),
    e.StepSucceeded(attempt=1, usage=USAGE),
    e.StepFailed(attempt=1, error=ERROR, usage=USAGE),
    e.StepRetrying(attempt=1, error=ERROR, delay_seconds=1.5),
    e.StepSkipped(reason="upstream failed"),
    e.StepCanceled(attempt=1),
    e.InputLoaded(input_name="i", io_manager_key="io", source="a", metadata=normalize_metadata({"k": "v"})),
    e.OutputStored(output_name="o", io_manager_key="io", mapping_key="m"),
    e.AssetMaterialized(asset_key=A, partition=("p", "q"), tags={"t": "u"}, code_version="1", input_data_versions={"b": "2"}),
    e.AssetObserved(asset_key=A, description="seen"),
    e.AssetFailed(asset_key=A, reason="no"),
    e.FreshnessChanged(asset_key=A, state=FreshnessState.FAIL, previous=FreshnessState.PASS),
    e.CheckEvaluated(check_key=AssetCheckKey(A, "c"), passed=True, blocking=True),
    e.LogMessage(level=e.LogLevel.DEBUG, message="m", logger="mine", error=ERROR),
    e.EngineMessage(message="m", level=e.LogLevel.WARNING, metadata=normalize_metadata({"k": 1})),
]


def test_every_payload_reads_back(conn: Connection) -> None:
    assert {type(payload) for payload in PAYLOADS} == set(e.EVENT_TYPES)
    run = started(conn)
    wanted = [payload for payload in PAYLOADS if not isinstance(payload, e.RunSucceeded | e.RunFailed | e.RunCanceled)]
    events.append(conn, [batch(run, [("x", payload) for payload in wanted], first=2)])
    assert [row.payload for row in events.read(conn, run.run_id, after_seq=1)] == wanted
    for payload in PAYLOADS:
        c = event_data.columns(payload)
        name = None if c.asset_key is None else c.asset_key.to_user_string()
        assert event_data.payload(e.EVENT_TYPES[type(payload)], c.message, c.level, name, c.check_name, c.partition, c.data) == payload


def test_partitions_of_time(conn: Connection) -> None:
    assert events.ensure_partitions(conn) == []
    run = queued(conn)
    future = datetime.now(UTC) + timedelta(weeks=30)
    row = {"run_id": run, "time": future}
    conn.execute(text("INSERT INTO events (run_id, seq, time, type) VALUES (:run_id, 1, :time, 'LOG_MESSAGE')"), row)
    assert conn.execute(text("SELECT count(*) FROM events_default")).scalar() == 1
    made = events.ensure_partitions(conn, future)
    assert len(made) == 4
    assert conn.execute(text("SELECT count(*) FROM events_default")).scalar() == 0
    assert conn.execute(text(f"SELECT count(*) FROM {made[0]}")).scalar() == 1


def test_a_plan_that_grows_replaces_its_placeholders(conn: Connection) -> None:
    run = started(conn)
    pattern = e.PlannedStep(key=StepKey("double[?]"), op_name="double", depends_on=(StepKey("x"),))
    events.append(conn, [batch(run, [(None, e.StepsPlanned(steps=(pattern,), first_ordinal=1))], first=2)])
    copies = tuple(e.PlannedStep(key=StepKey(f"double[{key}]"), op_name="double", depends_on=(StepKey("x"),)) for key in "ab")
    grown = e.StepsPlanned(steps=copies, gone=(StepKey("double[?]"),), first_ordinal=2)
    events.append(conn, [batch(run, [(None, grown), ("double[a]", e.StepStarted(attempt=1, pid=1))], first=3)])
    found = {step.step_key: (str(step.status), step.depends_on) for step in runs.steps(conn, run.run_id) if step.step_key != "x"}
    assert {key: status for key, (status, _) in found.items()} == {"double[a]": "STARTED", "double[b]": "PENDING"}
    assert all(tuple(upstream) == ("x",) for _, upstream in found.values())
