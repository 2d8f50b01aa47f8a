"""Conditions in a whole stack: what happens to assets leads to runs, each asked for once, without anybody asking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.stack import Stack, start, until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("automation")]

PROJECT = """
from datetime import timedelta

import dagwright as dg

C = dg.AutomationCondition
people = dg.DynamicPartitionsDefinition(name="people")


@dg.asset(freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=1)))
def raw() -> None: ...


@dg.asset(deps=[raw], automation_condition=C.eager())
def report() -> None: ...


@dg.asset_check(asset=report, automation_condition=C.any_deps_match(C.newly_updated()))
def by_itself() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.asset_check(asset=report)
def with_its_asset() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.asset(automation_condition=C.on_cron("@every 3s"))
def by_the_clock() -> None: ...


@dg.asset
def add_people(context: dg.AssetExecutionContext) -> None:
    context.instance.add_dynamic_partitions("people", ["anna", "ben", "cleo"])


@dg.asset(partitions_def=people, automation_condition=C.on_missing(), backfill_policy=dg.BackfillPolicy.single_run())
def person(context: dg.AssetExecutionContext) -> None: ...


@dg.asset(deps=[raw], automation_condition=C.any_deps_match(C.freshness_passed()).newly_true())
def when_fresh() -> None: ...


on = dg.DefaultSensorStatus.RUNNING
defs = dg.Definitions(
    assets=[raw, report, by_the_clock, add_people, person, when_fresh],
    asset_checks=[by_itself, with_its_asset],
    sensors=[dg.AutomationConditionSensorDefinition("automation", target="*", default_status=on)],
)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("automation")
    (folder / "definitions.py").write_text(PROJECT)
    with start(folder / "home", "-f", str(folder / "definitions.py")) as running:
        until(lambda: evaluated(running, "report"), 60, "the first evaluation")
        yield running


def evaluated(stack: Stack, asset: str) -> list[Any]:
    return list(stack.get(f"/api/v1/assets/{asset}/evaluations")["items"])


def made(stack: Stack, asset: str) -> list[Any]:
    return list(stack.get(f"/api/v1/assets/{asset}/materializations", limit=100)["items"])


def steps(stack: Stack, run_id: str) -> set[str]:
    return {step["step_key"] for step in stack.finished(run_id)["steps"]}


def test_an_update_leads_to_what_reads_it_and_a_check_to_a_run_of_its_own(stack: Stack) -> None:
    before = len(made(stack, "report"))
    stack.finished(stack.launch(assets=["raw"]))
    until(lambda: len(made(stack, "report")) > before, 60, "the report")
    run_id = made(stack, "report")[0]["run_id"]
    assert "report_by_itself" not in steps(stack, run_id), "a check with a condition of its own waits for that"
    assert "report_with_its_asset" in steps(stack, run_id)

    def checked() -> Any:
        runs = [stack.run(run["run_id"]) for run in stack.get("/api/v1/runs", limit=100)["items"]]
        return [run for run in runs if run["checks"] == ["report:by_itself"] and run["status"] == "SUCCESS"]

    (alone,) = until(checked, 60, "the run of the check")
    assert steps(stack, alone["run_id"]) - {"by_the_clock"} == {"report_by_itself"}, "with or without what is due at that moment"
    assert len(made(stack, "report")) == before + 1


def test_the_clock(stack: Stack) -> None:
    count = len(made(stack, "by_the_clock"))
    until(lambda: len(made(stack, "by_the_clock")) >= count + 2, 60, "two ticks")


def test_new_partitions_are_made_by_one_run(stack: Stack) -> None:
    until(lambda: evaluated(stack, "person"), 60, "the first evaluation")
    stack.finished(stack.launch(assets=["add_people"]))
    until(lambda: len(made(stack, "person")) == 3, 60, "three people")
    assert {one["partition"] for one in made(stack, "person")} == {"anna", "ben", "cleo"}
    assert len({one["run_id"] for one in made(stack, "person")}) == 1, "its policy asks for one run"


def test_freshness(stack: Stack) -> None:
    stack.finished(stack.launch(assets=["raw"]))
    until(lambda: made(stack, "when_fresh"), 60, "what waits for fresh data")
