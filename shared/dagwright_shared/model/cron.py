"""Cron expressions in a time zone: parse, forwards, backwards, in words.

The arithmetic is `cronsim`'s, which follows Debian's cron over daylight saving: a time in the gap fires right after
it, a repeated time fires once, and an hourly pattern keeps firing each real hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_ANCHOR = datetime(2000, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises ValueError for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; write an IANA name such as 'Europe/Berlin' or 'UTC'") from None


@lru_cache(maxsize=4096)
def check(expression: str) -> str:
    """Return the five- or six-field form of a cron expression.

    Raises:
        ValueError: it is not one; the message repeats it and says what is wrong.
    """
    plain = _ALIASES.get(expression.strip().lower(), expression.strip())
    try:
        next(CronSim(plain, _ANCHOR))
    except (CronSimError, StopIteration) as error:
        raise ValueError(
            f"{expression!r} is not a cron expression ({error or 'it never fires'}); "
            "it needs five fields: minute hour day-of-month month day-of-week, such as '0 6 * * 1-5'"
        ) from None
    return plain


def after(expression: str, moment: datetime, timezone: str = "UTC") -> Iterator[datetime]:
    """The times strictly after `moment`, in UTC, without end."""
    for tick in CronSim(check(expression), moment.astimezone(zone(timezone))):
        yield tick.astimezone(UTC)


def before(expression: str, moment: datetime, timezone: str = "UTC") -> Iterator[datetime]:
    """The times strictly before `moment`, newest first, in UTC."""
    for tick in CronSim(check(expression), moment.astimezone(zone(timezone)), reverse=True):
        yield tick.astimezone(UTC)


def at_or_after(expression: str, moment: datetime, timezone: str = "UTC") -> datetime:
    """The first time that is not before `moment`."""
    from_earlier = after(expression, datetime.fromtimestamp(moment.timestamp() - 1, UTC), timezone)
    return next(tick for tick in from_earlier if tick >= moment)


def in_words(expression: str) -> str:
    """The expression as an English sentence, such as `At 06:00 every day`."""
    return CronSim(check(expression), _ANCHOR).explain()
