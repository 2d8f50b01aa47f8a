"""How a step attempt ended, as data: what a step's process tells the run's."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import field
from typing import TypeAlias

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ErrorInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    outputs: frozenset[str]
    """Names of the outputs that were produced; an optional one may be missing."""
    mapping_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of the dynamic ones, in the order in which they were yielded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBroke:
    error: ErrorInfo
    allow_retries: bool = True
    """False: a `Failure` said that trying again is of no use."""
    requested_retries: int | None = None
    """The `max_retries` of a `RetryRequested`, which takes the place of the step's policy."""
    requested_delay: float | None = None
    outputs: frozenset[str] = frozenset()
    """What had been stored before it broke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStopped:
    """It was interrupted because the run is being canceled."""


Outcome: TypeAlias = StepDone | StepBroke | StepStopped


def of_exit(code: int) -> StepBroke:
    """The outcome of a process that ended without telling one.

    Args:
        code: as `os.waitstatus_to_exitcode` gives it: negative for a signal.
    """
    if code < 0:
        name = _signal_name(-code)
        hint = _SIGNAL_HINTS.get(name, "Look at the end of the step's stderr, and at the system's log (dmesg).")
        return StepBroke(error=ErrorInfo(class_name="StepProcessKilled", message=f"the step's process was killed by {name}", hint=hint))
    return StepBroke(
        error=ErrorInfo(
            class_name="StepProcessExited",
            message=f"the step's process ended with exit code {code} before the step was finished",
            hint="Something in the step ended the process at once: os._exit, or a library that does. Raise an exception instead.",
        )
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_SIGNAL_HINTS = {
    "SIGKILL": (
        "Often the system ran out of memory and killed it (see dmesg, or the container's memory limit): "
        "use less memory in the step, or run fewer steps at once with the executor's max_concurrent."
    ),
    "SIGSEGV": "Native code crashed: a C extension, or one that does not survive a fork. Look at the end of the step's stderr.",
    "SIGBUS": "Native code touched memory that is not there: often a full /dev/shm, or a memory-mapped file that was cut short.",
    "SIGABRT": "Native code gave up (abort): the end of the step's stderr usually says why.",
    "SIGILL": "Native code used an instruction that this CPU lacks: a library built for another machine.",
    "SIGTERM": "Someone outside dagwright stopped the process.",
    "SIGXCPU": "The CPU time limit of the process was used up (ulimit -t).",
}
