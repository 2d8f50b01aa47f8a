from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from dagwright_webserver import looks, zones

SUMMER = datetime(2026, 7, 1, 22, 30, 5, 120_000, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _utc_again() -> Iterator[None]:
    yield
    zones.use(None, None)


@pytest.mark.parametrize(
    ("account", "browser", "told"),
    [
        (None, None, "2026-07-01 22:30:05.120 UTC"),
        (None, "Europe/Berlin", "2026-07-02 00:30:05.120 CEST"),
        ("UTC", "Europe/Berlin", "2026-07-01 22:30:05.120 UTC"),
        ("America/New_York", "Europe/Berlin", "2026-07-01 18:30:05.120 EDT"),
        (None, "Europe/Berln", "2026-07-01 22:30:05.120 UTC"),
        (None, "../../etc/passwd", "2026-07-01 22:30:05.120 UTC"),
        (None, "/etc/localtime", "2026-07-01 22:30:05.120 UTC"),
        (None, "x" * 5000, "2026-07-01 22:30:05.120 UTC"),
        (None, "Europe", "2026-07-01 22:30:05.120 UTC"),
        (None, "\x00", "2026-07-01 22:30:05.120 UTC"),
    ],
)
def test_zone(account: str | None, browser: str | None, told: str) -> None:
    zones.use(account, browser)
    assert looks.exact(SUMMER) == told
    assert looks.clock(SUMMER) in told
