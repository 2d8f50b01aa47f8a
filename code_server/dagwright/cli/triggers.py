"""Commands about schedules and sensors: list, start, stop, evaluate, and the cursor of a sensor."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from dagwright.cli import output
from dagwright.cli.rest import connect, json_option, url_option

if TYPE_CHECKING:
    from dagwright.client import models


class Moment(click.ParamType[datetime]):
    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a moment, such as 2026-01-01T06:00:00Z", param, ctx)
        if found.tzinfo is None:
            self.fail(f"{value!r} has no time zone; write it such as 2026-01-01T06:00:00Z", param, ctx)
        return found


@click.group()
def sensor() -> None:
    """List, switch, try out and rewind sensors."""


@click.group()
def schedule() -> None:
    """List, switch and try out schedules."""


def _list(kind: str) -> Any:
    @click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
    @json_option
    @url_option
    def command(limit: int, as_json: bool, url: str | None) -> None:
        items = list(getattr(connect(url), f"{kind}s").list(limit=limit))
        if as_json:
            output.as_json(items)
        elif not items:
            click.echo(f"no {kind}s")
        else:
            rows = [(item.name, _switch(item), _when(item), _newest(item)) for item in items]
            output.console().print(output.table((kind, "", "asked", "newest tick"), rows))

    return command


def _flip(kind: str, *, on: bool) -> Any:
    @click.argument("name")
    @json_option
    @url_option
    def command(name: str, as_json: bool, url: str | None) -> None:
        calls = getattr(connect(url), f"{kind}s")
        found = calls.start(name) if on else calls.stop(name)
        if as_json:
            output.as_json(found)
        else:
            click.echo(f"{kind} {name} is {_switch(found)}")

    return command


for _group, _kind in ((sensor, "sensor"), (schedule, "schedule")):
    _group.command(name="list", help=f"List {_kind}s, by name.")(_list(_kind))
    _group.command(name="start", help=f"Switch a {_kind} on.")(_flip(_kind, on=True))
    _group.command(name="stop", help=f"Switch a {_kind} off. Runs that it has launched go on.")(_flip(_kind, on=False))


@sensor.command()
@click.argument("name")
@click.option("--set", "value", metavar="TEXT", help="Go on from there.")
@click.option("--reset", is_flag=True, help="As if it had never been evaluated.")
@json_option
@url_option
def cursor(name: str, value: str | None, reset: bool, as_json: bool, url: str | None) -> None:
    """Show what a sensor remembers, set it, or have it forget."""
    if value is not None and reset:
        raise click.UsageError("give --set or --reset, not both")
    sensors = connect(url).sensors
    change = value is not None or reset
    found = sensors.set_cursor(name, cursor=value) if change else sensors.get(name)
    if as_json:
        output.as_json({"cursor": found.cursor})
    else:
        click.echo(found.cursor or "")


@sensor.command(name="evaluate")
@click.argument("name")
@click.option("--cursor", "value", metavar="TEXT", help="Try it with this cursor; by default the one that it has.")
@json_option
@url_option
def evaluate_sensor(name: str, value: str | None, as_json: bool, url: str | None) -> None:
    """Call a sensor's function once and print what it asks for. Nothing of it is stored or launched."""
    _print(connect(url).sensors.evaluate(name, cursor=value), as_json)


@schedule.command(name="evaluate")
@click.argument("name")
@click.option("--at", type=Moment(), help="The moment of the tick, such as 2026-01-01T06:00:00Z; by default now.")
@json_option
@url_option
def evaluate_schedule(name: str, at: datetime | None, as_json: bool, url: str | None) -> None:
    """Call a schedule's function once, as at a tick, and print what it asks for. Nothing of it is stored or launched."""
    _print(connect(url).schedules.evaluate(name, at=at), as_json)


def _print(found: models.EvaluationView, as_json: bool) -> None:
    if as_json:
        output.as_json(found)
        return
    for line in found.logs:
        click.echo(line)
    for one in found.requests:
        parts = [one.job or ", ".join(one.assets), one.partition, f"run key {one.run_key}" if one.run_key else None]
        click.echo("would launch " + ", ".join(part for part in parts if part))
    if not found.requests:
        click.echo(f"would launch nothing: {found.skip_reason}")
    if found.cursor is not None:
        click.echo(f"new cursor: {found.cursor}")


def _switch(item: models.SensorView | models.ScheduleView) -> str:
    return "on" if item.running else "off"


def _when(item: models.SensorView | models.ScheduleView) -> str:
    from dagwright.client import models

    if isinstance(item, models.ScheduleView):
        return item.cron_in_words
    if item.hook:
        return f"POST {item.hook}"
    return f"every {item.minimum_interval_seconds} s" if item.kind in ("standard", "multi_asset") else "when it happens"


def _newest(item: models.SensorView | models.ScheduleView) -> str:
    ticks = item.recent_ticks
    return f"{output.status(ticks[-1].status)} {output.ago(ticks[-1].scheduled_for)}" if ticks else ""
