"""`definitions validate`: does this file or module load, and what is in it?"""

from __future__ import annotations

import sysconfig
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from dagwright.cli.services import with_targets
from dagwright.dev.locations import Location, locations_of


@click.group()
def definitions() -> None:
    """Check definitions without running anything."""


@definitions.command()
@with_targets
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def validate(files: tuple[str, ...], modules: tuple[str, ...], attribute: str | None, working_directory: str | None, as_json: bool) -> int:
    """Load definitions as a code server would. The exit code is 0 when all load, else 1.

    An error or a warning is shown with the file and line of the user's code that it is about, and what to do.
    """
    results = [_validate(location) for location in locations_of(files, modules, attribute, working_directory)]
    if as_json:
        from dagwright.cli import output

        output.as_json(results)
    else:
        for result in results:
            _print(result)
    return 0 if all(result["ok"] for result in results) else 1


def _validate(location: Location) -> dict[str, Any]:
    from dagwright.loading import load, snapshot
    from dagwright_shared.model.errors import DefinitionError, error_info, error_to_json
    from dagwright_shared.model.keys import LocationName

    result: dict[str, Any] = {"location": location.name, "target": str(location)}
    try:
        made = snapshot.build(
            load.load(
                load.LoadTarget(
                    file=str(location.file) if location.file else None,
                    module=location.module,
                    attribute=location.attribute,
                    working_directory=str(location.working_directory) if location.working_directory else None,
                )
            ),
            LocationName(location.name),
        )
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        is_ours, source = isinstance(error, DefinitionError), getattr(error, "source", None)
        info = error_info(error)
        # Where our own check found it says nothing to the user; the object that it is about, or the user's line, does.
        info = replace(info, frames=() if source else tuple(frame for frame in info.frames if not (is_ours and _is_library(frame.file))))
        where = str(source) if source else next((f"{frame.file}:{frame.line}" for frame in reversed(info.frames)), None)
        return result | {"ok": False, "at": where, "message": info.message if is_ours else str(info), "error": error_to_json(info)}
    nouns = ("assets", "checks", "jobs", "schedules", "sensors", "resources")
    warnings = [{"at": str(each.source) if each.source else None, "message": each.message} for each in made.warnings]
    return result | {"ok": True, "counts": {noun: len(getattr(made, noun)) for noun in nouns}, "warnings": warnings}


def _is_library(file: str) -> bool:
    libraries = (Path(__file__).parents[1], Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib")))
    return any(Path(file).is_relative_to(library) for library in libraries)


def _print(result: dict[str, Any]) -> None:
    name = click.style(result["location"], bold=True)
    if result["ok"]:
        counts = ", ".join(f"{count} {noun if count != 1 else noun[:-1]}" for noun, count in result["counts"].items() if count)
        click.echo(f"{click.style('ok', fg='green')} {name}: {counts or 'no definitions'}")
        for warning in result["warnings"]:
            told = f"{warning['at']}: {warning['message']}" if warning["at"] else warning["message"]
            click.echo(f"{click.style('warning', fg='yellow')} {name}: {told}", err=True)
        return
    click.echo(f"{click.style('error', fg='red', bold=True)} {name}: {result['at'] or result['target']}: {result['message']}", err=True)
    for frame in result["error"]["frames"][-5:]:
        click.echo(
            f"  {frame['file']}:{frame['line']} in {frame['function']}" + (f"\n    {frame['source']}" if frame["source"] else ""), err=True
        )
