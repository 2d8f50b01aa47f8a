"""How many requests an address takes: a bucket for each that fills up steadily."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable


class RateLimits:
    """Buckets by key. Each webserver has its own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def wait(self, key: Hashable, per_minute: int) -> float:
        """Take one from the bucket: 0, or for how many seconds there will be none."""
        now = self._clock()
        with self._lock:
            left, since = self._buckets.get(key, (float(per_minute), now))
            left = min(float(per_minute), left + (now - since) * per_minute / 60)
            if left < 1:
                self._buckets[key] = (left, now)
                return (1 - left) * 60 / per_minute
            self._buckets[key] = (left - 1, now)
            return 0.0
