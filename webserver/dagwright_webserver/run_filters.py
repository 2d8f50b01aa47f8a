"""Which runs somebody means: the filters of the list of runs, as the address of a page or the body of a request has them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.datastructures import QueryParams

from dagwright_shared.model.runs import RunStatus, TriggerKind
from dagwright_webserver import zones
from dagwright_webserver.reads.run_list import RunFilter
from dagwright_webserver.schemas import Body, aware, parse_tags

MOMENTS = ("created_after", "created_before", "ended_after", "ended_before")
"""Filters that are moments."""
_LISTS = ("status", "tag")


class RunFilterBody(Body):
    """Which runs; everything given must hold, and nothing given means all of them."""

    status: list[RunStatus] = Field(default_factory=list, max_length=20)
    """Any of these statuses."""
    job: str | None = Field(default=None, max_length=1000)
    """Name of the job."""
    asset: str | None = Field(default=None, max_length=1000)
    """Key of an asset that the run materializes."""
    location: str | None = Field(default=None, max_length=1000)
    """The code location."""
    partition: str | None = Field(default=None, max_length=1000)
    """Partition key; `|` between dimensions."""
    trigger: TriggerKind | None = None
    """What asked for the run."""
    trigger_name: str | None = Field(default=None, max_length=1000)
    """The schedule, sensor or user."""
    tag: list[Annotated[str, Field(max_length=5000)]] = Field(default_factory=list, max_length=50)
    """Tags as `key=value`, all of which must hold."""
    backfill: str | None = Field(default=None, max_length=100)
    """Id of the backfill that asked for the run."""
    created_after: datetime | None = None
    """UTC unless it says otherwise."""
    created_before: datetime | None = None
    """UTC unless it says otherwise."""
    ended_after: datetime | None = None
    """Runs that have not ended are left out."""
    ended_before: datetime | None = None
    """Runs that have not ended are left out."""
    text: str | None = Field(default=None, max_length=200)
    """Start of the id, or a part of the job or an asset."""
    outside_backfills: bool = False
    """Only runs that no backfill asked for."""

    def wanted(self) -> RunFilter:
        """The filter of the list.

        Raises:
            InvalidRequestError: a tag has no `=`.
        """
        return RunFilter(
            statuses=tuple(self.status),
            job=self.job,
            asset=self.asset,
            location=self.location,
            partition=self.partition,
            trigger=self.trigger,
            trigger_name=self.trigger_name,
            tags=parse_tags(self.tag),
            backfill_id=self.backfill,
            created_after=aware(self.created_after),
            created_before=aware(self.created_before),
            ended_after=aware(self.ended_after),
            ended_before=aware(self.ended_before),
            text=self.text,
            outside_backfills=self.outside_backfills,
        )


def of_page(params: QueryParams) -> RunFilter:
    """The filter in the address of a page; a form sends what is left empty, too. A moment without an offset is one in the zone of who asks.

    Raises:
        RequestValidationError: a value cannot be.
        InvalidRequestError: a tag has no `=`.
    """
    given: dict[str, object] = {}
    for name in RunFilterBody.model_fields:
        values = [value for value in params.getlist(name) if value]
        if name == "status":
            values = [part for value in values for part in value.upper().split(",") if part]
        if values:
            given[name] = values if name in _LISTS else values[-1]
    try:
        body = RunFilterBody.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("query", *each["loc"])} for each in error.errors()]) from None
    return body.model_copy(update={name: zones.of_wall(getattr(body, name)) for name in MOMENTS}).wanted()
