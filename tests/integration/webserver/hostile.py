"""A location and its history whose every text tries to become a part of the page."""

from __future__ import annotations

import dataclasses
from typing import Any
from urllib.parse import quote

import httpx
from sqlalchemy import Engine
from tests.build import batch
from tests.integration.webserver import places
from tests.integration.webserver.conftest import publish
from tests.integration.webserver.test_reading import USAGE, claim, write

from dagwright_shared.model import events as e
from dagwright_shared.model.errors import ErrorInfo, Frame, SourceRef
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName, StepKey
from dagwright_shared.model.metadata import MetadataValue, TableColumn, TableColumnConstraints, TableRecord, TableSchema, normalize_metadata
from dagwright_shared.model.partitions import DynamicPartitions, StaticPartitions
from dagwright_shared.model.snapshot import (
    CheckSnapshot,
    JobSnapshot,
    LoadWarning,
    LocationSnapshot,
    NodeSnapshot,
    PortSnapshot,
    ResourceSnapshot,
    ScheduleSnapshot,
    SensorSnapshot,
    TriggerTarget,
)

# Leaves an attribute, a script, a comment, a text area and a title; what it makes has the attribute `data-evil`, which nothing of ours has.
EVIL = "x' \" data-evil=1 onfocus=evil() --></script></textarea></title></style><b data-evil=2 onclick=evil()>{{7*7}}${7*7}</b><!-- "
LINK = 'javascript:evil()//%0A" data-evil=3'
KEY = "x' \" data-evil=5 onfocus=evil() --><b data-evil=6 onclick=evil()>"
"""Of an asset, which has no slashes."""
MARKDOWN = f"""# {EVIL}

[link]({LINK}) [link](javascript:evil()) ![image](javascript:evil()) <javascript:evil()> <img src=x data-evil=4>

```{EVIL}
{EVIL}
```"""
ASSET, PLAIN, DYNAMIC = AssetKey(["evil", KEY]), AssetKey("evil_plain"), AssetKey("evil_dynamic")
CHECK = AssetCheckKey(PLAIN, EVIL)
SOURCE = SourceRef(file=EVIL, line=1)
SCHEMA = {
    "type": "object",
    "title": EVIL,
    "description": EVIL,
    "properties": {EVIL: {"type": "string", "description": EVIL, "title": EVIL, "default": EVIL, "enum": [EVIL, "other"]}},
}


def metadata() -> dict[str, MetadataValue]:
    schema = TableSchema(columns=[TableColumn(name=EVIL, type=EVIL, description=EVIL, constraints=TableColumnConstraints(other=[EVIL]))])
    given: dict[str, Any] = {
        EVIL: EVIL,
        "url": MetadataValue.url(LINK),
        "path": MetadataValue.path(EVIL),
        "notebook": MetadataValue.notebook(EVIL),
        "json": MetadataValue.json({EVIL: [EVIL, {"x": EVIL}]}),
        "md": MetadataValue.md(MARKDOWN),
        "run": MetadataValue.dagster_run(EVIL) if hasattr(MetadataValue, "dagster_run") else EVIL,
        "asset": MetadataValue.asset(ASSET),
        "table": MetadataValue.table(records=[TableRecord({EVIL: EVIL})], schema=schema),
        "schema": MetadataValue.table_schema(schema),
        "rows": 7,
    }
    return normalize_metadata(given)


