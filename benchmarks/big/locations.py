"""Definitions of a large deployment, as values: what `generate.py` publishes before it writes a history for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from dagwright.authoring.automation import AutomationCondition
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName
from dagwright_shared.model.partitions import DynamicPartitions, MultiPartitions, Partitions, StaticPartitions, TimeWindowPartitions
from dagwright_shared.model.snapshot import (
    AssetDepSnapshot,
    AssetSnapshot,
    CheckSnapshot,
    EdgeSnapshot,
    JobSnapshot,
    LocationSnapshot,
    NodeSnapshot,
    ScheduleSnapshot,
    SensorKind,
    SensorSnapshot,
    TriggerTarget,
)

PLACES = tuple(LocationName(name) for name in ("sales", "science", "finance", "platform"))
GROUP = 50
"""Assets in a group."""
IN_A_JOB = 6
"""Of them, those that the job of the group makes."""
MILLION = AssetKey("million")
"""The asset with the most partitions."""
_KINDS = ("duckdb", "python", "dbt", "snowflake", "s3", "pandas")
_NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much there is of everything."""

    runs: int = 1_000_000
    events: int = 20_000_000
    assets: int = 10_000
    jobs: int = 200
    partitions: int = 1_000_000
    """Of the asset that has the most."""
    days: int = 180
    """How far back the oldest run lies."""
    long_run: int = 100_000
    """Events of the longest run."""
    seed: int = 1


def locations(sizes: Sizes, until: datetime) -> tuple[LocationSnapshot, ...]:
    """The definitions of all locations; the same for the same sizes and day."""
    random = Random(sizes.seed)
    first_day = until.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=sizes.days + 2)
    daily = TimeWindowPartitions(cron="0 0 * * *", format="%Y-%m-%d", start=first_day)
    return tuple(_location(place, number, sizes, daily, random) for number, place in enumerate(PLACES))


def _location(place: LocationName, number: int, sizes: Sizes, daily: TimeWindowPartitions, random: Random) -> LocationSnapshot:
    count, jobs = max(GROUP, sizes.assets // len(PLACES)), max(4, sizes.jobs // len(PLACES))
    assets = [_asset(place, at, daily, random) for at in range(count)]
    checks = tuple(CheckSnapshot(key=AssetCheckKey(each.key, "not_empty"), op_name=each.op_name) for each in assets[::4])
    if number == 0:
        side = int(sizes.partitions**0.5)
        axis = StaticPartitions(keys=tuple(f"k{place:04d}" for place in range(side)))
        grid = MultiPartitions(dimensions=(("customer", axis), ("product", axis)))
        assets.append(AssetSnapshot(key=MILLION, op_name="million", group="large", partitions=grid))
        assets.append(AssetSnapshot(key=AssetKey("by_tenant"), op_name="by_tenant", partitions=DynamicPartitions(name="tenants")))
    groups = [assets[start : start + IN_A_JOB] for start in range(0, count, GROUP)]
    asset_jobs = [_asset_job(place, at, groups[at % len(groups)], daily) for at in range(jobs // 3)]
    op_jobs = [_op_job(place, at, random) for at in range(jobs - len(asset_jobs))]
    every = tuple(asset_jobs + op_jobs)
    schedules = tuple(
        ScheduleSnapshot(
            name=f"{job.name}_schedule",
            cron=(f"{at % 60} {at % 24} * * *",),
            target=TriggerTarget(job_name=job.name),
            default_running=at % 5 != 0,
            evaluated=False,
        )
        for at, job in enumerate(every[: len(every) * 3 // 4])
    )
    sensors = tuple(
        SensorSnapshot(name=f"{job.name}_sensor", targets=(TriggerTarget(job_name=job.name),), default_running=True)
        for job in every[len(every) * 3 // 4 :]
    )
    automation = SensorSnapshot(
        name=f"{place}_automation",
        kind=SensorKind.AUTOMATION,
        default_running=True,
        asset_keys=tuple(each.key for each in assets if each.automation),
    )
    return LocationSnapshot(
        location=place,
        dagwright_version="0",
        python_version="3.12.1",
        assets=tuple(assets),
        checks=checks,
        jobs=every,
        schedules=schedules,
        sensors=(*sensors, automation),
    )


def _asset(place: LocationName, at: int, daily: TimeWindowPartitions, random: Random) -> AssetSnapshot:
    group, within = divmod(at, GROUP)
    above = {at - 1 - random.randrange(min(within, 3)), at - within + random.randrange(within)} if within else set()
    if within == 0 and group:  # the groups depend on each other as well
        above = {(group - 1) // 2 * GROUP + GROUP - 1}
    partitions: Partitions | None = daily if group % 3 == 0 else None
    return AssetSnapshot(
        key=_key(place, at),
        op_name=f"op_{at}",
        group=f"{place}_{group:03d}",
        description=f"Number {at} of {place}: what a team would say of its table.",
        kinds=(random.choice(_KINDS),),
        owners=(f"team:{place}",),
        tags={"tier": str(random.randrange(4))},
        deps=tuple(AssetDepSnapshot(key=_key(place, each)) for each in sorted(above)),
        partitions=partitions,
        automation=AutomationCondition.eager().node if within >= IN_A_JOB and within % 2 else None,
    )


def _key(place: LocationName, at: int) -> AssetKey:
    return AssetKey([place, f"table_{at:05d}"])


def _asset_job(place: LocationName, at: int, members: list[AssetSnapshot], daily: TimeWindowPartitions) -> JobSnapshot:
    return JobSnapshot(
        name=f"{place}_tables_{at:03d}",
        nodes=tuple(NodeSnapshot(handle=str(each.op_name), op_name=str(each.op_name), asset_keys=(each.key,)) for each in members),
        asset_keys=tuple(each.key for each in members),
        check_keys=tuple(AssetCheckKey(each.key, "not_empty") for each in members if str(each.op_name)[3:].isdigit() and _is_checked(each)),
        partitions=daily if members[0].partitions is not None else None,
        config_schema=_NOTHING,
    )


def _is_checked(asset: AssetSnapshot) -> bool:
    return int(str(asset.op_name)[3:]) % 4 == 0


def _op_job(place: LocationName, at: int, random: Random) -> JobSnapshot:
    names = [f"step_{number}" for number in range(2 + random.randrange(5))]
    return JobSnapshot(
        name=f"{place}_job_{at:03d}",
        description=f"Job {at} of {place}.",
        nodes=tuple(NodeSnapshot(handle=name, op_name=name) for name in names),
        edges=tuple(
            EdgeSnapshot(from_node=before, from_output="result", to_node=after, to_input="value") for before, after in pairwise(names)
        ),
        config_schema=_NOTHING,
        tags={"team": place},
    )
