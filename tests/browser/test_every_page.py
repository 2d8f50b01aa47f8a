"""What holds for every page: it renders in each look, its console is clean, nothing overflows, nothing serious stands in anybody's
way, it is the view of some JSON, and it needs no script to be read. The table of pages is held against the routes of the app."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect
from starlette.routing import Match

from dagwright_webserver import access, errors
from dagwright_webserver.routes import pages as page_routes
from tests.browser.axe import serious
from tests.browser.conftest import Site, Watched
from tests.browser.pages import NO_PAGES, PAGES, Visit
from tests.e2e.stack import until

LOOKS = {"light": (1400, 900), "dark": (1400, 900), "phone": (390, 844)}


def test_no_page_is_forgotten() -> None:
    app = FastAPI()
    errors.install(app)
    page_routes.install(app)
    routes = [route for route in access.all_routes(app.routes) if isinstance(route, APIRoute) and "GET" in route.methods]
    assert len(routes) > 20
    seen = set(NO_PAGES)
    for visit in PAGES.values():
        scope = {"type": "http", "method": "GET", "path": re.sub(r"{\w+}", "x", visit.path).partition("?")[0], "headers": []}
        seen |= {next(route.path for route in routes if route.matches(scope)[0] is Match.FULL)}
    assert {route.path for route in routes} == seen, "each route needs a line in tests/browser/pages.py"


@pytest.fixture
def opened(request: pytest.FixtureRequest, site: Site, browser: Browser) -> Iterator[tuple[Visit, str, BrowserContext]]:
    """A page of the table, its address, and a browser that may see it."""
    visit = PAGES[request.param]
    base, state = site.url, None
    if visit.log_in:
        base = request.getfixturevalue("guarded")
        state = request.getfixturevalue("logged_in") if visit.as_json else None
    backfill = request.getfixturevalue("backfill") if "backfill" in visit.path else ""
    context = browser.new_context(storage_state=state, viewport={"width": 1400, "height": 900})
    context.set_default_timeout(60_000)
    yield visit, base + visit.path.format(**{**site.ids, "backfill": backfill}), context
    context.close()


@pytest.mark.parametrize("opened", PAGES, indirect=True)
def test_page(opened: tuple[Visit, str, BrowserContext], request: pytest.FixtureRequest, pictures: Path | None) -> None:
    visit, url, context = opened
    page = context.new_page()
    watched = Watched(page)
    watched.listen()
    watched.open(url)
    expect(page.locator("main")).to_contain_text(visit.words, use_inner_text=False)
    drawn(page)
    for look, (width, height) in LOOKS.items():
        # One load for all looks: what differs between them is the style sheet's doing.
        page.emulate_media(color_scheme="dark" if look == "dark" else "light")
        page.set_viewport_size({"width": width, "height": height})
        # Charts follow their box in the next frame.
        until(lambda: page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), 60, f"{look} to fit")
        if look != "phone":
            assert serious(page) == [], look
        if pictures:
            page.screenshot(path=str(pictures / f"{request.node.callspec.id}-{look}.png"), full_page=not visit.needs_script)
    if visit.as_json:
        told = page.locator("link[rel=alternate][type='application/json']").get_attribute("href")
        answer = context.request.get(page.evaluate("href => new URL(href, location).href", told))
        assert answer.ok, told
        assert "json" in answer.headers["content-type"]
        expect(page.locator(f"header.top a[href='{told}']")).to_have_text("JSON")
        assert page.locator("button", has_text="Copy as curl").count()
    assert not watched.complaints


def drawn(page: Page) -> None:
    """Wait for graphs and plots."""
    if page.locator("[data-graph]:visible").count():
        expect(page.locator("[data-graph] .node").first).to_be_visible()
    if page.locator("[data-map]").count():
        expect(page.locator("[data-map]")).to_have_attribute("data-state", "drawn")
    if page.locator("[data-plot]").count():
        expect(page.locator("canvas").first).to_be_visible()


def test_reads_without_script(site: Site, backfill: str, guarded: str, logged_in: StorageState, browser: Browser) -> None:
    cookies = {"Cookie": "; ".join(f"{each['name']}={each['value']}" for each in logged_in["cookies"])}
    with httpx.Client(trust_env=False, timeout=60, headers={"Accept": "text/html"}) as client:
        for visit in (each for each in PAGES.values() if not each.needs_script):
            url = (guarded if visit.log_in else site.url) + visit.path.format(**{**site.ids, "backfill": backfill})
            answer = client.get(url, headers=cookies if visit.log_in and visit.as_json else None)
            body = re.sub(r"<script.*?</script>", "", answer.text, flags=re.S)
            assert visit.words in html.unescape(re.sub(r"<[^>]+>", "", body)), url
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{site.url}/runs?status=FAILURE")
        rows = page.locator("tr[id^=run-]")
        assert rows.count() == rows.locator(".end .t-failure .i").count() > 0
    finally:
        context.close()
