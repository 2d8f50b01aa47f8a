"""Whether a failed run is tried again, and the run that tries it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.decide.test_queue import NOW, a_run

from dagwright_shared.decide import retries
from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.keys import AssetKey, RunId, StepKey
from dagwright_shared.model.runs import RetryStrategy, Run, RunStatus, StepRecord, StepStatus, Trigger, TriggerKind

pytestmark = pytest.mark.unit

MANUAL = Trigger(kind=TriggerKind.USER, name="ann")


def failed(**values: Any) -> Run:
    return a_run("failed", status=RunStatus.FAILURE, ended_at=NOW, **values)


@pytest.mark.parametrize(
    ("tags", "number", "defaults", "delay"),
    [
        ({}, 0, retries.RetryDefaults(), None),
        ({}, 0, retries.RetryDefaults(max_retries=1), 0.0),
        ({}, 1, retries.RetryDefaults(max_retries=1), None),
        ({"dagwright/max_retries": "0"}, 0, retries.RetryDefaults(max_retries=3), None),
        ({"dagwright/max_retries": "2", "dagwright/retry_delay_seconds": "1.5"}, 0, retries.RetryDefaults(), 1.5),
        ({"dagwright/max_retries": "2", "dagwright/retry_delay_seconds": "1.5"}, 1, retries.RetryDefaults(), 3.0),
        ({"dagwright/max_retries": "90", "dagwright/retry_delay_seconds": "10"}, 50, retries.RetryDefaults(), 3600.0),
        ({"dagwright/max_retries": "many"}, 0, retries.RetryDefaults(max_retries=3), None),
        ({"dagwright/max_retries": "2", "dagwright/retry_strategy": "SOME"}, 0, retries.RetryDefaults(), None),
    ],
)
def test_whether(tags: dict[str, str], number: int, defaults: retries.RetryDefaults, delay: float | None) -> None:
    verdict = retries.decide(failed(tags=tags, retry_number=number), defaults)
    if delay is None:
        assert isinstance(verdict, retries.NoRetry)
        assert verdict.reason
    else:
        assert verdict == retries.Retry(strategy=RetryStrategy.FROM_FAILURE, delay=timedelta(seconds=delay), number=number + 1)


@pytest.mark.parametrize(
    ("tags", "number", "random", "delay"),
    [
        ({"dagwright/retry_backoff": "none"}, 2, 0.5, 10.0),
        ({"dagwright/retry_backoff": "linear"}, 2, 0.5, 30.0),
        ({"dagwright/retry_backoff": "exponential"}, 2, 0.5, 40.0),
        ({}, 2, 0.5, 40.0),
        ({"dagwright/retry_jitter": "full"}, 0, 0.25, 2.5),
        ({"dagwright/retry_jitter": "plus_minus"}, 0, 0.0, 0.0),
        ({"dagwright/retry_jitter": "plus_minus"}, 1, 0.75, 25.0),
    ],
)
def test_delays(tags: dict[str, str], number: int, random: float, delay: float) -> None:
    tags = {"dagster/max_retries": "9", "dagwright/retry_delay_seconds": "10", **tags}
    verdict = retries.decide(failed(tags=tags, retry_number=number), retries.RetryDefaults(), random=random)
    assert isinstance(verdict, retries.Retry)
    assert verdict.delay.total_seconds() == delay


def test_tags_of_dagster_and_those_that_do_not_fit() -> None:
    tags = {"dagster/max_retries": "1", "dagster/retry_strategy": "ALL_STEPS"}
    verdict = retries.decide(failed(tags=tags), retries.RetryDefaults())
    assert isinstance(verdict, retries.Retry)
    assert verdict.strategy is RetryStrategy.ALL_STEPS
    for name, value in (("retry_backoff", "fast"), ("retry_jitter", "much"), ("retry_on_asset_or_op_failure", "maybe")):
        refused = retries.decide(failed(tags={**tags, f"dagwright/{name}": value}), retries.RetryDefaults())
        assert isinstance(refused, retries.NoRetry)
        assert value in refused.reason


def test_only_runs_whose_worker_was_lost() -> None:
    tags = {"dagster/max_retries": "1", "dagster/retry_on_asset_or_op_failure": "false"}
    assert isinstance(retries.decide(failed(tags=tags), retries.RetryDefaults()), retries.NoRetry)
    lost = failed(tags=tags, error=ErrorInfo(class_name="WorkerLost", message="gone"))
    assert isinstance(retries.decide(lost, retries.RetryDefaults()), retries.Retry)


def test_strategy_of_the_tag_wins() -> None:
    verdict = retries.decide(failed(tags={"dagwright/max_retries": "1", "dagwright/retry_strategy": "all_steps"}), retries.RetryDefaults())
    assert isinstance(verdict, retries.Retry)
    assert verdict.strategy is RetryStrategy.ALL_STEPS


@pytest.mark.parametrize("status", [RunStatus.SUCCESS, RunStatus.CANCELED, RunStatus.STARTED])
def test_only_failures_are_retried(status: RunStatus) -> None:
    assert isinstance(retries.decide(a_run(status=status), retries.RetryDefaults(max_retries=9)), retries.NoRetry)


def step(key: str, status: StepStatus, *deps: str) -> StepRecord:
    return StepRecord(step_key=StepKey(key), status=status, depends_on=tuple(StepKey(dep) for dep in deps))


def test_from_failure_inherits_what_succeeded() -> None:
    steps = [
        step("load", StepStatus.SUCCESS),
        step("clean", StepStatus.FAILURE, "load"),
        step("report", StepStatus.SKIPPED, "clean"),
        step("mail", StepStatus.SKIPPED, "report"),
        step("maybe", StepStatus.SKIPPED, "load"),
        step("after_maybe", StepStatus.SKIPPED, "maybe"),
        step("never", StepStatus.PENDING, "clean"),
        step("stopped", StepStatus.CANCELED, "load"),
    ]
    run = failed(
        asset_keys=(AssetKey("a"),), tags={"x": "y"}, priority=3, trigger=Trigger(kind=TriggerKind.SCHEDULE, name="nightly", tick_id=7)
    )
    verdict = retries.Retry(strategy=RetryStrategy.FROM_FAILURE, delay=timedelta(seconds=5), number=1)
    new = retries.retry(run, steps, verdict, run_id=RunId("new"), now=NOW)
    assert new.inherited == {"load": "failed"}
    assert new.step_keys == ("clean", "report", "mail", "never", "stopped")
    assert (new.parent_run_id, new.root_run_id, new.retry_number) == ("failed", "failed", 1)
    assert new.not_before == NOW + timedelta(seconds=5)
    assert new.run_key == "retry:failed"
    assert new.trigger == Trigger(kind=TriggerKind.RETRY, name="nightly", tick_id=7)
    assert (new.asset_keys, new.tags, new.priority) == (run.asset_keys, run.tags, 3)


def test_a_retry_of_a_retry_points_at_the_run_that_holds_each_output() -> None:
    run = failed(inherited={StepKey("load"): RunId("first")}, step_keys=(StepKey("clean"), StepKey("report")), root_run_id=RunId("first"))
    steps = [step("load", StepStatus.SUCCESS), step("clean", StepStatus.SUCCESS, "load"), step("report", StepStatus.FAILURE, "clean")]
    new = retries.again(run, steps, RetryStrategy.FROM_FAILURE, run_id=RunId("new"), trigger=MANUAL)
    assert new.inherited == {"load": "first", "clean": "failed"}
    assert new.step_keys == ("report",)
    assert new.root_run_id == "first"
    assert new.run_key is None


@pytest.mark.parametrize("steps", [[], [step("only", StepStatus.SUCCESS)]])
def test_nothing_to_inherit_means_the_same_request_again(steps: list[StepRecord]) -> None:
    run = failed(step_keys=(StepKey("only"),))
    new = retries.again(run, steps, RetryStrategy.FROM_FAILURE, run_id=RunId("new"), trigger=MANUAL)
    assert (new.step_keys, new.inherited) == (("only",), {})


def test_all_steps() -> None:
    run = failed(inherited={StepKey("load"): RunId("first")}, step_keys=(StepKey("clean"),), root_run_id=RunId("first"))
    new = retries.again(run, [step("clean", StepStatus.FAILURE)], RetryStrategy.ALL_STEPS, run_id=RunId("new"), trigger=MANUAL)
    assert (new.step_keys, new.inherited) == ((), {})
    plain = retries.again(failed(step_keys=(StepKey("a"),)), [], RetryStrategy.ALL_STEPS, run_id=RunId("new"), trigger=MANUAL)
    assert plain.step_keys == ("a",)
