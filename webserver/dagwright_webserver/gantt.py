"""The chart of a run's steps: over time, or by levels of the graph; what of it is shown, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from dagwright_webserver import looks
from dagwright_webserver.drawings import LEAST_WIDTH, ROUND_STEPS, Mark
from dagwright_webserver.reads.events import EventView
from dagwright_webserver.reads.runs import RunView
from dagwright_webserver.reads.steps import StepView

ROWS = 300
"""Rows that a page draws at most: thousands of steps would make it slow, and nobody reads them one after the other."""


class Mode(StrEnum):
    """What lies to the right."""

    TIME = "time"
    LEVELS = "levels"


class Order(StrEnum):
    """What the rows are sorted by."""

    PLAN = "plan"
    START = "start"
    DURATION = "duration"
    CPU = "cpu"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What of the steps is shown, and how."""

    mode: Mode = Mode.TIME
    order: Order = Order.PLAN
    steps: frozenset[str] | None = None
    """Keys of those shown; None: all."""
    window: tuple[float, float] | None = None
    """The seconds of the run that are shown; None: all."""
    first: int = 0
    """How many rows are left out before the first one."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a step: waiting for its inputs, or one attempt."""

    kind: str
    tone: str
    x: float
    w: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GanttRow:
    """A step."""

    step: StepView
    parts: tuple[Part, ...] = ()
    retries: tuple[float, ...] = ()
    label: str = ""
    label_x: float = 0.0
    cpu: float = 0.0
    """Its share of the most that a step took, in percent."""
    memory: float = 0.0


@dataclass(frozen=True, slots=True)
class Gantt:
    """The run's drawing."""

    rows: tuple[GanttRow, ...]
    ticks: tuple[Mark, ...]
    total: float
    """Seconds that the run took so far."""
    window: tuple[float, float]
    """The seconds that are shown."""
    count: int
    """How many rows there are, of which `ROWS` are drawn."""

    def zoomed(self, factor: float = 1.0, shift: float = 0.0) -> str | None:
        """Another window, as the address has it; None: all of the run.

        Args:
            factor: how much of the time is shown then.
            shift: by how much of what is shown it moves.
        """
        low, high = self.window
        middle, half = (low + high) / 2 + shift * (high - low), (high - low) * factor / 2
        low, high = max(0.0, middle - half), min(self.total, middle + half)
        return None if low <= 0 and high >= self.total else f"{low:.6g}-{high:.6g}"


def draw(run: RunView, attempts: Sequence[EventView], now: datetime, choice: Choice) -> Gantt:
    """Each step's wait for its inputs, then its attempts, with a ring for each retry; or the steps by their level in the graph.

    Args:
        attempts: the run's STEP_STARTED and STEP_RETRYING events, which remember the attempts before the newest one.
    """
    origin = run.started_at or min((step.started_at for step in run.steps if step.started_at), default=run.created_at)
    end = run.ended_at or max(now, origin)
    total = max((end - origin).total_seconds(), 0.001)
    low, high = choice.window or (0.0, total)
    low, high = max(0.0, min(low, total - 0.001)), max(min(high, total), min(low, total - 0.001) + 0.001)
    steps = _sorted([step for step in run.steps if choice.steps is None or step.step_key in choice.steps], choice.order)
    count, steps = len(steps), steps[choice.first : choice.first + ROWS]
    if choice.mode is Mode.LEVELS:
        rows, ticks = _by_level(steps, run.steps)
    else:
        axis = _Axis(origin + timedelta(seconds=low), high - low, end, {step.step_key: step.ended_at for step in run.steps})
        earlier = _earlier(attempts)
        rows, ticks = [axis.row(step, earlier.get(step.step_key, ())) for step in steps], _ticks(low, high)
    return Gantt(tuple(_with_shares(rows)), tuple(ticks), total, (low, high), count)


def _with_shares(rows: Sequence[GanttRow]) -> Iterable[GanttRow]:
    """How much CPU and memory each took, beside the step that took most."""
    cpu = max((row.step.cpu_seconds or 0.0 for row in rows), default=0.0) or 1.0
    memory = max((row.step.peak_memory_bytes or 0 for row in rows), default=0) or 1
    for row in rows:
        step = row.step
        yield replace(
            row, cpu=round((step.cpu_seconds or 0.0) / cpu * 100, 2), memory=round((step.peak_memory_bytes or 0) / memory * 100, 2)
        )


