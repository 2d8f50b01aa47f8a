"""`simulate`: which runs would start when, and how full the queue and the pools would be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from dagwright.cli import output
from dagwright.cli.rest import connect, json_option, url_option
from dagwright.cli.services import with_targets

if TYPE_CHECKING:
    from dagwright.client import models

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Until(click.ParamType[timedelta]):
    """`+7d`, `+12h`, or a moment in ISO 8601."""

    name = "+7d|MOMENT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"\+?(\d+)([mhdw])", value.strip())
        if found is not None:
            return timedelta(**{_UNITS[found[2]]: int(found[1])})
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            expected = "a length of time, such as +7d, +12h or +30m, or a moment, such as 2030-01-31T06:00"
            self.fail(f"{value!r} is not {expected}", param, ctx)
        ahead = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)
        if ahead <= timedelta(0):
            self.fail(f"{value!r} has passed", param, ctx)
        return ahead


class Slots(click.ParamType[tuple[str, int]]):
    name = "POOL=SLOTS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        name, _, slots = value.partition("=")
        if not name or not slots.isdigit():
            self.fail(f"{value!r} is not POOL=SLOTS", param, ctx)
        return name, int(slots)


@click.command()
@click.option("--until", "ahead", type=Until(), default="+7d", show_default=True, help="How far to look.")
@with_targets
@click.option("--duration", type=click.FloatRange(0.001), default=60.0, show_default=True, help="Seconds of each run (with -f or -m).")
@click.option("--max-runs", type=click.IntRange(1), default=25, show_default=True, help="Runs at once (with -f or -m).")
@click.option("--pool", "pools", type=Slots(), multiple=True, help="Slots of a pool (with -f or -m); may be given again.")
@click.option("--limit", type=click.IntRange(1, 20_000), default=50, show_default=True, help="Runs that are listed.")
@json_option
@url_option
def simulate(ahead: timedelta, limit: int, as_json: bool, url: str | None, **options: Any) -> None:
    """Say which runs would start when, from now on, and how full the queue and the pools would be.

    With -f or -m the definitions of a file or module are simulated with all their schedules; otherwise the deployment, with those that
    are switched on, its limits and pools, and runs that take as long as they did before. No user code is run, and nothing is launched.
    """
    import msgspec

    from dagwright.client import models

    if options["files"] or options["modules"]:
        found = msgspec.convert(_local(ahead, limit, **options), models.SimulationView)
    else:
        found = connect(url).instance.get_simulation(hours=ahead.total_seconds() / 3600, limit=limit)
    output.as_json(found) if as_json else _print(found)


def _local(
    ahead: timedelta,
    limit: int,
    *,
    files: tuple[str, ...],
    modules: tuple[str, ...],
    attribute: str | None,
    working_directory: str | None,
    duration: float,
    max_runs: int,
    pools: tuple[tuple[str, int], ...],
) -> Mapping[str, Any]:
    # Imported here: with a deployment none of it is needed, and it takes a while.
    from dagwright.dev.locations import locations_of
    from dagwright.loading import load, snapshot
    from dagwright_shared.decide import simulation
    from dagwright_shared.decide.requests import Definitions
    from dagwright_shared.decide.simulation_report import report
    from dagwright_shared.model.keys import Digest, LocationName
    from dagwright_shared.model.limits import Limits

    known = {}
    for location in locations_of(files, modules, attribute, working_directory):
        target = load.LoadTarget(
            file=str(location.file) if location.file else None,
            module=location.module,
            attribute=location.attribute,
            working_directory=str(location.working_directory) if location.working_directory else None,
        )
        name = LocationName(location.name)
        known[name] = Definitions.of(Digest(""), snapshot.build(load.load(target), name))
    now = datetime.now(UTC)
    setting = simulation.Setting(
        definitions=known,
        now=now,
        until=now + ahead,
        limits=Limits(max_concurrent_runs=max_runs),
        pools=dict(pools),
        duration=lambda _: timedelta(seconds=duration),
    )
    return report(simulation.simulate(setting), start=now, until=now + ahead, limit=limit)


def _print(found: models.SimulationView) -> None:
    console = output.console()
    rows = [
        (f"{run.created_at:%Y-%m-%d %H:%M}", output.target(run), run.trigger_name or run.trigger, _takes(run), _waits(run))
        for run in found.runs
    ]
    if rows:
        console.print(output.table(("asked for (UTC)", "of", "by", "takes", "waits"), rows))
    more = found.run_count - len(found.runs)
    listed = f", of which {more} are not listed" if more else ""
    click.echo(f"{found.run_count} runs{listed}{'; there would be more' if found.cut else ''}")
    pressure = [("all runs", found.total), *((f"pool {pool.name}", pool) for pool in found.pools)]
    console.print(output.table(("limit", "slots", "most in use", "on average", "waited for"), [_pressure(*each) for each in pressure]))
    for reason in found.left_out:
        click.echo(f"left out: {reason}")


def _takes(run: models.SimulatedRunView) -> str:
    if run.started_at is None:
        return ""
    return output.duration(run.started_at, run.ended_at) if run.ended_at else "goes on"


def _waits(run: models.SimulatedRunView) -> str:
    if not run.waited_for:
        return ""
    length = "still" if run.waited_seconds is None else output.seconds_text(run.waited_seconds)
    return f"{length}, for {', '.join(run.waited_for)}"


def _pressure(name: str, found: models.PressureView) -> tuple[Any, ...]:
    slots = "any number" if found.slots is None else found.slots
    return name, slots, found.peak, f"{found.busy:.2f}", output.seconds_text(found.waited_seconds)
