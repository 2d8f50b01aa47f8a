"""Commands about runs: list, show, read, cancel, run again, delete."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from dagwright.cli import follow, output
from dagwright.cli.rest import connect, json_option, url_option

if TYPE_CHECKING:
    from dagwright.client import Client, models

_STATUSES = ("QUEUED", "STARTING", "STARTED", "SUCCESS", "FAILURE", "CANCELING", "CANCELED")


@click.group()
def run() -> None:
    """List, show, read, cancel, repeat and delete runs."""


@run.command(name="list")
@click.option("--status", "statuses", type=click.Choice(_STATUSES, case_sensitive=False), multiple=True, help="Only runs in this status.")
@click.option("--job", help="Only runs of this job.")
@click.option("--asset", help="Only runs that materialize this asset.")
@click.option("--tag", "tags", metavar="KEY=VALUE", multiple=True, help="Only runs with this tag; may be given again.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@url_option
def list_runs(
    statuses: tuple[models.RunStatus, ...], job: str | None, asset: str | None, tags: tuple[str, ...], limit: int, as_json: bool,
    url: str | None,
) -> None:  # fmt: skip
    """List runs, newest first."""
    found = list(connect(url).runs.list(status=statuses or None, job=job, asset=asset, tag=tags or None, limit=limit))
    if as_json:
        output.as_json(found)
    elif not found:
        click.echo("no runs")
    else:
        rows = [
            (item.run_id, output.status(item.status), output.target(item), output.ago(item.created_at),
             output.duration(item.started_at, item.ended_at))
            for item in found
        ]  # fmt: skip
        output.console().print(output.table(("run", "status", "of", "asked for", "took"), rows))


@run.command()
@click.argument("run_id")
@click.option("--wait", is_flag=True, help="Wait for its end; the exit code tells how it ended.")
@json_option
@url_option
def show(run_id: str, wait: bool, as_json: bool, url: str | None) -> int:
    """Show a run and its steps."""
    client = connect(url)
    if wait and not as_json:
        return follow.exit_code(follow.show(client, run_id))
    found = client.runs.wait(run_id) if wait else client.runs.get(run_id)
    if as_json:
        output.as_json(found)
    else:
        console = output.console()
        console.print(follow.summary(found))
        rows = [
            (step.step_key, output.status(step.status), step.attempt or 1, output.duration(step.started_at, step.ended_at))
            for step in found.steps
        ]
        if rows:
            console.print(output.table(("step", "status", "attempt", "took"), rows))
    return follow.exit_code(found) if wait else 0


@run.command()
@click.argument("run_id")
@json_option
@url_option
def waiting(run_id: str, as_json: bool, url: str | None) -> None:
    """Say why a run, or a step of it, waits: for what, held by whom, since when."""
    found = connect(url).runs.get_waiting(run_id)
    if as_json:
        output.as_json(found)
        return
    click.echo(found.message)
    for reason in found.reasons[1:]:
        click.echo(reason.message)
    for step in found.steps:
        before = f", after {step.position} others" if step.position else ""
        click.echo(f"{step.step_key}: waits since {step.since.isoformat()}{before}: {step.reason.message}")
    held = [holder for reason in (*found.reasons, *(step.reason for step in found.steps)) for holder in reason.holders]
    if held:
        rows = [(each.run_id, each.step_key or each.job or "", output.ago(each.since)) for each in held]
        output.console().print(output.table(("held by", "step or job", "since"), rows))
    if found.position:
        click.echo(f"runs before it in the queue: {found.position}")


@run.command()
@click.argument("run_id")
@click.option("--step", "step_key", help="Only this step.")
@click.option("--stream", type=click.Choice(("events", "stdout", "stderr")), default="events", show_default=True)
@click.option("--follow", "following", is_flag=True, help="Print events as they come, until the run is over.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True, help="At most so many events.")
@json_option
@url_option
def logs(run_id: str, step_key: str | None, stream: Any, following: bool, limit: int, as_json: bool, url: str | None) -> None:
    """Print the events of a run, or what its steps wrote to standard output or standard error."""
    client = connect(url)
    if stream == "events":
        _print_events(client, run_id, step_key, following=following, limit=limit, as_json=as_json)
        return
    if following:
        raise click.UsageError("--follow is for events; leave --stream out")
    steps = [step.step_key for step in client.runs.get(run_id).steps]
    texts = {step: client.runs.output(run_id, step, stream=stream) for step in steps if step_key in (None, step)}
    if as_json:
        output.as_json([{"step_key": step, "stream": stream, "text": text} for step, text in texts.items()])
        return
    for step, text in texts.items():
        if text and len(texts) > 1:
            click.echo(click.style(f"==> {step} {stream}", bold=True))
        sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")


def _print_events(client: Client, run_id: str, step_key: str | None, *, following: bool, limit: int, as_json: bool) -> None:
    if following:
        events: Iterator[models.EventView] = (each for each in client.runs.follow(run_id) if step_key in (None, each.step_key))
    else:
        events = iter(client.runs.list_events(run_id, step=step_key, limit=limit))
    if as_json and not following:
        output.as_json(list(events))
        return
    for event in events:
        output.as_json(event) if as_json else click.echo(_event_line(event))


def _event_line(event: models.EventView) -> str:
    import msgspec

    from dagwright.client import models

    message, error = event.message, event.data.get("error")
    if isinstance(error, dict):
        text = output.error_text(msgspec.convert(error, models.ErrorInfo))
        message = f"{message}\n{text}" if message else text
    return f"{event.time:%H:%M:%S.%f}"[:12] + f"  {event.step_key or '-':<24} {event.type:<20} {message}".rstrip()


@run.command()
@click.argument("run_id")
@click.option("--wait", is_flag=True, help="Wait until it has stopped.")
@click.option("--force", is_flag=True, help="Mark it as canceled now, whatever has become of its worker.")
@json_option
@url_option
def cancel(run_id: str, wait: bool, force: bool, as_json: bool, url: str | None) -> None:
    """Ask a run to stop. A run that is over is left as it is, and said so."""
    client = connect(url)
    found: models.CancelAnswer | models.RunView = client.runs.cancel(run_id, force=force)
    if wait:
        found = client.runs.wait(run_id)
    output.as_json(found) if as_json else click.echo(f"{run_id} {found.status}")


@run.command(name="re-execute")
@click.argument("run_id")
@click.option("--all-steps", is_flag=True, help="Start over; by default what succeeded is kept.")
@click.option("--step", "steps", metavar="STEP", multiple=True, help="Only this step; may be given again.")
@click.option("--downstream", is_flag=True, help="With --step: and all steps that wait for them.")
@click.option("--wait/--no-wait", default=True, help="Wait for the end and show the steps [default: wait].")
@json_option
@url_option
def reexecute(run_id: str, all_steps: bool, steps: tuple[str, ...], downstream: bool, wait: bool, as_json: bool, url: str | None) -> int:
    """Run an ended run again, with the definitions of now: from its failure, all of it, or some steps."""
    if steps and all_steps:
        raise click.UsageError("give --all-steps or --step, not both")
    if downstream and not steps:
        raise click.UsageError("--downstream needs --step")
    client = connect(url)
    made = client.runs.reexecute(run_id, strategy="ALL_STEPS" if all_steps else "FROM_FAILURE", steps=steps or None, downstream=downstream)
    return follow.finish(client, made, wait=wait, as_json=as_json)


@run.command()
@click.argument("run_ids", nargs=-1, required=True, metavar="RUN_ID...")
@url_option
def delete(run_ids: tuple[str, ...], url: str | None) -> None:
    """Delete ended runs with their steps, events and output. What asset partitions hold now stays on record."""
    client = connect(url)
    for run_id in run_ids:
        client.runs.delete(run_id)
        click.echo(f"deleted {run_id}")
