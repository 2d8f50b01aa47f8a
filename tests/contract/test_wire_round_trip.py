"""Every value of the model that crosses the wire arrives as it was sent."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract import wire_values as model

from dagwright_api.v1 import evaluation_pb2, events_pb2, partitions_pb2, snapshot_pb2, values_pb2
from dagwright_shared.model import errors, events, keys, metadata, snapshot, ticks
from dagwright_shared.wire import errors as wire_errors
from dagwright_shared.wire import evaluation as wire_evaluation
from dagwright_shared.wire import events as wire_events
from dagwright_shared.wire import history as wire_history
from dagwright_shared.wire import partitions as wire_partitions
from dagwright_shared.wire import snapshot as wire_snapshot
from dagwright_shared.wire import values as wire_values

pytestmark = pytest.mark.contract

RUN = keys.RunId("01890000-0000-7000-8000-000000000001")
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def through(encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """There and back, by way of bytes."""

    def send(value: Any) -> Any:
        message = encode(value)
        return decode(message if isinstance(message, bytes) else type(message).FromString(message.SerializeToString()))

    return send


PAIRS = {
    "JsonValue": through(wire_values.encode_value, wire_values.decode_value),
    "Mapping[str, JsonValue]": through(wire_values.encode_struct, wire_values.decode_struct),
    "AssetKey": through(wire_values.encode_asset_key, wire_values.decode_asset_key),
    "AssetCheckKey": through(wire_values.encode_check_key, wire_values.decode_check_key),
    "SourceRef": through(wire_values.encode_source, wire_values.decode_source),
    "MetadataValue": through(wire_values.encode_metadata_value, wire_values.decode_metadata_value),
    "datetime": through(wire_values.encode_time, wire_values.decode_time),
    "ErrorInfo": through(wire_errors.encode_error, wire_errors.decode_error),
    "Problem": through(wire_errors.encode_problem, wire_errors.decode_problem),
    "Partitions": through(wire_partitions.encode_partitions, wire_partitions.decode_partitions),
    "RunEvent": through(wire_events.encode_event, wire_events.decode_event),
    "EventBatch": through(wire_events.encode_batch, wire_events.decode_batch),
    "PlannedStep": through(wire_events.encode_planned_step, wire_events.decode_planned_step),
    "Evaluation": through(wire_evaluation.encode_evaluation, wire_evaluation.decode_evaluation),
    "PlanQuestion": through(wire_evaluation.encode_question, wire_evaluation.decode_question),
    "ScheduleQuestion": through(wire_evaluation.encode_evaluate_schedule_request, wire_evaluation.decode_evaluate_schedule_request),
    "SensorQuestion": through(wire_evaluation.encode_evaluate_sensor_request, wire_evaluation.decode_evaluate_sensor_request),
    "LaunchSpec": through(wire_evaluation.encode_launch, wire_evaluation.decode_launch),
    "HistoryQuestion": through(wire_history.encode_question, wire_history.decode_question),
    "HistoryAnswer": through(wire_history.encode_answer, wire_history.decode_answer),
    "ActiveRun": through(wire_evaluation.encode_active_run, wire_evaluation.decode_active_run),
    "AssetSnapshot": through(wire_snapshot.encode_asset, wire_snapshot.decode_asset),
    "CheckSnapshot": through(wire_snapshot.encode_check, wire_snapshot.decode_check),
    "NodeSnapshot": through(wire_snapshot.encode_node, wire_snapshot.decode_node),
    "JobSnapshot": through(wire_snapshot.encode_job, wire_snapshot.decode_job),
    "ScheduleSnapshot": through(wire_snapshot.encode_schedule, wire_snapshot.decode_schedule),
    "SensorSnapshot": through(wire_snapshot.encode_sensor, wire_snapshot.decode_sensor),
    "ResourceSnapshot": through(wire_snapshot.encode_resource, wire_snapshot.decode_resource),
    "LocationSnapshot": through(wire_snapshot.encode_snapshot, wire_snapshot.decode_snapshot),
    "LocationStatus": through(wire_snapshot.encode_status, wire_snapshot.decode_status),
}
_NAMES_NEEDED = {"LaunchSpec": "run_id", "ScheduleQuestion": "name", "SensorQuestion": "name"}


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_what_is_sent_arrives(name: str, data: st.DataObject) -> None:
    value = data.draw(model.of(name))
    if name in _NAMES_NEEDED:
        value = dataclasses.replace(value, **{_NAMES_NEEDED[name]: "x" + getattr(value, _NAMES_NEEDED[name])})
    if name == "PlanQuestion" and value.job_name == "":
        value = dataclasses.replace(value, job_name=None)
    assert PAIRS[name](value) == value


@settings(max_examples=50, deadline=None)
@given(value=model.of("LocationSnapshot"))
def test_equal_snapshots_have_equal_bytes(value: snapshot.LocationSnapshot) -> None:
    encoded = wire_snapshot.encode_snapshot(value)
    again = wire_snapshot.encode_snapshot(wire_snapshot.decode_snapshot(encoded))
    assert again == encoded
    assert wire_snapshot.digest_of(again) == wire_snapshot.digest_of(encoded)


def test_every_event_has_a_place_in_the_message() -> None:
    fields = {field.name for field in events_pb2.RunEvent.DESCRIPTOR.oneofs_by_name["payload"].fields}
    assert fields == {name.lower() for name in events.EVENT_TYPES.values()}


def test_numbers_keep_their_type_and_special_values() -> None:
    send = PAIRS["JsonValue"]
    for value in (1, 1.0, True, -0.0, 2**63, -(2**200), float("inf")):
        got = send(value)
        assert (type(got), repr(got)) == (type(value), repr(value))
    assert math.isnan(send(float("nan")))


def test_order_of_members_is_kept() -> None:
    value = {name: index for index, name in enumerate("zyxabc")}
    assert list(PAIRS["Mapping[str, JsonValue]"](value)) == list(value)
    labels = {name: metadata.TextMetadataValue(name) for name in "zyxabc"}
    event = events.RunEvent(seq=1, time=NOW, payload=events.EngineMessage(message="m", metadata=labels))
    assert list(PAIRS["RunEvent"](event).payload.metadata) == list(labels)


def test_deep_values_pass_the_depth_limit_of_protobuf() -> None:
    deep: Any = "end"
    for level in range(200):
        deep = {"a": deep} if level % 2 else [deep]
    config = {"deep": deep}
    assert PAIRS["PlanQuestion"](ticks.PlanQuestion(config=config)).config == config


def test_what_json_lacks_is_refused_with_its_type() -> None:
    with pytest.raises(TypeError, match="of type datetime has no JSON form"):
        wire_values.encode_value({"a": [NOW]})  # type: ignore[dict-item]


def test_a_problem_shows_what_was_given_whatever_it_is() -> None:
    problem = errors.Problem(path="config.x", message="no", value=[NOW, 1])
    assert PAIRS["Problem"](problem).value == [str(NOW), 1]


def test_undecodable_output_does_not_lose_events() -> None:
    payload = events.LogMessage(level=events.LogLevel.INFO, message="caf\udce9")
    failed = events.StepFailed(attempt=1, error=errors.ErrorInfo(class_name="E", message="\ud800", metadata={"k\udce9": ["\udce9", 1]}))
    asset = events.AssetMaterialized(asset_key=keys.AssetKey(["a", "b\udce9"]), metadata={"x": metadata.JsonMetadataValue({"y": "\udce9"})})
    batch = events.EventBatch(
        run_id=RUN,
        epoch=1,
        events=tuple(events.RunEvent(seq=seq, time=NOW, payload=body) for seq, body in enumerate((payload, failed, asset))),
        chunks=(events.LogChunk(step_key=keys.StepKey("s"), attempt=1, stream=events.LogStream.STDERR, offset=0, data=b"\xff\x00"),),
    )
    got = wire_events.decode_batch(wire_events.encode_batch(batch))
    assert got.events[0].payload == dataclasses.replace(payload, message="caf?")
    assert got.events[1].payload.error.metadata == {"k?": ["?", 1]}
    assert got.events[2].payload.asset_key == keys.AssetKey(["a", "b?"])
    assert got.chunks == batch.chunks
    assert wire_evaluation.decode_evaluation(wire_evaluation.encode_evaluation(ticks.Evaluation(logs=("a\udce9",)))).logs == ("a?",)


UNKNOWN = b"\x9a\x7f\x03abc"  # field 2035, bytes: what a newer sender might add


def test_an_event_of_a_newer_sender_is_shown_as_such() -> None:
    message = events_pb2.EventBatch(run_id=RUN, epoch=1)
    message.events.add().MergeFromString(events_pb2.RunEvent(seq=7).SerializeToString() + UNKNOWN)
    (event,) = wire_events.decode_batch(message.SerializeToString()).events
    assert isinstance(event.payload, events.EngineMessage)
    assert "newer dagwright" in event.payload.message


def test_metadata_of_a_newer_sender_is_shown_as_such() -> None:
    value = wire_values.decode_metadata_value(values_pb2.MetadataValue.FromString(UNKNOWN))
    assert isinstance(value, metadata.TextMetadataValue)
    assert "newer dagwright" in str(value.text)


def test_definitions_of_a_newer_sender_are_refused_with_a_reason() -> None:
    with pytest.raises(errors.DagwrightError, match=r"partitions definition.*newer dagwright"):
        wire_partitions.decode_partitions(partitions_pb2.Partitions.FromString(UNKNOWN))
    newer = snapshot_pb2.LocationSnapshot()
    newer.assets.add(key={"path": ["a"]}).execution = 99  # type: ignore[assignment]
    with pytest.raises(errors.DagwrightError, match=r"AssetExecution \(99\).*newer dagwright"):
        wire_snapshot.decode_snapshot(newer.SerializeToString())


def test_a_log_level_of_a_newer_sender_is_info() -> None:
    message = events_pb2.RunEvent(seq=1, log_message={"level": 35, "message": "m"})  # type: ignore[arg-type]
    assert wire_events.decode_event(message).payload == events.LogMessage(level=events.LogLevel.INFO, message="m", logger="")


@pytest.mark.parametrize(
    "read",
    [
        lambda: wire_snapshot.decode_snapshot(b"\xff\xff"),
        lambda: wire_snapshot.decode_snapshot(snapshot_pb2.LocationSnapshot(assets=[{"execution": 1}]).SerializeToString()),
        lambda: wire_events.decode_batch(b"\x08"),
        lambda: wire_evaluation.decode_launch(b"\xff"),
        lambda: wire_evaluation.decode_launch(b""),
        lambda: wire_evaluation.decode_evaluate_schedule_request(b""),
        lambda: wire_evaluation.decode_evaluate_sensor_request(b""),
        lambda: wire_evaluation.decode_plan_run_request(
            evaluation_pb2.PlanRunRequest(question={"asset_keys": [{"path": ["a/b"]}]}).SerializeToString()
        ),
    ],
)
def test_malformed_messages_are_invalid_requests(read: Callable[[], object]) -> None:
    with pytest.raises(errors.InvalidRequestError):
        read()
