"""How many requests an address takes."""

from __future__ import annotations

from dagwright_webserver.rate_limits import RateLimits


def test_a_bucket_is_emptied_and_fills_up() -> None:
    now = [0.0]
    limits = RateLimits(clock=lambda: now[0])
    assert [limits.wait("a", 2) for _ in range(2)] == [0, 0]
    assert limits.wait("a", 2) == 30
    assert limits.wait("b", 2) == 0
    now[0] = 15
    assert limits.wait("a", 2) == 15
    now[0] = 30
    assert limits.wait("a", 2) == 0
    now[0] = 3600
    assert [limits.wait("a", 2) for _ in range(3)] == [0, 0, 30]
