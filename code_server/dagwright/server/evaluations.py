"""Questions to user code: put to forks of the template, several in a row where they are quick.

A fork costs more than most evaluations, so that one fork answers many questions. None of them waits for another that is slow: as soon
as one takes longer than a moment, those behind it go to further forks, and a schedule or sensor that was slow once has a fork of its
own from then on.
"""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from dagwright.server import frames
from dagwright.server.frames import Kind
from dagwright.server.location import Location
from dagwright.server.spare import Process
from dagwright.server.template import describe_exit
from dagwright_shared.model.errors import DagwrightError, DeadlineError, ErrorInfo, UserCodeError, error_info
from dagwright_shared.runtime.process import kill_session
from dagwright_shared.wire.errors import error_from_bytes
from dagwright_shared.wire.serving import Answers, Ask, Asked

_SLOW_SECONDS = 0.1
"""Those that wait behind one that takes longer go to other processes."""
_FURTHER = 2
"""Processes that are added for each one that turns out slow."""
_MOST_PROCESSES = 64
_GATHER_SECONDS = 0.01
_AT_ONCE = 100
"""Answers in one message, at most."""
_QUESTIONS_EACH = 500
"""After so many questions a process is replaced: what user code leaves in memory must not grow for ever."""


class Evaluations:
    """Answers questions in forks of the location's template."""

    def __init__(self, location: Location, exit_status: Callable[[int], int | None]) -> None:
        """
        Args:
            exit_status: how a fork ended, waiting a moment for it; None when that is not known.
        """
        self._location, self._exit_status = location, exit_status
        self._slow: set[tuple[Ask, str]] = set()

    def ask(self, method: Ask, request: bytes, timeout: float) -> bytes:
        """Have one fork answer one question; it is killed when it does not do so in time.

        Raises:
            DeadlineError: it did not answer in time.
            UserCodeError: user code raised, or its process ended.
            InvalidRequestError, NotFoundError: the request does not fit the definitions.
        """
        deadline = time.monotonic() + timeout
        channel, pid = self._location.open(deadline)
        with channel:
            with contextlib.suppress(frames.ChannelClosedError):  # reading tells
                frames.send(channel, Kind.ASK, _body(method, request))
            answer = self._answer(channel, pid, method, deadline, timeout)
        if isinstance(answer, DagwrightError):
            raise answer
        return answer

    def ask_all(self, asked: Sequence[Asked], timeout: float, stop: Callable[[], bool]) -> Iterator[Answers]:
        """Answer many questions, each within `timeout` seconds from when it is put; in any order.

        Args:
            stop: the caller has gone: what is not answered need not be.
        """
        quick: deque[tuple[int, Asked]] = deque()
        slow: deque[tuple[int, Asked]] = deque()
        for index, one in enumerate(asked):
            (slow if (one.method, one.name) in self._slow else quick).append((index, one))
        batch = _Batch(timeout, stop)
        if quick:
            self._start(batch, quick)
        for _ in range(len(slow)):
            self._start(batch, slow)
        left = len(asked)
        while left and not stop():
            answers = batch.gather(left)
            left -= len(answers)
            if answers:
                yield answers

    def _start(self, batch: _Batch, waiting: deque[tuple[int, Asked]]) -> None:
        if batch.enter():
            threading.Thread(target=self._work, args=(batch, waiting), name="evaluations", daemon=True).start()

    def _work(self, batch: _Batch, waiting: deque[tuple[int, Asked]]) -> None:
        """In a thread: put the questions that wait to one process, and to another when that has ended."""
        process: Process | None = None
        try:
            while not batch.stop():
                try:
                    index, asked = waiting.popleft()
                except IndexError:
                    return
                if process is not None and process.questions >= _QUESTIONS_EACH:
                    process.channel.close()
                    process = None
                try:
                    deadline = time.monotonic() + batch.timeout
                    if process is None:
                        process = self._location.borrow(deadline)
                    process.questions += 1
                    batch.tell(index, self._put(batch, process, asked, deadline, waiting))
                except Exception as error:  # noqa: BLE001 - it is the answer
                    batch.tell(index, error if isinstance(error, DagwrightError) else UserCodeError(error_info(error), asked.method))
                    if process is not None:  # it has ended, or is about to
                        process.channel.close()
                        process = None
        finally:
            batch.leave()
            if process is not None:
                self._location.give_back(process)

    def _put(
        self, batch: _Batch, process: Process, asked: Asked, deadline: float, waiting: deque[tuple[int, Asked]]
    ) -> bytes | DagwrightError:
        channel, pid = process.channel, process.pid
        began = time.monotonic()
        with contextlib.suppress(frames.ChannelClosedError):  # reading tells
            frames.send(channel, Kind.ASK, _body(asked.method, asked.request))
        key = (asked.method, asked.name)
        if not _readable(channel, _SLOW_SECONDS):
            self._slow.add(key)
            for _ in range(min(_FURTHER, len(waiting))):
                self._start(batch, waiting)
        answer = self._answer(channel, pid, asked.method, deadline, batch.timeout)
        if time.monotonic() - began < _SLOW_SECONDS / 2:
            self._slow.discard(key)
        return answer

    def _answer(self, channel: socket.socket, pid: int, method: Ask, deadline: float, timeout: float) -> bytes | DagwrightError:
        """What the process answered, an error of user code among it.

        Raises:
            DeadlineError: nothing in time; it was killed.
            UserCodeError: it has ended.
        """
        try:
            answer = frames.receive(channel, deadline)
        except TimeoutError:
            kill_session(pid)
            raise DeadlineError(f"{method.value} did not finish within {timeout:.1f} s; its process was killed") from None
        except frames.ChannelClosedError:
            raise UserCodeError(_lost(self._exit_status(pid)), doing=method.value) from None
        return error_from_bytes(answer.body) if answer.kind is Kind.FAILED else answer.body


class _Batch:
    """The questions of one call: its answers, and how many processes are at work for it."""

    def __init__(self, timeout: float, stop: Callable[[], bool]) -> None:
        self.timeout, self._gone = timeout, stop
        self._answers: queue.SimpleQueue[tuple[int, bytes | DagwrightError]] = queue.SimpleQueue()
        self._processes = 0
        self._lock = threading.Lock()

    def stop(self) -> bool:
        return self._gone()

    def enter(self) -> bool:
        """Whether one more process may work for it."""
        with self._lock:
            if self._processes >= _MOST_PROCESSES:
                return False
            self._processes += 1
            return True

    def leave(self) -> None:
        with self._lock:
            self._processes -= 1

    def tell(self, index: int, answer: bytes | DagwrightError) -> None:
        self._answers.put((index, answer))

    def gather(self, most: int) -> Answers:
        """What has been answered: nothing after half a second of silence, else all that comes within a moment after the first."""
        try:
            found = [self._answers.get(timeout=0.5)]
        except queue.Empty:
            return []
        until = time.monotonic() + _GATHER_SECONDS
        while len(found) < min(most, _AT_ONCE):
            try:
                found.append(self._answers.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                break
        return found


def _body(method: Ask, request: bytes) -> bytes:
    return method.value.encode() + b"\n" + request


def _lost(status: int | None) -> ErrorInfo:
    how = describe_exit(status)
    return ErrorInfo(class_name="ProcessDied", message=f"the process that ran the user code ended without an answer: {how}")


def _readable(channel: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
