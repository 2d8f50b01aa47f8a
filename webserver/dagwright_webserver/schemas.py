"""What callers send, and the few answers that are not views."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, get_args

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator

from dagwright_shared.model.backfills import BackfillStatus
from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_shared.model.runs import RetryStrategy, RunStatus
from dagwright_webserver.fitness import UnfitError, unfit

API = "/api/v1"
"""Where all of REST lives. The prefix is in each router, so that a route knows its whole path."""

_MAX_PRIORITY = 2**31 - 1


class Body(BaseModel):
    """A request body: unknown fields are refused, so that a mistyped name cannot pass for a default, and so is what cannot be stored."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, regex_engine="python-re")

    @model_validator(mode="before")
    @classmethod
    def _fits(cls, given: Any) -> Any:
        """Before anything else, so that no later step meets what it cannot write."""
        if problems := list(itertools.islice(unfit(given), 20)):
            raise UnfitError(problems)
        return given


Tags: TypeAlias = dict[Annotated[str, Field(min_length=1, max_length=255)], Annotated[str, Field(max_length=4096)]]
Config: TypeAlias = dict[str, Any]
Priority: TypeAlias = Annotated[int, Field(strict=True, ge=-_MAX_PRIORITY, le=_MAX_PRIORITY)]


class PartitionRange(Body):
    """Neighbouring partitions, in the order of their definition; with several dimensions, of each of them."""

    start: str
    """Key of the first partition."""
    end: str
    """Key of the last partition, which is included."""


class RunOptions(Body):
    """How to run what was chosen."""

    location: str | None = None
    """The code location, where several define the same name."""
    partition: str | PartitionRange | None = None
    """Partition key, such as `2013-01-01`; `|` between dimensions. Or a range of them, all in one run."""
    config: Config | None = None
    """Run config, checked against the config schema; left out: the defaults of the definitions."""
    tags: Tags = Field(default_factory=dict)
    """Free labels."""
    priority: Priority | None = None
    """Higher starts first; 0 when left out."""


class CheckName(Body):
    """A check of an asset."""

    asset: str
    """Key of the asset."""
    name: str
    """Name of the check."""


class LaunchBody(RunOptions):
    """What to run: a job, or assets picked freely."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"job": "flights_of_a_day", "partition": "2013-01-01", "tags": {"team": "ops"}},
                {"assets": ["raw/flights", "carriers"]},
                {"assets": ["raw/flights"], "partition": {"start": "2013-01-01", "end": "2013-01-31"}},
                {"checks": [{"asset": "raw/flights", "name": "no_duplicates"}]},
            ]
        }
    )

    job: str | None = None
    """Name of a job."""
    assets: list[str] | None = Field(default=None, max_length=10_000)
    """Asset keys; beside `job`, the part of its assets that is wanted."""
    checks: list[CheckName] | None = Field(default=None, max_length=10_000)
    """These checks and no others; without `assets` nothing is made. Left out: all checks of what is made."""
    steps: list[str] | None = Field(default=None, max_length=10_000)
    """Only these steps."""


def _form_of(value: Any) -> str | None:
    match value:
        case str():
            return "<all>"
        case list():
            return "<keys>"
        case dict() | PartitionRange():
            return "<range>"
        case _:
            return None


PartitionChoice: TypeAlias = Annotated[
    # An enum and not a const: generators of clients read a const as the only form that there is.
    Annotated[Literal["all"], WithJsonSchema({"type": "string", "enum": ["all"]}), Tag("<all>")]
    | Annotated[list[str], Tag("<keys>")]
    | Annotated[PartitionRange, Tag("<range>")],
    Discriminator(
        _form_of,
        custom_error_type="partitions",
        custom_error_message='give "all", a list of keys, or {"start": key, "end": key}',
    ),
]


class BackfillBody(Body):
    """What to make: partitions of assets, or of a job."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"assets": ["raw/flights", "daily_summary"], "partitions": {"start": "2013-01-01", "end": "2013-01-31"}},
                {"job": "flights_of_a_day", "partitions": "all", "missing_only": True},
            ]
        }
    )

    job: str | None = None
    """Name of a partitioned job: a run for each partition."""
    assets: list[str] | None = Field(default=None, max_length=10_000)
    """Asset keys, in place of a job."""
    partitions: PartitionChoice | None = None
    """`"all"`, a list of keys, or first and last; of several assets, partitions of the first ones, followed downstream."""
    missing_only: bool = False
    """Only what is not materialized: never made, or failed when it was last tried."""
    failed_only: bool = False
    """Only what failed when it was last tried."""
    location: str | None = None
    """The code location, where several define the same name."""
    config: Config | None = None
    """Run config of every run; left out: the defaults of the definitions."""
    tags: Tags = Field(default_factory=dict)
    """Tags of every run."""
    title: str | None = Field(default=None, max_length=1000)
    """A name for people."""
    description: str | None = Field(default=None, max_length=10_000)
    """What it is for."""


