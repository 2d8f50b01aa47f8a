"""Presets of a job: what its code gives, and what people have saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.store import presets as store
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.view import Moment, view

OF_CODE = "default"
"""The name of what the definition itself gives."""


@view
class PresetView:
    """Config of a job, under a name."""

    name: str
    """Its name."""
    job: str
    """The job."""
    location: str
    """The code location that defines the job."""
    config: Mapping[str, Any]
    """Run config."""
    tags: Mapping[str, str]
    """Tags that a run gets beside those of the job."""
    from_code: bool
    """Whether it is the `config=` of the definition, which a run without config uses; it cannot be changed here."""
    updated_by: str | None
    """Who saved it; null where there is no log-in."""
    updated_at: Moment | None
    """When it was saved; null for the one from code."""


@view
class PresetListView:
    """All presets of a job; there is never a second page."""

    items: tuple[PresetView, ...]
    """That of the code first, then by name."""
    next_cursor: str | None
    """Always null."""


def list_presets(conn: Connection, defs: Definitions, job: str, *, location: str | None = None) -> tuple[PresetView, ...]:
    """That of the code, if it gives any config, then what was saved.

    Raises:
        NotFoundError: there is no such job.
    """
    place, snapshot = defs.job(job, location)
    given = snapshot.default_config
    first = _of_code(job, place, given) if given else ()
    return (
        *first,
        *(
            PresetView(
                name=each.name,
                job=job,
                location=place,
                config=each.config,
                tags=each.tags,
                from_code=False,
                updated_by=each.updated_by,
                updated_at=each.updated_at,
            )
            for each in store.list(conn, place, job)
        ),
    )


def _of_code(job: str, location: str, config: Mapping[str, Any]) -> tuple[PresetView]:
    return (PresetView(name=OF_CODE, job=job, location=location, config=config, tags={}, from_code=True, updated_by=None, updated_at=None),)


def get_preset(conn: Connection, defs: Definitions, job: str, name: str, *, location: str | None = None) -> PresetView:
    """One preset.

    Raises:
        NotFoundError: the job has none of this name, or there is no such job.
    """
    found = list_presets(conn, defs, job, location=location)
    for preset in found:
        if preset.name == name:
            return preset
    raise NotFoundError("preset", name, known=[preset.name for preset in found], where=f"job {job}")
