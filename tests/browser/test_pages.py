"""Every page in a real browser: it renders, its console is clean, nothing overflows, and it needs no script to be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site, Watched

PAGES = {
    "overview": ("/", "Timeline"),
    "runs": ("/runs", "daily_sales"),
    "run-failure": ("/runs/{failure}", "psycopg2.errors.UndefinedColumn"),
    "run-retried": ("/runs/{retried}", "rates.example.com did not answer"),
    "run-running": ("/runs/{running}", "Running"),
    "run-queued": ("/runs/{queued}", "Queued"),
    "run-long": ("/runs/{long}", "3,782"),
    "assets": ("/assets", "marts/basket_size"),
    "lineage": ("/lineage", "As a list"),
    "asset": ("/assets/marts/revenue_by_country", "top countries"),
    "asset-partitions": ("/assets/raw/orders?tab=partitions", "Ranges"),
    "asset-plots": ("/assets/raw/orders?tab=plots", "latest"),
    "asset-checks": ("/assets/raw/orders?tab=checks", "has_rows"),
    "asset-history": ("/assets/raw/orders?tab=history", "Materialized"),
    "jobs": ("/jobs", "refresh_exchange_rates"),
    "job": ("/jobs/daily_sales", "Recent runs"),
    "job-launch": ("/jobs/refresh_exchange_rates?launch=1", "Currency that all rates are quoted in."),
    "automation": ("/automation", "At 06:00 every day"),
    "deployment": ("/deployment", "cannot import name 'LinearModel'"),
}


@pytest.mark.parametrize("look", ["light", "dark", "phone"], indirect=True)
@pytest.mark.parametrize("name", PAGES)
def test_page(site: Site, watched: Watched, look: str, name: str, pictures: Path | None) -> None:
    path, words = PAGES[name]
    page = watched.open(site.url + path.format(**site.ids))
    expect(page.locator("main")).to_contain_text(words, use_inner_text=False)
    if page.locator("[data-graph]:visible").count():
        expect(page.locator("[data-graph] .node").first).to_be_visible()
    if name == "asset-plots":
        expect(page.locator("canvas").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    if pictures:
        page.screenshot(path=str(pictures / f"{name}-{look}.png"), full_page=name != "job-launch")


def test_links_lead_somewhere(site: Site, watched: Watched) -> None:
    """Every link of the main pages answers, JSON alternates included."""
    seen: set[str] = set()
    for path in ("/", "/runs", "/assets", "/jobs", "/automation", "/deployment", "/assets/raw/orders", f"/runs/{site.ids['failure']}"):
        page = watched.open(site.url + path)
        links = page.eval_on_selector_all(
            "a[href], link[rel=alternate]", "all => all.map(each => new URL(each.getAttribute('href'), location).href.split('#')[0])"
        )
        seen |= {link for link in links if link.startswith(site.url)}
    bad = {link: answer.status for link in sorted(seen) if (answer := watched.page.request.get(link)).status >= 400}
    assert not bad


def test_reads_without_script(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        for path, words in PAGES.values():
            if "launch" in path:
                continue
            page.goto(site.url + path.format(**site.ids))
            assert words in (page.locator("main").text_content() or "")
        page.goto(f"{site.url}/runs?status=FAILURE")
        rows = page.locator("tbody tr")
        assert rows.count() == page.locator("tbody tr .t-failure .i").count() > 0
    finally:
        context.close()


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nothing/here", 404, "Not found"),
        ("/assets/raw/ordres", 404, "raw/orders"),
        ("/jobs/daly_sales", 404, "daily_sales"),
        ("/runs?cursor=bad", 422, "cursor"),
    ],
)
def test_error_pages_say_what_to_do(site: Site, context_page: Page, path: str, status: int, words: str) -> None:
    answer = context_page.goto(site.url + path)
    assert answer is not None
    assert answer.status == status
    expect(context_page.locator("main")).to_contain_text(words)
    expect(context_page.get_by_role("navigation", name="Sections")).to_be_visible()


def test_policy_is_strict(site: Site, context_page: Page) -> None:
    answer = context_page.request.get(site.url)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


@pytest.fixture
def context_page(browser: Browser) -> Page:
    """A page whose console may complain: browsers report an answer of 404 there."""
    return browser.new_page()


def test_theme_is_remembered(site: Site, watched: Watched) -> None:
    page = watched.open(site.url)
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("look", ["phone"], indirect=True)
def test_menu_opens_on_a_phone(site: Site, watched: Watched) -> None:
    page = watched.open(site.url)
    expect(page.locator("#side")).not_to_be_visible()
    page.get_by_role("button", name="Sections").click()
    page.locator("#side").get_by_role("link", name="Deployment").click()
    expect(page).to_have_url(f"{site.url}/deployment")


def test_keyboard_reaches_content(site: Site, watched: Watched) -> None:
    page = watched.open(site.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
