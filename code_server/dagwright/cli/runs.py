"""Commands about runs: list, show, logs, cancel."""

from __future__ import annotations

import sys
from typing import Any

import click

from dagwright.cli import follow, output
from dagwright.cli.rest import connect, is_final, json_option, url_option

_STATUSES = ("QUEUED", "STARTING", "STARTED", "SUCCESS", "FAILURE", "CANCELING", "CANCELED")


@click.group()
def run() -> None:
    """List, show, read and cancel runs."""


@run.command(name="list")
@click.option("--status", type=click.Choice(_STATUSES, case_sensitive=False), help="Only runs in this status.")
@click.option("--job", "job_name", help="Only runs of this job.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@url_option
def list_runs(status: str | None, job_name: str | None, limit: int, as_json: bool, url: str | None) -> None:
    """List runs, newest first."""
    client = connect(url)
    runs = list(client.items("/runs", limit, status=status, job=job_name))
    if as_json:
        output.as_json(runs)
    elif not runs:
        click.echo("no runs")
    else:
        rows = [
            (item["run_id"], output.status(item["status"]), output.target(item), output.ago(item["created_at"]),
             output.duration(item.get("started_at"), item.get("ended_at")))
            for item in runs
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
        return follow.exit_code(follow.show(client, run_id, page=f"{client.url}/runs/{run_id}"))
    found = follow.until_final(client, run_id) if wait else client.get(f"/runs/{run_id}")
    if as_json:
        output.as_json(found)
    else:
        console = output.console()
        console.print(follow.summary(found))
        rows = [
            (step["step_key"], output.status(step["status"]), step.get("attempt") or 1,
             output.duration(step.get("started_at"), step.get("ended_at")) if step.get("started_at") else "")
            for step in found.get("steps") or ()
        ]  # fmt: skip
        if rows:
            console.print(output.table(("step", "status", "attempt", "took"), rows))
    return follow.exit_code(found) if wait else 0


@run.command()
@click.argument("run_id")
@json_option
@url_option
def waiting(run_id: str, as_json: bool, url: str | None) -> None:
    """Say why a run, or a step of it, waits: for what, held by whom, since when."""
    found = connect(url).get(f"/runs/{run_id}/waiting")
    if as_json:
        output.as_json(found)
        return
    click.echo(found["message"])
    for reason in found["reasons"][1:]:
        click.echo(reason["message"])
    for step in found["steps"]:
        before = f", after {step['position']} others" if step["position"] else ""
        click.echo(f"{step['step_key']}: waits since {step['since']}{before}: {step['reason']['message']}")
    held = [holder for reason in (*found["reasons"], *(step["reason"] for step in found["steps"])) for holder in reason["holders"]]
    if held:
        rows = [(each["run_id"], each["step_key"] or each["job"] or "", output.ago(each["since"])) for each in held]
        output.console().print(output.table(("held by", "step or job", "since"), rows))
    if found["position"]:
        click.echo(f"runs before it in the queue: {found['position']}")


@run.command()
@click.argument("run_id")
@click.option("--step", "step_key", help="Only this step.")
@click.option("--stream", type=click.Choice(("events", "stdout", "stderr")), default="events", show_default=True)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True, help="At most so many events.")
@json_option
@url_option
def logs(run_id: str, step_key: str | None, stream: str, limit: int, as_json: bool, url: str | None) -> None:
    """Print the events of a run, or what its steps wrote to standard output or standard error."""
    client = connect(url)
    if stream == "events":
        events = (item for item in client.items(f"/runs/{run_id}/events", limit) if step_key in (None, item.get("step_key")))
        if as_json:
            output.as_json(list(events))
        else:
            for event in events:
                click.echo(_event_line(event))
        return
    found = client.get(f"/runs/{run_id}")
    steps = [step["step_key"] for step in found["steps"]]
    texts = {step: _text(client, run_id, step, stream) for step in steps if step_key in (None, step)}
    if as_json:
        output.as_json([{"step_key": step, "stream": stream, "text": text} for step, text in texts.items()])
        return
    for step, text in texts.items():
        if text and len(texts) > 1:
            click.echo(click.style(f"==> {step} {stream}", bold=True))
        sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")


def _text(client: Any, run_id: str, step: str, stream: str) -> str:
    """The whole of a captured stream, from all attempts, window by window."""
    parts: list[str] = []
    offset = 0
    while True:
        chunk = client.get(f"/runs/{run_id}/logs", step=step, stream=stream, offset=offset)
        parts.append(chunk.get("text") or "")
        following = chunk.get("next_offset")
        if following is None or following <= offset or not chunk.get("text"):
            return "".join(parts)
        offset = following


def _event_line(event: dict[str, Any]) -> str:
    time = str(event.get("time", ""))[11:23]
    message = str(event["message"])
    error = (event.get("data") or {}).get("error")
    if isinstance(error, dict):
        message = f"{message}\n{output.error_text(error)}" if message else output.error_text(error)
    return f"{time}  {event.get('step_key') or '-':<24} {event['type']:<20} {message}".rstrip()


@run.command()
@click.argument("run_id")
@click.option("--wait", is_flag=True, help="Wait until it has stopped.")
@json_option
@url_option
def cancel(run_id: str, wait: bool, as_json: bool, url: str | None) -> None:
    """Ask a run to stop. A run that is over is left as it is, and said so."""
    client = connect(url)
    found = client.post(f"/runs/{run_id}/cancel")
    if wait and not is_final(found):
        found = follow.until_final(client, run_id)
    if as_json:
        output.as_json(found)
    else:
        click.echo(f"{run_id} {found['status']}")
