"""Commands that ask for a run: `job launch`, `asset materialize`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from dagwright.cli import follow, output
from dagwright.cli.rest import Client, connect, json_option, url_option


class TagType(click.ParamType[tuple[str, str]]):
    name = "KEY=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        key, equals, text = value.partition("=")
        if not key or not equals:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        return key, text


class RangeType(click.ParamType[dict[str, str]]):
    name = "FIRST...LAST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        start, dots, end = value.partition("...")
        if not (start and dots and end):
            self.fail(f"{value!r} is not FIRST...LAST, such as 2013-01-01...2013-01-31", param, ctx)
        return {"start": start, "end": end}


class ConfigType(click.ParamType[dict[str, Any]]):
    """JSON text, or a file of JSON or TOML."""

    name = "FILE|JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, dict):
            return value
        text, source = value, "--config"
        if not value.lstrip().startswith("{"):
            try:
                text, source = Path(value).read_text(encoding="utf-8"), value
            except OSError as error:
                self.fail(f"{value!r} is neither a JSON object nor a file that can be read ({error.strerror})", param, ctx)
        try:
            config = _toml(text) if source.endswith(".toml") else json.loads(text)
        except ValueError as error:
            self.fail(f"{source} is not valid: {error}", param, ctx)
        if not isinstance(config, dict):
            self.fail(f'{source} is a {type(config).__name__}; run config is an object such as {{"ops": {{...}}}}', param, ctx)
        return config


def _toml(text: str) -> Any:
    import tomllib  # only for files of this kind

    return tomllib.loads(text)


def _run_options(command: Any) -> Any:
    for option in reversed(
        (
            click.option("--partition", metavar="KEY", help="Partition; `a|b` for several dimensions."),
            click.option("--partition-range", type=RangeType(), help="First and last partition, both included: all in one run."),
            click.option("--config", type=ConfigType(), help="Run config: JSON, or a .json or .toml file."),
            click.option("--tag", "tags", type=TagType(), multiple=True, help="Tag of the run; may be given again."),
            click.option("--location", metavar="NAME", help="Code location, where several have the name."),
            click.option("--wait/--no-wait", default=True, help="Wait for the end and show the steps [default: wait]."),
            json_option,
            url_option,
        )
    ):
        command = option(command)
    return command


@click.group()
def job() -> None:
    """Launch jobs."""


@job.command()
@click.argument("name")
@_run_options
def launch(name: str, **options: Any) -> int:
    """Launch the job NAME. The exit code is 0 when the run succeeds, 1 when it fails, 3 when it is canceled."""
    return _launch({"job": name}, **options)


@click.group()
def asset() -> None:
    """Materialize assets."""


@asset.command()
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@_run_options
def materialize(keys: tuple[str, ...], **options: Any) -> int:
    """Materialize the assets of KEY..., such as `carriers` or `raw/flights`, in one run.

    The exit code is 0 when the run succeeds, 1 when it fails, 3 when it is canceled.
    """
    return _launch({"assets": list(keys)}, **options)


def _launch(
    request: dict[str, Any],
    *,
    partition: str | None,
    partition_range: dict[str, str] | None,
    config: dict[str, Any] | None,
    tags: tuple[tuple[str, str], ...],
    location: str | None,
    wait: bool,
    as_json: bool,
    url: str | None,
) -> int:
    if partition is not None and partition_range is not None:
        raise click.UsageError("a run is of one partition or of a range: give --partition or --partition-range")
    optional = {"partition": partition or partition_range, "config": config, "tags": dict(tags), "location": location}
    client = connect(url)
    try:
        created = client.post("/runs", request | {name: value for name, value in optional.items() if value})
        return _finish(client, created, wait=wait, as_json=as_json)
    finally:
        client.close()


def _finish(client: Client, created: dict[str, Any], *, wait: bool, as_json: bool) -> int:
    run_id = created["run_id"]
    if not wait:
        if as_json:
            output.as_json(created)
        else:
            click.echo(run_id)
        return 0
    if as_json:
        run = follow.until_final(client, run_id)
        output.as_json(run)
    else:
        run = follow.show(client, run_id, page=f"{client.url}/runs/{run_id}")
    return follow.exit_code(run)
