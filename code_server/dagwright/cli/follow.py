"""Wait for a run, showing its steps as they go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from dagwright.cli import output

if TYPE_CHECKING:
    from dagwright.client import Client, models

_MARKS = {"SUCCESS": "✓", "FAILURE": "✗", "SKIPPED": "-", "CANCELED": "-", "RETRYING": "↻"}
_SHOWN_STEPS = 40


def exit_code(run: models.RunView) -> int:
    return {"SUCCESS": 0, "CANCELED": 3}.get(run.status, 1)


def show(client: Client, run_id: str) -> models.RunView:
    """Follow a run on the terminal; in a pipe, print its steps once they are over."""
    console = output.console()
    page = f"{client.url}/runs/{run_id}"
    try:
        if console.is_terminal:
            console.print(f"run {run_id}  [link={page}]{page}[/link]")
            states = client.runs.watch(run_id)
            run = next(states)
            with Live(console=console, refresh_per_second=12, transient=True) as live:
                live.update(_picture(run))
                for run in states:
                    live.update(_picture(run))
        else:
            console.print(f"run {run_id}  {page}")
            run = client.runs.wait(run_id)
    except KeyboardInterrupt:
        click.echo(f"the run goes on; stop it with: dagwright run cancel {run_id}", err=True)
        raise click.Abort from None
    console.print(_steps(run, limit=None))
    console.print(summary(run))
    return run


def finish(client: Client, made: models.Launched, *, wait: bool, as_json: bool) -> int:
    """Print a run that was asked for, or wait for its end; returns the exit code."""
    if not wait:
        output.as_json(made) if as_json else click.echo(made.run_id)
        return 0
    if not as_json:
        return exit_code(show(client, made.run_id))
    run = client.runs.wait(made.run_id)
    output.as_json(run)
    return exit_code(run)


def summary(run: models.RunView) -> Text:
    text = Text.assemble(output.status(run.status), f" {output.target(run)}")
    took = output.duration(run.started_at, run.ended_at)
    if took:
        text.append(f" in {took}")
    reasons = [output.error_text(step.error) for step in run.steps if step.status == "FAILURE"]
    for reason in [run.status_reason, output.error_text(run.error), *reasons]:
        if reason:
            text.append(f"\n{reason}")
    return text


def _picture(run: models.RunView) -> Group:
    return Group(_steps(run, limit=_SHOWN_STEPS), Spinner("dots", text=summary(run)))


def _steps(run: models.RunView, *, limit: int | None) -> Table:
    steps = list(run.steps)
    if limit is not None and len(steps) > limit:
        # Those that move are worth the lines of a terminal; the rest is counted.
        steps.sort(key=lambda step: step.status not in ("STARTED", "RETRYING", "FAILURE"))
        steps = steps[:limit]
    table = Table.grid(padding=(0, 2))
    for step in steps:
        mark = Text(_MARKS.get(step.status, "·"), style=output.COLOURS.get(step.status, ""))
        attempt = f"attempt {step.attempt}" if (step.attempt or 1) > 1 else ""
        table.add_row(mark, Text(step.step_key), output.status(step.status), output.duration(step.started_at, step.ended_at), attempt)
    return table
