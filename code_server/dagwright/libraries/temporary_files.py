"""Paths of files for the length of a block."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def safe_tempfile_path() -> Iterator[str]:
    """The path of a file that does not exist yet and is gone after the block, whoever has made it.

    Example:
        >>> with safe_tempfile_path() as path:
        ...     written = Path(path).write_text("rows")
        >>> Path(path).exists()
        False
    """
    with tempfile.TemporaryDirectory(prefix="dagwright-") as folder:
        yield str(Path(folder) / "file")
