"""Nothing serious stands between a page and those who use it by keyboard, screen reader or with little contrast."""

from __future__ import annotations

import pytest

from tests.browser.axe import serious
from tests.browser.conftest import Site, Watched

PAGES = ("/jobs", "/jobs/daily_sales", "/jobs/refresh_exchange_rates?launch=1", "/automation", "/deployment")


@pytest.mark.parametrize("path", PAGES)
def test_nothing_serious(site: Site, watched: Watched, path: str) -> None:
    page = watched.open(site.url + path)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert serious(page) == [], scheme
