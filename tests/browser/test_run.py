"""The page of a run: the chart of its steps."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.axe import serious
from tests.browser.conftest import Site, Watched


def test_the_chart_of_steps(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/runs/{site.ids['failure']}")
    page.evaluate("window.stillHere = true")
    chart = page.locator("#run_gantt")
    names = chart.locator(".name a")
    expect(names).to_have_count(5)
    chart.get_by_role("link", name="By level").click()
    expect(page).to_have_url(re.compile("mode=levels"))
    expect(chart.locator(".lane.axis text")).to_have_text(["1", "2", "3"])
    chart.get_by_role("link", name="Over time").click()
    chart.get_by_role("link", name="Zoom in", exact=True).click()
    expect(page).to_have_url(re.compile("zoom="))
    chart.get_by_role("link", name="Later").click()
    expect(chart.locator(".lane.axis text").first).not_to_have_text("0")
    chart.get_by_role("link", name="All").click()
    expect(chart.locator(".lane.axis text").first).to_have_text("0")
    chart.get_by_label("Order of the steps").select_option("duration")
    expect(names.first).to_have_text("marts__revenue_by_country")
    box = chart.get_by_label("Selection of steps")
    box.fill("staging__orders_clean+")
    box.press("Enter")
    expect(names).to_have_count(3)
    expect(chart).to_contain_text("3 of 5 steps")
    # The filters of the log and the chart share the address.
    page.get_by_label("Least level").select_option("ERROR")
    expect(page).to_have_url(re.compile("steps=.*level=ERROR"))
    assert page.evaluate("window.stillHere")
    page.reload()
    expect(names).to_have_count(3)
    box.fill("stagin")
    box.press("Enter")
    expect(chart.get_by_role("alert")).to_contain_text("The run has no step 'stagin'")
    expect(names).to_have_count(5)
    box.fill("marts__basket_size")
    box.press("Enter")
    chart.get_by_role("button", name="Re-execute these").click()
    page.wait_for_url(lambda url: site.ids["failure"] not in url)
    again = page.request.get(page.url.split("?")[0].replace("/runs/", "/api/v1/runs/")).json()
    assert again["step_keys"] == ["marts__basket_size"]
    page.request.post(page.url.split("?")[0].replace("/runs/", "/api/v1/runs/") + "/cancel")


def test_nothing_serious(site: Site, watched: Watched) -> None:
    for name in ("failure", "long", "queued"):
        page = watched.open(f"{site.url}/runs/{site.ids[name]}")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert serious(page) == [], (name, scheme)
