"""Commands about code locations: list, show, reload."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dagwright.cli import output
from dagwright.cli.rest import connect, json_option, url_option

if TYPE_CHECKING:
    from dagwright.client import models


@click.group()
def location() -> None:
    """List, show and reload code locations."""


@location.command(name="list")
@json_option
@url_option
def list_locations(as_json: bool, url: str | None) -> None:
    """List code locations."""
    found = connect(url).locations.list().items
    if as_json:
        output.as_json(found)
    elif not found:
        click.echo("no code server has registered yet")
    else:
        rows = [(item.name, _state(item), item.assets, item.jobs, item.schedules, item.sensors) for item in found]
        output.console().print(output.table(("location", "state", "assets", "jobs", "schedules", "sensors"), rows))


def _one(name: str, *, reload: bool, as_json: bool, url: str | None) -> int:
    locations = connect(url).locations
    found = locations.reload(name) if reload else locations.get(name)
    if as_json:
        output.as_json(found)
    else:
        click.echo(f"{found.name} {_state(found)}: {found.assets} assets, {found.jobs} jobs")
        if found.error:
            click.echo(output.error_text(found.error), err=True)
    return 1 if found.state == "error" else 0


@location.command()
@click.argument("name")
@json_option
@url_option
def show(name: str, as_json: bool, url: str | None) -> int:
    """Show a code location; the exit code is 1 when its definitions do not load."""
    return _one(name, reload=False, as_json=as_json, url=url)


@location.command(name="reload")
@click.argument("name")
@json_option
@url_option
def reload_location(name: str, as_json: bool, url: str | None) -> int:
    """Load the definitions of a code location anew; the exit code is 1 when they do not load."""
    return _one(name, reload=True, as_json=as_json, url=url)


def _state(item: models.LocationView) -> str:
    return item.state if item.alive else f"{item.state}, no code server"