def location() -> LocationSnapshot:
    base = places.flights()
    said: dict[str, Any] = {"description": MARKDOWN, "metadata": metadata(), "source": SOURCE}
    asset = dataclasses.replace(
        base.assets[1], key=ASSET, group=EVIL, owners=(EVIL,), tags={EVIL: EVIL}, kinds=(EVIL,), code_version=EVIL, pool=EVIL,
        type_name=EVIL, resource_keys=(EVIL,), config_schema=SCHEMA, op_name=EVIL, **said,
    )  # fmt: skip
    plain = dataclasses.replace(asset, key=PLAIN, group="evil", op_name="evil_plain", partitions=StaticPartitions(keys=(EVIL, "tame")))
    dynamic = dataclasses.replace(plain, key=DYNAMIC, op_name="evil_dynamic", partitions=DynamicPartitions(name="evil_keys"))
    node = NodeSnapshot(
        handle=EVIL, op_name=EVIL, description=MARKDOWN, config_schema=SCHEMA, tags={EVIL: EVIL}, pool=EVIL, source=SOURCE,
        inputs=(PortSnapshot(name=EVIL, type_name=EVIL, description=EVIL),), outputs=(PortSnapshot(name=EVIL, type_name=EVIL),),
    )  # fmt: skip
    job = JobSnapshot(
        name="evil_job", nodes=(node,), tags={EVIL: EVIL}, run_tags={EVIL: EVIL}, executor=EVIL, resource_keys=(EVIL,),
        config_schema={"type": "object", "properties": {"ops": SCHEMA}}, default_config={EVIL: EVIL}, **said,
    )  # fmt: skip
    target = TriggerTarget(job_name="evil_job", asset_keys=(ASSET,))
    return LocationSnapshot(
        location=LocationName("evil"),
        dagwright_version=EVIL,
        python_version=EVIL,
        assets=(asset, plain, dynamic),
        checks=(CheckSnapshot(key=CHECK, op_name="evil_plain", **said),),
        jobs=(job, dataclasses.replace(job, name=KEY)),
        schedules=(ScheduleSnapshot(name=KEY, cron=("0 2 * * *",), target=target, tags={EVIL: EVIL}, **said),),
        sensors=(SensorSnapshot(name=KEY, targets=(target,), asset_keys=(ASSET,), tags={EVIL: EVIL}, **said),),
        resources=(
            ResourceSnapshot(key=EVIL, type_name=EVIL, description=MARKDOWN, config={EVIL: EVIL}, nested={EVIL: EVIL}, source=SOURCE),
        ),
        metadata=metadata(),
        warnings=(LoadWarning(message=EVIL, source=SOURCE),),
    )


def happened(api: httpx.Client, store: Engine) -> dict[str, str]:
    """History of the location; ids by noun."""
    publish(store, location())
    error = ErrorInfo(
        class_name=EVIL, message=EVIL, hint=EVIL, frames=(Frame(file=EVIL, line=3, function=EVIL, source=EVIL),),
        cause=ErrorInfo(class_name=EVIL, message=EVIL),
    )  # fmt: skip
    made = api.post("/runs", json={"assets": ["evil_plain"], "partition": EVIL, "tags": {EVIL: EVIL}, "location": "evil"})
    assert made.status_code == 201, made.text
    run = claim(store, made.json()["run_id"])
    step = StepKey(EVIL)
    plan = e.PlannedStep(key=step, op_name=EVIL, kind="asset", asset_keys=(PLAIN,))
    told: list[Any] = [
        e.RunStarted(pid=1, host=EVIL, executor=EVIL, steps=(plan,)),
        (step, e.StepStarted(attempt=1, pid=1)),
        (step, e.LogMessage(level=e.LogLevel.ERROR, message=EVIL)),
        (step, e.AssetMaterialized(asset_key=PLAIN, partition=(EVIL,), metadata=metadata(), code_version=EVIL, description=MARKDOWN)),
        (step, e.CheckEvaluated(check_key=CHECK, passed=False, partition=(EVIL,), metadata=metadata(), description=MARKDOWN)),
        (step, e.StepFailed(attempt=1, error=error, usage=USAGE)),
        e.RunFailed(error=error),
    ]
    write(store, batch(run, told, chunks=(e.LogChunk(step_key=step, attempt=1, stream=e.LogStream.STDOUT, offset=0, data=EVIL.encode()),)))
    api.post("/dynamic-partitions/evil_keys", json={"keys": [EVIL.replace("...", "")]})
    backfill = api.post(
        "/backfills",
        json={"assets": ["evil_plain"], "partitions": [EVIL], "title": EVIL, "description": MARKDOWN, "tags": {EVIL: EVIL}},
    )
    assert backfill.status_code == 201, backfill.text
    queued = api.post("/runs", json={"job": "evil_job", "location": "evil", "tags": {EVIL: EVIL}})
    assert queued.status_code == 201, queued.text
    assert api.put(f"/pools/{quote(EVIL, safe='')}", json={"slots": 1}).status_code == 200
    assert api.put(f"/sensors/{quote(KEY, safe='')}/cursor", json={"cursor": EVIL}).status_code == 200
    return {"run": str(run.run_id), "backfill": backfill.json()["backfill_id"], "queued": queued.json()["run_id"]}
