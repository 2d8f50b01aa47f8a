"""Commands about keys of dynamic partitions: list, add, delete."""

from __future__ import annotations

import click

from dagwright.cli import output
from dagwright.cli.rest import connect, json_option, url_option


@click.group()
def partition() -> None:
    """List, add and delete keys of dynamic partitions."""


@partition.command(name="list")
@click.argument("name", required=False)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True)
@json_option
@url_option
def list_keys(name: str | None, limit: int, as_json: bool, url: str | None) -> None:
    """List the keys of NAME; without it, the dynamic partitions that there are."""
    calls = connect(url).dynamic_partitions
    if name is None:
        every = calls.list().items
        if as_json:
            output.as_json(every)
        else:
            rows = [(item.name, item.count, ", ".join(item.assets)) for item in every]
            output.console().print(output.table(("partitions", "keys", "of"), rows))
        return
    keys = list(calls.list_keys(name, limit=limit))
    if as_json:
        output.as_json(keys)
    else:
        for each in keys:
            click.echo(each.key)


@partition.command()
@click.argument("name")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@json_option
@url_option
def add(name: str, keys: tuple[str, ...], as_json: bool, url: str | None) -> None:
    """Add keys to the dynamic partitions NAME; those that are there stay."""
    found = connect(url).dynamic_partitions.add_keys(name, keys=keys)
    output.as_json(found) if as_json else click.echo(f"added {len(found.added)} of {len(keys)}")


@partition.command()
@click.argument("name")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@json_option
@url_option
def delete(name: str, keys: tuple[str, ...], as_json: bool, url: str | None) -> None:
    """Delete keys of the dynamic partitions NAME. What was made of them stays on record."""
    found = connect(url).dynamic_partitions.delete_keys(name, key=keys)
    output.as_json(found) if as_json else click.echo(f"deleted {found.deleted} of {len(keys)}")
