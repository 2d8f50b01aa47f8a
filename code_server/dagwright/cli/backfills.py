"""Commands about backfills: launch, list, show, cancel, resume, retry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dagwright.cli import output
from dagwright.cli.launch import ConfigType, TagType
from dagwright.cli.rest import connect, json_option, url_option

if TYPE_CHECKING:
    from dagwright.client import models

_STATUSES = ("REQUESTED", "IN_PROGRESS", "CANCELING", "CANCELED", "COMPLETED", "FAILED")


@click.group()
def backfill() -> None:
    """Make many partitions: launch, list, show, cancel, resume and retry backfills."""


@backfill.command()
@click.argument("keys", nargs=-1, metavar="[KEY...]")
@click.option("--job", "job_name", metavar="NAME", help="A partitioned job, in place of assets.")
@click.option("--all", "everything", is_flag=True, help="All partitions.")
@click.option("--partition", "partitions", metavar="KEY", multiple=True, help="A partition; may be given again.")
@click.option("--from", "start", metavar="KEY", help="First partition of a range.")
@click.option("--to", "end", metavar="KEY", help="Last partition of a range, included.")
@click.option("--missing", "missing_only", is_flag=True, help="Only what is not materialized.")
@click.option("--failed", "failed_only", is_flag=True, help="Only what failed when it was last tried.")
@click.option("--config", type=ConfigType(), help="Run config of every run: JSON, or a .json or .toml file.")
@click.option("--tag", "tags", type=TagType(), multiple=True, help="Tag of every run; may be given again.")
@click.option("--title", help="A name for people.")
@click.option("--location", metavar="NAME", help="Code location, where several have the name.")
@click.option("--preview", is_flag=True, help="Only say what would be made, and in how many runs.")
@click.option("--wait/--no-wait", default=False, help="Wait for the end [default: no].")
@json_option
@url_option
def launch(keys: tuple[str, ...], preview: bool, wait: bool, as_json: bool, url: str | None, **options: Any) -> int:
    """Make partitions of the assets of KEY..., or of a job.

    Keys and ranges name partitions of the first assets, those without an upstream among KEY...; they are followed downstream.
    With --wait the exit code is 0 when everything was made, 1 when not, 3 when it was canceled.
    """
    client = connect(url)
    body = _body(keys, **options)
    if preview:
        planned = client.backfills.preview(**body)
        output.as_json(planned) if as_json else _print_preview(planned)
        return 0
    made = client.backfills.launch(**body)
    if not wait:
        output.as_json(made) if as_json else click.echo(made.backfill_id)
        return 0
    found = client.backfills.wait(made.backfill_id)
    output.as_json(found) if as_json else _print(found)
    return _exit_code(found)


def _body(keys: tuple[str, ...], **options: Any) -> dict[str, Any]:
    from dagwright.client import models

    start, end = options.pop("start"), options.pop("end")
    named, everything, job_name = options.pop("partitions"), options.pop("everything"), options.pop("job_name")
    ways = [bool(named), everything, bool(start or end)]
    if sum(ways) > 1:
        raise click.UsageError("give one of --all, --partition, and --from with --to")
    if bool(start) != bool(end):
        raise click.UsageError("a range needs both ends: --from KEY --to KEY")
    if not keys and not job_name:
        raise click.UsageError("name assets, or a job by --job NAME")
    body = {name: value for name, value in options.items() if value}
    if "tags" in body:
        body["tags"] = dict(body["tags"])
    body |= {"job": job_name} if job_name else {}
    body |= {"assets": list(keys)} if keys else {}
    if any(ways):
        body["partitions"] = list(named) if named else models.PartitionRange(start=start, end=end) if start else "all"
    return body


@backfill.command(name="list")
@click.option("--status", type=click.Choice(_STATUSES, case_sensitive=False), help="Only backfills in this status.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@url_option
def list_backfills(status: models.BackfillStatus | None, limit: int, as_json: bool, url: str | None) -> None:
    """List backfills, newest first."""
    found = list(connect(url).backfills.list(status=[status] if status else None, limit=limit))
    if as_json:
        output.as_json(found)
    elif not found:
        click.echo("no backfills")
    else:
        rows = [
            (item.backfill_id, output.status(item.status), item.title, f"{item.succeeded}/{item.targeted}", item.failed,
             output.ago(item.created_at))
            for item in found
        ]  # fmt: skip
        output.console().print(output.table(("backfill", "status", "of", "made", "failed", "asked for"), rows))


@backfill.command()
@click.argument("backfill_id")
@click.option("--wait", is_flag=True, help="Wait for its end; the exit code tells how it ended.")
@json_option
@url_option
def show(backfill_id: str, wait: bool, as_json: bool, url: str | None) -> int:
    """Show a backfill and how far each of its assets is."""
    client = connect(url)
    found = client.backfills.wait(backfill_id) if wait else client.backfills.get(backfill_id)
    output.as_json(found) if as_json else _print(found)
    return _exit_code(found) if wait else 0


def _act(name: str, said: str) -> click.Command:
    @click.argument("backfill_id")
    @json_option
    @url_option
    def act(backfill_id: str, as_json: bool, url: str | None) -> None:
        found = getattr(connect(url).backfills, name)(backfill_id)
        output.as_json(found) if as_json else click.echo(f"{found.backfill_id} {found.status}")

    act.__doc__ = said
    return backfill.command(name=name)(act)


cancel = _act("cancel", "Ask for nothing more, and stop the runs of a backfill.")
resume = _act("resume", "Let a canceled or failed backfill ask again for what it did not make.")
retry = _act("retry", "Launch a new backfill of what an ended one did not make; prints its id.")


def _exit_code(found: models.BackfillView) -> int:
    return {"COMPLETED": 0, "CANCELED": 3}.get(found.status, 1)


_COLUMNS = ("targeted", "enqueued", "in_progress", "succeeded", "failed", "canceled", "skipped")


def _print(found: models.BackfillView) -> None:
    console = output.console()
    console.print(output.status(found.status), found.title)
    if found.error:
        console.print(output.error_text(found.error))
    rows = [(part.name, *(getattr(part, column) for column in _COLUMNS)) for part in found.parts]
    console.print(output.table(("of", *(column.replace("_", " ") for column in _COLUMNS)), rows))


def _print_preview(found: models.BackfillPreview) -> None:
    more = "" if found.complete else "at least "
    click.echo(f"{found.targeted} partitions in {more}{found.runs} runs, {found.waves} after another")
    rows = [(part.name, part.partitions, part.runs, ", ".join(part.first[:5])) for part in found.parts]
    output.console().print(output.table(("of", "partitions", "runs", "first"), rows))
