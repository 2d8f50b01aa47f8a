"""Cron expressions in a time zone: parse, forwards, backwards, in words.

`@every 45m` (or `s`, `h`) is one too, for intervals that fields cannot say: its times are the multiples of the interval since 1970 in UTC.

The arithmetic is `cronsim`'s, which follows Debian's cron over daylight saving: a time in the gap fires right after
it, a repeated time fires once, and an hourly pattern keeps firing each real hour.
"""

from __future__ import annotations

import itertools
import math
import re
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
_EVERY = re.compile(r"@every ([1-9]\d{0,8})([smh])")
_UNITS = {"s": 1, "m": 60, "h": 3600}


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises ValueError for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; write an IANA name such as 'Europe/Berlin' or 'UTC'") from None


@lru_cache(maxsize=4096)
def check(expression: str) -> str:
    """Return the five- or six-field form of a cron expression; an interval as it is.

    Raises:
        ValueError: it is not one; the message repeats it and says what is wrong.
    """
    plain = _ALIASES.get(expression.strip().lower(), expression.strip())
    if interval(plain) is not None:
        return plain
    try:
        next(CronSim(plain, _ANCHOR))
    except (CronSimError, StopIteration) as error:
        raise ValueError(
            f"{expression!r} is not a cron expression ({error or 'it never fires'}); "
            "it needs five fields: minute hour day-of-month month day-of-week, such as '0 6 * * 1-5'"
        ) from None
    return plain


@lru_cache(maxsize=4096)
def interval(expression: str) -> int | None:
    """The seconds of `@every ...`; None of all others."""
    found = _EVERY.fullmatch(expression.strip().lower())
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def after(expression: str, moment: datetime, timezone: str = "UTC") -> Iterator[datetime]:
    """The times strictly after `moment`, in UTC, without end."""
    seconds = interval(expression)
    if seconds is not None:
        yield from _multiples(seconds, math.floor(moment.timestamp() / seconds) + 1, 1)
        return
    for tick in CronSim(check(expression), moment.astimezone(zone(timezone))):
        yield tick.astimezone(UTC)


def before(expression: str, moment: datetime, timezone: str = "UTC") -> Iterator[datetime]:
    """The times strictly before `moment`, newest first, in UTC."""
    seconds = interval(expression)
    if seconds is not None:
        yield from _multiples(seconds, math.ceil(moment.timestamp() / seconds) - 1, -1)
        return
    for tick in CronSim(check(expression), moment.astimezone(zone(timezone)), reverse=True):
        yield tick.astimezone(UTC)


def at_or_after(expression: str, moment: datetime, timezone: str = "UTC") -> datetime:
    """The first time that is not before `moment`."""
    from_earlier = after(expression, datetime.fromtimestamp(moment.timestamp() - 1, UTC), timezone)
    return next(tick for tick in from_earlier if tick >= moment)


@lru_cache(maxsize=4096)
def in_words(expression: str) -> str:
    """The expression as an English sentence, such as `At 06:00 every day`."""
    if interval(expression) is not None:
        return expression.strip().removeprefix("@").capitalize()
    return CronSim(check(expression), _ANCHOR).explain()


def _multiples(seconds: int, first: int, step: int) -> Iterator[datetime]:
    for place in itertools.count(first, step):
        yield datetime.fromtimestamp(place * seconds, UTC)
