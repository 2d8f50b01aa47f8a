"""The dashboard over a real stack: all services as `dagwright dev` starts them; nothing is played by the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import serious
from tests.browser.conftest import Watched
from tests.e2e import stack as stacks
from tests.e2e.stack import Stack

# One worker has them all, and so one stack, however tests are spread.
pytestmark = pytest.mark.xdist_group("real-stack")
LOCATION = Path(__file__).parent / "location" / "harbor.py"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("browser") / "home"
    with stacks.start(home, "-f", str(LOCATION)) as started:
        yield started


def shoot(page: Page, folder: Path | None, name: str) -> None:
    if folder:
        page.screenshot(path=str(folder / f"real-{name}.png"), full_page=True)


def run_of(page: Page) -> str:
    page.wait_for_url("**/runs/*")
    return page.url.rsplit("/", 1)[1].split("?")[0].split("#")[0]


def badge(page: Page, words: str) -> None:
    expect(page.locator("#run_head .badge")).to_contain_text(words)


def board(page: Page, port: str) -> None:
    """Launch `crossing` from its form."""
    page.get_by_role("button", name="Launch").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("port").fill(port)
    dialog.get_by_label("containers").fill("7")
    dialog.get_by_role("button", name="Launch").click()


def test_launch_and_watch_it_finish(stack: Stack, watched: Watched, pictures: Path | None) -> None:
    page = watched.open(f"{stack.url}/jobs/crossing")
    expect(page.locator("[data-graph] .node")).to_have_count(3)
    board(page, "Bergen")
    run_id = run_of(page)
    page.evaluate("window.stillHere = true")
    badge(page, "Running")
    expect(page.locator("#event-rows")).to_contain_text("7 containers on board")
    expect(page.locator("#event-rows .l-WARNING")).to_contain_text("the wind is rising")
    expect(page.locator("#output")).to_contain_text("loading 7 containers for Bergen")
    expect(page.locator("#run_gantt .name", has_text="sail")).to_contain_text("Running")
    shoot(page, pictures, "run-running")
    stack.release("landing")
    badge(page, "Success")
    expect(page.locator("#event-rows")).to_contain_text("Run succeeded")
    expect(page.locator("#run_gantt .bar.t-success")).to_have_count(3)
    expect(page.locator("#run_gantt .stat", has_text="MB")).to_have_count(3)
    page.get_by_role("combobox", name="Step, attempt and stream").select_option("load_ship:1:stderr")
    expect(page.locator("#output")).to_contain_text("the crane squeaks")
    page.locator("#run_gantt [data-log^='unload:']").click()
    expect(page.locator("#output")).to_contain_text("unloaded 7 containers")
    seqs = page.eval_on_selector_all("#event-rows .event", "all => all.map(each => Number(each.dataset.seq))")
    assert seqs == list(range(1, len(stack.events(run_id)) + 1))
    assert page.evaluate("window.stillHere")
    shoot(page, pictures, "run-success")


def test_failure_is_told_at_once(stack: Stack, watched: Watched, pictures: Path | None) -> None:
    page = watched.open(f"{stack.url}/runs/{stack.launch(job='customs')}")
    badge(page, "Failed")
    head = page.locator("#run_head")
    expect(head.locator(".error .name")).to_have_text(["RuntimeError", "ValueError"])
    expect(head.locator(".frames")).to_contain_text(["read_manifest", "_read_manifest"])
    expect(page.locator("#run_gantt .stat", has_text="2").first).to_be_visible()  # attempts of the step that was retried
    expect(page.locator("#run_gantt .attempt")).to_have_count(1)
    expect(page.locator("#event-rows .l-ERROR").first).to_contain_text("the manifest looks smudged")
    shoot(page, pictures, "run-failed")


def test_materialize_a_partition(stack: Stack, watched: Watched, pictures: Path | None) -> None:
    page = watched.open(f"{stack.url}/assets/arrivals?tab=partitions&partition=2024-03-09")
    page.get_by_role("button", name="Materialize 2024-03-09").click()
    page.get_by_role("dialog").get_by_role("button", name="Launch").click()
    run_of(page)
    badge(page, "Success")
    expect(page.locator("#event-rows")).to_contain_text("Materialized arrivals")
    page = watched.open(f"{stack.url}/assets/arrivals?tab=partitions&partition=2024-03-09")
    expect(page.locator(".heat a[aria-current]")).to_have_attribute("aria-label", "2024-03-09 · Materialized")
    shoot(page, pictures, "asset-partitions")


def test_cancel_a_run(stack: Stack, watched: Watched) -> None:
    (stack.signals / "landing.go").unlink(missing_ok=True)
    page = watched.open(f"{stack.url}/jobs/crossing")
    board(page, "Oslo")
    run_of(page)
    expect(page.locator("#event-rows")).to_contain_text("Attempt 1 started")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel").click()
    badge(page, "Canceled")
    expect(page.get_by_role("button", name="Re-execute all")).to_be_visible()


def test_switch_a_schedule_on_and_reload_the_location(stack: Stack, watched: Watched) -> None:
    page = watched.open(f"{stack.url}/automation")
    page.get_by_role("switch", name="morning_papers").click()
    expect(page.locator("#automation_body [data-label=Next] time")).to_be_visible()
    assert stack.get("/api/v1/schedules/morning_papers")["running"] is True
    page = watched.open(f"{stack.url}/deployment")
    before = page.locator("#deployment_body .list time").first.get_attribute("datetime")
    page.get_by_role("button", name="Reload").click()
    expect(page.locator("#toasts")).to_contain_text("Reloading harbor")
    expect(page.locator("#deployment_body .list time").first).not_to_have_attribute("datetime", before or "")
    expect(page.locator("#deployment_body .list .badge")).to_have_text("Loaded")


def test_try_a_sensor_out_and_keep_its_cursor(stack: Stack, watched: Watched, pictures: Path | None) -> None:
    page = watched.open(f"{stack.url}/automation/sensors/ships")
    result = page.locator("#trial-result")
    page.get_by_label("With the cursor").fill("1")
    page.get_by_role("button", name="Evaluate").click()
    expect(result).to_contain_text("It would ask for 1 run.")
    expect(result.locator("tbody")).to_contain_text("ship-2")
    result.get_by_text("1 line of output").click()
    expect(result).to_contain_text("looked at the quay")
    shoot(page, pictures, "sensor")
    page.once("dialog", lambda dialog: dialog.accept())
    result.get_by_role("button", name="Launch all").click()
    expect(page.get_by_text("Launched 1 run")).to_be_visible()
    assert page.request.get(f"{stack.url}/api/v1/runs?tag=ship%3D2").json()["items"][0]["job"] == "customs"
    result.get_by_role("button", name="Keep this cursor").click()
    expect(page.get_by_text("The sensor goes on from this cursor")).to_be_visible()
    assert page.request.get(f"{stack.url}/api/v1/sensors/ships").json()["cursor"] == "2"
    page.get_by_label("With the cursor").fill("3")
    page.get_by_role("button", name="Evaluate").click()
    expect(result).to_contain_text("It would ask for no run: no ship since number 3")
    page.get_by_label("With the cursor").fill("three")
    page.get_by_role("button", name="Evaluate").click()
    expect(result.locator("[data-error]")).to_contain_text("invalid literal")
    assert all("/evaluate" in each for each in watched.complaints)  # browsers tell of answers that are errors
    watched.complaints.clear()


def test_try_a_schedule_out_at_a_moment(stack: Stack, watched: Watched) -> None:
    page = watched.open(f"{stack.url}/automation/schedules/morning_papers")
    expect(page.get_by_label("As at")).to_have_value(page.evaluate("document.querySelector('#trial-at').value"))
    page.get_by_label("As at").fill("2026-03-29T05:00:00")
    with page.expect_request("**/evaluate*") as asked:
        page.get_by_role("button", name="Evaluate").click()
    assert asked.value.post_data_json == {"at": "2026-03-29T05:00:00.000Z"}
    expect(page.locator("#trial-result")).to_contain_text("It would ask for 1 run.")


def test_a_partition_of_several_dimensions_is_chosen_by_each(stack: Stack, watched: Watched) -> None:
    page = watched.open(f"{stack.url}/assets/unloaded")
    page.get_by_role("button", name="Materialize", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("#launch-partition")).to_be_hidden()
    one = dialog.get_by_role("group", name="Partition")
    expect(one.get_by_label("day")).to_have_value("2024-03-31")
    one.get_by_label("day").fill("2024-03-05")
    one.get_by_label("quay").select_option("south")
    assert serious(page) == []
    dialog.get_by_role("button", name="Launch").click()
    run = run_of(page)
    badge(page, "Success")
    assert stack.get(f"/api/v1/runs/{run}")["partition"] == "2024-03-05|south"
    page = watched.open(f"{stack.url}/assets/unloaded")
    page.get_by_role("button", name="Backfill", exact=True).click()
    for group, day, quay in (("From", "2024-03-02", "north"), ("To, included", "2024-03-04", "south")):
        box = page.get_by_role("dialog").get_by_role("group", name=group)
        box.get_by_label("day").fill(day)
        box.get_by_label("quay").select_option(quay)
    page.get_by_role("dialog").get_by_role("button", name="Preview").click()
    expect(page.locator("#backfill-preview")).to_contain_text("6 partitions in")


def test_a_day_is_chosen_as_a_date(stack: Stack, watched: Watched) -> None:
    page = watched.open(f"{stack.url}/assets/arrivals")
    page.get_by_role("button", name="Backfill", exact=True).click()
    start = page.get_by_role("dialog").get_by_label("From")
    assert [start.get_attribute(each) for each in ("type", "min", "max")] == ["date", "2024-03-01", "2024-03-31"]
    start.fill("2024-03-30")
    page.get_by_role("dialog").get_by_role("button", name="Preview").click()
    expect(page.locator("#backfill-preview")).to_have_text("2 partitions in 2 runs.")


def test_a_delivery_is_replayed(stack: Stack, watched: Watched) -> None:
    page = watched.page
    assert page.request.post(f"{stack.url}/api/v1/hooks/radio", data={"ship": "MV Ever Forward"}).status == 202
    watched.open(f"{stack.url}/automation/sensors/radio")
    row = page.locator("#hook_deliveries tbody tr")
    expect(row).to_contain_text("heard MV Ever Forward", timeout=60_000)
    row.get_by_text("Body and headers").click()
    expect(row.locator("pre").first).to_contain_text("Ever Forward")
    row.get_by_role("button", name="Replay").click()
    expect(page.locator("#toasts")).to_contain_text("It is handled once more")
    expect(row).to_contain_text("replayed 1 ×", timeout=60_000)


def test_a_cursor_is_edited(stack: Stack, watched: Watched) -> None:
    page = watched.open(f"{stack.url}/automation/sensors/ships")
    page.get_by_text("Change", exact=True).click()
    page.get_by_role("textbox", name="Cursor", exact=True).fill("41")
    page.get_by_role("button", name="Set the cursor").click()
    expect(page.get_by_label("With the cursor")).to_have_value("41")
    assert stack.get("/api/v1/sensors/ships")["cursor"] == "41"


def test_what_is_made_elsewhere_is_observed(stack: Stack, watched: Watched) -> None:
    page = watched.open(f"{stack.url}/assets/tide")
    page.get_by_role("button", name="Observe").click()
    run_of(page)
    badge(page, "Success")
    expect(page.locator("#event-rows")).to_contain_text("Observed tide")
    expect(watched.open(f"{stack.url}/assets/tide?tab=history").locator("main")).to_contain_text("high")


def test_the_code_validates_what_the_launchpad_has(stack: Stack, watched: Watched) -> None:
    page = watched.open(f"{stack.url}/jobs/customs/launchpad")
    page.get_by_role("button", name="Validate").click()
    expect(page.locator("#verdict")).to_have_text("The code takes it")


def test_every_page_of_a_real_deployment(stack: Stack, watched: Watched, pictures: Path | None) -> None:
    made = [stack.launch(assets=["arrivals"], partition="2024-03-09"), stack.launch(assets=["berth_plan"])]
    assert [stack.finished(run_id)["status"] for run_id in made] == ["SUCCESS", "SUCCESS"]
    assert stack.finished(stack.launch(job="customs"))["status"] == "FAILURE"
    words = {
        "/": "customs",
        "/runs": "customs",
        "/assets": "berth_plan",
        "/lineage": "As a list",
        "/assets/arrivals": "Ships that came in on a day.",
        "/assets/arrivals?tab=history": "2024-03-09",
        "/assets/berth_plan?tab=checks": "every_berth_is_taken",
        "/jobs": "crossing",
        "/jobs/customs": "hail_pilot",
        "/automation": "morning_papers",
        "/deployment": "housekeeping",
        "/docs": "/api/v1/runs/{run_id}/cancel",
    }
    for path, expected in words.items():
        page = watched.open(stack.url + path)
        expect(page.locator("main")).to_contain_text(expected)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        shoot(page, pictures, path.strip("/").replace("/", "-").replace("?tab=", "-") or "overview")
    loops = watched.open(f"{stack.url}/deployment").locator("#deployment_body tr", has_text="queue")
    expect(loops).to_contain_text("ago")
    expect(loops).to_contain_text("ms")
