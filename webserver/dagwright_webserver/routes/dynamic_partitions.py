"""Partition keys that are added at run time: list, add, delete."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from dagwright_shared.model.errors import InvalidRequestError, NotFoundError, Problem
from dagwright_shared.store import dynamic_partitions as store
from dagwright_webserver.deps import JSON, Editor, Services, Web, answer, location_of
from dagwright_webserver.once import once
from dagwright_webserver.reads import dynamic_partitions as reads
from dagwright_webserver.reads.dynamic_partitions import DynamicKeyListView, DynamicPartitionsListView
from dagwright_webserver.routes.runs import IdempotencyKey
from dagwright_webserver.schemas import API, Body, Cursor, Limit, Text, returns

router = APIRouter(prefix=f"{API}/dynamic-partitions", tags=["dynamic partitions"])

NamePath = Annotated[str, Path(description="The name that definitions use.", examples=["customers"])]
_MOST = 10_000
_BAD = re.compile("[\x00-\x1f\x7f\ud800-\udfff]|\\.\\.\\.")


class KeysBody(Body):
    """Keys to add."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keys": ["acme", "globex"]}]})

    keys: list[Annotated[str, Field(min_length=1, max_length=1000)]] = Field(min_length=1, max_length=_MOST)
    """The keys, in the order in which they are to stand."""


class KeysAdded(BaseModel):
    """What came of it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    """The name that they were added to."""
    added: list[str]
    """The keys that were new."""


class KeysDeleted(BaseModel):
    """What came of it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    """The name that they were deleted from."""
    deleted: int
    """How many of the keys there were."""


@router.get("", summary="List names of dynamic partitions", responses=returns(DynamicPartitionsListView, 503))
def list_dynamic_partitions(web: Services) -> Response:
    """The names that definitions use, with the number of keys of each."""
    return answer(web.read_defs(reads.list_names))


@router.get("/{name}", summary="List dynamic partition keys", responses=returns(DynamicKeyListView, 404, 422, 503))
def list_dynamic_keys(name: NamePath, web: Services, text: Text = None, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """The keys of a name, newest first."""
    return answer(web.read_defs(lambda conn, defs: reads.list_keys(conn, defs, name, text=text, limit=limit, cursor=cursor)))


@router.post("/{name}", status_code=201, summary="Add dynamic partition keys", responses=returns(KeysAdded, 404, 422, 503, status=201))
def add_dynamic_keys(name: NamePath, body: KeysBody, request: Request, web: Editor, idempotency_key: IdempotencyKey = None) -> Response:
    """Add keys; those that are there already stay where they are. Backfills, sensors and conditions know them at once."""
    problems = [
        Problem(
            path=f"keys[{at}]", message="a key has no control characters and no `...`, which stands between the ends of a range", value=key
        )
        for at, key in enumerate(body.keys)
        if _BAD.search(key)
    ]
    if problems:
        raise InvalidRequestError("The keys cannot be added", problems=problems)

    def change(conn: Connection) -> dict[str, Any]:
        _require(web, conn, name)
        return {"name": name, "added": store.add(conn, name, body.keys)}

    status, reply = once(web, request, idempotency_key, body.model_dump_json(), change)
    return Response(json.dumps(reply).encode(), status, headers=location_of(f"dynamic-partitions/{name}"), media_type=JSON)


@router.delete("/{name}", summary="Delete dynamic partition keys", responses=returns(KeysDeleted, 404, 422, 503))
def delete_dynamic_keys(
    name: NamePath,
    web: Editor,
    key: Annotated[list[str], Query(min_length=1, max_length=1000, description="A key; may be given again.")],
) -> Response:
    """Delete keys. What was materialized of them is kept, and counts again when they are added again."""

    def change(conn: Connection) -> int:
        _require(web, conn, name)
        deleted = store.delete(conn, name, key)
        if not deleted:
            raise NotFoundError("dynamic partition", key[0], known=store.keys(conn, name), where=name)
        return deleted

    return Response(json.dumps({"name": name, "deleted": web.write(change)}).encode(), media_type=JSON)


def _require(web: Web, conn: Connection, name: str) -> None:
    """See to it that the keys of a name may be changed: wherever it is used."""
    known = reads.users(web.definitions.current(conn))
    if name not in known:
        raise NotFoundError("dynamic partitions definition", name, known=known)
    for location in known[name].locations:
        web.access.require(location)
