"""A location for the browser tests of the real stack: work that prints, logs, retries, fails with a cause, and waits to be canceled."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import dagwright as dg

SIGNALS = Path(os.environ["DAGWRIGHT_E2E_SIGNALS"])
"""A step that waits is let go by a file here."""
DAYS = dg.DailyPartitionsDefinition(start_date="2024-03-01", end_date="2024-04-01")


def _wait_for(name: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not (SIGNALS / f"{name}.go").exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody released {name}")
        time.sleep(0.02)


class Crossing(dg.Config):
    """How a crossing is made."""

    port: str
    containers: int = 3


@dg.op
def load_ship(context: dg.OpExecutionContext, config: Crossing) -> int:
    """Take the containers on board."""
    print(f"loading {config.containers} containers for {config.port}")
    print("the crane squeaks", file=sys.stderr)
    context.log.info(f"{config.containers} containers on board")
    context.log.warning("the wind is rising")
    return config.containers


@dg.op
def sail(context: dg.OpExecutionContext, containers: int) -> int:
    """Go to sea, and stay there until the harbour master allows to land."""
    print("at sea")
    _wait_for("landing")
    context.log.debug("the pilot is on board")
    return containers


@dg.op
def unload(context: dg.OpExecutionContext, containers: int) -> None:
    """Bring the containers ashore."""
    print(f"unloaded {containers} containers")


@dg.job(description="A ship's crossing: it waits at sea until it may land.")
def crossing():
    unload(sail(load_ship()))


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2, delay=0.3))
def hail_pilot(context: dg.OpExecutionContext) -> str:
    """Call for the pilot, who does not hear it the first time."""
    print(f"calling, attempt {context.retry_number + 1}")
    if context.retry_number == 0:
        raise dg.Failure(description="the pilot did not hear us", metadata={"channel": 16})
    return "pilot"


def _read_manifest(text: str) -> int:
    return int(text)


@dg.op
def read_manifest(context: dg.OpExecutionContext, pilot: str) -> int:
    """Read what is in the containers."""
    context.log.error("the manifest looks smudged")
    try:
        return _read_manifest("forty-two")
    except ValueError as error:
        raise RuntimeError("the manifest of MV Ever Forward cannot be read") from error


@dg.op
def file_papers(manifest: int) -> None:
    """Hand the papers to customs."""


@dg.job
def customs():
    file_papers(read_manifest(hail_pilot()))


@dg.asset(partitions_def=DAYS, group_name="harbor", kinds={"csv"})
def arrivals(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Ships that came in on a day."""
    print("ships of", context.partition_key)
    return dg.MaterializeResult(metadata={"ships": int(context.partition_key[-2:])})


@dg.asset(deps=[arrivals], group_name="harbor")
def berth_plan() -> dg.MaterializeResult:
    """Which ship lies where."""
    return dg.MaterializeResult(metadata={"berths": dg.MetadataValue.md("| berth | ship |\n|---|---|\n| 1 | Ever Forward |")})


@dg.asset(partitions_def=dg.MultiPartitionsDefinition({"day": DAYS, "quay": dg.StaticPartitionsDefinition(["north", "south"])}))
def unloaded(context: dg.AssetExecutionContext) -> None:
    """What came ashore where."""
    print("unloaded", context.partition_key)


@dg.observable_source_asset
def tide() -> dg.DataVersion:
    """How high the water stands."""
    return dg.DataVersion("high")


@dg.asset_check(asset=berth_plan)
def every_berth_is_taken() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, metadata={"empty": 2})


@dg.schedule(cron_schedule="0 5 * * *", job=customs, execution_timezone="Europe/Berlin")
def morning_papers(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=None)


@dg.sensor(job=customs, minimum_interval_seconds=3600)
def ships(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """A ship after the other, three of them."""
    seen = int(context.cursor or 0)
    print("looked at the quay")
    if seen >= 3:
        return dg.SkipReason("no ship since number 3")
    request = dg.RunRequest(run_key=f"ship-{seen + 1}", tags={"ship": str(seen + 1)})
    return dg.SensorResult(run_requests=[request], cursor=str(seen + 1))


@dg.webhook_sensor(secret=None, job=customs, default_status=dg.DefaultSensorStatus.RUNNING)
def radio(context: dg.WebhookSensorEvaluationContext) -> dg.SkipReason:
    """What ships say on the radio."""
    return dg.SkipReason(f"heard {context.delivery.json['ship']}")


defs = dg.Definitions(
    assets=[arrivals, berth_plan, unloaded, tide],
    asset_checks=[every_berth_is_taken],
    jobs=[crossing, customs],
    schedules=[morning_papers],
    sensors=[ships, radio],
)
