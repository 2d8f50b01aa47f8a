"""How commands print: JSON for programs; tables, colours and relative times for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from dagwright.client import models

COLOURS: Mapping[str, str] = {
    "QUEUED": "bright_black", "STARTING": "cyan", "STARTED": "blue", "SUCCESS": "green", "FAILURE": "red",
    "CANCELING": "yellow", "CANCELED": "yellow", "PENDING": "bright_black", "RETRYING": "yellow", "SKIPPED": "bright_black",
    "REQUESTED": "bright_black", "IN_PROGRESS": "blue", "COMPLETED": "green", "FAILED": "red",
}  # fmt: skip


def console(*, stderr: bool = False) -> Console:
    """A rich console. It honours NO_COLOR, and prints plain text into a pipe, where nothing is cut to the width of a terminal."""
    made = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not made.is_terminal:
        made.width = 10_000
    return made


def as_json(value: Any) -> None:
    """Print an answer of the client, or JSON, as JSON."""
    import msgspec  # only where it is wanted

    click.echo(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False))


def status(value: str) -> Text:
    return Text(value, style=COLOURS.get(value, ""))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, no_wrap=True)
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return made


def ago(then: datetime | None) -> str:
    """How long ago a moment was: `4 s`, `3 min`, `2 h`, `5 d`."""
    if then is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - then).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def duration(start: datetime | None, end: datetime | None) -> str:
    """Between two moments, or since the first when there is no second: `12 ms`, `3.4 s`, `2 min 5 s`."""
    return "" if start is None else seconds_text(((end or datetime.now(UTC)) - start).total_seconds())


def seconds_text(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def target(run: models.RunView | models.RunSummary | models.SimulatedRunView) -> str:
    """What a run is of, in one line."""
    assets = run.assets
    name = run.job or ", ".join(assets[:3]) + (f" and {len(assets) - 3} more" if len(assets) > 3 else "")
    return f"{name} [{run.partition}]" if run.partition else str(name)


def error_text(error: models.ErrorInfo | None, *, frames: int = 3) -> str:
    """An error as people want it: what, then the innermost lines of their own code."""
    if error is None:
        return ""
    lines = [f"{error.class_name}: {error.message}".rstrip(": ")]
    for frame in error.frames[-frames:]:
        lines.append(f"  {frame.file}:{frame.line} in {frame.function}")
        if frame.source:
            lines.append(f"    {frame.source}")
    if error.hint:
        lines.append(f"  {error.hint}")
    return "\n".join(lines) + (f"\ncaused by {error_text(error.cause, frames=frames)}" if error.cause else "")
