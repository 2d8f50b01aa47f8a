"""Two runs side by side: how they were asked for, what their steps took, what they made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from dagwright_shared.model.json_values import json_safe
from dagwright_shared.model.runs import RunStatus, StepStatus
from dagwright_webserver.reads import events as event_reads
from dagwright_webserver.reads.events import EventFilter, EventView
from dagwright_webserver.reads.run_list import RunFilter, RunSummary, first_line, list_runs
from dagwright_webserver.reads.runs import RunView, get_run
from dagwright_webserver.reads.steps import StepView
from dagwright_webserver.reads.view import Moment, view

MAX_DIFFERENCES = 1000
_MAX_EVENTS = 5000
_MADE = ("ASSET_MATERIALIZED", "ASSET_OBSERVED")


@view
class ComparedRun:
    """One of the two runs."""

    run_id: str
    """UUID."""
    status: RunStatus
    """Where it is in its life."""
    title: str
    """What it runs, in a few words."""
    location: str
    """The code location whose definitions it runs."""
    digest: str
    """Digest of the definitions that it was asked against."""
    partition: str | None
    """Partition key, or the first and the last of a range as `a...b`; null when unpartitioned."""
    trigger: str
    """What asked for it."""
    created_at: Moment
    """When it was asked for."""
    queued_seconds: float | None
    """From creation to start."""
    duration_seconds: float | None
    """From start to end; null while it is not over."""
    cpu_seconds: float | None
    """Of all steps."""
    peak_memory_bytes: int | None
    """The highest of all steps."""


@view
class Difference:
    """A value that is not the same in both."""

    path: str
    """Where, dotted, such as `ops.load.config.limit`."""
    base: Any
    """In the run that is compared with; null when it is not there."""
    run: Any
    """In the run; null when it is not there."""
    kind: str
    """added, removed or changed, as seen from the run that is compared with."""


@view
class ComparedSide:
    """A step in one of the two runs."""

    status: StepStatus
    """Where it is in its life."""
    attempt: int
    """Number of its newest attempt."""
    duration_seconds: float | None
    """Of the newest attempt."""
    cpu_seconds: float | None
    """Of the newest attempt."""
    peak_memory_bytes: int | None
    """Of the newest attempt."""
    error_line: str | None
    """First line of its error, where it failed."""


@view
class ComparedStep:
    """A step of one run or of both."""

    step_key: str
    """Name of the step."""
    base: ComparedSide | None
    """In the run that is compared with."""
    run: ComparedSide | None
    """In the run."""
    delta_seconds: float | None
    """By how much the run took longer; negative: it was faster."""


@view
class ComparedValue:
    """A metadata label of an asset."""

    label: str
    """The label."""
    base: Mapping[str, Any] | None
    """`type` and `raw_value` in the run that is compared with."""
    run: Mapping[str, Any] | None
    """`type` and `raw_value` in the run."""
    delta: float | None
    """The difference of two numbers."""


@view
class ComparedAsset:
    """What became of an asset, by its newest materialization or observation in each run."""

    asset: str
    """Its key."""
    made_by: str
    """base, run or both."""
    code_versions: tuple[str | None, str | None]
    """In the run that is compared with, and in the run."""
    data_versions: tuple[str | None, str | None]
    """In the run that is compared with, and in the run; the same version means the same data."""
    metadata: tuple[ComparedValue, ...]
    """All labels, by name."""


@view
class ComparedCheck:
    """The result of a check in each run."""

    check: str
    """`asset/key:name`."""
    base: bool | None
    """Whether it passed in the run that is compared with; null: it was not evaluated."""
    run: bool | None
    """Whether it passed in the run."""


@view
class ComparisonView:
    """A run beside another one, which is the base of the comparison."""

    base: ComparedRun
    """The run that is compared with."""
    run: ComparedRun
    """The run."""
    same_definitions: bool
    """Whether both ran the very same definitions."""
    config: tuple[Difference, ...]
    """What differs in their run config; at most 1,000 places."""
    tags: tuple[Difference, ...]
    """What differs in their tags."""
    steps: tuple[ComparedStep, ...]
    """In the order of the run's plan, then those that only the base has."""
    assets: tuple[ComparedAsset, ...]
    """By key."""
    checks: tuple[ComparedCheck, ...]
    """By name."""


def compare(conn: Connection, run_id: str, base_id: str) -> ComparisonView:
    """A run beside another.

    Raises:
        NotFoundError: there is no such run.
    """
    run, base = get_run(conn, run_id), get_run(conn, base_id)
    made, base_made = _told(conn, run_id), _told(conn, base_id)
    return ComparisonView(
        base=_run(base),
        run=_run(run),
        same_definitions=base.digest == run.digest,
        config=tuple(differences(base.config, run.config))[:MAX_DIFFERENCES],
        tags=tuple(differences(base.tags, run.tags)),
        steps=_steps(base.steps, run.steps),
        assets=tuple(_assets(base_made, made)),
        checks=tuple(_checks(base_made, made)),
    )


