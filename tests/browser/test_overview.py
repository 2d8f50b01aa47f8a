"""The first page: the timeline and its lanes, what needs attention, how all fares."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.axe import serious
from tests.browser.conftest import Site, Watched


def test_the_timeline_is_moved_and_grouped(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/?hours=12")
    lanes = page.locator(".timeline .name")
    expect(lanes.filter(has_text="refresh_exchange_rates")).to_be_visible()
    # What the hourly schedule will ask for stands after now.
    now = float((page.locator(".timeline line.now").first.get_attribute("x1") or "0").rstrip("%"))
    coming = page.locator(".timeline circle.coming")
    expect(coming.first).to_be_attached()
    assert all(float((each.get_attribute("cx") or "0").rstrip("%")) > now for each in coming.all())
    page.get_by_role("link", name="Earlier").click()
    expect(page).to_have_url(re.compile("until="))
    expect(page.locator(".timeline circle.coming")).to_have_count(0)
    page.get_by_role("link", name="Later").click()
    page.get_by_label("Move the timeline").get_by_role("link", name="Now").click()
    expect(page.locator(".timeline circle.coming").first).to_be_attached()
    page.get_by_role("link", name="Asset groups").click()
    expect(page).to_have_url(re.compile("by=group"))
    expect(lanes.filter(has_text="marts")).to_be_visible()
    expect(lanes.filter(has_text="refresh_exchange_rates")).to_have_count(0)
    as_json = page.locator("link[rel=alternate]").get_attribute("href")
    found = page.request.get(f"{site.url}{as_json}").json()
    assert {row["group"] for row in found["timeline"]["rows"]} >= {"raw", "marts", "staging"}


def test_what_failed_is_run_again_from_there(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/?hours=12")
    first = page.locator("section", has=page.get_by_role("heading", name="Needs attention")).locator("li").first
    expect(first).to_contain_text("psycopg2.errors.UndefinedColumn")
    first.get_by_role("button", name="Re-execute").click()
    page.wait_for_url("**/runs/*")
    made = page.request.get(page.url.replace("/runs/", "/api/v1/runs/")).json()
    assert made["parent_run_id"] is not None
    page.request.post(page.url.replace("/runs/", "/api/v1/runs/") + "/cancel")


def test_health_of_assets_and_of_the_deployment(site: Site, watched: Watched) -> None:
    page = watched.open(site.url)
    expect(page.locator("#overview_stale")).to_contain_text(re.compile("stale asset|Nothing is stale"))
    parts = page.locator("ul.parts")
    for name in ("Daemons", "Code locations", "Queue", "Pools", "Database"):
        expect(parts.locator("li", has_text=name)).to_be_visible()
    expect(parts).to_contain_text("forecasting")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert serious(page) == [], scheme
