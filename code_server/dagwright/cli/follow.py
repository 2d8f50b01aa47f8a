"""Wait for a run, showing its steps as they go."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from dagwright.cli import output
from dagwright.cli.rest import Client, is_final
from dagwright_shared.model.errors import UnavailableError

_MARKS = {"SUCCESS": "✓", "FAILURE": "✗", "SKIPPED": "-", "CANCELED": "-", "RETRYING": "↻"}
_SHOWN_STEPS = 40
_PATIENCE = 30.0
"""Seconds that the webserver may be away, for a restart, before we give up."""


def exit_code(run: Mapping[str, Any]) -> int:
    return {"SUCCESS": 0, "CANCELED": 3}.get(run["status"], 1)


def states(client: Client, run_id: str) -> Iterator[dict[str, Any]]:
    """The run, again and again until it is final. The first looks follow closely; a long run is asked for twice a second."""
    delay, lost_since = 0.02, None
    while True:
        try:
            run = client.get(f"/runs/{run_id}")
            lost_since = None
        except UnavailableError:
            lost_since = lost_since or time.monotonic()
            if time.monotonic() - lost_since > _PATIENCE:
                raise
            time.sleep(0.5)
            continue
        yield run
        if is_final(run):
            return
        time.sleep(delay)
        delay = min(0.5, delay * 1.4)


def until_final(client: Client, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = {}
    for state in states(client, run_id):
        run = state
    return run


def show(client: Client, run_id: str, *, page: str) -> dict[str, Any]:
    """Follow a run on the terminal; in a pipe, print its steps once they are over."""
    console = output.console()
    run: dict[str, Any] = {}
    try:
        if console.is_terminal:
            console.print(f"run {run_id}  [link={page}]{page}[/link]")
            with Live(console=console, refresh_per_second=12, transient=True) as live:
                for state in states(client, run_id):
                    run = state
                    live.update(_picture(run))
        else:
            console.print(f"run {run_id}  {page}")
            run = until_final(client, run_id)
    except KeyboardInterrupt:
        click.echo(f"the run goes on; stop it with: dagwright run cancel {run_id}", err=True)
        raise click.Abort from None
    console.print(_steps(run, limit=None))
    console.print(summary(run))
    return run


def summary(run: Mapping[str, Any]) -> Text:
    text = Text.assemble(output.status(run["status"]), f" {output.target(run)}")
    took = output.duration(run.get("started_at"), run.get("ended_at"))
    if took:
        text.append(f" in {took}")
    reasons = [output.error_text(step.get("error")) for step in run.get("steps") or () if step.get("status") == "FAILURE"]
    for reason in [run.get("status_reason"), output.error_text(run.get("error")), *reasons]:
        if reason:
            text.append(f"\n{reason}")
    return text


def _picture(run: Mapping[str, Any]) -> Group:
    return Group(_steps(run, limit=_SHOWN_STEPS), Spinner("dots", text=summary(run)))


def _steps(run: Mapping[str, Any], *, limit: int | None) -> Table:
    steps = list(run.get("steps") or ())
    if limit is not None and len(steps) > limit:
        # Those that move are worth the lines of a terminal; the rest is counted.
        steps.sort(key=lambda step: step["status"] not in ("STARTED", "RETRYING", "FAILURE"))
        steps = steps[:limit]
    table = Table.grid(padding=(0, 2))
    for step in steps:
        mark = Text(_MARKS.get(step["status"], "·"), style=output.COLOURS.get(step["status"], ""))
        attempt = f"attempt {step['attempt']}" if (step.get("attempt") or 1) > 1 else ""
        table.add_row(
            mark,
            Text(step["step_key"]),
            output.status(step["status"]),
            output.duration(step.get("started_at"), step.get("ended_at")),
            attempt,
        )
    return table
