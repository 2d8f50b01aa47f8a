"""Geometry of what pages draw: the timeline of runs, the Gantt chart of a run, strips of partitions.

Everything is in percent of the width, so that an SVG with no size of its own fits any screen and needs no script.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dagwright_webserver import looks, zones
from dagwright_webserver.reads.backfills import BackfillSummary, PartProgress
from dagwright_webserver.reads.comparisons import ComparedSide, ComparisonView
from dagwright_webserver.reads.partition_heat import CellStatus
from dagwright_webserver.reads.partition_status import PartitionStatus, PartitionStretch, PartitionsView
from dagwright_webserver.reads.simulation import SimulationView
from dagwright_webserver.reads.timeline import TimelineRun, TimelineView

LEAST_WIDTH = 0.35
_LANES = 20
ROUND_STEPS = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10_800,
    21_600,
    43_200,
    86_400,
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of the axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A run on the timeline."""

    run_id: str
    status: str
    partition: str | None
    started_at: datetime
    seconds: float | None
    x: float
    w: float


@dataclass(frozen=True, slots=True)
class Coming:
    """A tick to come on the timeline."""

    schedule: str
    at: datetime
    x: float


@dataclass(frozen=True, slots=True)
class TimelineLane:
    """The runs of one job or asset group."""

    name: str
    job: str | None
    group: str | None
    bars: tuple[Bar, ...]
    ticks: tuple[Coming, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The overview's drawing."""

    rows: tuple[TimelineLane, ...]
    hidden: int
    """How many lanes are left out."""
    ticks: tuple[Mark, ...]
    now: float | None
    """Where the present is, if it is on it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a strip."""

    x: float
    w: float
    status: str
    n: int


@dataclass(frozen=True, slots=True)
class StripRange:
    """Neighbouring partitions of one status."""

    x: float
    w: float
    status: str
    first: str
    last: str
    count: int


def timeline(view: TimelineView) -> Timeline:
    """Runs as bars, and the ticks to come after now."""
    start = view.start.timestamp()
    span = max(1.0, view.end.timestamp() - start)

    def at(moment: float) -> float:
        return round((moment - start) / span * 100, 3)

    rows = tuple(
        TimelineLane(
            row.name,
            row.job,
            row.group,
            tuple(_bar(run, start, span, view.now) for run in row.runs),
            tuple(Coming(tick.schedule, tick.at, at(tick.at.timestamp())) for tick in row.ticks),
        )
        for row in view.rows[:_LANES]
    )
    present = view.now.timestamp()
    return Timeline(rows, max(0, len(view.rows) - _LANES), _time_axis(start, span), at(present) if present <= start + span else None)


def _time_axis(start: float, span: float) -> tuple[Mark, ...]:
    """Marks at round hours, or midnights, of who looks."""
    step = next((each for each in ROUND_STEPS if span / each <= 9), ROUND_STEPS[-1])
    offset = (zones.here(datetime.fromtimestamp(start, UTC)).utcoffset() or timedelta()).total_seconds()
    first = start - (start + offset) % step + step
    form = "%b %d" if step >= 86_400 else "%d %H:%M" if span > 2 * 86_400 else "%H:%M"
    return tuple(
        Mark(round((at - start) / span * 100, 3), zones.here(datetime.fromtimestamp(at, UTC)).strftime(form))
        for at in (first + n * step for n in range(max(0, int((start + span - first) // step) + 1)))
    )


@dataclass(frozen=True, slots=True)
class Column:
    """Runs that start within one stretch of time."""

    x: float
    w: float
    h: float
    begin: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Starts:
    """How many runs would start when."""

    columns: tuple[Column, ...]
    ticks: tuple[Mark, ...]
    most: int


_COLUMNS = 96


def starts(view: SimulationView) -> Starts:
    """Simulated runs by when they would start."""
    begin, span = view.start.timestamp(), (view.until - view.start).total_seconds()
    counts: dict[int, int] = {}
    for run in view.runs:
        if run.started_at is not None:
            place = min(_COLUMNS - 1, int((run.started_at.timestamp() - begin) / span * _COLUMNS))
            counts[place] = counts.get(place, 0) + 1
    most = max(counts.values(), default=0)
    width = 100 / _COLUMNS
    columns = tuple(
        Column(
            x=round(place * width, 3),
            w=round(width * 0.86, 3),
            h=round(count / most * 100, 2),
            begin=view.start + timedelta(seconds=span / _COLUMNS * place),
            count=count,
        )
        for place, count in sorted(counts.items())
    )
    return Starts(columns, _time_axis(begin, span), most)


def _bar(run: TimelineRun, start: float, span: float, now: datetime) -> Bar:
    begin = max(start, run.started_at.timestamp())
    end = (run.ended_at or now).timestamp()
    x = min(99.0, (begin - start) / span * 100)
    seconds = (run.ended_at - run.started_at).total_seconds() if run.ended_at else None
    return Bar(
        run.run_id, run.status, run.partition, run.started_at, seconds, round(x, 3), round(max(LEAST_WIDTH, (end - begin) / span * 100), 3)
    )


def health(counts: Mapping[str, int]) -> tuple[Segment, ...]:
    """Assets by status as one strip."""
    total, x, found = sum(counts.values()) or 1, 0.0, []
    for status in looks.ASSET_STATUSES:
        if count := counts.get(status, 0):
            width = count / total * 100
            found.append(Segment(round(x, 3), round(width, 3), status, count))
            x += width
    return tuple(found)


def strip(view: PartitionsView) -> tuple[StripRange, ...]:
    """Partitions in order, each as wide as another; of very many ranges, neighbours are one piece."""
    total = sum(each.count for each in view.ranges) or 1
    least, x, found = total / _PIECES if len(view.ranges) > _PIECES else 0, 0.0, []
    for together in _pieces(view.ranges, least):
        count = sum(each.count for each in together)
        width = count / total * 100
        # A hair of overlap: without it, rounding leaves light seams between neighbours.
        piece = StripRange(round(x, 4), round(width + 0.02, 4), _together(together), together[0].first, together[-1].last, count)
        found.append(piece)
        x += width
    return tuple(found)


_PIECES = 400
"""A screen shows no more of them."""


def _pieces(stretches: Iterable[PartitionStretch], least: float) -> Iterator[list[PartitionStretch]]:
    waiting: list[PartitionStretch] = []
    for each in stretches:
        waiting.append(each)
        if sum(one.count for one in waiting) >= least:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _together(stretches: Sequence[PartitionStretch]) -> str:
    """One status for neighbours: the worst, or how far they are."""
    found = {each.status for each in stretches}
    if len(found) == 1:
        return found.pop()
    return next((status for status in (PartitionStatus.FAILED, PartitionStatus.MATERIALIZING) if status in found), CellStatus.PARTIAL)


def progress(part: PartProgress | BackfillSummary) -> tuple[Segment, ...]:
    """How far a backfill, or a part of it, is: made, lost, under way; the rest of the bar stays empty."""
    x, found = 0.0, []
    shares = (("MATERIALIZED", part.succeeded), ("FAILED", part.failed + part.skipped), ("MATERIALIZING", part.in_progress))
    for status, count in shares:
        width = count / (part.targeted or 1) * 100
        if count:
            found.append(Segment(round(x, 4), round(width, 4), status, count))
        x += width
    return tuple(found)


def side_by_side(view: ComparisonView) -> Mapping[str, tuple[float, float]]:
    """Steps to the lengths of their two bars, in percent of the longest of all."""
    longest = max((side.duration_seconds or 0.0 for step in view.steps for side in (step.base, step.run) if side), default=0.0) or 1.0

    def width(side: ComparedSide | None) -> float:
        return 0.0 if side is None or side.duration_seconds is None else round(max(LEAST_WIDTH, side.duration_seconds / longest * 100), 3)

    return {step.step_key: (width(step.base), width(step.run)) for step in view.steps}
