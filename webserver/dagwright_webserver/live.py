"""Live updates: one LISTEN connection for the process, fanned out to any number of browsers.

A notification is a hint that something changed; what changed is read from the tables, by number for the events of a
run, so nothing is lost or told twice however notifications are merged, delayed or dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from dagwright_shared.model.errors import UnavailableError

log = logging.getLogger("dagwright.webserver")

TOPICS = ("runs", "backfills", "assets", "freshness", "locations", "instigators", "ticks", "queue", "recovery")
_DEBOUNCE_SECONDS = 0.03
_MAX_SUBSCRIBERS = 2_000
_MAX_DETAILS = 100


class Source(Protocol):
    """The store's listener, as far as it is used here."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(slots=True, eq=False)
class Subscription:
    """What one browser waits for, and what has changed since it last looked."""

    topics: frozenset[str]
    """Whole topics such as `runs`, or single ones such as `runs:<id>`."""
    changed: dict[str, set[str]] = field(default_factory=dict)
    """Topic to the details that changed; an empty set means anything. Bounded, since it merges."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    def offer(self, topic: str, detail: str) -> None:
        """Note a change if it concerns this subscription."""
        if topic == "*":
            for each in self.topics:
                self.changed[each.partition(":")[0]] = set()
        elif topic in self.topics or f"{topic}:{detail}" in self.topics:
            known = self.changed.get(topic)
            if known is None:
                self.changed[topic] = {detail} if detail else set()
            elif known and detail and len(known) < _MAX_DETAILS:
                known.add(detail)
            else:
                known.clear()
        else:
            return
        self.wake.set()

    async def wait(self, seconds: float) -> dict[str, set[str]]:
        """What changed, as soon as something did; nothing after so many seconds."""
        try:
            await asyncio.wait_for(self.wake.wait(), seconds)
        except TimeoutError:
            return {}
        self.wake.clear()
        changed, self.changed = self.changed, {}
        return changed


class Live:
    """Takes notifications from the listener's thread and wakes subscriptions in the event loop."""

    def __init__(self, connect: Callable[[Callable[[str], None]], Source]) -> None:
        """
        Args:
            connect: makes the listener, given what to call with each topic.
        """
        self._source = connect(self._heard)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._subscriptions: set[Subscription] = set()
        self._pending: set[tuple[str, str]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to listen. Call in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._source.start()

    def stop(self) -> None:
        """Stop listening and end all streams. Call in the event loop."""
        self.close_streams()
        self._loop = None
        self._source.stop()

    def close_streams(self) -> None:
        """End all streams, so that a server that shuts down need not wait for browsers."""
        for subscription in self._subscriptions:
            subscription.closed = True
            subscription.wake.set()

    @property
    def subscribers(self) -> int:
        return len(self._subscriptions)

    @contextmanager
    def subscribe(self, topics: frozenset[str]) -> Iterator[Subscription]:
        """Hear of changes for as long as the block lasts.

        Raises:
            UnavailableError: too many others do.
        """
        if len(self._subscriptions) >= _MAX_SUBSCRIBERS:
            raise UnavailableError(f"{_MAX_SUBSCRIBERS} live streams are open on this webserver, which is its limit; close some tabs")
        subscription = Subscription(topics)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def _heard(self, payload: str) -> None:
        """In the listener's thread."""
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._note, payload)
            except RuntimeError:
                pass  # the loop has just been closed

    def _note(self, payload: str) -> None:
        """The first of a burst goes out at once; the rest of it 30 ms later, merged."""
        topic, _, detail = payload.partition(":")
        self._pending.add((topic, detail))
        if self._timer is None:
            self._flush()
            self._timer = asyncio.get_running_loop().call_later(_DEBOUNCE_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._pending:
            self._flush()
            self._timer = asyncio.get_running_loop().call_later(_DEBOUNCE_SECONDS, self._tick)

    def _flush(self) -> None:
        pending, self._pending = self._pending, set()
        for subscription in self._subscriptions:
            for topic, detail in pending:
                subscription.offer(topic, detail)
