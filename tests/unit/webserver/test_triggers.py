"""Which schedules and sensors an asset's page names."""

from __future__ import annotations

from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_shared.model.snapshot import (
    AssetSnapshot,
    JobSnapshot,
    LocationSnapshot,
    ScheduleSnapshot,
    SensorKind,
    SensorSnapshot,
    TriggerTarget,
)
from dagwright_webserver.reads.definitions import index
from dagwright_webserver.reads.triggers import schedules_of, sensors_of

HERE = LocationName("here")
A, B = AssetKey("a"), AssetKey("b")


def test_by_itself_by_a_job_or_by_its_condition() -> None:
    by_job, by_key = TriggerTarget(job_name="both"), TriggerTarget(asset_keys=(B,))
    snapshot = LocationSnapshot(
        location=HERE,
        dagwright_version="0",
        python_version="3",
        assets=(AssetSnapshot(key=A, op_name="a"), AssetSnapshot(key=B, op_name="b")),
        jobs=(JobSnapshot(name="both", asset_keys=(A, B)), JobSnapshot(name="other")),
        schedules=(
            ScheduleSnapshot(name="daily", cron=("0 6 * * *",), target=by_job),
            ScheduleSnapshot(name="elsewhere", cron=("0 6 * * *",), target=TriggerTarget(job_name="other")),
        ),
        sensors=(
            SensorSnapshot(name="auto", kind=SensorKind.AUTOMATION, asset_keys=(A,)),
            SensorSnapshot(name="watches", kind=SensorKind.ASSET, asset_keys=(A,), targets=(by_key,)),
        ),
    )
    defs = index({}, {HERE: snapshot})
    assert (schedules_of(defs, HERE, A), sensors_of(defs, HERE, A)) == (("daily",), ("auto",))
    assert (schedules_of(defs, HERE, B), sensors_of(defs, HERE, B)) == (("daily",), ("watches",))
    gone = LocationName("gone")
    assert (schedules_of(defs, gone, A), sensors_of(defs, gone, A)) == ((), ())