class BackfillMade(BaseModel):
    """A backfill that was asked for."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "backfill_id": "019a0c2e-7b1c-7000-8000-3f2a9d1c4b5e",
                    "status": "REQUESTED",
                    "url": "http://127.0.0.1:3004/backfills/019a0c2e-7b1c-7000-8000-3f2a9d1c4b5e",
                }
            ]
        },
    )

    backfill_id: str
    """UUID."""
    status: BackfillStatus
    """REQUESTED, until its first step."""
    url: str
    """Its page."""


class ReexecuteBody(Body):
    """How to run a run again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"strategy": "FROM_FAILURE"}, {"steps": ["clean"], "downstream": True}]})

    strategy: RetryStrategy = RetryStrategy.FROM_FAILURE
    """FROM_FAILURE keeps what succeeded; ALL_STEPS starts over."""
    steps: list[Annotated[str, Field(max_length=1000)]] | None = Field(default=None, min_length=1, max_length=10_000)
    """Only these steps, in place of a strategy; outputs of the others are those of the run."""
    downstream: bool = False
    """With `steps`: and all steps that wait for them."""


class CancelBody(Body):
    """How to cancel a run."""

    force: bool = False
    """Mark the run as canceled now, without waiting for its worker; that one can write nothing from then on."""


class CursorBody(Body):
    """Where a sensor is to go on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cursor": "2026-01-01"}, {"cursor": None}]})

    cursor: str | None
    """What its function will find as `context.cursor`; null: as if it had never been evaluated."""


class TrySensorBody(Body):
    """How to try a sensor out."""

    cursor: str | None = None
    """The cursor to try it with; left out: the one that it has."""


class TryScheduleBody(Body):
    """How to try a schedule out."""

    at: datetime | None = None
    """The moment of the tick, with a time zone; left out: now."""


class Received(BaseModel):
    """A request to a webhook that is stored."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    delivery_id: int
    """Its number here."""
    id: str
    """As the sender named it, or the hash of its body."""
    duplicate: bool
    """Whether the same request had been stored before; that one is meant then."""
    verified: bool
    """Whether its signature was found right; else that is looked at before it is handled."""
    url: str
    """Where to see what became of it."""


class Launched(BaseModel):
    """A run that was made."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "run_id": "019a0c2e-7b1c-7000-8000-3f2a9d1c4b5e",
                    "status": "QUEUED",
                    "url": "http://127.0.0.1:3004/runs/019a0c2e-7b1c-7000-8000-3f2a9d1c4b5e",
                }
            ]
        },
    )

    run_id: str
    """UUID."""
    status: RunStatus
    """QUEUED."""
    url: str
    """Its page."""


class CancelAnswer(BaseModel):
    """A run that was asked to stop."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    run_id: str
    """UUID."""
    status: RunStatus
    """CANCELED at once when it was queued, else CANCELING until its worker has stopped."""


class ProblemItem(BaseModel):
    """One thing wrong, at one place in the request."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    path: str
    """Where, dotted, such as `config.ops.load.config.limit`."""
    message: str
    """What is wrong, and how to mend it."""
    value: Any = None
    """What was given there."""
    expected: str | None = None
    """What would have fit."""
    suggestion: str | None = None
    """The nearest name that would have been right."""


class ProblemDocument(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:dagwright:problem:invalid-request",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "The run cannot be launched: job: there is no job 'flihgts'; did you mean 'flights'?",
                    "instance": "/api/v1/runs",
                    "problems": [
                        {
                            "path": "job",
                            "message": "there is no job 'flihgts'; did you mean 'flights'?",
                            "value": "flihgts",
                            "expected": None,
                            "suggestion": "flights",
                        }
                    ],
                }
            ]
        },
    )

    type: str
    """A URN for each kind of problem; it does not change."""
    title: str
    """The phrase of the status."""
    status: int
    """The status again."""
    detail: str
    """What is wrong with this very request, and what to do."""
    instance: str
    """The path that was asked."""
    problems: list[ProblemItem] = Field(default_factory=list)
    """Each thing that is wrong, where there are several or they have places."""


class Alive(BaseModel):
    """This process answers."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: str
    """Always ok."""


