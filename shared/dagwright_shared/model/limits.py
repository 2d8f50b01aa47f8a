"""How much may run at once: the limits of a deployment, as `dagwright.toml` and REST give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import InvalidRequestError, Problem, nearest

MOST = 2**31 - 1


class Granularity(StrEnum):
    """What claims the slots of pools."""

    STEP = "step"
    """Each step, when it is about to start."""
    RUN = "run"
    """A run, one of each pool of its steps, when it leaves the queue; its steps claim nothing then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagLimit:
    """How many runs with a tag may be active at once."""

    key: str
    limit: int
    value: str | None = None
    """Only runs with this value; None: any."""
    per_value: bool = False
    """Whether the limit holds for each value by itself."""

    def group(self, tags: Mapping[str, str]) -> str | None:
        """Which runs this one is counted with; None: the limit does not concern it."""
        found = tags.get(self.key)
        if found is None or (self.value is not None and found != self.value):
            return None
        return found if self.per_value else ""

    def __str__(self) -> str:
        return self.key if self.value is None else f"{self.key}={self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All limits of the queue and of pools."""

    max_concurrent_runs: int = 25
    """Over all locations."""
    reserved_runs: int | None = None
    """Places of these that runs of backfills and automation leave free; None: a fifth, but not all."""
    tag_concurrency_limits: tuple[TagLimit, ...] = ()
    location_limits: Mapping[str, int] = field(default_factory=dict)
    """Active runs at once, by location; one that is not named has no limit of its own."""
    default_pool_slots: int | None = None
    """Of a pool whose slots nobody has set; None: any number."""
    pool_granularity: Granularity = Granularity.STEP

    @property
    def background_runs(self) -> int:
        """How many runs of backfills and automation may be active at once."""
        reserved = max(1, self.max_concurrent_runs // 5) if self.reserved_runs is None else self.reserved_runs
        return max(min(1, self.max_concurrent_runs), self.max_concurrent_runs - reserved)

    @property
    def is_plain(self) -> bool:
        """Whether numbers of active runs are all that the queue has to look at."""
        return not self.tag_concurrency_limits and not self.location_limits and self.pool_granularity is Granularity.STEP

    def to_json(self) -> dict[str, Any]:
        """As REST gives and takes them."""
        return {
            "max_concurrent_runs": self.max_concurrent_runs,
            "reserved_runs": self.reserved_runs,
            "tag_concurrency_limits": [_tag_limit_to_json(limit) for limit in self.tag_concurrency_limits],
            "location_limits": dict(self.location_limits),
            "default_pool_slots": self.default_pool_slots,
            "pool_granularity": str(self.pool_granularity),
        }

    def changed(self, given: Mapping[str, Any]) -> Limits:
        """These limits with others in place of some.

        Args:
            given: as `to_json` writes them; what is left out stays.

        Raises:
            InvalidRequestError: a name or a value does not fit; the problems name each.
        """
        problems: list[Problem] = []
        known = self.to_json()
        for name in given:
            if name not in known:
                close = nearest(name, known)
                problems.append(Problem(path=name, message="there is no such limit" + (f"; did you mean {close!r}?" if close else "")))
        values = {**known, **{name: value for name, value in given.items() if name in known}}
        made = Limits(
            max_concurrent_runs=_number(values, "max_concurrent_runs", problems) or 0,
            reserved_runs=_number(values, "reserved_runs", problems, null=True),
            tag_concurrency_limits=_tag_limits(values["tag_concurrency_limits"], problems),
            location_limits=_by_name(values["location_limits"], problems),
            default_pool_slots=_number(values, "default_pool_slots", problems, null=True),
            pool_granularity=_granularity(values["pool_granularity"], problems),
        )
        if problems:
            raise InvalidRequestError("The limits are not valid", problems=problems)
        return made


def _tag_limit_to_json(limit: TagLimit) -> dict[str, Any]:
    made: dict[str, Any] = {"key": limit.key}
    if limit.per_value:
        made["value"] = {"applyLimitPerUniqueValue": True}
    elif limit.value is not None:
        made["value"] = limit.value
    return {**made, "limit": limit.limit}


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


def _number(values: Mapping[str, Any], name: str, problems: list[Problem], *, null: bool = False) -> int | None:
    value = values[name]
    if value is None and null:
        return None
    if not _is_number(value):
        problems.append(Problem(path=name, message="give a whole number, 0 or more" + (", or null" if null else ""), value=value))
        return None
    return int(value)


def _by_name(value: Any, problems: list[Problem]) -> Mapping[str, int]:
    if not isinstance(value, Mapping):
        problems.append(Problem(path="location_limits", message="give a number for each location, by its name", value=value))
        return {}
    for name, limit in value.items():
        if not _is_number(limit):
            problems.append(Problem(path=f"location_limits.{name}", message="give a whole number, 0 or more", value=limit))
    return dict(value)


def _granularity(value: Any, problems: list[Problem]) -> Granularity:
    try:
        return Granularity("step" if value == "op" else value)  # Dagster's word
    except ValueError:
        problems.append(Problem(path="pool_granularity", message="give 'step' (or 'op') or 'run'", value=value))
        return Granularity.STEP


def _tag_limits(value: Any, problems: list[Problem]) -> tuple[TagLimit, ...]:
    path = "tag_concurrency_limits"
    if not isinstance(value, list | tuple):
        problems.append(Problem(path=path, message="give a list of {key, value, limit}", value=value))
        return ()
    found = (_tag_limit(each, f"{path}[{place}]", problems) for place, each in enumerate(value))
    return tuple(limit for limit in found if limit is not None)


def _tag_limit(value: Any, path: str, problems: list[Problem]) -> TagLimit | None:
    before = len(problems)
    if not isinstance(value, Mapping):
        problems.append(Problem(path=path, message="give {key, value, limit}", value=value))
        return None
    for name in value:
        if name not in ("key", "value", "limit"):
            problems.append(Problem(path=f"{path}.{name}", message="there is no such field; it has key, value and limit"))
    key, of, limit = value.get("key"), value.get("value"), value.get("limit")
    if not isinstance(key, str) or not key:
        problems.append(Problem(path=f"{path}.key", message="give the key of a tag", value=key))
    if not _is_number(limit):
        problems.append(Problem(path=f"{path}.limit", message="give a whole number, 0 or more", value=limit))
    per_value = isinstance(of, Mapping) and of.get("applyLimitPerUniqueValue") is True and len(of) == 1
    if of is not None and not isinstance(of, str) and not per_value:
        said = 'give the value of a tag, or {"applyLimitPerUniqueValue": true}, or leave it out'
        problems.append(Problem(path=f"{path}.value", message=said, value=of))
    if len(problems) > before:
        return None
    return TagLimit(key=str(key), limit=int(limit or 0), value=of if isinstance(of, str) else None, per_value=per_value)
