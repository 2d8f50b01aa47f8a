"""The time zone that moments are told in to who asks: that of their account, else that of their browser, else UTC."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

COOKIE = "dagwright_zone"
"""Browsers tell their zone by it, or the one that somebody has chosen there."""
_current: ContextVar[tzinfo] = ContextVar("zone", default=UTC)


def use(of_account: str | None, of_browser: str | None) -> None:
    """Set the zone of the request that is being answered."""
    _current.set(_zone(of_account) or _zone(of_browser) or UTC)


def here(moment: datetime) -> datetime:
    """The moment in the zone of who asks."""
    return moment.astimezone(_current.get())


def of_wall(moment: datetime | None) -> datetime | None:
    """The moment that somebody means by a time of day in their own zone; one that names an offset is itself."""
    return moment.replace(tzinfo=_current.get()).astimezone(UTC) if moment and moment.tzinfo is None else moment


def name() -> str:
    """Such as `Europe/Berlin`, or `UTC`."""
    return str(_current.get())


@lru_cache(maxsize=256)
def _zone(name: str | None) -> tzinfo | None:
    if not name or len(name) > 100:
        return None
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # no such zone: what browsers send is not trusted to be one
        return None


@cache
def known() -> tuple[str, ...]:
    """The names of all zones; looking through their files takes long."""
    return tuple(sorted(available_timezones()))
