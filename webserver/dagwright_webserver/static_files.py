"""The files that pages load, under addresses that change with what they hold, so that browsers may keep them for ever.

The digest is a folder of the address, and one for all of the files: what a module imports from beside it is then the very module
that the page loads. With a digest in the query of each address a browser would run a module once for each of its addresses.
"""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"
_VERSION = re.compile(r"v-[0-9a-f]{12}")


@cache
def version() -> str:
    """A name for the content of all files."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(FOLDER)}\0".encode())
            digest.update(path.read_bytes())
    return f"v-{digest.hexdigest()[:12]}"


def url(name: str) -> str:
    """The address of a file."""
    return f"/static/{version()}/{name}"


class Files(StaticFiles):
    """Serves them, with or without a version in the address."""

    def __init__(self, *, policy: str) -> None:
        """
        Args:
            policy: the content security policy, which workers take from their file.
        """
        super().__init__(directory=FOLDER)
        self._policy = policy

    def get_path(self, scope: Scope) -> str:
        path = super().get_path(scope)
        first, _, rest = path.partition(os.sep)
        scope["is_current"] = first == version()
        return rest if _VERSION.fullmatch(first) else path

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        scope: Scope = args[2] if len(args) > 2 else kwargs["scope"]
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if scope["is_current"] else "no-cache"
        return response
