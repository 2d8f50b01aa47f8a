"""Runs the list of loops: wakes them, lets only those tick that this daemon leads, and ends them in order."""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from sqlalchemy import Engine

from dagwright_daemon import leadership
from dagwright_daemon.leadership import Identity, Leadership
from dagwright_daemon.loop import Loop, LoopThread, Report
from dagwright_daemon.outage import Outage
from dagwright_daemon.timers import Timers
from dagwright_shared.store.listen import EVERYTHING, Listener

log = logging.getLogger("dagwright_daemon")

Build: TypeAlias = Callable[[Outage, Callable[[float], bool]], Sequence[Loop]]

_STOP_SECONDS = 4.0
"""For the ticks in hand; with the release of the leases a stop takes at most five seconds."""


def identity() -> Identity:
    """A fresh name for this process."""
    host = socket.gethostname()
    return Identity(daemon_id=f"{host}-{os.getpid()}-{uuid.uuid4().hex[:6]}", host=host, pid=os.getpid(), started_at=datetime.now(UTC))


class Runner:
    """All loops of one daemon."""

    def __init__(self, engine: Engine, url: str, me: Identity, build: Build) -> None:
        """
        Args:
            url: the database, for the listener's connection.
            build: makes the loops; is given where to report that the database is away, and `trusts_lapses(lease_seconds)`.
        """
        self._leadership = Leadership(engine, me, changed=self.wake, reports=self.reports)
        loops = build(self._leadership.outage, self._leadership.trusts_lapses)
        self._leadership.names = tuple(loop.name for loop in loops)
        self._timers = Timers()
        self._threads = {
            loop.name: LoopThread(loop, owned=self._leadership.owned, outage=self._leadership.outage, wake_at=self._wake_at)
            for loop in loops
        }
        topics = {leadership.TOPIC}.union(*(loop.topics for loop in loops))
        self._listener = Listener(url, self.heard, topics)
        self._id = me.daemon_id

    def start(self) -> None:
        log.info("daemon starts", extra={"action": "start", "daemon": self._id, "loops": ",".join(self._threads)})
        for thread in self._threads.values():
            thread.start()
            self._timers.every(thread.loop.name, thread.loop.interval, thread.wake)
        self._timers.start()
        self._listener.start()
        self._leadership.start()

    def stop(self) -> bool:
        """End within five seconds: finish the ticks in hand, then let go of the leases. Whether every tick ended."""
        log.info("daemon stops", extra={"action": "stop", "daemon": self._id})
        deadline = time.monotonic() + _STOP_SECONDS
        self._timers.stop()
        for thread in self._threads.values():
            thread.ask_to_stop()
        late = [name for name, thread in self._threads.items() if not thread.join(deadline - time.monotonic())]
        if late:
            log.warning("loops did not end in time", extra={"action": "stop", "loops": ",".join(late)})
        self._leadership.stop(timeout=1.0)
        self._listener.stop(timeout=1.0)
        return not late

    def wake(self, name: str) -> None:
        """Have a loop tick now."""
        self._threads[name].wake()

    def owned(self, name: str) -> bool:
        """Whether this daemon leads the loop."""
        return self._leadership.owned(name)

    def reports(self) -> Mapping[str, Report]:
        """How each loop fares."""
        return {name: thread.report for name, thread in self._threads.items()}

    def heard(self, topic: str) -> None:
        """A notification: wake the loops that care. After a reconnect anything may have happened."""
        noun = topic.partition(":")[0]
        if noun in (EVERYTHING, leadership.TOPIC):
            self._leadership.poke()
        for thread in self._threads.values():
            if noun == EVERYTHING or (noun in thread.loop.topics and thread.loop.heeds(noun)):
                thread.wake()

    def _wake_at(self, name: str, moments: frozenset[datetime]) -> None:
        self._timers.at(name, moments, self._threads[name].wake)
