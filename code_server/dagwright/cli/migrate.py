"""`migrate`: a Dagster project's imports, and what needs a person."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from dagwright_shared.model.errors import SettingsError


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--write", is_flag=True, help="Change the files; without it the changes are only shown.")
def migrate(path: Path, write: bool) -> int:
    """Rewrite the Dagster imports of a file or directory for dagwright.

    Shows the changes as a patch, then what needs a person, each with its file and line. The exit code is 1 when
    something does, else 0.
    """
    if importlib.util.find_spec("libcst") is None:
        raise SettingsError("dagwright migrate needs libcst: pip install 'dagwright[migrate]'")
    from dagwright.migrate.project import migrate_path

    found = migrate_path(path)
    if write:
        found.write()
    elif found.changed:
        click.echo(found.diff(), nl=False)
    done = "changed" if write else "to change (with --write)"
    click.echo(f"{len(found.changed)} file{'s' * (len(found.changed) != 1)} {done}", err=True)
    for finding in found.findings:
        click.echo(str(finding))
    if found.findings:
        click.echo(f"{len(found.findings)} need a person", err=True)
    return 1 if found.findings else 0