def candidates(conn: Connection, run: RunView) -> tuple[RunSummary, ...]:
    """Other runs of the same job or asset that it can be compared with: those of its partition first, then the newest."""
    same = RunFilter(job=run.job) if run.job else RunFilter(asset=run.assets[0]) if run.assets else RunFilter(location=run.location)
    found = [each for each in list_runs(conn, same, limit=50).items if each.run_id != run.run_id]
    return tuple(sorted(found, key=lambda each: each.partition != run.partition))


def differences(base: Any, run: Any, path: str = "") -> Iterator[Difference]:
    """Where two values of JSON differ: mappings key by key, everything else as a whole."""
    if isinstance(base, Mapping) and isinstance(run, Mapping):
        for key in sorted({*base, *run}, key=str):
            where = f"{path}.{key}" if path else str(key)
            if key not in base:
                yield Difference(path=where, base=None, run=json_safe(run[key]), kind="added")
            elif key not in run:
                yield Difference(path=where, base=json_safe(base[key]), run=None, kind="removed")
            else:
                yield from differences(base[key], run[key], where)
    elif base != run or type(base) is not type(run):
        yield Difference(path=path, base=json_safe(base), run=json_safe(run), kind="changed")


def _run(run: RunView) -> ComparedRun:
    cpu = [step.cpu_seconds for step in run.steps if step.cpu_seconds is not None]
    return ComparedRun(
        run_id=run.run_id,
        status=run.status,
        title=run.title,
        location=run.location,
        digest=run.digest,
        partition=run.partition,
        trigger=run.trigger,
        created_at=run.created_at,
        queued_seconds=run.queued_seconds,
        duration_seconds=run.duration_seconds,
        cpu_seconds=sum(cpu) if cpu else None,
        peak_memory_bytes=max((step.peak_memory_bytes for step in run.steps if step.peak_memory_bytes is not None), default=None),
    )


def _steps(base: Sequence[StepView], run: Sequence[StepView]) -> tuple[ComparedStep, ...]:
    before, after = {step.step_key: step for step in base}, {step.step_key: step for step in run}
    return tuple(_step(key, before.get(key), after.get(key)) for key in dict.fromkeys([*after, *before]))


def _step(key: str, base: StepView | None, run: StepView | None) -> ComparedStep:
    return ComparedStep(
        step_key=key,
        base=None if base is None else _side(base),
        run=None if run is None else _side(run),
        delta_seconds=None if base is None or run is None else _delta(base.duration_seconds, run.duration_seconds),
    )


def _side(step: StepView) -> ComparedSide:
    return ComparedSide(
        status=step.status,
        attempt=step.attempt,
        duration_seconds=step.duration_seconds,
        cpu_seconds=step.cpu_seconds,
        peak_memory_bytes=step.peak_memory_bytes,
        error_line=first_line(step.error.class_name, step.error.message) if step.error else None,
    )


def _delta(base: float | None, run: float | None) -> float | None:
    return None if base is None or run is None else round(run - base, 6)


def _told(conn: Connection, run_id: str) -> tuple[EventView, ...]:
    """What a run told of assets and checks, oldest first."""
    return event_reads.list_events(conn, run_id, EventFilter(types=(*_MADE, "CHECK_EVALUATED")), limit=_MAX_EVENTS).items


def _assets(base: Sequence[EventView], run: Sequence[EventView]) -> Iterator[ComparedAsset]:
    before, after = ({str(each.asset): each.data for each in events if each.type in _MADE} for events in (base, run))
    for key in sorted({*before, *after}):
        ours, theirs = after.get(key, {}), before.get(key, {})
        labels: tuple[Mapping[str, Any], Mapping[str, Any]] = theirs.get("metadata") or {}, ours.get("metadata") or {}
        yield ComparedAsset(
            asset=key,
            made_by="both" if key in before and key in after else "run" if key in after else "base",
            code_versions=(theirs.get("code_version"), ours.get("code_version")),
            data_versions=(theirs.get("data_version"), ours.get("data_version")),
            metadata=tuple(_value(label, labels[0].get(label), labels[1].get(label)) for label in sorted({*labels[0], *labels[1]})),
        )


def _value(label: str, base: Mapping[str, Any] | None, run: Mapping[str, Any] | None) -> ComparedValue:
    numbers = [each["raw_value"] for each in (base, run) if each and each["type"] in ("int", "float")]
    both = [each for each in numbers if isinstance(each, int | float)]
    return ComparedValue(label=label, base=base, run=run, delta=both[1] - both[0] if len(both) == 2 else None)


def _checks(base: Sequence[EventView], run: Sequence[EventView]) -> Iterator[ComparedCheck]:
    before, after = (
        {f"{each.asset}:{each.check}": bool(each.data.get("passed")) for each in events if each.type == "CHECK_EVALUATED"}
        for events in (base, run)
    )
    for name in sorted({*before, *after}):
        yield ComparedCheck(check=name, base=before.get(name), run=after.get(name))
