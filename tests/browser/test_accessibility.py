"""Nothing serious stands between a dialog and those who use it by keyboard, screen reader or with little contrast.

Of pages as they are opened, `test_every_page` says so.
"""

from __future__ import annotations

import pytest

from tests.browser.axe import serious
from tests.browser.conftest import Site, Watched


@pytest.mark.parametrize("opener", ["Report", "Wipe", "Materialize", "Backfill"])
def test_nothing_serious_in_the_dialogs_of_an_asset(site: Site, watched: Watched, opener: str) -> None:
    page = watched.open(f"{site.url}/assets/raw/orders")
    page.get_by_role("button", name=opener, exact=True).click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert serious(page) == [], scheme


def test_nothing_serious_in_what_is_looked_at_in_the_lineage(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/lineage?by=group")
    page.get_by_label("Find in the graph").fill("board_deck")
    page.locator(".graph .panel").wait_for()
    assert serious(page) == []
