"""Steps in threads of the run's process: no start-up cost, and a thousand of them may wait for something at once."""

from __future__ import annotations

import contextvars
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from queue import SimpleQueue

from dagwright.execution import step as steps
from dagwright.execution.executors import limits, printing
from dagwright.execution.executors.concurrent import Loop, Running
from dagwright.execution.executors.gate import Gate
from dagwright.execution.executors.work import Work
from dagwright.execution.outcome import Outcome
from dagwright.execution.scope import RunScope
from dagwright.planning.executor_config import TagLimit
from dagwright_shared.model.events import Usage

MAX_CONCURRENT = 1_000
"""Steps at once, where the config says nothing."""
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class ThreadsExecutor:
    """Runs up to `max_concurrent` steps at once, each in a thread of this process.

    Args:
        max_concurrent: steps at once; None or 0: 1,000.
        cancel_grace: seconds between asking a step to stop and leaving it behind.
        tag_limits: how many steps with a tag may run at once.
    """

    name = "threads"

    def __init__(
        self,
        max_concurrent: int | None = None,
        *,
        cancel_grace: float = limits.GRACE_SECONDS,
        tag_limits: Sequence[TagLimit] = (),
    ) -> None:
        self._max_concurrent = max_concurrent or MAX_CONCURRENT
        self._cancel_grace, self._tag_limits = cancel_grace, tag_limits

    def run(self, scope: RunScope, progress: Work) -> None:
        environment = steps.Environment(scope)
        pool = Pool(self._max_concurrent, "step")
        gate = Gate(progress, self._max_concurrent, self._tag_limits)
        try:
            with printing.routed() if scope.captures else nullcontext():
                Loop(scope, progress, gate, ThreadLane(environment, pool), grace=self._cancel_grace).run()
        finally:
            environment.close()


class ThreadLane:
    """Runs each step in a thread of a pool."""

    def __init__(self, environment: steps.Environment, pool: Pool) -> None:
        self._environment, self._pool = environment, pool
        # Each step sees the variables that whoever started the run has set, and changes only its own copy.
        self._variables = contextvars.copy_context()

    def start(self, running: Running) -> None:
        variables = self._variables.copy()
        self._pool.submit(lambda: variables.run(attempt, self._environment, running))

    def interrupt(self, running: Running) -> None:
        """The interruption itself reaches the thread."""

    def close(self) -> None:
        self._pool.close()


def attempt(environment: steps.Environment, running: Running) -> None:
    """Run an attempt in this thread, unless it is no longer wanted."""
    running.began(os.getpid())
    if running.concluded:
        return
    printing.current.set(running.output)
    before = time.thread_time()
    outcome: Outcome = steps.attempt(environment.of_step(running.interruption), running.step, running.attempt, running.relay)
    running.ended(outcome, usage(time.thread_time() - before))


class Pool:
    """Threads that are made when they are needed, and that nobody waits for at the end.

    Not `concurrent.futures`: its threads are joined when the interpreter ends, so that a step which hangs would keep it.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._free = 0
        """Threads that wait for work, less the work that waits for a thread."""

    def submit(self, work: Callable[[], object]) -> None:
        with self._lock:
            grow = self._free <= 0 and self._threads < self._size
            if grow:
                self._threads += 1
            else:
                self._free -= 1
        self._work.put(work)
        if grow:
            threading.Thread(target=self._serve, name=f"{self._name}-{self._threads}", daemon=True).start()

    def close(self) -> None:
        """Let the threads end once they have nothing to do."""
        for _ in range(self._threads):
            self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work  # or what it holds would live until the next one
            with self._lock:
                self._free += 1


def usage(cpu_seconds: float) -> Usage:
    """What a step that shares the process has used; the memory is the peak of the process, which is not told apart by step."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
    return Usage(cpu_seconds=max(0.0, cpu_seconds), peak_memory_bytes=peak)
