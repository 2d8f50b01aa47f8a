"""Forgetting what was made of an asset."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from dagwright_shared.model import partitions as partitioning
from dagwright_shared.model import ranges
from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_shared.model.keys import PartitionKey, parse_partition
from dagwright_shared.model.snapshot import AssetSnapshot
from dagwright_shared.store import wipes
from dagwright_webserver.deps import JSON, Editor, utc_now
from dagwright_webserver.once import once
from dagwright_webserver.reads import recorded
from dagwright_webserver.reads.definitions import dynamic_keys
from dagwright_webserver.routes.assets import KeyPath, find_id, parse_key
from dagwright_webserver.routes.runs import IdempotencyKey
from dagwright_webserver.schemas import API, Body, PartitionChoice, PartitionRange, returns

router = APIRouter(prefix=API, tags=["assets"])
_TITLE = "The asset cannot be wiped"


class WipeBody(Body):
    """What to forget."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"partitions": "all"}, {"partitions": ["2013-01-01", "2013-01-02"]}]})

    partitions: PartitionChoice
    """`"all"`, which is the only choice without partitions; or a list of keys; or first and last."""
    location: str | None = None
    """The code location, where several define the same asset."""


class Wiped(BaseModel):
    """What was forgotten."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    asset: str
    """Its key."""
    partitions: int
    """How many partitions there was something of; of an asset without partitions 1, or 0 if there was nothing."""


@router.post("/assets/{key:path}/wipe", summary="Wipe an asset", responses=returns(Wiped, 404, 422, 503))
def wipe_asset(key: KeyPath, body: WipeBody, request: Request, web: Editor, idempotency_key: IdempotencyKey = None) -> Response:
    """Forget that it was made: materializations, observations, failures and results of checks no longer count.

    The data itself, wherever it is stored, and the logs of runs are left alone.
    """

    def change(conn: Connection) -> dict[str, Any]:
        defs = web.definitions.current(conn)
        place, asset = recorded.find(conn, defs, parse_key(key, defs), body.location)
        web.access.require(place)
        at = Moment(now=utc_now(), dynamic=dynamic_keys(conn, [asset.partitions]))
        chosen = _chosen(body.partitions, asset, at)
        asset_id = find_id(conn, defs, key, place)
        wiped = wipes.wipe(conn, asset_id, chosen) if asset_id else 0
        web.access.tell(target=asset.key.to_user_string(), after={"wiped": wiped})
        return {"asset": asset.key.to_user_string(), "partitions": wiped}

    _, reply = once(web, request, idempotency_key, body.model_dump_json(), change)
    return Response(json.dumps(reply).encode(), media_type=JSON)


def _chosen(given: Any, asset: AssetSnapshot, at: Moment) -> list[PartitionKey] | None:
    """The partitions by name; None for everything. Keys that no longer exist may be named: there can be something of them."""
    if given == "all":
        return None
    if asset.partitions is None:
        message = f'{asset.key.to_user_string()} is not partitioned; give "all"'
        raise InvalidRequestError(_TITLE, problems=[Problem(path="partitions", message=message, expected='"all"')])
    count = partitioning.dimensions(asset.partitions)
    if not isinstance(given, PartitionRange):
        return [parse_partition(one, count) for one in given]
    first, last = (parse_partition(one, count) for one in (given.start, given.end))
    try:
        found = ranges.keys_between(asset.partitions, first, last, at.now, at.dynamic)
    except LookupError as error:
        problem = Problem(path="partitions", message=str(error), value=given.model_dump())
        raise InvalidRequestError(_TITLE, problems=[problem]) from None
    return list(found)
