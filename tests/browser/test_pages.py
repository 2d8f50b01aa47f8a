"""Pages in a real browser: their links, their errors, and what the frame around them does."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site, Watched
from tests.browser.pages import PAGES


def _shape(link: str) -> tuple[str, ...]:
    """What links to the same kind of thing share."""
    address = urlsplit(link)
    first, *rest = address.path.strip("/").split("/")
    kind = rest[1] if first == "api" and len(rest) > 1 else ""
    return (first, kind, str(len(rest) > 0), *sorted(name for name, _ in parse_qsl(address.query)))


def test_links_lead_somewhere(site: Site, watched: Watched) -> None:
    """Links of the main pages answer, JSON alternates included; of many of one kind, the first five."""
    seen: dict[str, None] = {}
    for path in (
        "/",
        "/runs",
        "/assets",
        "/jobs",
        "/automation",
        "/deployment",
        "/assets/raw/orders",
        f"/runs/{site.ids['failure']}",
        "/docs",
    ):
        page = watched.open(site.url + path)
        links = page.eval_on_selector_all(
            "a[href], link[rel=alternate]", "all => all.map(each => new URL(each.getAttribute('href'), location).href.split('#')[0])"
        )
        seen |= dict.fromkeys(link for link in links if link.startswith(site.url))
    of_shape: dict[tuple[str, ...], list[str]] = {}
    for link in seen:
        of_shape.setdefault(_shape(link), []).append(link)
    with httpx.Client(trust_env=False, timeout=60) as client:
        bad = {
            link: answer.status_code
            for links in of_shape.values()
            for link in links[:5]
            if (answer := client.get(link, headers={"Accept": "text/html"}, follow_redirects=True)).status_code >= 400
        }
    assert not bad


def test_the_window_fits_the_runs_and_a_choice_stays(site: Site, watched: Watched) -> None:
    page = watched.open(site.url)
    chosen = page.get_by_label("Length of the timeline").locator(".chip[aria-current]")
    expect(chosen).to_have_count(1)
    page.get_by_role("link", name="6 h", exact=True).click()
    expect(page).to_have_url(f"{site.url}/?hours=6")
    expect(chosen).to_have_text("6 h")


def test_reference_of_the_api(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/docs")
    document = page.request.get(f"{site.url}/openapi.json").json()
    operations = sum(len(methods) for methods in document["paths"].values())
    assert page.locator("article.operation").count() == operations
    launch = page.locator("article", has=page.locator("code", has_text=re.compile(r"^/api/v1/runs$"))).filter(has_text="Launch a run")
    expect(launch).to_contain_text("Idempotency-Key")
    assert (launch.get_by_role("button", name="Copy as curl").get_attribute("title") or "").startswith("POST /api/v1/runs {")
    launch.get_by_role("link", name="Launched").click()
    expect(page.locator("article:target")).to_contain_text("Launched")
    assert page.request.get(f"{site.url}/redoc").status == 404


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


def test_each_module_runs_once(site: Site, backfill: str, watched: Watched) -> None:
    """A module that a browser knows by two addresses runs twice, and so does every click."""
    page = watched.page
    for visit in (each for each in PAGES.values() if not each.log_in):
        path = visit.path.format(**{**site.ids, "backfill": backfill})
        watched.open(site.url + path)
        loaded = page.evaluate("performance.getEntriesByType('resource').map(each => each.name).filter(name => name.endsWith('.js'))")
        names = [re.sub(r"/v-[0-9a-f]+/", "/", each) for each in loaded]
        assert sorted(names) == sorted(set(names)), path
        assert all("/v-" in each for each in loaded), path
