"""Commands about pools: list, set, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dagwright.cli import output
from dagwright.cli.rest import connect, json_option, url_option

if TYPE_CHECKING:
    from dagwright.client import models


@click.group()
def pool() -> None:
    """List, limit and forget pools of slots."""


@pool.command(name="list")
@json_option
@url_option
def list_pools(as_json: bool, url: str | None) -> None:
    """List pools, with who holds their slots and who waits."""
    pools = connect(url).pools.list().items
    if as_json:
        output.as_json(pools)
    elif not pools:
        click.echo("no pool is limited or in use")
    else:
        rows = [
            (each.name, "any" if each.slots is None else each.slots, each.used, each.waiting,
             ", ".join(_slot(slot) for slot in each.holders[:3]))
            for each in pools
        ]  # fmt: skip
        output.console().print(output.table(("pool", "slots", "in use", "waiting", "held by"), rows))


@pool.command(name="set")
@click.argument("name")
@click.argument("slots", type=click.IntRange(0, 2**31 - 1))
@json_option
@url_option
def set_slots(name: str, slots: int, as_json: bool, url: str | None) -> None:
    """Set how many slots a pool has. Fewer than are in use lets those finish."""
    found = connect(url).pools.set(name, slots=slots)
    if as_json:
        output.as_json(found)
    else:
        click.echo(f"{name}: {found.used} of {found.slots} in use, {found.waiting} waiting")


@pool.command()
@click.argument("name")
@url_option
def delete(name: str, url: str | None) -> None:
    """Forget the slots of a pool: the default of the deployment holds for it again."""
    connect(url).pools.delete(name)
    click.echo(f"forgot the slots of {name}")


def _slot(slot: models.SlotView) -> str:
    return slot.run_id[:8] + (f" {slot.step_key}" if slot.step_key else "")
