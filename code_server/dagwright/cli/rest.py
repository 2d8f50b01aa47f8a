"""How commands reach the webserver: by the client of its REST API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dagwright.client import Client


def url_option(command: Any) -> Any:
    """`--url`: which deployment to talk to."""
    return click.option(
        "--url", envvar="DAGWRIGHT_URL", metavar="URL", help="Webserver to talk to [DAGWRIGHT_URL; default: that of `dagwright dev` here]"
    )(command)


def json_option(command: Any) -> Any:
    """`--json`: print what the API answered."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def location_option(command: Any) -> Any:
    """`--location`: where several have the same name."""
    return click.option("--location", metavar="NAME", help="Code location, where several have the name.")(command)


def connect(url: str | None) -> Client:
    """The deployment that an option, the environment, a setting or a running `dagwright dev` names, until the command is over."""
    from dagwright import client

    made = client.connect(url, program="cli")
    click.get_current_context().call_on_close(made.close)
    return made
