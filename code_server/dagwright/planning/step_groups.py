"""Step groups: consecutive steps that run in one process. What makes a group impossible, said in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from dagwright_shared.model.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A step, as far as groups are concerned."""

    key: str
    upstream: Sequence[str]
    group: str | None
    executor: str
    scope: tuple[str, ...] = ()
    """The dynamic outputs that it is mapped over."""


def troubles(members: Sequence[Member]) -> Iterator[tuple[str, str]]:
    """The groups that cannot be, and why."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        if member.group is not None:
            groups.setdefault(member.group, []).append(member)
    if not groups:
        return
    for name, inside in groups.items():
        first = inside[0]
        for other in inside[1:]:
            if other.scope != first.scope:
                yield name, _across(name, first, other)
                break
            if other.executor != first.executor:
                yield (
                    name,
                    f"the step group {name!r} has steps of two executors: {first.key!r} of {first.executor}, {other.key!r} of "
                    f"{other.executor}; a group runs in one process, so give its steps the same executor=",
                )
                break
    yield from _cycles({member.key: member for member in members})


def _across(name: str, first: Member, other: Member) -> str:
    mapped, outside = (first, other) if len(first.scope) > len(other.scope) else (other, first)
    return (
        f"the step group {name!r} goes across a dynamic output: {mapped.key!r} is mapped over {mapped.scope[-1]!r} and {outside.key!r} is "
        "not; steps that are mapped alike can be a group, one for each mapping key"
    )


def _cycles(members: Mapping[str, Member]) -> Iterator[tuple[str, str]]:
    """Groups whose steps are not consecutive: a path leaves the group and comes back."""
    sorter: TopologicalSorter[tuple[bool, str]] = TopologicalSorter()
    for member in members.values():
        own = _unit(member)
        others = {_unit(members[key]) for key in member.upstream if key in members}
        sorter.add(own, *(others - {own}))
    try:
        sorter.prepare()
    except CycleError as error:
        path: list[tuple[bool, str]] = error.args[1]
        name = next((unit for is_group, unit in path if is_group), None)
        if name is not None:  # or the steps themselves wait for each other, which is said elsewhere
            shown = " -> ".join(f"group {unit!r}" if is_group else repr(unit) for is_group, unit in path)
            yield (
                name,
                f"the steps of the step group {name!r} are not consecutive: {shown}; what lies between must be in the group too, or the "
                "group be two",
            )


def _unit(member: Member) -> tuple[bool, str]:
    return (True, member.group) if member.group is not None else (False, member.key)
