"""What people do with assets in the browser."""

from __future__ import annotations

import httpx
from playwright.sync_api import expect

from tests.browser.conftest import Site, Watched


def status(site: Site, key: str) -> str:
    found: str = httpx.get(f"{site.url}/api/v1/assets/{key}", trust_env=False, timeout=30).json()["summary"]["status"]
    return found


def test_report_and_wipe(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/assets/partner/order_exports?tab=history")
    page.get_by_role("button", name="Report").click()
    dialog = page.locator("#report")
    dialog.get_by_label("Metadata").fill('{"rows": 31}')
    dialog.get_by_label("Description").fill("by hand")
    dialog.get_by_role("button", name="Report", exact=True).click()
    expect(page.get_by_text("reported").first).to_be_visible()
    page.get_by_role("button", name="Wipe").click()
    button = page.locator("#wipe footer .danger")
    expect(button).to_be_disabled()
    page.get_by_label("to confirm").fill("partner/order_exports")
    button.click()
    expect(page.get_by_text("No events yet")).to_be_visible()
    assert status(site, "partner/order_exports") == "EXTERNAL"


def test_a_report_that_is_wrong_says_so(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/assets/raw/orders")
    page.get_by_role("button", name="Report").click()
    dialog = page.locator("#report")
    dialog.get_by_label("Metadata").fill("{rows: 31}")
    dialog.get_by_role("button", name="Report", exact=True).click()
    expect(dialog.get_by_text("Metadata is not JSON")).to_be_visible()


def test_the_heat_map_leads_to_a_partition(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/assets/raw/orders?tab=partitions")
    page.locator(".heat a").last.click()
    expect(page.get_by_role("heading", name="History of")).to_be_visible()
    expect(page.locator('.heat [aria-current="true"]')).to_have_count(1)


def test_several_are_chosen_and_materialized(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/assets")
    expect(page.locator("#picked")).to_be_hidden()
    for key in ("marts/basket_size", "raw/orders"):
        page.get_by_label(f"Choose {key}").check()
    expect(page.get_by_text("2 assets chosen")).to_be_visible()
    page.locator("#picked").get_by_role("button", name="Materialize").click()
    dialog = page.locator("#pick")
    expect(dialog.get_by_role("heading")).to_have_text("Materialize 2 assets")
    dialog.get_by_label("Config").fill("{")
    dialog.get_by_role("button", name="Launch").click()
    expect(dialog.get_by_text("Config is not JSON")).to_be_visible()
    dialog.get_by_label("Config").fill("")
    dialog.get_by_label("Partitions", exact=True).select_option("all")
    dialog.get_by_role("button", name="Launch").click()
    page.wait_for_url("**/backfills/*")
    expect(page.locator("#pulse")).to_have_text("Live")


def test_a_mistyped_selection(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/assets")
    page.get_by_label("Selection").fill("raw/orders+ and")
    page.get_by_label("Selection").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("at character 16")
    page.get_by_label("Selection").fill("raw/orders")
    page.get_by_label("Selection").press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
