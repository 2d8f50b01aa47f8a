"""How values look to people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dagwright_webserver import looks


@pytest.mark.parametrize(("seconds", "text"), [(0.0038, "3.8 ms"), (0.0456, "46 ms"), (1.2041, "1,204 ms")])
def test_milliseconds(seconds: float, text: str) -> None:
    assert looks.milliseconds(seconds) == text


@pytest.mark.parametrize(("hours", "text"), [(0.25, "15 min"), (1, "1 h"), (6.0, "6 h"), (72, "72 h")])
def test_hours(hours: float, text: str) -> None:
    assert looks.hours(hours) == text


def test_moments_that_were_stored_as_text() -> None:
    told = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert looks.moment(told.isoformat()) == told
    assert looks.moment("2026-01-02T03:04:05") == told
    assert looks.moment(None) is None
    assert looks.moment("yesterday") is None


@pytest.mark.parametrize(
    ("path", "text"),
    [("/srv/project/nyc/yearly.py:38", "…/nyc/yearly.py:38"), ("nyc/yearly.py:38", "nyc/yearly.py:38"), ("a.py:1", "a.py:1")],
)
def test_the_end_of_a_path_tells_files_apart(path: str, text: str) -> None:
    assert looks.tail(path) == text
