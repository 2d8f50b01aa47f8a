"""Places of files: on this machine, or anywhere that fsspec reaches."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

_SCHEME = "://"


def path_of(text: Any) -> Any:
    """A path of a local or remote place.

    Raises:
        ModuleNotFoundError: the place is remote, and universal_pathlib is not installed.
    """
    if not isinstance(text, str):
        return text
    if _SCHEME not in text:
        return Path(text)
    try:
        upath = importlib.import_module("upath")  # an optional dependency, needed for remote places alone
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{text!r} needs the package universal_pathlib: pip install 'dagwright[fsspec]'") from error
    return upath.UPath(text)
