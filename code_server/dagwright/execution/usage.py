"""What a step attempt consumed: CPU time and peak memory."""

from __future__ import annotations

import contextlib
import os
import resource
import sys

from dagwright_shared.model.events import Usage

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def of_rusage(usage: resource.struct_rusage) -> Usage:
    """The usage of a process that has been waited for (`os.wait4`): itself and the children that it waited for."""
    return Usage(cpu_seconds=usage.ru_utime + usage.ru_stime, peak_memory_bytes=usage.ru_maxrss * _RSS_UNIT)


class ChildMeter:
    """Measures a step that has this forked process to itself, from within."""

    def __init__(self) -> None:
        self._before = _cpu()

    def read(self) -> Usage:
        """The usage since the meter was made; the peak is that of the process."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
        return Usage(cpu_seconds=max(0.0, _cpu() - self._before), peak_memory_bytes=peak)


class Meter(ChildMeter):
    """Measures a step that runs inside this process."""

    def __init__(self) -> None:
        # Resets the kernel's high-water mark, so that the peak is this step's and not that of an earlier, larger one.
        with contextlib.suppress(OSError):
            fd = os.open("/proc/self/clear_refs", os.O_WRONLY)
            try:
                os.write(fd, b"5")
            finally:
                os.close(fd)
        super().__init__()


def _cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
