"""Stopping a step that runs in a thread: the exception is raised in that thread, and only while it is in user code.

CPython raises it between two bytecodes of the thread. A call that does not come back to Python (a long `time.sleep`, a
native computation) is therefore not cut short: whoever asked gives it up after a grace time.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from dagwright.execution.cancellation import Cancellation, RunInterrupted

T = TypeVar("T")

_raise_in = ctypes.pythonapi["PyThreadState_SetAsyncExc"]
_raise_in.argtypes = (ctypes.c_ulong, ctypes.py_object)
_take_back = ctypes.pythonapi["PyThreadState_SetAsyncExc"]
_take_back.argtypes = (ctypes.c_ulong, ctypes.c_void_p)


class Interruption(Cancellation):
    """The request to stop one step. Takes the place of the process's `Cancellation` for a step that runs in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._inside: int | None = None
        """The thread that is in user code now."""
        self._told = False
        self._arrived = False
        self._cancel: Callable[[], object] | None = None
        """Stops the coroutine that this step runs."""

    def request(self, reason: str | None = None) -> None:
        """Ask the step to stop. From any thread."""
        with self._guard:
            if not self.requested:
                self.requested, self.reason = True, reason
            if self._cancel is not None:
                self._cancel()
            elif self._inside is not None and not self._told:
                self._told = True
                _raise_in(self._inside, self._exception())

    def interruptible(self) -> _Door:  # type: ignore[override]  # the same use, in whichever thread
        return _Door(self, opens=True)

    def shielded(self) -> _Door:  # type: ignore[override]
        return _Door(self, opens=False)

    def complete(self, coroutine: Coroutine[Any, Any, T], run: Callable[[Coroutine[Any, Any, T]], T]) -> T:
        """A coroutine is stopped by way of its loop: an exception raised in the thread would end up in asyncio's own code."""

        async def watched() -> T:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None
            with self._guard:
                self._cancel = partial(loop.call_soon_threadsafe, task.cancel)
                if self.requested:
                    task.cancel()
            try:
                return await coroutine
            finally:
                with self._guard:
                    self._cancel = None

        with self.shielded():
            return run(watched())

    def _exception(self) -> type[RunInterrupted]:
        """A class, as CPython wants one; it is called in the thread at the moment when the exception is really raised."""
        own = self

        class Interrupted(RunInterrupted):
            def __init__(self) -> None:
                super().__init__(own.reason or "the step was asked to stop")
                own._arrived = True

        return Interrupted


class _Door:
    """While it is open, a request raises in the thread that opened it. Threads that user code started do not turn it."""

    __slots__ = ("_before", "_mine", "_opens", "_own")

    def __init__(self, interruption: Interruption, *, opens: bool) -> None:
        self._own, self._opens = interruption, opens
        self._before: int | None = None
        self._mine = False

    def __enter__(self) -> None:
        own, here = self._own, threading.get_ident()
        with own._guard:
            self._mine = own._inside == here or (self._opens and own._inside is None)
            if self._mine:
                self._before = own._inside
                _turn(own, here if self._opens else None)
        if self._mine and self._opens:
            _deliver(own)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if not self._mine:
            return
        with self._own._guard:
            _turn(self._own, self._before)
        if kind is None and self._before is not None:
            _deliver(self._own)


def _turn(own: Interruption, inside: int | None) -> None:
    if inside is None and own._inside is not None and own._told and not own._arrived:
        # It was raised but has not arrived, and would now do so in the engine's own code.
        _take_back(own._inside, None)
        own._told = False
    own._inside = inside


def _deliver(own: Interruption) -> None:
    with own._guard:
        due = own.requested and not own._told
        own._told = own._told or due
    if due:
        own._arrived = True
        raise RunInterrupted(own.reason or "the step was asked to stop")
