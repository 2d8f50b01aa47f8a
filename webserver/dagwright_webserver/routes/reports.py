"""What happened to assets outside of any run, told by whoever made it happen: in our own form, and in that of Dagster's clients."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection

from dagwright_shared.model.access import Role
from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.errors import InvalidRequestError, NotFoundError
from dagwright_shared.model.events import EVENT_TYPES, RunEvent
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, new_run_id
from dagwright_shared.model.snapshot import CheckSnapshot
from dagwright_shared.store import events
from dagwright_webserver import reporting
from dagwright_webserver.deps import JSON, Editor, Web, location_of, utc_now
from dagwright_webserver.errors import problem_response
from dagwright_webserver.once import once
from dagwright_webserver.reads import recorded
from dagwright_webserver.reads.definitions import Definitions, dynamic_keys
from dagwright_webserver.reads.view import iso
from dagwright_webserver.reporting import CheckReportBody, Report, ReportBody, Subject
from dagwright_webserver.routes.assets import KeyPath, parse_key
from dagwright_webserver.routes.runs import IdempotencyKey
from dagwright_webserver.schemas import API, returns

router = APIRouter(prefix=API, tags=["assets"])
dagster = APIRouter(tags=["reports of Dagster's clients"])

Find = Callable[[Connection, Definitions], Subject]
Make = Callable[[Definitions, Subject, Moment], Report]


class Reported(BaseModel):
    """An event that is recorded."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    event_id: str
    """UUID of the report."""
    type: str
    """ASSET_MATERIALIZED, ASSET_OBSERVED or CHECK_EVALUATED."""
    time: str
    """When it was recorded."""


@router.post(
    "/assets/{key:path}/materializations",
    status_code=201,
    summary="Report a materialization",
    responses=returns(Reported, 404, 422, 503, status=201),
)
def report_materialization(
    key: KeyPath, body: ReportBody, request: Request, web: Editor, idempotency_key: IdempotencyKey = None
) -> Response:
    """Tell that the asset was made by somebody else. Sensors and conditions react as if a run had made it."""
    return _report(web, request, idempotency_key, body, key, lambda _, subject, at: reporting.materialized(body, subject, at))


@router.post(
    "/assets/{key:path}/observations",
    status_code=201,
    summary="Report an observation",
    responses=returns(Reported, 404, 422, 503, status=201),
)
def report_observation(key: KeyPath, body: ReportBody, request: Request, web: Editor, idempotency_key: IdempotencyKey = None) -> Response:
    """Tell what was found where the asset is; another data version than before makes downstream assets stale."""
    return _report(web, request, idempotency_key, body, key, lambda _, subject, at: reporting.observed(body, subject, at))


