"""How a run is asked for: `job launch`, `asset materialize`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dagwright.cli import follow
from dagwright.cli.rest import json_option, location_option, url_option

if TYPE_CHECKING:
    from dagwright.client import Client


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


def run_options(command: Any) -> Any:
    for option in reversed(
        (
            click.option("--partition", metavar="KEY", help="Partition; `a|b` for several dimensions."),
            click.option("--partition-range", type=RangeType(), help="First and last partition, both included: all in one run."),
            click.option("--config", type=ConfigType(), help="Run config: JSON, or a .json or .toml file."),
            click.option("--tag", "tags", type=TagType(), multiple=True, help="Tag of the run; may be given again."),
            location_option,
            click.option("--wait/--no-wait", default=True, help="Wait for the end and show the steps [default: wait]."),
            json_option,
            url_option,
        )
    ):
        command = option(command)
    return command


def launch(
    client: Client,
    *,
    job: str | None = None,
    assets: tuple[str, ...] | None = None,
    partition: str | None,
    partition_range: dict[str, str] | None,
    config: dict[str, Any] | None,
    tags: tuple[tuple[str, str], ...],
    location: str | None,
    wait: bool,
    as_json: bool,
) -> int:
    """Ask for a run as the options say, and wait for its end where that is wanted; returns the exit code."""
    from dagwright.client import models

    if partition is not None and partition_range is not None:
        raise click.UsageError("a run is of one partition or of a range: give --partition or --partition-range")
    chosen = models.PartitionRange(**partition_range) if partition_range else partition
    made = client.runs.launch(job=job, assets=assets, partition=chosen, config=config, tags=dict(tags) or None, location=location)
    return follow.finish(client, made, wait=wait, as_json=as_json)
