"""Which deployment is meant, when nobody says."""

from __future__ import annotations

import json
from pathlib import Path

from dagwright.client.client import Client
from dagwright_shared.runtime import settings


def connect(url: str | None = None, *, program: str = "client") -> Client:
    """The deployment that an argument, the environment (DAGWRIGHT_URL), a setting or a running `dagwright dev` names, in this order.

    The API token is that of DAGWRIGHT_TOKEN.

    Args:
        url: of the webserver.
        program: what is calling, for logs of the webserver.
    """
    secret = settings.load().token
    return Client(url or running_url(), token=None if secret is None else secret.get_secret_value(), program=program)


def running_url() -> str:
    """The URL that `dagwright dev` wrote into its home here, while it runs; else the setting `url`."""
    configured = settings.load()
    if configured.url is not None:
        return configured.url
    try:
        state = json.loads((configured.home / "dev.json").read_text())
        if Path(f"/proc/{int(state['pid'])}").exists():
            return str(state["url"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nobody runs here, or the file is being written
    return "http://127.0.0.1:3004"
