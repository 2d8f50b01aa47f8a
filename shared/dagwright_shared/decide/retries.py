"""Retries of whole runs: whether a failed run is tried again, and the run that tries it.

`again` also serves a person who asks for a re-execution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from dagwright_shared.model.keys import RunId, StepKey
from dagwright_shared.model.runs import (
    MAX_RETRIES_TAG,
    RETRY_DELAY_TAG,
    RETRY_STRATEGY_TAG,
    NewRun,
    RetryStrategy,
    Run,
    RunStatus,
    StepRecord,
    StepStatus,
    Trigger,
    TriggerKind,
)

_LONGEST_DELAY = 3600.0
_MOST_RETRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDefaults:
    """What holds for runs whose tags do not say."""

    max_retries: int = 0
    strategy: RetryStrategy = RetryStrategy.FROM_FAILURE
    delay_seconds: float = 0.0
    """Before the first retry; doubled for each further one, at most an hour."""


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


def decide(run: Run, defaults: RetryDefaults) -> Verdict:
    """Whether a failed run is tried again, by its tags or else the defaults of the deployment."""
    if run.status is not RunStatus.FAILURE:
        return NoRetry(reason=f"The run is {run.status}, not FAILURE.")
    try:
        allowed = _number(run.tags, MAX_RETRIES_TAG, defaults.max_retries, int)
        base = _number(run.tags, RETRY_DELAY_TAG, defaults.delay_seconds, float)
        strategy = _strategy(run.tags, defaults.strategy)
    except ValueError as error:
        return NoRetry(reason=str(error))
    if run.retry_number >= min(allowed, _MOST_RETRIES):
        return NoRetry(reason="No retries asked for." if allowed <= 0 else f"All {allowed} retries are used up.")
    delay = min(_LONGEST_DELAY, max(0.0, base) * 2.0 ** min(run.retry_number, 20))
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


def _number(tags: Mapping[str, str], name: str, default: float, kind: type[int] | type[float]) -> float:
    text = tags.get(name)
    if text is None:
        return default
    try:
        return kind(text)
    except (ValueError, OverflowError):
        raise ValueError(f"The tag {name} is {text!r}, which is not a number; write one, such as '3'.") from None


def _strategy(tags: Mapping[str, str], default: RetryStrategy) -> RetryStrategy:
    text = tags.get(RETRY_STRATEGY_TAG)
    if text is None:
        return default
    try:
        return RetryStrategy(text.upper())
    except ValueError:
        known = ", ".join(RetryStrategy)
        raise ValueError(f"The tag {RETRY_STRATEGY_TAG} is {text!r}; it can be one of: {known}.") from None
