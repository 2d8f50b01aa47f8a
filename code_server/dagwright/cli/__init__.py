"""The `dagwright` command.

Commands live one module a noun and are imported when they are called, so that `dagwright --help` stays quick. Those
that ask or tell a running deployment go through its REST API; only `db`, `dev`, `user` and `token` open the database.
"""

from __future__ import annotations

import importlib
import sys

import click

_COMMANDS: dict[str, tuple[str, str]] = {
    # name -> (module:attribute, the line in --help)
    "dev": ("services:dev", "Run everything on this machine: Postgres, code server, webserver, daemon."),
    "code-server": ("services:code_server", "Serve the definitions of one code location over gRPC."),
    "webserver": ("services:webserver", "Serve the dashboard and the REST API."),
    "daemon": ("services:daemon", "Launch queued runs, evaluate schedules, recover lost runs."),
    "db": ("services:db", "Prepare the database."),
    "definitions": ("definitions:definitions", "Check definitions without running anything."),
    "job": ("jobs:job", "List, show and launch jobs."),
    "asset": ("assets:asset", "List, show, materialize, report and wipe assets."),
    "partition": ("dynamic_partitions:partition", "List, add and delete keys of dynamic partitions."),
    "simulate": ("simulate:simulate", "Say which runs would start when, and how full the pools would be."),
    "backfill": ("backfills:backfill", "Make many partitions: launch, list, show, cancel and retry backfills."),
    "run": ("runs:run", "List, show, read, cancel, repeat and delete runs."),
    "pool": ("pools:pool", "List, limit and forget pools of slots."),
    "schedule": ("triggers:schedule", "List, switch and try out schedules."),
    "sensor": ("triggers:sensor", "List, switch, try out and rewind sensors."),
    "location": ("locations:location", "List, show and reload code locations."),
    "api": ("api:api", "Call any operation of the REST API."),
    "user": ("access:user", "Add, list and change users, their roles and passwords."),
    "token": ("access:token", "Make, list and revoke API tokens."),
    "migrate": ("migrate:migrate", "Rewrite a Dagster project's imports and list what needs a person."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports a command's module when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry[0].partition(":")
        command = getattr(importlib.import_module(f"dagwright.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            # Not imported at the top: this module is what `--help` pays for, and dagwright_shared is not needed for it.
            from dagwright_shared.model.errors import nearest

            close = nearest(args[0], _COMMANDS) if args else None
            raise click.UsageError(f"{error.message}{f' Did you mean {close!r}?' if close else ''}", ctx) from None


def _version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import version  # 30 ms that only --version needs

    click.echo(f"dagwright {version('dagwright')}")
    ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version.")
def cli() -> None:
    """Define, run, schedule and observe data assets and jobs written in Python."""


def main() -> None:
    """The console script. Errors that we know are one line each on standard error, and exit code 1 or 2."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `dagwright run logs ... | head`
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:
        # Not imported at the top, as above.
        from dagwright_shared.model.errors import DagwrightError, SettingsError

        if not isinstance(error, DagwrightError):
            raise
        click.echo(f"{click.style('error', fg='red', bold=True)}: {error.message}", err=True)
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    sys.exit(status if isinstance(status, int) else 0)