class Part(BaseModel):
    """One part of the deployment, as `/readyz` sees it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    ok: bool
    """Whether it is well."""
    detail: str
    """What there is, or what is missing."""


class Readiness(BaseModel):
    """Whether the deployment can take work."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    ready: bool
    """The database answers and the first location has loaded."""
    parts: dict[str, Part]
    """database, locations, daemon and code_servers."""


Limit: TypeAlias = Annotated[int, Query(ge=1, le=1000, description="Most items of one page.")]
Cursor: TypeAlias = Annotated[str | None, Query(max_length=2000, description="`next_cursor` of the page before.")]
Text: TypeAlias = Annotated[str | None, Query(max_length=200, description="A part of the name.")]
Name: TypeAlias = Annotated[str | None, Query(max_length=1000)]


_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Nothing of ours is before or after; hours and days can be added to these."""


def aware(moment: datetime | None) -> datetime | None:
    """A moment of a request in UTC; without a time zone it is taken as UTC. Offsets may be larger than what Postgres takes."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return min(max(moment.astimezone(UTC), _EARLIEST), _LATEST)
    except OverflowError:  # before the first year, or after the last
        return _EARLIEST if moment.year == 1 else _LATEST


def parse_tags(pairs: list[str] | None) -> dict[str, str]:
    """`key=value` pairs of a query string.

    Raises:
        InvalidRequestError: one has no `=`.
    """
    tags = {}
    for number, pair in enumerate(pairs or ()):
        key, equals, value = pair.partition("=")
        if not key or not equals:
            problem = Problem(path=f"tag[{number}]", message="a tag filter is written key=value", value=pair, expected="key=value")
            raise InvalidRequestError("The filter is not valid", problems=[problem])
        tags[key] = value
    return tags


DOCUMENTED: dict[str, Any] = {}
"""Types of answers by their names in the OpenAPI document, which is made when it is first asked for.

FastAPI would compile the schema of each at import: more than a second of every start, for answers that it never validates.
"""


def reference(answer: Any) -> dict[str, Any]:
    """How the document refers to a type, or to a union of types."""
    parts = get_args(answer) if isinstance(answer, UnionType) else (answer,)
    for part in parts:
        if part is not NoneType:
            DOCUMENTED[part.__name__] = part
    found = [{"type": "null"} if part is NoneType else {"$ref": f"#/components/schemas/{part.__name__}"} for part in parts]
    return found[0] if len(found) == 1 else {"anyOf": found}


_PROBLEM = {"application/problem+json": {"schema": reference(ProblemDocument)}}
_FAILURES: dict[int | str, str] = {
    400: "The body is not what its content type says.",
    401: "Nobody has logged in, or the token or signature that was sent is missing or wrong.",
    403: "Who asks may not do this; `needed_role` says what it takes.",
    404: "There is no such thing.",
    409: "The thing is in a state that does not allow this.",
    412: "It is not as `If-Match` says: somebody has changed it meanwhile. `ETag` says what it is now.",
    422: "The request is not valid; `problems` says where.",
    413: "The body is too large.",
    429: "Too many requests; `Retry-After` says when to try again.",
    502: "User code raised; `error` says what.",
    504: "User code did not answer in time.",
    503: "The database or a code server does not answer; `Retry-After` says when to try again.",
    # Any request can meet these, whatever its route says of itself.
    "default": "Any other failure: 403 for a foreign web page, 413 for too large a body, 415 for another media type, 500 for a fault.",
}


_MADE = frozenset({201, 202})
_LOCATION = {"Location": {"description": "Where to see what was made, or how far it is.", "schema": {"type": "string"}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem answers that a route documents, beside those that any request can meet."""
    wanted: list[int | str] = [*sorted({*statuses, 422}), "default"]
    return {status: {"description": _FAILURES[status], "content": _PROBLEM} for status in wanted}


def returns(answer: Any, *failures: int, status: int = 200, headers: Mapping[str, Any] | None = None) -> dict[int | str, dict[str, Any]]:
    """The answers that a route documents: the type of a good one with its headers, and its problem answers."""
    good = {"description": "As asked.", "content": {"application/json": {"schema": reference(answer)}}}
    if status in _MADE or headers:
        good["headers"] = {**(_LOCATION if status in _MADE else {}), **(headers or {})}
    return {status: good, **problems(*failures)}
