"""Resources that definitions need: those that exist, and errors for those that do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

from dagwright.authoring.assets import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.jobs import JobDefinition
from dagwright.authoring.ops import DEFAULT_IO_MANAGER, OpDefinition
from dagwright.authoring.resources import ConfigurableResource, ResourceDefinition
from dagwright.authoring.schedules import ScheduleDefinition
from dagwright.authoring.sensors import SensorDefinition
from dagwright_shared.model.errors import DefinitionError, SourceRef, nearest
from dagwright_shared.model.keys import AssetCheckKey, AssetKey

CheckOwner: TypeAlias = AssetsDefinition
"""Of assets with checks of their own, or of checks alone (AssetChecksDefinition)."""


def gather(resources: Mapping[str, Any], owners: Iterable[CheckOwner]) -> dict[str, Any]:
    """All resources by key: those of Definitions, and those that assets and checks bring along."""
    every = dict(resources)
    for owner in owners:
        for key, value in owner.resource_defs.items():
            if key in every and every[key] is not value:
                raise DefinitionError(
                    f"{owner!r} brings a resource {key!r} of its own, but another one has that key",
                    source=owner.source,
                    mend="rename one of the keys, or share one object",
                )
            every[key] = value
    return every


def check(
    assets: Sequence[AssetsDefinition],
    checks: Sequence[AssetChecksDefinition],
    jobs: Iterable[JobDefinition],
    schedules: Sequence[ScheduleDefinition],
    sensors: Sequence[SensorDefinition],
    resources: Mapping[str, Any],
) -> None:
    """Every key that an op, schedule, sensor or resource asks for must have a resource."""
    owners: tuple[CheckOwner, ...] = (*assets, *checks)
    for owner in owners:
        if owner.graph is not None:
            for handle, op, _ in owner.graph.walk():
                _need_op(f"op {handle!r} of {_article(owner)}", op, resources)
        elif owner.op is None:
            io_keys = {spec.io_manager_key for spec in owner.specs if spec.io_manager_key}
            _need(f"{owner!r}", io_keys, resources, owner.source, "io_manager_key")
        else:
            _need_op(_article(owner), owner.op, resources)
    for job in jobs:
        if job.graph is not None:
            inside = {**resources, **job.resource_defs}
            for handle, op, _ in job.graph.walk():
                _need_op(f"op {handle!r} of job {job.name!r}", op, inside)
            _no_cycle(inside)
    timed: tuple[ScheduleDefinition | SensorDefinition, ...] = (*schedules, *sensors)
    for item in timed:
        kind = "schedule" if isinstance(item, ScheduleDefinition) else "sensor"
        _need(f"{kind} {item.name!r}", item.required_resource_keys, resources, item.source, "resource")
    for key, value in resources.items():
        if isinstance(value, ResourceDefinition):
            _need(f"resource {key!r}", value.required_resource_keys, resources, value.source, "resource")
    _no_cycle(resources)


def _no_cycle(resources: Mapping[str, Any]) -> None:
    requiring = {key: value.required_resource_keys for key, value in resources.items() if isinstance(value, ResourceDefinition)}
    try:
        TopologicalSorter(requiring).prepare()
    except CycleError as error:
        first = resources[error.args[1][0]]
        raise DefinitionError(
            f"resources require each other: {' -> '.join(error.args[1])}",
            source=first.source,
            mend="leave one out of required_resource_keys",
        ) from None


def _need_op(what: str, op: OpDefinition, resources: Mapping[str, Any]) -> None:
    _need(what, op.required_resource_keys, resources, op.source, "resource")
    _need(what, op.io_manager_keys, resources, op.source, "io_manager_key")
    for key in op.io_manager_keys:
        value = resources.get(key)
        if value is not None and not _may_store(value):
            raise DefinitionError(
                f"{what} is stored by the resource {key!r}, a {type(value).__name__}, which is no IO manager",
                source=op.source,
                mend="give that key an IOManager",
            )


def _may_store(value: Any) -> bool:
    # A factory makes its IO manager when it is set up, so only what is plainly something else can be told now.
    if isinstance(value, (ConfigurableResource, ResourceDefinition)):
        return True
    return hasattr(value, "load_input") or hasattr(value, "resource_class")


def _need(what: str, keys: Iterable[str], resources: Mapping[str, Any], source: SourceRef | None, kind: str) -> None:
    for key in sorted(keys):
        if key in resources or (kind == "io_manager_key" and key == DEFAULT_IO_MANAGER):
            continue
        close = nearest(key, resources)
        noun = "IO manager" if kind == "io_manager_key" else "resource"
        raise DefinitionError(
            f"{what} needs the {noun} {key!r}, but no resource has that key",
            source=source,
            mend=f"did you mean {close!r}?"
            if close
            else f"add it: Definitions(resources={{{key!r}: ...}}); the keys are {some_of(resources)}",
        )


def _article(owner: CheckOwner) -> str:
    keys: Iterable[AssetKey | AssetCheckKey] = owner.check_keys if isinstance(owner, AssetChecksDefinition) else owner.keys
    what = "check" if isinstance(owner, AssetChecksDefinition) else "asset"
    return f"{what} {', '.join(key.to_user_string() for key in list(keys)[:3])}"


def some_of(names: Iterable[str], limit: int = 8) -> str:
    """Names for a message, the first few of many."""
    listed = list(names)
    text = ", ".join(listed[:limit]) or "none"
    return f"{text}, ..." if len(listed) > limit else text
