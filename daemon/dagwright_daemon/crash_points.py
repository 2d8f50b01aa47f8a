"""Named places before and after each transaction of the daemon, at which tests let it die."""

from __future__ import annotations

from collections.abc import Callable

_hook: Callable[[str], None] | None = None


def reach(name: str) -> None:
    """Say that the place has been reached. Does nothing outside of tests."""
    if _hook is not None:
        _hook(name)


def at_each(hook: Callable[[str], None] | None) -> None:
    """Call `hook` with the name of each place from now on; what it raises passes through as a crash would. None ends that."""
    global _hook  # noqa: PLW0603 - one for the process, as a crash is
    _hook = hook
