"""Data versions: short text that is another one where data is another."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

UNKNOWN = "INITIAL"
"""Stands for the version of data that has never been recorded."""
MAX_PARTITIONS = 100
"""Of an upstream of which more partitions are read, versions are not looked at."""


def combined(versions: Sequence[str | None]) -> str:
    """One version for several partitions that are read together; that of one alone is itself.

    Args:
        versions: None of a partition without data.
    """
    known = [UNKNOWN if version is None else version for version in versions]
    return known[0] if len(known) == 1 else hashlib.sha256("\n".join(sorted(known)).encode()).hexdigest()