def _sorted(steps: list[StepView], order: Order) -> list[StepView]:
    match order:
        case Order.PLAN:
            return steps
        case Order.START:
            return sorted(steps, key=lambda step: step.started_at.timestamp() if step.started_at else float("inf"))
        case Order.DURATION:
            return sorted(steps, key=lambda step: -(step.duration_seconds or 0.0))
        case Order.CPU:
            return sorted(steps, key=lambda step: -(step.cpu_seconds or 0.0))
        case Order.MEMORY:
            return sorted(steps, key=lambda step: -(step.peak_memory_bytes or 0))


@dataclass(frozen=True, slots=True)
class _Axis:
    """A stretch of time on the width of the chart."""

    start: datetime
    span: float
    end: datetime
    finished: Mapping[str, datetime | None]

    def at(self, moment: datetime) -> float:
        return round(min(100.0, max(0.0, (moment - self.start).total_seconds() / self.span * 100)), 3)

    def part(self, kind: str, tone: str, begin: datetime, until: datetime, title: str) -> Part | None:
        """None: it lies outside."""
        if until < self.start or begin > self.start + timedelta(seconds=self.span):
            return None
        width = round(max(0.0 if kind == "wait" else LEAST_WIDTH, self.at(until) - self.at(begin)), 3)
        return Part(kind, tone, min(self.at(begin), 100 - width), width, f"{title} {looks.duration((until - begin).total_seconds())}")

    def row(self, step: StepView, earlier: Sequence[tuple[datetime, datetime]]) -> GanttRow:
        word = looks.look(step.status).label
        if step.started_at is None:
            return GanttRow(step=step, label="" if step.status == "PENDING" else word.lower())
        begun, until = earlier[0][0] if earlier else step.started_at, step.ended_at or self.end
        ready = max((moment for name in step.depends_on if (moment := self.finished.get(name)) is not None), default=self.start)
        parts = [self.part("wait", "neutral", ready, begun, "Waited")] if ready < begun else []
        parts += [self.part("run", "warning", a, b, f"Attempt {n} failed after") for n, (a, b) in enumerate(earlier, 1)]
        so_far = "" if step.ended_at else "so far "
        parts.append(self.part("run", looks.look(step.status).tone, step.started_at, until, f"{word}, {so_far}"))
        shown = tuple(part for part in parts if part is not None)
        retries = tuple(self.at(b) for _, b in earlier if 0 < self.at(b) < 100)
        label = looks.duration(step.duration_seconds) if shown and shown[-1].kind == "run" else ""
        return GanttRow(step=step, parts=shown, retries=retries, label=label, label_x=self.at(until))


def _by_level(steps: Sequence[StepView], plan: Sequence[StepView]) -> tuple[list[GanttRow], list[Mark]]:
    levels: dict[str, int] = {}
    for step in plan:  # the plan has every step after those that it waits for
        levels[step.step_key] = max((levels[need] + 1 for need in step.depends_on if need in levels), default=0)
    count = max(levels.values(), default=0) + 1
    width = 100 / count
    rows = []
    for step in steps:
        level, look = levels[step.step_key], looks.look(step.status)
        needs = f", after {', '.join(step.depends_on[:5])}" if step.depends_on else ""
        part = Part("run", look.tone, round(level * width, 3), round(max(LEAST_WIDTH, width * 0.86), 3), f"{look.label}{needs}")
        rows.append(
            GanttRow(step=step, parts=(part,), label=looks.duration(step.duration_seconds), label_x=round((level + 0.86) * width, 3))
        )
    every = -(-count // 10)
    return rows, [Mark(round(level * width, 3), str(level + 1)) for level in range(0, count, every)]


def _earlier(events: Iterable[EventView]) -> Mapping[str, list[tuple[datetime, datetime]]]:
    """The attempts that failed and were tried again, as (start, end)."""
    started: dict[str, datetime] = {}
    found: dict[str, list[tuple[datetime, datetime]]] = {}
    for event in events:
        if event.step_key is None:
            continue
        if event.type == "STEP_STARTED":
            started[event.step_key] = event.time
        elif event.step_key in started:
            found.setdefault(event.step_key, []).append((started[event.step_key], event.time))
    return found


def _ticks(low: float, high: float) -> list[Mark]:
    span = high - low
    step = next((each for each in ROUND_STEPS if span / each <= 7), ROUND_STEPS[-1])
    first = 0 if low <= 0 else int(low // step) + 1
    places = [n * step for n in range(first, first + 13) if (n * step - low) / span < 0.97]
    return [Mark(round((place - low) / span * 100, 3), _round(place) if place else "0") for place in places]


def _round(seconds: float) -> str:
    return looks.duration(seconds).replace(".0 ", " ")
