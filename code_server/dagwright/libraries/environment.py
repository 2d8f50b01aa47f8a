"""Environment variables for the length of a block, as tests set them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def environ(env: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables, and put back afterwards what was there.

    Args:
        env: name to value; None takes a variable away.

    Example:
        >>> import os
        >>> with environ({"SHOP_URL": "http://127.0.0.1"}):
        ...     os.environ["SHOP_URL"]
        'http://127.0.0.1'
        >>> "SHOP_URL" in os.environ
        False
    """
    before = {name: os.environ.get(name) for name in env}
    _set(env)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
