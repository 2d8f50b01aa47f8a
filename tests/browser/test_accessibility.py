"""Nothing serious stands between a page and those who use it by keyboard, screen reader or with little contrast."""

from __future__ import annotations

import pytest

from tests.browser.axe import serious
from tests.browser.conftest import Site, Watched

PAGES = (
    "/jobs",
    "/jobs/daily_sales",
    "/jobs/refresh_exchange_rates?launch=1",
    "/automation",
    "/deployment",
    "/assets",
    "/assets?selection=raw/nothing",
    "/lineage",
    "/lineage?by=group",
    "/assets/marts/revenue_by_country",
    "/assets/marts/revenue_by_country?tab=columns",
    "/assets/raw/orders?tab=partitions",
    "/assets/raw/orders?tab=plots",
    "/assets/raw/orders?tab=checks",
    "/assets/raw/orders?tab=history",
    "/automation/schedules/daily_sales_schedule",
    "/automation/sensors/new_partner_files",
    "/automation/simulation",
    "/search?q=daily",
    "/deployment/resources",
    "/deployment/settings",
)


@pytest.mark.parametrize("path", PAGES)
def test_nothing_serious(site: Site, watched: Watched, path: str) -> None:
    page = watched.open(site.url + path)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert serious(page) == [], scheme


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
