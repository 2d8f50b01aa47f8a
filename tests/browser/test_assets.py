"""What people do with assets in the browser."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Site, Watched


def status(site: Site, key: str) -> str:
    found: str = httpx.get(f"{site.url}/api/v1/assets/{key}", trust_env=False, timeout=60).json()["summary"]["status"]
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
    expect(page.get_by_text("Wiped 1 partition")).to_be_visible()
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


def drawn(page: Page) -> Locator:
    """The lineage, once the first picture is on its canvas."""
    graph = page.locator(".graph.map")
    expect(graph).to_have_attribute("data-state", "drawn")
    return graph


def test_the_lineage_is_walked_by_keyboard(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/lineage")
    graph = drawn(page)
    page.get_by_label("Find in the graph").fill("board_deck")
    panel = graph.locator(".panel")
    expect(panel.get_by_role("heading")).to_have_text("reports/board_deck")
    graph.locator("canvas").focus()
    page.keyboard.press("ArrowLeft")
    expect(panel.get_by_role("heading")).not_to_have_text("reports/board_deck")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.get_by_text("1 asset chosen")).to_be_visible()
    panel.get_by_role("button", name="and upstream").click()
    expect(page.locator("#picked-count")).not_to_have_text("1 asset chosen")
    graph.locator("canvas").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/assets/**")


def test_the_lineage_by_pointer(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/lineage?by=group")
    graph = drawn(page)
    page.get_by_label("Find in the graph").fill("board_deck")
    canvas = graph.locator("canvas")
    size = canvas.bounding_box()
    assert size is not None
    middle = {"x": size["width"] / 2, "y": size["height"] / 2}  # where the search has brought it
    expect(graph.locator(".panel")).to_be_visible()
    graph.get_by_role("button", name="Close").click()
    canvas.hover(position=middle)
    expect(graph.locator(".tip")).to_contain_text("reports/board_deck")
    canvas.click(position=middle)
    expect(graph.locator(".panel").get_by_role("heading")).to_have_text("reports/board_deck")
    page.get_by_label("Find in the graph").fill("")
    graph.get_by_role("button", name="Fold all", exact=True).click()
    page.wait_for_url("**folded=*")
    page.reload()
    drawn(page)
    page.get_by_label("Find in the graph").fill("board_deck")
    expect(graph.get_by_role("button", name="Unfold", exact=True)).to_be_visible()
    with page.expect_download() as picture:
        graph.get_by_role("button", name="Download as a picture").click()
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("path", ["/assets", "/lineage"])
def test_what_is_stale_is_materialized(site: Site, watched: Watched, path: str) -> None:
    page = watched.open(f"{site.url}{path}")
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.locator("#pick")
    expect(dialog.get_by_role("heading")).to_contain_text("assets")
    everything = dialog.get_by_role("heading").text_content()
    dialog.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="Materialize stale").click()
    expect(dialog.get_by_role("heading")).not_to_have_text(everything or "")
    keys = {one["key"] for one in httpx.get(f"{site.url}/api/v1/staleness", trust_env=False, timeout=60).json()["items"]}
    shown = set(dialog.locator("#pick-list .tag").all_text_contents())
    assert shown
    assert shown <= keys


def test_a_check_is_run_by_itself(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/assets/marts/basket_size?tab=checks")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/runs/*")
    expect(page.locator("main")).to_contain_text("checks")


def test_a_column_shows_what_it_is_made_of(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/assets/marts/revenue_by_country?tab=columns")
    graph = page.locator(".graph.columns")
    expect(graph.locator(".node")).to_have_count(4)
    graph.locator(".column", has_text="revenue").hover()
    lit = graph.locator(".column.on")
    expect(lit).to_have_text(["revenue", "amount", "tax", "amount"], use_inner_text=False)
    expect(graph.locator(".edge.on")).to_have_count(3)
    page.get_by_role("link", name="1 step", exact=True).click()
    expect(graph.locator(".node")).to_have_count(2)
