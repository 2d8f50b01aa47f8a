"""Commands about jobs: list, show, launch."""

from __future__ import annotations

from typing import Any

import click

from dagwright.cli import launch as launching
from dagwright.cli import output
from dagwright.cli.rest import connect, json_option, location_option, url_option


@click.group()
def job() -> None:
    """List, show and launch jobs."""


@job.command(name="list")
@location_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@json_option
@url_option
def list_jobs(location: str | None, limit: int, as_json: bool, url: str | None) -> None:
    """List jobs, by name."""
    found = list(connect(url).jobs.list(location=location, limit=limit))
    if as_json:
        output.as_json(found)
    elif not found:
        click.echo("no jobs")
    else:
        rows = [
            (item.name, item.location, item.kind, item.steps, output.status(item.latest_run.status) if item.latest_run else "")
            for item in found
        ]
        output.console().print(output.table(("job", "location", "of", "steps", "newest run"), rows))


@job.command()
@click.argument("name")
@location_option
@json_option
@url_option
def show(name: str, location: str | None, as_json: bool, url: str | None) -> None:
    """Show a job: its steps or assets, its partitions, what launches it."""
    found = connect(url).jobs.get(name, location=location)
    if as_json:
        output.as_json(found)
        return
    click.echo(f"{found.name} of {found.location}" + (f", {found.source}" if found.source else ""))
    if found.description:
        click.echo(found.description)
    for label, names in (
        ("assets", found.assets), ("steps", tuple(node.handle for node in found.nodes)), ("schedules", found.schedules),
        ("sensors", found.sensors), ("newest partitions", found.newest_partitions[:5]),
    ):  # fmt: skip
        if names:
            click.echo(f"{label}: {', '.join(names)}")


@job.command()
@click.argument("name")
@launching.run_options
def launch(name: str, url: str | None, **options: Any) -> int:
    """Launch the job NAME. The exit code is 0 when the run succeeds, 1 when it fails, 3 when it is canceled."""
    return launching.launch(connect(url), job=name, **options)
