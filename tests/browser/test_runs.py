"""The page of runs: filters in the address, saved views, and the same done with many runs."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import serious
from tests.browser.conftest import Site, Watched


def ask(site: Site, page: Page, count: int, team: str) -> list[str]:
    """So many runs that wait, with a tag of their own."""
    body = {"job": "rebuild_segments", "tags": {"team": team}}
    return [str(page.request.post(f"{site.url}/api/v1/runs", data=body).json()["run_id"]) for _ in range(count)]


def rows(page: Page) -> list[str]:
    return [str(found) for found in page.eval_on_selector_all("tr[id^=run-]", "all => all.map(each => each.id.slice(4))")]


def test_filters_live_in_the_address(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/runs?status=FAILURE")
    page.locator("#runs_table .chip", has_text="Canceled").click()
    expect(page).to_have_url(re.compile("status=FAILURE&status=CANCELED"))
    expect(page.locator("#runs_table .chip[aria-current]")).to_have_count(2)
    page.get_by_label("Job", exact=True).select_option("daily_sales")
    expect(page).to_have_url(re.compile("job=daily_sales"))
    expect(page.locator("link[rel=alternate]")).to_have_attribute("href", re.compile("job=daily_sales"))
    as_json = page.locator("link[rel=alternate]").get_attribute("href")
    found = page.request.get(f"{site.url}{as_json}").json()["items"]
    # Another test may have canceled one.
    assert {run["status"] for run in found} - {"CANCELED"} == {"FAILURE"}
    assert {run["job"] for run in found} == {"daily_sales"}
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Created after").fill("2031-01-01T00:00")
    page.get_by_label("Created after").press("Tab")
    expect(page.locator("main")).to_contain_text("No run fits these filters")
    applied = page.get_by_label("Filters", exact=True)
    expect(applied).to_contain_text("Created after 2031-01-01 00:00")
    applied.get_by_text("Created after").click()
    expect(page.locator("tr[id^=run-]").first).to_be_visible()
    page.get_by_label("Tag, as key=value").fill("team=finance")
    page.get_by_label("Tag, as key=value").press("Enter")
    expect(applied).to_contain_text("team=finance")
    page.get_by_text("Clear all").click()
    expect(page).to_have_url(f"{site.url}/runs")
    assert not serious(page)


@pytest.mark.parametrize(
    ("name", "query"),
    [("runs", "status=FAILURE&job=daily_sales"), ("assets", "group=marts&kind=sql"), ("automation", "text=rates&state=on&status=FAILURE")],
)
def test_a_view_is_saved_used_and_forgotten(site: Site, watched: Watched, name: str, query: str) -> None:
    page = watched.open(f"{site.url}/{name}?{query}")
    views = page.locator(".menu", has_text="Saved views")
    views.locator("summary").click()
    views.get_by_label("Name of these filters").fill("what I watch")
    views.get_by_role("button", name="Save").click()
    expect(views.locator("summary")).to_contain_text("1")
    watched.open(f"{site.url}/{name}")
    views.locator("summary").click()
    views.get_by_text("what I watch").click()
    expect(page).to_have_url(f"{site.url}/{name}?{query}")
    views.locator("summary").click()
    expect(views.locator("[aria-current]")).to_have_text("what I watch")
    assert not serious(page)
    views.get_by_label("Delete the view what I watch").click()
    expect(views.locator("summary")).not_to_contain_text("1")
    assert page.request.get(f"{site.url}/api/v1/views?page={name}").json()["items"] == []


def test_moments_are_given_in_the_zone_of_who_looks(site: Site, browser: Browser) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo")
    try:
        page = context.new_page()
        page.goto(f"{site.url}/runs")
        created = page.locator("tr[id^=run-] time").first.get_attribute("datetime") or ""
        moment = datetime.fromisoformat(created).astimezone(ZoneInfo("Asia/Tokyo"))
        page.get_by_text("More", exact=True).click()
        page.get_by_label("Created after Asia/Tokyo").fill(f"{moment + timedelta(minutes=1):%Y-%m-%dT%H:%M}")
        page.get_by_label("Created after Asia/Tokyo").press("Tab")
        expect(page.locator("main")).to_contain_text("No run fits these filters")
        page.goto(f"{site.url}/runs?created_after={moment - timedelta(minutes=1):%Y-%m-%dT%H:%M}")
        expect(page.locator("tr[id^=run-]").first).to_be_visible()
        as_json = page.request.get(site.url + str(page.locator("link[rel=alternate]").get_attribute("href"))).json()["items"]
        assert [run["run_id"] for run in as_json] == rows(page)
    finally:
        context.close()


def test_some_are_canceled_with_a_report(site: Site, watched: Watched) -> None:
    page = watched.page
    mine = ask(site, page, 3, "some")
    watched.open(f"{site.url}/runs?tag=team%3Dsome")
    for run_id in mine[:2]:
        page.locator(f"[data-pick='{run_id}']").check()
    expect(page.locator("#picked-count")).to_have_text("2 runs chosen")
    # Somebody is faster with one of them.
    page.request.post(f"{site.url}/api/v1/runs/{mine[0]}/cancel")
    expect(page.locator(f"#run-{mine[0]}")).to_contain_text("Canceled")
    expect(page.locator(f"[data-pick='{mine[0]}']")).to_be_checked()
    page.request.delete(f"{site.url}/api/v1/runs/{mine[0]}")
    page.locator("#picked").get_by_role("button", name="Cancel").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Cancel 2 runs")
    assert not serious(page)
    dialog.get_by_role("button", name="Cancel", exact=True).click()
    expect(dialog.locator("#bulk-done")).to_have_text("1 done, 1 not")
    expect(dialog.locator(".report tbody tr").nth(0)).to_contain_text("no run")
    expect(dialog.locator(".report tbody tr").nth(1)).to_contain_text("canceled")
    assert not serious(page)
    dialog.get_by_role("button", name="Close").last.click()
    expect(page.locator("#picked")).to_be_hidden()
    expect(page.locator(f"#run-{mine[1]}")).to_contain_text("Canceled")
    expect(page.locator(f"#run-{mine[2]}")).to_contain_text("Queued")


def test_all_that_match_go_page_by_page(site: Site, watched: Watched) -> None:
    page = watched.page
    team = f"all-{uuid.uuid4().hex[:8]}"  # its own, whatever an earlier try has left
    ask(site, page, 120, team)
    watched.open(f"{site.url}/runs?tag=team%3D{team}")
    page.get_by_label("All on this page").check()
    expect(page.locator("#picked-count")).to_have_text("50 runs chosen")
    page.get_by_role("button", name="All that match").click()
    page.locator("#picked").get_by_role("button", name="Cancel").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Cancel all runs that match")
    dialog.get_by_role("button", name="Cancel", exact=True).click()
    expect(dialog.locator("#bulk-done")).to_have_text("120 done")
    dialog.get_by_role("button", name="Close").last.click()
    expect(page.locator("#runs_table .chip", has_text="Canceled")).to_contain_text("120")
    page.get_by_label("All on this page").check()
    page.get_by_role("button", name="All that match").click()
    page.locator("#picked").get_by_role("button", name="Re-execute").click()
    dialog.get_by_label("All steps").check()
    dialog.get_by_role("button", name="Re-execute").click()
    expect(dialog.locator("#bulk-done")).to_have_text("120 done")
    dialog.locator(".report a").nth(1).click()
    expect(page.locator("h1")).to_have_text("rebuild_segments")
    canceled = page.request.post(f"{site.url}/api/v1/runs/bulk", data={"action": "cancel", "filter": {"tag": [f"team={team}"]}}).json()
    assert canceled["succeeded"] == 120, [item for item in canceled["items"] if not item["ok"]]
    watched.open(f"{site.url}/runs?tag=team%3D{team}")
    page.locator("[data-pick]").first.check()
    page.get_by_role("button", name="All that match").click()
    page.locator("#picked").get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(dialog.locator("#bulk-done")).to_have_text("240 done")
    dialog.get_by_role("button", name="Close").last.click()
    expect(page.locator("main")).to_contain_text("No run fits these filters")


def test_backfills_stand_among_runs(site: Site, watched: Watched) -> None:
    page = watched.page
    body = {"job": "daily_sales", "partitions": "all", "title": "All of the year"}
    made = page.request.post(f"{site.url}/api/v1/backfills", data=body).json()["backfill_id"]
    watched.open(f"{site.url}/runs")
    row = page.locator(f"#backfill-{made}")
    expect(row).to_contain_text("All of the year")
    page.get_by_label("Runs within backfills").check()
    expect(page).to_have_url(re.compile("each=1"))
    expect(page.locator("tr[id^=run-]").first).to_be_visible()
    expect(row).to_have_count(0)
    page.get_by_label("Runs within backfills").uncheck()
    page.once("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("Cancel")
    row.get_by_text("its runs").click()
    expect(page.get_by_label("Filters", exact=True)).to_contain_text(f"Backfill {made}")
    assert rows(page) == []


def test_two_runs_side_by_side(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/runs/{site.ids['success']}")
    page.get_by_role("link", name="Compare").click()
    assert not serious(page)
    page.get_by_label("Id of another run").fill(site.ids["failure"])
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(f"{site.url}/runs/{site.ids['success']}/compare/{site.ids['failure']}")
    expect(page.locator("h1")).to_have_text("daily_sales: two runs side by side")
    expect(page.locator("main")).to_contain_text("only in the run")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert serious(page) == [], scheme
    page.get_by_text("Swap").click()
    expect(page.locator("main")).to_contain_text("only in the base")
    page.get_by_role("link", name="Another run").click()
    page.locator("table").get_by_role("link", name="Compare").first.click()
    expect(page.locator("h1")).to_have_text("daily_sales: two runs side by side")


def test_two_that_are_marked_are_compared(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/runs?job=refresh_exchange_rates")
    first, second, third = rows(page)[:3]
    compare = page.locator("#picked-compare")
    page.locator(f"[data-pick='{first}']").check()
    expect(compare).to_be_hidden()
    page.locator(f"[data-pick='{second}']").check()
    page.locator(f"[data-pick='{third}']").check()
    expect(compare).to_be_hidden()
    page.locator(f"[data-pick='{third}']").uncheck()
    compare.click()
    expect(page.locator("h1")).to_have_text("refresh_exchange_rates: two runs side by side")


def test_bad_filters_are_told(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/runs?created_after=soon")
    expect(page.locator("main")).to_contain_text("created_after")
    watched.complaints.clear()  # the browser reports the answer of 422
