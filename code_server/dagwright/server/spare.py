"""Processes that are there before their work, so that a run or a question does not wait for a fork."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import TypeAlias

from dagwright.server.template import Template
from dagwright_shared.model.dataclass import dataclass

log = logging.getLogger("dagwright.spare")

Opened: TypeAlias = tuple[socket.socket, int]
"""A channel to a process that has reported, and its pid."""


class Spare:
    """Keeps at most one idle process of the template that serves. Taking it orders the next, made on a thread of its own."""

    def __init__(self, make: Callable[[Template], Opened]) -> None:
        """
        Args:
            make: forks and waits for the report; raises when that cannot be had.
        """
        self._make = make
        self._wake = threading.Condition()
        self._ordered: Template | None = None
        self._ready: tuple[Template, Opened] | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def order(self, template: Template) -> None:
        """Have one made of this template, in place of one of another."""
        with self._wake:
            if self._closed:
                return
            self._discard(unless=template)
            self._ordered = template
            self._wake.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="spare", daemon=True)
                self._thread.start()

    def take(self, template: Template) -> Opened | None:
        """The idle process of this template, if there is one and it lives."""
        with self._wake:
            if self._ready is None or self._ready[0] is not template:
                return None
            (_, opened), self._ready = self._ready, None
        self.order(template)
        if _lives(opened[0]):
            return opened
        opened[0].close()
        return None

    def drop(self, template: Template) -> None:
        """The template has ended: its spare must not outlive it."""
        with self._wake:
            if self._ordered is template:
                self._ordered = None
            if self._ready is not None and self._ready[0] is template:
                self._discard()

    def close(self) -> None:
        with self._wake:
            self._closed, self._ordered = True, None
            self._discard()
            self._wake.notify()

    def _discard(self, unless: Template | None = None) -> None:
        if self._ready is not None and self._ready[0] is not unless:
            self._ready[1][0].close()  # the process ends when its channel closes
            self._ready = None

    def _loop(self) -> None:
        while True:
            with self._wake:
                while not self._closed and (self._ordered is None or self._ready is not None):
                    self._wake.wait()
                if self._closed:
                    return
                template, self._ordered = self._ordered, None
            assert template is not None
            # Whoever needs a process makes one itself when there is no spare, and tells what is wrong.
            with contextlib.suppress(OSError):
                opened = self._make(template)
                with self._wake:
                    if self._closed or template.closing or self._ready is not None:
                        opened[0].close()
                    else:
                        self._ready = (template, opened)


@dataclass(slots=True)
class Process:
    """A process that questions are put to."""

    template: Template
    channel: socket.socket
    pid: int
    questions: int = 0
    """How many it has got."""


class Kept:
    """Keeps at most one process that has answered and waits for the next question: it is warm, which a fresh fork is not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: Process | None = None
        self._serving: Template | None = None

    def serve(self, template: Template | None) -> None:
        """From now on this template serves: a process of another one answers no more."""
        with self._lock:
            self._serving = template
            if self._idle is not None and self._idle.template is not template:
                self._idle.channel.close()  # the process ends when its channel closes
                self._idle = None

    def take(self) -> Process | None:
        """The idle process, if there is one and it lives."""
        with self._lock:
            found, self._idle = self._idle, None
        if found is None or _lives(found.channel):
            return found
        found.channel.close()
        return None

    def give_back(self, process: Process) -> None:
        """It is idle again: it is kept, or ends."""
        with self._lock:
            if self._idle is None and process.template is self._serving:
                self._idle = process
                return
        process.channel.close()


def _lives(channel: socket.socket) -> bool:
    """Whether the process at the other end still holds its end open."""
    channel.setblocking(False)
    try:
        return channel.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        channel.setblocking(True)
