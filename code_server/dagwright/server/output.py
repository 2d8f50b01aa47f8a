"""What user code prints while it answers a question: the first of it is kept, and however much it is, the disk does not fill."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import tempfile
import threading
import time

LIMIT = 64 * 1024
"""Bytes that are kept of one answer."""
_TRIM_BYTES = 4 * 1024 * 1024
_LOOK_SECONDS = 0.1


class Output:
    """Takes over this process's standard output and error for good. One for a process."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        fd = self._file.fileno()
        # Appending: after a trim, writers go on at the start.
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(fd, stream)
        self._head: bytes | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, name="output", daemon=True).start()

    def begin(self) -> None:
        """Forget what was printed before."""
        with self._lock:
            os.ftruncate(self._file.fileno(), 0)
            self._head = None

    def lines(self) -> tuple[str, ...]:
        """What has been printed since, up to a limit."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # user code may have closed or replaced it
                stream.flush()
        with self._lock:
            size = os.fstat(self._file.fileno()).st_size
            printed = self._head if self._head is not None else os.pread(self._file.fileno(), LIMIT, 0)
            cut = self._head is not None or size > LIMIT
        found = tuple(printed.decode(errors="replace").splitlines())
        return (*found, f"[output beyond {LIMIT} bytes was dropped]") if cut else found

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                if os.fstat(self._file.fileno()).st_size > _TRIM_BYTES:
                    if self._head is None:
                        self._head = os.pread(self._file.fileno(), LIMIT, 0)
                    os.ftruncate(self._file.fileno(), 0)
