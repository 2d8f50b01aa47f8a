"""Threads for calls that may hang: made when needed, and never waited for at exit."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

log = logging.getLogger("dagwright_daemon")

_IDLE_SECONDS = 30.0


class Pool:
    """Runs jobs on at most `size` daemon threads. Unlike an executor of the standard library it does not hold up the exit."""

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._jobs: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._threads = self._idle = 0
        self._closed = False

    def submit(self, job: Callable[[], None]) -> None:
        """Run the job as soon as a thread is free. What it raises is logged."""
        with self._changed:
            if self._closed:
                return
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._changed.notify()
            elif self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()

    def close(self) -> None:
        """Drop the jobs that have not begun."""
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                self._changed.wait_for(lambda: self._jobs or self._closed, _IDLE_SECONDS)
                self._idle -= 1
                if not self._jobs:
                    self._threads -= 1
                    return
                job = self._jobs.popleft()
            try:
                job()
            except Exception:
                log.exception("job failed", extra={"action": "job", "pool": self._name})
