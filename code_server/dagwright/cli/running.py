"""Where the deployment of this folder answers, when nobody says."""

from __future__ import annotations

import json
from pathlib import Path

from dagwright_shared.runtime import settings


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
