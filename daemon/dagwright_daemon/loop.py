"""The shape of every loop of the daemon, and the thread that runs one.

A loop's `tick` does one bounded batch of work and can be called directly in a test. The thread alone knows of wakes,
leases, errors and reports.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dagwright_daemon.outage import Outage

log = logging.getLogger("dagwright_daemon")

_FIRST_DELAY, _LAST_DELAY, _LAST_DATABASE_DELAY = 0.5, 30.0, 2.0
_REPEAT_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a tick gets: the time, and whether this daemon still leads the loop."""

    now: datetime
    owned: Callable[[], bool] = lambda: True
    wake: Callable[[], None] = lambda: None
    """Has the loop tick once more, from any thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a tick did."""

    done: int = 0
    """How many things it changed; 0 keeps the log quiet."""
    more: bool = False
    """The batch was full: run again at once."""
    wake_at: frozenset[datetime] | None = None
    """The times at which the loop wants to be woken, in place of those it named before; None keeps them."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """For the log line."""


IDLE = Outcome()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A piece of work that one daemon does at a time, whenever something happened and every `interval` seconds."""

    name: str
    interval: float
    topics: frozenset[str]
    """NOTIFY topics that wake it."""
    tick: Callable[[Turn], Outcome]
    heeds: Callable[[str], bool] = lambda _topic: True
    """Whether one of its topics concerns it as things stand: events need not wake a loop that has nothing to evaluate. Asked in
    another thread, so it must be quick; what it says no to, the tick that changes its mind finds in the tables."""
    rest: float = 0.0
    """Seconds between two ticks, where its own effects would wake it again and again."""
    release: Callable[[], None] = lambda: None
    """Called when another daemon may have taken over, and at the end: let go of threads and streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a loop fares, for the heartbeat row."""

    leading: bool = False
    ticked_at: datetime | None = None
    seconds: float | None = None
    done: int = 0
    worked_at: datetime | None = None
    """The last tick that had something to do."""
    error: str | None = None
    failures: int = 0
    """In a row."""


class LoopThread:
    """Runs one loop. A wake that comes during a tick is not lost: the tick runs again."""

    def __init__(
        self,
        loop: Loop,
        *,
        owned: Callable[[str], bool],
        outage: Outage,
        wake_at: Callable[[str, frozenset[datetime]], None],
    ) -> None:
        self.loop = loop
        self.report = Report()
        self._owned, self._outage, self._wake_at = owned, outage, wake_at
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._complained: tuple[str, float] = ("", 0.0)
        self._thread = threading.Thread(target=self._run, name=f"loop-{loop.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Have it tick now, or once more if it is ticking."""
        self._wake.set()

    def ask_to_stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def join(self, timeout: float) -> bool:
        """Wait for the tick in hand; whether it ended."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    def _run(self) -> None:
        leading = False
        while True:
            self._wake.wait()
            if self._stopping.is_set():
                break
            self._wake.clear()
            if self._owned(self.loop.name):
                leading = True
                self._turn()
                if self.loop.rest:
                    self._stopping.wait(self.loop.rest)
            elif leading:
                leading = False
                log.debug("loop handed over", extra={"action": "release", "loop": self.loop.name})
                self._let_go()
        self._let_go()

    def _let_go(self) -> None:
        self.report = Report(ticked_at=self.report.ticked_at, worked_at=self.report.worked_at)
        try:
            self.loop.release()
        except Exception:
            log.exception("loop could not let go", extra={"action": "release", "loop": self.loop.name})

    def _turn(self) -> None:
        now, began = datetime.now(UTC), time.monotonic()
        try:
            outcome = self.loop.tick(Turn(now=now, owned=lambda: self._owned(self.loop.name), wake=self.wake))
        except Exception as error:  # noqa: BLE001 - a loop outlives whatever its work meets
            delay = self._failed(error, now)
            self._stopping.wait(delay)
            self._wake.set()
            return
        seconds = time.monotonic() - began
        if self.report.failures:
            log.info("loop works again", extra={"action": "tick", "loop": self.loop.name})
        worked = now if outcome.done else self.report.worked_at
        self.report = Report(leading=True, ticked_at=now, seconds=seconds, done=outcome.done, worked_at=worked)
        if outcome.wake_at is not None:
            self._wake_at(self.loop.name, outcome.wake_at)
        if outcome.more:
            self._wake.set()
        if outcome.done:
            facts = {key: value for key, value in outcome.facts.items() if value}
            level = logging.INFO if facts else logging.DEBUG
            log.log(level, self.loop.name, extra={"action": "tick", "seconds": round(seconds, 4), **facts})

    def _failed(self, error: Exception, now: datetime) -> float:
        """Record and log; returns how long to wait."""
        failures = self.report.failures + 1
        said = f"{type(error).__name__}: {error}".strip().splitlines()[0][:500]
        self.report = Report(leading=True, ticked_at=now, worked_at=self.report.worked_at, error=said, failures=failures)
        delay = _FIRST_DELAY * 2.0 ** min(failures - 1, 10)
        if self._outage.is_one(error):
            self._outage.failed(error)
            return min(delay, _LAST_DATABASE_DELAY)
        delay = min(delay, _LAST_DELAY)
        before, when = self._complained
        if said != before or time.monotonic() - when >= _REPEAT_SECONDS:
            self._complained = (said, time.monotonic())
            facts = {"action": "tick", "loop": self.loop.name, "failures": failures, "retry_in": delay}
            log.error("loop failed", exc_info=error, extra=facts)
        return delay
