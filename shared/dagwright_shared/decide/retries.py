"""Retries of whole runs: whether a failed run is tried again, and the run that tries it.

`again` also serves a person who asks for a re-execution.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias, TypeVar

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import RunId, StepKey
from dagwright_shared.model.runs import (
    NewRun,
    RetryStrategy,
    Run,
    RunStatus,
    StepRecord,
    StepStatus,
    Trigger,
    TriggerKind,
    system_tag,
)
from dagwright_shared.model.snapshot import Backoff, Jitter

C = TypeVar("C", bound=StrEnum)

_LONGEST_DELAY = 3600.0
_MOST_RETRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDefaults:
    """What holds for runs whose tags do not say."""

    max_retries: int = 0
    strategy: RetryStrategy = RetryStrategy.FROM_FAILURE
    delay_seconds: float = 0.0
    """Before the first retry."""
    backoff: Backoff | None = Backoff.EXPONENTIAL
    """How the delay grows from one retry to the next: twice as long each time, as much longer each time, or (None) not at all. It is at
    most an hour."""
    jitter: Jitter | None = None
    """Spreads retries that would come at once: FULL waits a random part of the delay, PLUS_MINUS up to the first delay more or less."""
    on_step_failure: bool = True
    """Whether runs are retried whose steps failed, and not only those whose worker was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    strategy: RetryStrategy
    delay: timedelta
    number: int
    """1 for the first retry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRetry:
    reason: str


Verdict: TypeAlias = Retry | NoRetry


def decide(run: Run, defaults: RetryDefaults, *, random: float = 0.5) -> Verdict:
    """Whether a failed run is tried again, by its tags or else the defaults of the deployment.

    Args:
        random: from 0 (inclusive) to 1 (exclusive), for the jitter.
    """
    if run.status is not RunStatus.FAILURE:
        return NoRetry(reason=f"The run is {run.status}, not FAILURE.")
    try:
        allowed = number(run.tags, "max_retries", defaults.max_retries, int)
        base = number(run.tags, "retry_delay_seconds", defaults.delay_seconds, float)
        backoff = _choice(run.tags, "retry_backoff", Backoff, defaults.backoff)
        jitter = _choice(run.tags, "retry_jitter", Jitter, defaults.jitter)
        strategy = _choice(run.tags, "retry_strategy", RetryStrategy, defaults.strategy)
        on_step_failure = _flag(run.tags, "retry_on_asset_or_op_failure", default=defaults.on_step_failure)
    except ValueError as error:
        return NoRetry(reason=str(error))
    if run.retry_number >= min(allowed, _MOST_RETRIES):
        return NoRetry(reason="No retries asked for." if allowed <= 0 else f"All {allowed} retries are used up.")
    if run.error is None and not on_step_failure:
        return NoRetry(reason="Its steps failed, and only runs whose worker was lost are to be retried (retry_on_asset_or_op_failure).")
    delay = _delay(max(0.0, base), run.retry_number, backoff, jitter, random)
    strategy = strategy or defaults.strategy
    return Retry(strategy=strategy, delay=timedelta(seconds=delay), number=run.retry_number + 1)


def retry(run: Run, steps: Sequence[StepRecord], verdict: Retry, *, run_id: RunId, now: datetime) -> NewRun:
    """The run that retries a failed one. Its run key lets it exist once, however many daemons decide on it."""
    made = again(
        run,
        steps,
        verdict.strategy,
        run_id=run_id,
        trigger=Trigger(kind=TriggerKind.RETRY, name=run.trigger.name, tick_id=run.trigger.tick_id),
        run_key=f"retry:{run.run_id}",
        retry_number=verdict.number,
        not_before=now + verdict.delay if verdict.delay else None,
    )
    # It stands in for its run in the backfill, too; a run that a person asks for does not.
    return replace(made, backfill=run.backfill)


def again(
    run: Run,
    steps: Sequence[StepRecord],
    strategy: RetryStrategy,
    *,
    run_id: RunId,
    trigger: Trigger,
    run_key: str | None = None,
    retry_number: int = 0,
    not_before: datetime | None = None,
) -> NewRun:
    """A run that does the work of an ended one again.

    With FROM_FAILURE the steps that succeeded are inherited: they are not executed, and the run that holds their
    outputs stands in for them. Nothing is inherited when no step is left to do or none was planned.
    """
    inherited: Mapping[StepKey, RunId] = run.inherited
    step_keys = run.step_keys
    if strategy is RetryStrategy.FROM_FAILURE and steps:
        rest = _to_do(run, steps)
        succeeded = {step.step_key: run.run_id for step in steps if step.status is StepStatus.SUCCESS}
        if rest:
            inherited, step_keys = {**succeeded, **run.inherited}, rest
    elif strategy is RetryStrategy.ALL_STEPS:
        # A run that inherited steps was itself asked from failure; all steps means those of the root's request.
        inherited = {}
        step_keys = () if run.inherited else run.step_keys
    return NewRun(
        run_id=run_id,
        location=run.location,
        digest=run.digest,
        job_name=run.job_name,
        asset_keys=run.asset_keys,
        check_keys=run.check_keys,
        only_checks=run.only_checks,
        step_keys=step_keys,
        partition=run.partition,
        partition_end=run.partition_end,
        config=run.config,
        tags=run.tags,
        trigger=trigger,
        priority=run.priority,
        run_key=run_key,
        parent_run_id=run.run_id,
        root_run_id=run.root_run_id or run.run_id,
        inherited=inherited,
        retry_number=retry_number,
        not_before=not_before,
    )


def some_steps(made: NewRun, run: Run, steps: Sequence[StepRecord], chosen: Collection[StepKey]) -> NewRun:
    """A run that repeats another, cut down to some of its steps: what the others made stands in for them."""
    there = {step.step_key: run.run_id for step in steps if step.status is StepStatus.SUCCESS}
    inherited = {key: holder for key, holder in {**there, **run.inherited}.items() if key not in chosen}
    return replace(made, step_keys=tuple(step.step_key for step in steps if step.step_key in chosen), inherited=inherited)


def downstream(steps: Sequence[StepRecord], chosen: Collection[StepKey]) -> frozenset[StepKey]:
    """Some steps of a run, and all that wait for them. The steps are in the order of the plan."""
    found = set(chosen)
    for step in steps:
        if any(dep in found for dep in step.depends_on):
            found.add(step.step_key)
    return frozenset(found)


def missing_inputs(run: Run, steps: Sequence[StepRecord], only: Collection[StepKey]) -> Mapping[StepKey, tuple[StepKey, ...]]:
    """Steps of a choice whose inputs no run has: what they wait for neither succeeded nor is chosen."""
    there = {step.step_key for step in steps if step.status is StepStatus.SUCCESS} | set(run.inherited) | set(only)
    planned = {step.step_key for step in steps}
    lacking = {step.step_key: tuple(dep for dep in step.depends_on if dep in planned and dep not in there) for step in steps}
    return {key: deps for key, deps in lacking.items() if deps and key in only}


def _to_do(run: Run, steps: Sequence[StepRecord]) -> tuple[StepKey, ...]:
    """The steps that did not succeed, but for those skipped because an optional output was not made.

    Such a step has only ancestors that succeeded or were themselves skipped so; it would be skipped again.
    """
    ended_well = {step.step_key for step in steps if step.status is StepStatus.SUCCESS} | set(run.inherited)
    skipped = {step.step_key: step for step in steps if step.status is StepStatus.SKIPPED and step.step_key not in ended_well}
    again = {step.step_key for step in steps} - ended_well - set(skipped)
    # A skipped step is done again if a step that it waits for is; repeat until nothing changes.
    grew = True
    while grew:
        fresh = {key for key, step in skipped.items() if key not in again and any(dep in again for dep in step.depends_on)}
        again |= fresh
        grew = bool(fresh)
    return tuple(step.step_key for step in steps if step.step_key in again)


def left(run: Run, steps: Sequence[StepRecord]) -> tuple[tuple[StepKey, ...], Mapping[StepKey, RunId]]:
    """What a new worker of a run has to do, and where the outputs of the rest are: in the run itself, or in those that it stands on.

    All of it where nothing has been planned yet.
    """
    rest = _to_do(run, steps)
    done = {step.step_key: run.run_id for step in steps if step.status is StepStatus.SUCCESS}
    return (rest, {**done, **run.inherited}) if rest and done else (run.step_keys, run.inherited)


def is_done(run: Run, steps: Sequence[StepRecord]) -> bool:
    """Whether every step of a run has ended well, so that nothing is left to do but to say so."""
    return bool(steps) and not _to_do(run, steps)


def _delay(base: float, before: int, backoff: Backoff | None, jitter: Jitter | None, random: float) -> float:
    """Seconds until the retry that follows `before` others."""
    delay = base
    match backoff:
        case Backoff.EXPONENTIAL:
            delay = base * 2.0 ** min(before, 20)
        case Backoff.LINEAR:
            delay = base * (before + 1)
    match jitter:
        case Jitter.FULL:
            delay *= random
        case Jitter.PLUS_MINUS:
            delay += (2 * random - 1) * base
    return min(_LONGEST_DELAY, max(0.0, delay))


def number(tags: Mapping[str, str], name: str, default: float, kind: type[int] | type[float]) -> float:
    """The number that the tag `dagwright/NAME` (or `dagster/NAME`) gives.

    Raises:
        ValueError: it is no number.
    """
    text = system_tag(tags, name)
    if text is None:
        return default
    try:
        return kind(text)
    except (ValueError, OverflowError):
        raise ValueError(f"The tag dagwright/{name} is {text!r}, which is not a number; write one, such as '3'.") from None


def _choice(tags: Mapping[str, str], name: str, kind: type[C], default: C | None) -> C | None:
    text = system_tag(tags, name)
    if text is None:
        return default
    if text.lower() == "none":
        return None
    known = {str(value).upper(): value for value in kind}
    if text.upper() not in known:
        raise ValueError(f"The tag dagwright/{name} is {text!r}; it can be one of: {', '.join(known)}.")
    return known[text.upper()]


def _flag(tags: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = system_tag(tags, name)
    if text is None:
        return default
    if text.lower() not in ("true", "false"):
        raise ValueError(f"The tag dagwright/{name} is {text!r}; it can be one of: true, false.")
    return text.lower() == "true"