@router.post(
    "/assets/{key:path}/checks/{name}/evaluations",
    status_code=201,
    summary="Report the result of a check",
    responses=returns(Reported, 404, 422, 503, status=201),
)
def report_check(
    key: KeyPath,
    name: Annotated[str, Path(description="Name of a check of the asset.")],
    body: CheckReportBody,
    request: Request,
    web: Editor,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Tell how the asset was judged by somebody else."""

    def make(defs: Definitions, subject: Subject, at: Moment) -> Report:
        check = reporting.find_check(AssetCheckKey(subject.asset.key, name), defs, subject.location)
        return reporting.checked(body, check, subject, at)

    return _report(web, request, idempotency_key, body, key, make)


def _report(web: Web, request: Request, key: str | None, body: ReportBody | CheckReportBody, asset: str, make: Make) -> Response:
    def change(conn: Connection) -> dict[str, Any]:
        return _record(web, conn, lambda at, defs: _find(at, defs, parse_key(asset, defs), body.location), make)

    status, reply = once(web, request, key, body.model_dump_json(), change)
    return Response(json.dumps(reply).encode(), status, headers=location_of(f"assets/{asset}"), media_type=JSON)


def _find(conn: Connection, defs: Definitions, key: AssetKey, location: str | None) -> Subject:
    place, asset = recorded.find(conn, defs, key, location)
    return Subject(location=place, asset=asset, defined=key in defs.assets)


def _record(web: Web, conn: Connection, find: Find, make: Make) -> dict[str, Any]:
    defs = web.definitions.current(conn)
    subject, now = find(conn, defs), utc_now()
    report = make(defs, subject, Moment(now=now, dynamic=dynamic_keys(conn, [subject.asset.partitions])))
    web.access.require(report.location)
    web.access.tell(target=subject.asset.key.to_user_string(), after={"type": EVENT_TYPES[type(report.payload)]})
    report_id = new_run_id()
    events.record(conn, report.location, report_id, RunEvent(seq=1, time=now, payload=report.payload))
    return {"event_id": report_id, "type": EVENT_TYPES[type(report.payload)], "time": iso(now)}


# ------------------------------------------------------------------------------------------ Dagster's form

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "description": "What is not given as a parameter of the query; what is given in both counts as it is here.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


class Done(BaseModel):
    """It is recorded."""


class _RefusedError(Exception):
    """The report cannot be taken, and why."""


async def _body(request: Request) -> bytes:
    return await request.body()


RawBody = Annotated[bytes, Depends(_body)]
AssetPath = Annotated[str, Path(description="Key of the asset, its slashes included; may be left out where `asset_key` says it.")]
AssetQuery = Annotated[str | None, Query(alias="asset_key", max_length=2000, description="Key of the asset, as text or as a JSON list.")]
Parameter = Annotated[str | None, Query(max_length=10_000)]
JsonParameter = Annotated[str | None, Query(max_length=100_000, description="As JSON.")]


@dagster.post(
    "/report_asset_materialization/{asset_key:path}",
    summary="Report a materialization, in Dagster's form",
    responses=returns(Done, 400, 503),
    openapi_extra=_FORM,
)
def report_asset_materialization(  # noqa: PLR0913, PLR0917 - each is a parameter of the query
    asset_key: AssetPath,
    request: Request,
    web: Editor,
    raw: RawBody,
    named: AssetQuery = None,
    partition: Parameter = None,
    description: Parameter = None,
    data_version: Parameter = None,
    metadata: JsonParameter = None,
) -> Response:
    """As `POST /api/v1/assets/{key}/materializations`, for clients that were written for Dagster's webserver. Answers `{}`.

    Other than there, the asset need not be defined.
    """
    given = {"partition": partition, "description": description, "data_version": data_version, "metadata": metadata}

    def make(values: dict[str, Any], _: Definitions, subject: Subject, at: Moment) -> Report:
        return reporting.materialized(ReportBody.model_validate(values), subject, at)

    return _dagster(web, request, raw, (asset_key, named), given, make)


@dagster.post(
    "/report_asset_observation/{asset_key:path}",
    summary="Report an observation, in Dagster's form",
    responses=returns(Done, 400, 503),
    openapi_extra=_FORM,
)
def report_asset_observation(  # noqa: PLR0913, PLR0917 - each is a parameter of the query
    asset_key: AssetPath,
    request: Request,
    web: Editor,
    raw: RawBody,
    named: AssetQuery = None,
    partition: Parameter = None,
    description: Parameter = None,
    data_version: Parameter = None,
    metadata: JsonParameter = None,
) -> Response:
    """As `POST /api/v1/assets/{key}/observations`, for clients that were written for Dagster's webserver. Answers `{}`.

    Other than there, the asset need not be defined.
    """
    given = {"partition": partition, "description": description, "data_version": data_version, "metadata": metadata}

    def make(values: dict[str, Any], _: Definitions, subject: Subject, at: Moment) -> Report:
        return reporting.observed(ReportBody.model_validate(values), subject, at)

    return _dagster(web, request, raw, (asset_key, named), given, make)


@dagster.post(
    "/report_asset_check/{asset_key:path}",
    summary="Report the result of a check, in Dagster's form",
    responses=returns(Done, 400, 503),
    openapi_extra=_FORM,
)
def report_asset_check(  # noqa: PLR0913, PLR0917 - each is a parameter of the query
    asset_key: AssetPath,
    request: Request,
    web: Editor,
    raw: RawBody,
    named: AssetQuery = None,
    check_name: Parameter = None,
    passed: JsonParameter = None,
    severity: Parameter = None,
    partition: Parameter = None,
    metadata: JsonParameter = None,
) -> Response:
    """As `POST /api/v1/assets/{key}/checks/{name}/evaluations`, for clients that were written for Dagster's webserver. Answers `{}`.

    Other than there, the asset need not be defined.
    """
    given = {"check_name": check_name, "passed": passed, "severity": severity, "partition": partition, "metadata": metadata}

    def make(values: dict[str, Any], defs: Definitions, subject: Subject, at: Moment) -> Report:
        name = values.pop("check_name", None)
        if not isinstance(name, str) or not name:
            raise _RefusedError("Missing required parameter 'check_name'.")
        key = AssetCheckKey(subject.asset.key, name)
        known = defs.check(key, subject.location)
        return reporting.checked(CheckReportBody.model_validate(values), known[1] if known else CheckSnapshot(key=key), subject, at)

    return _dagster(web, request, raw, (asset_key, named), given, make)


def _dagster(
    web: Web,
    request: Request,
    raw: bytes,
    keys: tuple[str, str | None],
    given: dict[str, str | None],
    make: Callable[[dict[str, Any], Definitions, Subject, Moment], Report],
) -> Response:
    def change(conn: Connection) -> None:
        _record(web, conn, find, lambda defs, subject, at: make(dict(values), defs, subject, at))

    def find(conn: Connection, defs: Definitions) -> Subject:
        try:
            return _find(conn, defs, asset, None)
        except NotFoundError:
            return reporting.new_subject(asset, defs, lambda place: web.access.identity.grant.allows(Role.EDITOR, place))

    try:
        body = _json_object(request, raw)
        asset = _asset_key(*keys, body.pop("asset_key", None))
        values = _parsed(given, body)
        web.write(change)
    except (_RefusedError, InvalidRequestError, ValidationError) as error:
        detail = _words(error)
        # `error` is where Dagster's clients look.
        return problem_response(400, "report", detail, instance=request.url.path, extra={"error": detail})
    return Response(b"{}", media_type=JSON)


def _json_object(request: Request, raw: bytes) -> dict[str, Any]:
    kind = request.headers.get("content-type")
    if kind is None or (not raw and kind.split(";")[0].strip() != JSON):
        return {}
    if kind.split(";")[0].strip().lower() != JSON:
        raise _RefusedError(f"Unhandled content type {kind}, expect no body or application/json")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise _RefusedError("The body is not JSON") from None
    if not isinstance(found, dict):
        raise _RefusedError("The body is not a JSON object")
    return found


def _asset_key(of_path: str, of_query: str | None, of_body: Any) -> AssetKey:
    """The path first, then the body, then the query, where the key may be the JSON list that Dagster keeps."""
    given: Any = of_path or (of_query if of_body is None else of_body)
    if not given:
        raise _RefusedError("Empty asset key: give it in the path, or as the parameter asset_key.")
    try:
        if isinstance(given, str) and given.startswith("[") and not of_path:
            given = json.loads(given)
        if isinstance(given, list) and all(isinstance(part, str) for part in given):
            return AssetKey(given)
        if isinstance(given, str):
            return AssetKey.from_user_string(given)
    except (ValueError, RecursionError):
        pass
    raise _RefusedError(f"This is no asset key: {given!r}")


def _parsed(given: dict[str, str | None], body: dict[str, Any]) -> dict[str, Any]:
    """What is given of the parameters; what else the body holds is passed over, as Dagster does."""
    found: dict[str, Any] = {}
    for name, text in given.items():
        value: Any = body.get(name, text)
        if name not in body and text is not None and name in ("metadata", "passed"):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                raise _RefusedError(f"Error parsing {name}: it is not JSON") from None
        if value is not None:
            found[name] = value
    return found


def _words(error: Exception) -> str:
    match error:
        case ValidationError():
            return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        case InvalidRequestError():
            return "; ".join([f"{problem.path}: {problem.message}" for problem in error.problems]) or error.message
        case _:
            return str(error)
