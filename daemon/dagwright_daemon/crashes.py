"""Named points at which a test can make a daemon die, as a machine would: before or after a transaction.

`DAGWRIGHT_CRASH=queue.after_claim` ends the process there with SIGKILL, the first time that it comes by; `queue.after_claim:3` the
third time. Tests that run a loop in their own process put a function into `hook`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

POINTS = (
    "queue.before_claim",
    "queue.after_claim",
    "queue.before_launch",
    "queue.after_launch",
    "recovery.before_settle",
    "recovery.after_settle",
    "recovery.before_retry",
    "recovery.after_retry",
)

hook: Callable[[str], None] | None = None
"""Called with the name of each point that is passed; what it raises ends the tick."""


def point(name: str) -> None:
    """Die here if a test wants it."""
    if hook is not None:
        hook(name)


def _from_environment(wanted: str) -> Callable[[str], None]:
    name, _, times = wanted.partition(":")
    if name not in POINTS:
        raise ValueError(f"DAGWRIGHT_CRASH names {name!r}, which is none of the points: {', '.join(POINTS)}")
    left = int(times or 1)

    def die(passed: str) -> None:
        nonlocal left
        if passed == name:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return die


if "DAGWRIGHT_CRASH" in os.environ:
    hook = _from_environment(os.environ["DAGWRIGHT_CRASH"])
