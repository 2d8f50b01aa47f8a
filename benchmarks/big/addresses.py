"""The addresses of all lists and details, with filters as people give them, for things that a history has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy import Connection, text

from big.history import backfill_id
from big.locations import MILLION
from dagwright_webserver.reads import cursors

API = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Addresses that are answered alike."""

    name: str
    addresses: Sequence[str]
    p50: float = 30.0
    """Milliseconds that half of them may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Some of what is in a store."""

    runs: Sequence[Any]
    """Over the whole history."""
    long_run: Any
    assets: Sequence[Any]
    ticks: Sequence[Any]
    backfills: Sequence[str]


def pages(conn: Connection) -> list[Page]:
    """Everything that is measured."""
    count = conn.execute(text("SELECT count(*) FROM runs")).scalar_one()
    found = Found(
        runs=conn.execute(text(_RUNS), {"every": max(1, count // 40)}).all(),
        long_run=conn.execute(text("SELECT run_id, last_seq FROM runs ORDER BY last_seq DESC LIMIT 1")).one(),
        assets=conn.execute(text(_ASSETS)).all(),
        ticks=conn.execute(text(_TICKS)).all(),
        backfills=[backfill_id(number) for number in range(conn.execute(text("SELECT count(*) FROM backfills")).scalar_one())][-40:],
    )
    return [*_run_lists(found), *_runs(found), *_assets(found), *_automation(found), *_others(found)]


def _run_lists(found: Found) -> list[Page]:
    made = []
    filters: dict[str, list[dict[str, object]]] = {
        "newest": [{}],
        "of_status": [{"status": status} for status in ("FAILURE", "SUCCESS", "CANCELED", "QUEUED", "STARTED")],
        "of_job": [{"job": run.job_name} for run in found.runs if run.job_name],
        "of_failed_job": [{"job": run.job_name, "status": "FAILURE"} for run in found.runs if run.job_name],
        "of_tag": [{"tag": f"customer={run.customer}"} for run in found.runs],
        "of_common_tag": [{"tag": f"team={run.team}"} for run in found.runs],
        "of_trigger": [{"trigger": kind} for kind in ("schedule", "sensor", "automation", "backfill", "user", "retry", "api")],
        "of_text": [{"text": run.run_id[:18]} for run in found.runs]
        + [{"text": "tables_0"}, {"text": "table_001"}, {"text": "nothing at all"}],
        "of_asset": [{"asset": asset.key} for asset in found.assets],
    }
    more: dict[str, list[dict[str, object]]] = {
        "of_location": [{"location": run.location} for run in found.runs],
        "of_partition": [{"partition": run.partition[0]} for run in found.runs if run.partition],
        "of_trigger_name": [
            {"trigger": "schedule", "trigger_name": run.trigger_name} for run in found.runs if run.trigger_kind == "schedule"
        ],
        "before": [{"created_before": run.created_at.isoformat()} for run in found.runs],
        "of_backfill": [{"backfill": each} for each in found.backfills],
        "failed_of_tag": [{"tag": f"customer={run.customer}", "status": "FAILURE"} for run in found.runs],
        "canceled_of_location": [{"location": run.location, "status": "CANCELED"} for run in found.runs],
        "deep": [{"cursor": cursors.encode("runs", cursors.from_moment(run.created_at), run.run_id)} for run in found.runs],
        "deep_of_status": [
            {"status": "FAILURE", "cursor": cursors.encode("runs", cursors.from_moment(run.created_at), run.run_id)} for run in found.runs
        ],
    }
    for name, each in filters.items():
        made.append(Page(name=f"runs_{name}_html", addresses=_with("/runs", each)))
    for name, each in {**filters, **more}.items():
        made.append(Page(name=f"runs_{name}", addresses=_with(f"{API}/runs", each), p50=10.0 if name == "newest" else 30.0))
    return made


def _runs(found: Found) -> list[Page]:
    ids, long = [run.run_id for run in found.runs], f"{API}/runs/{found.long_run.run_id}"
    last = found.long_run.last_seq
    places = [last * part // 40 for part in range(40)]
    return [
        Page(name="run_html", addresses=[f"/runs/{each}" for each in ids]),
        Page(name="run", addresses=[f"{API}/runs/{each}" for each in ids]),
        Page(name="run_waiting", addresses=[f"{API}/runs/{each}/waiting" for each in ids]),
        Page(name="run_events", addresses=[f"{API}/runs/{each}/events" for each in ids]),
        Page(name="run_output", addresses=[f"{API}/runs/{each}/logs" for each in ids]),
        Page(name="long_run_html", addresses=[f"/runs/{found.long_run.run_id}"]),
        Page(name="long_run_part_html", addresses=_with(f"/runs/{found.long_run.run_id}", [{"at": place + 1} for place in places])),
        Page(
            name="long_run_1000_events",
            addresses=_with(f"{long}/events", [{"after_seq": place, "limit": 1000} for place in places]),
            p50=20.0,
        ),
        Page(name="long_run_numbers", addresses=[f"{long}/events/numbers"]),
        Page(name="long_run_warnings", addresses=_with(f"{long}/events", [{"level": "WARNING"}])),
        Page(name="long_run_of_text", addresses=_with(f"{long}/events", [{"text": f"line {place}:"} for place in places])),
        Page(name="long_run_numbers_of_text", addresses=_with(f"{long}/events/numbers", [{"text": f"line {place}:"} for place in places])),
    ]


def _assets(found: Found) -> list[Page]:
    keys = [quote(asset.key) for asset in found.assets]
    groups = sorted({asset.key.split("/")[0] + "_003" for asset in found.assets})
    million = quote(MILLION.to_user_string())
    filters = {
        "": [{}],
        "_of_text": [{"text": asset.key[-4:]} for asset in found.assets],
        "_of_group": [{"group": group} for group in groups],
        "_of_status": [{"status": status} for status in ("FAILED", "MISSING", "MATERIALIZED", "CHECK_FAILED")],
        "_of_selection": [{"selection": f"group:{group}+"} for group in groups],
    }
    listed = [
        Page(name=f"assets{name}{kind}", addresses=_with(path, each))
        for name, each in filters.items()
        for kind, path in (("", f"{API}/assets"), ("_html", "/assets"))
    ]
    tabs = ("partitions", "history", "plots", "checks", "automation")
    return [
        *listed,
        Page(name="asset", addresses=[f"{API}/assets/{key}" for key in keys]),
        Page(name="asset_html", addresses=[f"/assets/{key}" for key in keys]),
        *(Page(name=f"asset_{tab}_html", addresses=[f"/assets/{key}?tab={tab}" for key in keys]) for tab in tabs),
        Page(name="asset_materializations", addresses=[f"{API}/assets/{key}/materializations" for key in keys]),
        Page(name="asset_evaluations", addresses=[f"{API}/assets/{key}/evaluations" for key in keys]),
        Page(name="asset_check_history", addresses=[f"{API}/assets/{key}/checks/not_empty/evaluations" for key in keys[::4]]),
        Page(name="staleness", addresses=[f"{API}/staleness"]),
        Page(name="overview_stale_html", addresses=["/overview/stale"]),
        Page(name="million_partitions_html", addresses=[f"/assets/{million}?tab=partitions"]),
        Page(name="million_partitions", addresses=[f"{API}/assets/{million}/partitions"]),
        Page(name="million_partitions_heat", addresses=[f"{API}/assets/{million}/partitions/heat"]),
        Page(name="million_asset", addresses=[f"{API}/assets/{million}"]),
        Page(name="lineage_of_asset", addresses=_with(f"{API}/lineage", [{"around": asset.key, "depth": 3} for asset in found.assets])),
        Page(name="lineage_of_group", addresses=_with(f"{API}/lineage", [{"group": group} for group in groups])),
        Page(name="lineage_html", addresses=["/lineage"], p50=150.0),
        Page(name="lineage_statuses", addresses=[f"{API}/lineage/statuses"], p50=60.0),
        Page(name="lineage_whole", addresses=[f"{API}/lineage"], p50=150.0),
    ]


def _automation(found: Found) -> list[Page]:
    schedules = [tick for tick in found.ticks if tick.kind == "schedule"]
    sensors = [tick for tick in found.ticks if tick.kind == "sensor"]
    each = [("schedules", schedules), ("sensors", sensors)]
    made = [Page(name="automation_html", addresses=["/automation"])]
    made.append(Page(name="automation_of_one_html", addresses=_with("/automation", [{"name": tick.name} for tick in found.ticks])))
    made.append(Page(name="automation_failed_html", addresses=["/automation?status=FAILURE"]))
    for noun, ticks in each:
        made += [
            Page(name=noun, addresses=[f"{API}/{noun}"]),
            Page(name=noun[:-1], addresses=[f"{API}/{noun}/{tick.name}" for tick in ticks]),
            Page(name=f"{noun}_ticks", addresses=[f"{API}/{noun}/{tick.name}/ticks" for tick in ticks]),
            Page(name=f"{noun}_failed_ticks", addresses=[f"{API}/{noun}/{tick.name}/ticks?status=FAILURE" for tick in ticks]),
            Page(name=f"{noun}_tick", addresses=[f"{API}/{noun}/{tick.name}/ticks/{tick.tick_id}" for tick in ticks]),
        ]
    return made


def _others(found: Found) -> list[Page]:
    names = sorted({run.job_name for run in found.runs if run.job_name})
    now = cursors.encode("runs", cursors.from_moment(datetime.now(UTC)), found.runs[0].run_id)
    return [
        Page(name="overview_html", addresses=["/"]),
        Page(name="overview_72_hours_html", addresses=["/?hours=72"]),
        Page(name="jobs", addresses=[f"{API}/jobs"]),
        Page(name="jobs_html", addresses=["/jobs"]),
        Page(name="job", addresses=[f"{API}/jobs/{name}" for name in names]),
        Page(name="job_html", addresses=[f"/jobs/{name}" for name in names]),
        Page(name="backfills", addresses=[f"{API}/backfills"]),
        Page(name="backfills_html", addresses=["/backfills"]),
        Page(name="backfill", addresses=[f"{API}/backfills/{each}" for each in found.backfills]),
        Page(name="backfill_html", addresses=[f"/backfills/{each}" for each in found.backfills]),
        Page(name="deployment_html", addresses=["/deployment"]),
        Page(name="instance", addresses=[f"{API}/instance"]),
        Page(name="locations", addresses=[f"{API}/locations"]),
        Page(name="pools", addresses=[f"{API}/pools"]),
        Page(name="dynamic_partitions", addresses=[f"{API}/dynamic-partitions", f"{API}/dynamic-partitions/tenants"]),
        Page(name="users", addresses=[f"{API}/users"]),
        Page(name="audit", addresses=_with(f"{API}/audit", [{}, {"actor": "user7"}, {"action": "launch"}, {"result": "refused"}])),
        Page(name="metrics", addresses=["/metrics"]),
        Page(name="runs_of_nobody", addresses=_with(f"{API}/runs", [{"job": "no_such_job", "cursor": now}])),
    ]


def _with(path: str, filters: Sequence[dict[str, Any]]) -> list[str]:
    return [f"{path}?{urlencode(each)}" if each else path for each in filters]


_RUNS = """
SELECT CAST(run_id AS text) AS run_id, job_name, location, partition, trigger_kind, trigger_name, created_at,
    tags->>'customer' AS customer, tags->>'team' AS team
FROM (SELECT *, row_number() OVER (ORDER BY created_at DESC) AS place FROM runs) r
WHERE place % :every = 1 % :every ORDER BY created_at DESC LIMIT 40
"""
_ASSETS = "SELECT key, asset_id FROM assets WHERE defined AND key LIKE '%/table%' ORDER BY md5(key) LIMIT 40"
_TICKS = """
SELECT DISTINCT ON (i.kind, i.name) i.kind, i.name, t.tick_id FROM instigators i JOIN ticks t USING (instigator_id)
WHERE i.instigator_id % 4 = 1 ORDER BY i.kind, i.name, t.scheduled_for DESC
"""
