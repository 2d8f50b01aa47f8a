"""The partitions of an asset as a heat map: few cells, however many partitions, and each cell can be looked into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from sqlalchemy import Connection

from dagwright_shared.model.dependents import Moment, size
from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_shared.model.keys import format_partition, parse_partition
from dagwright_shared.model.partitions import MultiPartitions, Partitions, SimplePartitions
from dagwright_shared.store import partition_states
from dagwright_shared.store.partition_states import PartitionMemo
from dagwright_webserver.reads.partition_keys import keys_at
from dagwright_webserver.reads.partition_status import PartitionStatus, Standing, read_standing, subsets_of
from dagwright_webserver.reads.view import view


class CellStatus(StrEnum):
    """The state of the partitions of a cell: the worst, or how far they are."""

    FAILED = "FAILED"
    MATERIALIZING = "MATERIALIZING"
    MATERIALIZED = "MATERIALIZED"
    PARTIAL = "PARTIAL"
    MISSING = "MISSING"


@view
class HeatCell:
    """Neighbours, of one dimension or of two."""

    first: str
    """Key of the first partition."""
    last: str
    """Key of the last one; with several dimensions, the opposite corner."""
    count: int
    """How many partitions it stands for."""
    counts: Mapping[str, int]
    """Of them, by status; what is missing has none."""
    status: CellStatus
    """FAILED if any is, else MATERIALIZING if any is; PARTIAL: some of them are materialized."""


@view
class HeatRow:
    """A row of cells; with one dimension there is only one."""

    label: str | None
    """Key of its first partition in the first dimension."""
    cells: tuple[HeatCell, ...]
    """From first to last."""


@view
class PartitionHeatView:
    """Partitions of an asset as cells."""

    dimensions: tuple[str, ...]
    """Names of the dimensions: down, and across; empty with one."""
    total: int
    """How many partitions there are."""
    shown: int
    """How many the cells stand for."""
    first: str | None
    """Key of the first one shown."""
    last: str | None
    """Key of the last one shown."""
    zoomed: bool
    """Whether it is only a part."""
    rows: tuple[HeatRow, ...]
    """The cells."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """A part of a dimension, cut into pieces of the same width."""

    start: int
    end: int
    width: int

    @property
    def pieces(self) -> Sequence[range]:
        return [range(at, min(at + self.width, self.end)) for at in range(self.start, self.end, self.width)]


_CELLS = 366
_ROWS, _COLUMNS = 30, 60


def read_heat(
    conn: Connection,
    memo: PartitionMemo,
    asset_id: int,
    definition: Partitions,
    at: Moment,
    *,
    first: str | None = None,
    last: str | None = None,
) -> PartitionHeatView:
    """All partitions, or those from one key to another; of several dimensions, the rectangle between two corners.

    Raises:
        InvalidRequestError: one of the keys is none.
    """
    axes, dimensions = _axes(definition, at)
    sizes = [size(axis, at) if not isinstance(axis, int) else axis for axis in axes]
    ends = [_end(definition, axes, at, "first", first), _end(definition, axes, at, "last", last)]
    most = (1, _CELLS) if len(axes) == 1 else (_ROWS, _COLUMNS)
    cut = []
    for place, (whole, limit) in enumerate(zip(sizes, most[-len(axes) :], strict=True)):
        start = ends[0][place] if ends[0] else 0
        end = ends[1][place] + 1 if ends[1] else whole
        start, end = min(start, max(end - 1, 0)), max(start + 1, end) if whole else 0
        cut.append(_Axis(start, end, max(1, -(-(end - start) // limit))))
    down, across = cut if len(cut) > 1 else (_Axis(0, 1, 1), cut[0])
    counts = _tally(read_standing(conn, memo, asset_id, definition, at), down, across, sizes[-1])
    named = _corners(definition, down, across, sizes[-1], at)
    rows = tuple(
        HeatRow(
            label=named(piece[0], across.start).split("|")[0] if len(axes) > 1 else None,
            cells=tuple(
                _cell(named(piece[0], part[0]), named(piece[-1], part[-1]), len(piece) * len(part), counts.get((y, x), {}))
                for x, part in enumerate(across.pieces)
            ),
        )
        for y, piece in enumerate(down.pieces)
    )
    cells = [cell for row in rows for cell in row.cells]
    total = size(definition, at)
    shown = sum(cell.count for cell in cells)
    return PartitionHeatView(
        dimensions=dimensions,
        total=total,
        shown=shown,
        first=cells[0].first if cells else None,
        last=cells[-1].last if cells else None,
        zoomed=shown < total,
        rows=rows,
    )


def _corners(definition: Partitions, down: _Axis, across: _Axis, columns: int, at: Moment) -> Callable[[int, int], str]:
    """The key at a row and a column, of those where cells begin and end: made of the names of the row and of the column."""
    edges = [place for part in across.pieces for place in (part[0], part[-1])]
    of_columns = keys_at(definition, edges, at)
    if not isinstance(definition, MultiPartitions):
        return lambda _row, column: of_columns[column][0]
    of_rows = keys_at(definition, [row * columns for piece in down.pieces for row in (piece[0], piece[-1])], at)
    return lambda row, column: format_partition((of_rows[row * columns][0], *of_columns[column][1:])) or ""


def _axes(definition: Partitions, at: Moment) -> tuple[list[SimplePartitions | int], tuple[str, ...]]:
    """The dimensions down and across; more than two are laid side by side in the second, of which then only the size matters."""
    if not isinstance(definition, MultiPartitions):
        return [definition], ()
    (first, down), *rest = definition.dimensions
    if len(rest) == 1:
        return [down, rest[0][1]], (first, rest[0][0])
    across = 1
    for _, axis in rest:
        across *= size(axis, at)
    return [down, across], (first, " | ".join(name for name, _ in rest))


def _end(definition: Partitions, axes: Sequence[SimplePartitions | int], at: Moment, path: str, given: str | None) -> list[int] | None:
    """The place of a key in each axis."""
    if given is None:
        return None
    parts = definition.dimensions if isinstance(definition, MultiPartitions) else ()
    key = parse_partition(given, max(1, len(parts)))
    (ordinal,) = partition_states.ordinals(definition, [key], at)
    if ordinal is None:
        raise InvalidRequestError(
            "The range is not valid", problems=[Problem(path=path, message=f"there is no partition {given!r}", value=given)]
        )
    if len(axes) == 1:
        return [ordinal]
    across = axes[1] if isinstance(axes[1], int) else size(axes[1], at)
    return list(divmod(ordinal, across))


_Counts = dict[tuple[int, int], dict[PartitionStatus, int]]


@lru_cache(maxsize=16)
def _tally(standing: Standing, down: _Axis, across: _Axis, columns: int) -> _Counts:
    """How many partitions of each status are in each cell. Costs what the ranges and the cells come to, not the partitions."""
    found: _Counts = {}
    for status, subset in subsets_of(standing).items():
        if status is PartitionStatus.MISSING:
            continue
        for start, end in subset.ranges:
            for row in range(max(start // columns, down.start) if columns else 0, down.end):
                begin, until = max(start, row * columns + across.start), min(end, row * columns + across.end)
                if row * columns >= end:
                    break
                y, at = (row - down.start) // down.width, begin
                while at < until:
                    x = (at - row * columns - across.start) // across.width
                    edge = min(until, row * columns + across.start + (x + 1) * across.width)
                    cell = found.setdefault((y, x), {})
                    cell[status] = cell.get(status, 0) + edge - at
                    at = edge
    return found


def _cell(first: str, last: str, count: int, counts: Mapping[PartitionStatus, int]) -> HeatCell:
    made = counts.get(PartitionStatus.MATERIALIZED, 0)
    if counts.get(PartitionStatus.FAILED):
        status = CellStatus.FAILED
    elif counts.get(PartitionStatus.MATERIALIZING):
        status = CellStatus.MATERIALIZING
    else:
        status = CellStatus.MATERIALIZED if made == count else CellStatus.PARTIAL if made else CellStatus.MISSING
    return HeatCell(first=first, last=last, count=count, counts={str(key): number for key, number in counts.items()}, status=status)
