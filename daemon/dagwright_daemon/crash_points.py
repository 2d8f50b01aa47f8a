"""Named places before and after each transaction of the daemon, at which tests let it die.

Tests that run loops in their own process say `at_each`. A daemon with `DAGWRIGHT_CRASH="after runs were claimed"` in its environment
ends at that place as if its machine had failed.
"""

from __future__ import annotations

import os
import signal
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


def _die_at(wanted: str) -> Callable[[str], None]:
    def die(name: str) -> None:
        if name == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    return die


if "DAGWRIGHT_CRASH" in os.environ:
    at_each(_die_at(os.environ["DAGWRIGHT_CRASH"]))
