"""The chart of steps, and which steps are meant."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dagwright_shared.model.errors import InvalidRequestError
from dagwright_shared.model.runs import RunStatus, StepStatus
from dagwright_webserver import gantt
from dagwright_webserver.gantt import Choice, Mode, Order
from dagwright_webserver.reads.runs import RunView
from dagwright_webserver.reads.steps import StepView
from dagwright_webserver.step_selection import select

AT = datetime(2026, 1, 1, tzinfo=UTC)


def step(key: str, *needs: str, start: float | None = 0.0, seconds: float = 1.0, cpu: float = 0.0, memory: int = 0) -> StepView:
    begun = None if start is None else AT + timedelta(seconds=start)
    return StepView(
        step_key=key, status=StepStatus.SUCCESS if begun else StepStatus.PENDING, attempt=1, op=key, kind="op", depends_on=needs, assets=(),
        executor=None, step_group=None, started_at=begun, ended_at=begun and begun + timedelta(seconds=seconds),
        duration_seconds=seconds if begun else None, cpu_seconds=cpu, peak_memory_bytes=memory, error=None,
    )  # fmt: skip


STEPS = (
    step("load", seconds=4.0, cpu=2.0, memory=10),
    step("clean[1]", "load", start=4.0, seconds=2.0, cpu=1.0, memory=40),
    step("clean[2]", "load", start=4.0, seconds=6.0, cpu=3.0, memory=20),
    step("report", "clean[1]", "clean[2]", start=None),
)


def run(steps: tuple[StepView, ...] = STEPS) -> RunView:
    values: dict[str, Any] = {field.name: None for field in dataclasses.fields(RunView)}
    values |= {"status": RunStatus.SUCCESS, "steps": steps, "created_at": AT, "started_at": AT, "ended_at": AT + timedelta(seconds=10)}
    return RunView(**values)


def draw(**choice: Any) -> gantt.Gantt:
    return gantt.draw(run(), (), AT + timedelta(seconds=10), Choice(**choice))


def test_over_time() -> None:
    chart = draw()
    load, first, second, report = chart.rows
    assert [(part.kind, part.x, part.w) for part in load.parts] == [("run", 0.0, 40.0)]
    assert (first.parts[0].x, first.parts[0].w, first.label) == (40.0, 20.0, "2.0 s")
    assert (second.parts[-1].x + second.parts[-1].w, report.parts) == (100.0, ())
    assert (load.cpu, second.cpu, first.memory) == (66.67, 100.0, 100.0)
    assert [mark.label for mark in chart.ticks] == ["0", "2 s", "4 s", "6 s", "8 s"]


def test_a_window_of_it() -> None:
    chart = draw(window=(4.0, 8.0))
    load, first, second, _ = chart.rows
    assert (first.parts[0].x, first.parts[0].w) == (0.0, 50.0)
    assert second.parts[0].w == 100.0
    assert load.parts[0].x <= 0.35  # it ends where the window begins
    assert chart.ticks[0].label == "5 s"
    assert chart.zoomed(0.5) == "5-7"
    assert chart.zoomed(1.0, 0.5) == "6-10"
    assert chart.zoomed(9.0) is None
    assert draw(window=(50.0, 60.0)).window[1] <= 10.001


def test_by_level() -> None:
    chart = draw(mode=Mode.LEVELS)
    assert [round(row.parts[0].x) for row in chart.rows] == [0, 33, 33, 67]
    assert [mark.label for mark in chart.ticks] == ["1", "2", "3"]
    assert "after clean[1], clean[2]" in chart.rows[3].parts[0].title


def test_order_and_choice() -> None:
    assert [row.step.step_key for row in draw(order=Order.DURATION).rows] == ["clean[2]", "load", "clean[1]", "report"]
    assert draw(order=Order.MEMORY).rows[0].step.step_key == "clean[1]"
    assert [row.step.step_key for row in draw(order=Order.CPU, steps=frozenset({"load", "report"})).rows] == ["load", "report"]
    assert draw(order=Order.START).rows[-1].step.step_key == "report"


def test_of_many_steps_a_page() -> None:
    many = tuple(step(f"s{n}") for n in range(gantt.ROWS + 50))
    chart = gantt.draw(run(many), (), AT, Choice(first=gantt.ROWS))
    assert (chart.count, len(chart.rows), chart.rows[0].step.step_key) == (gantt.ROWS + 50, 50, f"s{gantt.ROWS}")


def test_a_run_without_steps() -> None:
    chart = gantt.draw(run(()), (), AT, Choice(mode=Mode.LEVELS))
    assert chart.rows == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("load", "load"),
        ("clean", "clean[1] clean[2]"),
        ("clean[2]", "clean[2]"),
        ("*[1], report", "clean[1] report"),
        ("load+1", "load clean[1] clean[2]"),
        ("load+", "load clean[1] clean[2] report"),
        ("+report", "load clean[1] clean[2] report"),
        ("1+report", "clean[1] clean[2] report"),
        ("+clean[1]+", "load clean[1] report"),
    ],
)
def test_selection(text: str, found: str) -> None:
    assert select(STEPS, text) == set(found.split())


def test_a_name_that_is_no_step() -> None:
    with pytest.raises(InvalidRequestError) as raised:
        select(STEPS, "laod+")
    assert raised.value.problems[0].suggestion == "load"
    for text in ("++", "a b+c", ","):
        with pytest.raises(InvalidRequestError):
            select(STEPS, text)
