"""Commands about assets: list, show, materialize, report, wipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dagwright.cli import launch, output
from dagwright.cli.rest import connect, json_option, location_option, url_option

if TYPE_CHECKING:
    from dagwright.client import models

_STATUSES = ("MATERIALIZING", "FAILED", "CHECK_FAILED", "MATERIALIZED", "MISSING", "EXTERNAL")


@click.group()
def asset() -> None:
    """List, show, materialize, report and wipe assets."""


@asset.command(name="list")
@click.option("--group", help="Only assets of this group.")
@click.option("--select", "selection", metavar="QUERY", help='A selection, such as `group:raw` or `+"daily_summary"`.')
@click.option("--status", type=click.Choice(_STATUSES, case_sensitive=False), help="Only assets in this status.")
@location_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@json_option
@url_option
def list_assets(
    group: str | None, selection: str | None, status: models.AssetStatus | None, location: str | None, limit: int, as_json: bool,
    url: str | None,
) -> None:  # fmt: skip
    """List assets, by key."""
    found = list(connect(url).assets.list(group=group, selection=selection, status=status, location=location, limit=limit))
    if as_json:
        output.as_json(found)
    elif not found:
        click.echo("no assets")
    else:
        rows = [(item.key, item.status, item.group, item.partitions or "", output.ago(item.materialized_at)) for item in found]
        output.console().print(output.table(("asset", "status", "group", "partitions", "made"), rows))


@asset.command()
@click.argument("key")
@location_option
@json_option
@url_option
def show(key: str, location: str | None, as_json: bool, url: str | None) -> None:
    """Show an asset: its status, what it is made of, its checks."""
    found = connect(url).assets.get(key, location=location)
    if as_json:
        output.as_json(found)
        return
    summary = found.summary
    click.echo(f"{found.key} {summary.status}, group {summary.group}, of {found.location}" + (f", {found.source}" if found.source else ""))
    if summary.description:
        click.echo(summary.description)
    if summary.materialized_at:
        click.echo(f"made {output.ago(summary.materialized_at)}" + (f" by run {summary.run_id}" if summary.run_id else ""))
    for label, links in (("upstream", found.upstream), ("downstream", found.downstream)):
        if links:
            click.echo(f"{label}: {', '.join(link.key for link in links)}")
    for check in found.checks:
        state = "not evaluated" if check.passed is None else "passed" if check.passed else f"failed ({check.severity})"
        click.echo(f"check {check.name}: {state}")


@asset.command()
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@launch.run_options
def materialize(keys: tuple[str, ...], url: str | None, **options: Any) -> int:
    """Materialize the assets of KEY..., such as `carriers` or `raw/flights`, in one run.

    The exit code is 0 when the run succeeds, 1 when it fails, 3 when it is canceled.
    """
    return launch.launch(connect(url), assets=keys, **options)


@asset.command()
@click.argument("key")
@click.option("--observation", is_flag=True, help="Report that it was looked at, in place of made.")
@click.option("--check", metavar="NAME", help="Report the result of this check; with --failed when it did not pass.")
@click.option("--failed", is_flag=True, help="With --check: it did not pass.")
@click.option("--partition", metavar="KEY", help="Of this partition.")
@click.option("--metadata", type=launch.ConfigType(), help="JSON, or a .json or .toml file.")
@click.option("--description", help="What happened.")
@location_option
@json_option
@url_option
def report(key: str, observation: bool, check: str | None, failed: bool, as_json: bool, url: str | None, **options: Any) -> None:
    """Tell that an asset was made (or looked at, or checked) by something else."""
    if failed and check is None:
        raise click.UsageError("--failed needs --check NAME")
    if check is not None and observation:
        raise click.UsageError("give --observation or --check, not both")
    assets = connect(url).assets
    if check is not None:
        made = assets.report_check(key, check, passed=not failed, **options)
    else:
        made = assets.report_observation(key, **options) if observation else assets.report_materialization(key, **options)
    output.as_json(made) if as_json else click.echo(f"{made.type} of {key} is recorded")


@asset.command()
@click.argument("key")
@click.option("--all", "everything", is_flag=True, help="All partitions; of an asset without partitions, its history.")
@click.option("--partition", "partitions", metavar="KEY", multiple=True, help="This partition; may be given again.")
@location_option
@json_option
@url_option
def wipe(key: str, everything: bool, partitions: tuple[str, ...], location: str | None, as_json: bool, url: str | None) -> None:
    """Forget that an asset was made. The data itself, and the logs of runs, are left alone."""
    if everything == bool(partitions):
        raise click.UsageError("give --all, or --partition KEY")
    found = connect(url).assets.wipe(key, partitions="all" if everything else partitions, location=location)
    output.as_json(found) if as_json else click.echo(f"wiped {found.partitions} partitions of {found.asset}")
