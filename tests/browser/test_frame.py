"""The frame around every page: command palette, shortcuts, themes, and the time zone in which moments are told."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, StorageState, expect

from tests.browser.axe import serious
from tests.browser.conftest import Site, Watched


def test_palette_by_keyboard(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/jobs")
    page.keyboard.press("Control+k")
    words = page.get_by_role("combobox", name="Search everything")
    expect(words).to_be_focused()
    page.keyboard.type("rvbyc")
    hits = page.get_by_role("listbox", name="What fits").get_by_role("option")
    expect(hits.first).to_contain_text("marts/revenue_by_country")
    assert serious(page) == []
    words.fill("ra")
    expect(hits.filter(has_text="raw/orders").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#hit-1")).to_have_attribute("aria-selected", "true")
    words.fill(site.ids["failure"][-8:])
    expect(hits.first).to_contain_text("Failed run of daily_sales")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.url}/runs/{site.ids['failure']}")
    page.get_by_role("link", name="Search everything").click()
    words.fill("qqqq")
    expect(hits).to_have_text(["Nothing fits"])
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()


def test_shortcuts(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/jobs")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Next and previous row")
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="rebuild_segments")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.url}/jobs/daily_sales")
    page.keyboard.press("g")
    page.keyboard.press("u")
    expect(page).to_have_url(f"{site.url}/automation")
    page.goto(f"{site.url}/jobs")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Name or description")).to_be_focused()
    page.keyboard.type("g?")  # what is typed into a field is no shortcut
    expect(page.get_by_role("searchbox", name="Name or description")).to_have_value("g?")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_for_colour_blind_eyes(site: Site, watched: Watched, scheme: str) -> None:
    page = watched.open(f"{site.url}/runs")
    before = page.evaluate("getComputedStyle(document.querySelector('.t-failure')).color")
    page.get_by_role("button", name="Appearance").click()
    page.get_by_label("Theme").select_option(scheme)
    page.get_by_label("Colours of statuses").select_option("safe")
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.reload()
    assert page.evaluate("[document.documentElement.dataset.theme, document.documentElement.dataset.palette]") == [scheme, "safe"]
    assert page.evaluate("getComputedStyle(document.querySelector('.t-failure')).color") != before
    for path in ("/", "/runs", f"/runs/{site.ids['failure']}", "/jobs", "/deployment"):
        page.goto(site.url + path)
        assert [each for each in serious(page) if "color-contrast" in each] == [], path


def test_moments_are_told_in_the_zone_of_the_browser(site: Site, browser: Browser) -> None:
    """Of the very first page too; and of all that the server writes."""
    context = browser.new_context(timezone_id="Asia/Tokyo")
    try:
        page = context.new_page()
        page.goto(f"{site.url}/runs/{site.ids['success']}")
        expect(page.locator("html")).to_have_attribute("data-zone", "Asia/Tokyo")
        created = page.locator("#run_head time").first
        assert (created.get_attribute("title") or "").endswith(" JST")
        hour, minute = page.evaluate(
            "moment => new Date(moment).toLocaleTimeString('en-GB', {timeZone: 'Asia/Tokyo'}).split(':')",
            created.get_attribute("datetime"),
        )[:2]
        assert f" {hour}:{minute}:" in (created.get_attribute("title") or "")
        expect(page.locator("#events-card")).to_contain_text("Time (Asia/Tokyo)")
        page.get_by_role("button", name="Appearance").click()
        page.get_by_label("Time zone").fill("Europe/Berln")
        page.get_by_label("Time zone").blur()
        assert not page.evaluate("document.querySelector('#appearance-zone').checkValidity()")
        page.get_by_label("Time zone").fill("UTC")
        page.get_by_label("Time zone").blur()
        expect(page.locator("html")).to_have_attribute("data-zone", "UTC")
        expect(page.locator("#run_head time").first).to_have_attribute("title", re.compile(r" UTC$"))
    finally:
        context.close()


def test_many_switches_at_once(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/automation")
    on = {name: page.get_by_role("switch", name=name).get_attribute("aria-checked") for name in ("weekly_report", "hourly_rates")}
    page.get_by_label("Choose weekly_report").check()
    page.get_by_label("Choose hourly_rates").check()
    expect(page.locator("#picked-count")).to_have_text("2 chosen")
    page.get_by_role("button", name="Turn off").click()
    expect(page.locator("#picked")).to_be_hidden()
    for name in on:
        expect(page.get_by_role("switch", name=name)).to_have_attribute("aria-checked", "false")
    names = [name for name, was in on.items() if was == "true"]
    for name in names:
        page.get_by_label(f"Choose {name}").check()
    page.get_by_role("button", name="Turn on").click()
    for name, was in on.items():
        expect(page.get_by_role("switch", name=name)).to_have_attribute("aria-checked", str(was))
    page.get_by_label("Show those with this name").fill("hourly")
    page.get_by_label("Show those with this name").press("Enter")
    expect(page).to_have_url(f"{site.url}/automation?text=hourly")
    expect(page.get_by_role("switch", name="weekly_report")).to_be_hidden()
    page.get_by_role("link", name="hourly_rates").first.click()
    expect(page).to_have_url(f"{site.url}/automation/schedules/hourly_rates")


def test_the_zone_of_an_account_wins(guarded: str, logged_in: StorageState, browser: Browser) -> None:
    context = browser.new_context(storage_state=logged_in, timezone_id="America/Lima")
    try:
        page = context.new_page()
        page.goto(f"{guarded}/account")
        expect(page.locator("html")).to_have_attribute("data-zone", "America/Lima")
        for chosen, shown in (("Asia/Tokyo", "Asia/Tokyo"), ("", "America/Lima")):
            page.get_by_label("Moments are told in").select_option(chosen)
            page.get_by_role("button", name="Save").click()
            expect(page.locator("html")).to_have_attribute("data-zone", shown)
        assert context.request.get(f"{guarded}/api/v1/me").json()["time_zone"] is None
    finally:
        context.close()
