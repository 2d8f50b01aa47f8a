"""Pages follow what happens without a reload. The test plays the worker: it claims runs and commits their events by the store."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from dagwright_shared.model import events as e
from dagwright_shared.model.keys import RunId, StepKey
from dagwright_shared.store import events, listen, runs
from tests.browser.conftest import Site, Watched

STEPS = ("fetch_rates", "validate_rates", "store_rates")


class Worker:
    """Commits what the worker of one run would send."""

    def __init__(self, site: Site, run_id: str) -> None:
        self.engine, self.run_id, self.seq = site.engine, RunId(run_id), 0
        with self.engine.begin() as conn:
            for run in runs.claim(conn, limit=50, lease_seconds=600):
                if run.run_id == run_id:
                    self.epoch = run.epoch
                else:  # the seed's waiting run goes on waiting
                    runs.requeue(conn, run.run_id, run.epoch, not_before=None, reason="taken by another test")

    def tell(self, *told: tuple[str | None, e.Payload], chunks: tuple[e.LogChunk, ...] = ()) -> None:
        made = []
        for step, payload in told:
            self.seq += 1
            made.append(e.RunEvent(seq=self.seq, time=datetime.now(UTC), step_key=StepKey(step) if step else None, payload=payload))
        with self.engine.begin() as conn:
            events.append(conn, [e.EventBatch(run_id=self.run_id, epoch=self.epoch, events=tuple(made), chunks=chunks)])
            listen.notify(conn, f"runs:{self.run_id}")


def launched(page: Page) -> str:
    page.wait_for_url("**/runs/*")
    return page.url.rsplit("/", 1)[1].split("?")[0]


def test_launch_from_the_form_and_watch_it_finish(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/jobs/refresh_exchange_rates")
    page.get_by_role("button", name="Launch").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("url").fill("https://rates.example.com/daily")
    dialog.get_by_label("days").fill("3")
    dialog.get_by_role("button", name="Launch").click()
    run_id = launched(page)
    expect(page.locator("h1")).to_have_text("refresh_exchange_rates")
    expect(page.locator("#run_head .badge")).to_contain_text("Queued")
    stored = page.request.get(f"{site.url}/api/v1/runs/{run_id}").json()
    assert stored["config"] == {"ops": {"fetch_rates": {"config": {"url": "https://rates.example.com/daily", "days": 3}}}}
    assert stored["trigger"] == "user"

    page.evaluate("window.stillHere = true")
    worker = Worker(site, run_id)
    plan = tuple(e.PlannedStep(key=StepKey(key), op_name=key) for key in STEPS)
    worker.tell((None, e.RunStarted(pid=1, host="h", executor="in_process", steps=plan)), ("fetch_rates", e.StepStarted(attempt=1, pid=1)))
    expect(page.locator("#run_head .badge")).to_contain_text("Running")
    expect(page.locator("#run_gantt .name a")).to_have_count(3)
    line = e.LogChunk(step_key=StepKey("fetch_rates"), attempt=1, stream=e.LogStream.STDOUT, offset=0, data=b"asked the bank\n")
    worker.tell(("fetch_rates", e.LogMessage(level=e.LogLevel.INFO, message="42 rates came back")), chunks=(line,))
    expect(page.locator("#event-rows")).to_contain_text("42 rates came back")
    expect(page.locator("#output")).to_contain_text("asked the bank")
    usage = e.Usage(cpu_seconds=0.1, peak_memory_bytes=1)
    worker.tell(("fetch_rates", e.StepSucceeded(attempt=1, usage=usage)))
    for key in STEPS[1:]:
        worker.tell((key, e.StepStarted(attempt=1, pid=1)), (key, e.StepSucceeded(attempt=1, usage=usage)))
    worker.tell((None, e.RunSucceeded()))
    expect(page.locator("#run_head .badge")).to_contain_text("Success")
    expect(page.locator("#event-rows")).to_contain_text("Run succeeded")
    expect(page.get_by_role("button", name="Re-execute all")).to_be_visible()
    seqs = page.eval_on_selector_all("#event-rows .event", "all => all.map(each => Number(each.dataset.seq))")
    assert seqs == list(range(1, worker.seq + 1))
    assert page.evaluate("window.stillHere")


def test_errors_stand_at_their_fields(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/jobs/refresh_exchange_rates?launch=1")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("days").fill("many")
    dialog.get_by_role("button", name="Launch").click()
    field = dialog.locator("[data-path='config.ops.fetch_rates.config.days'].field")
    expect(field.locator(".problem")).to_contain_text("whole number")
    expect(dialog.locator("[data-path='config.ops.fetch_rates.config.url'].field .problem")).to_contain_text("required")
    watched.complaints.clear()  # the browser reports the answer of 422


def test_config_as_json(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/jobs/refresh_exchange_rates?launch=1")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("url").fill("https://x.example")
    dialog.get_by_label("times").fill("5")
    dialog.get_by_role("button", name="JSON").click()
    text = dialog.get_by_label("Config as JSON")
    assert json.loads(text.input_value()) == {
        "ops": {"fetch_rates": {"config": {"url": "https://x.example", "retry": {"times": 5, "pause_seconds": 0.5}}}}
    }
    dialog.get_by_role("button", name="Form", exact=True).click()
    expect(dialog.get_by_label("times")).to_have_value("5")


def test_runs_list_follows(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/runs")
    expect(page.locator("#pulse")).to_have_text("Live")
    made = page.request.post(f"{site.url}/api/v1/runs", data={"job": "rebuild_segments"}).json()["run_id"]
    row = page.locator(f"#run-{made}")
    expect(row).to_contain_text("Queued")
    page.once("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("Canceled")


def test_switch_of_a_schedule(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/automation")
    switch = page.get_by_role("switch", name="weekly_report")
    expect(switch).to_have_attribute("aria-checked", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    page.reload()
    expect(page.get_by_role("switch", name="weekly_report")).to_have_attribute("aria-checked", "true")


def test_run_again_from_failure(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/runs/{site.ids['failure']}")
    page.get_by_role("button", name="Re-execute from failure").click()
    page.wait_for_url(lambda url: site.ids["failure"] not in url)
    again = page.request.get(f"{site.url}/api/v1/runs/{launched(page)}").json()
    assert again["parent_run_id"] == site.ids["failure"]
    assert "raw__orders" in again["inherited"]


def test_materialize_a_partition(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/assets/staging/orders_clean?tab=partitions")
    page.locator(".heat a").nth(5).click()
    button = page.get_by_role("button", name="Materialize 20")
    key = (button.text_content() or "").split()[-1]
    button.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Partition")).to_have_value(key)
    dialog.get_by_label("drop_test_orders").select_option("false")
    dialog.get_by_role("button", name="Launch").click()
    made = page.request.get(f"{site.url}/api/v1/runs/{launched(page)}").json()
    assert (made["assets"], made["partition"]) == (["staging/orders_clean"], key)
    assert made["config"] == {"ops": {"staging__orders_clean": {"config": {"drop_test_orders": False}}}}


def test_run_some_steps_again(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/runs/{site.ids['success']}")
    page.get_by_text("Some steps").click()
    page.locator("#run_head").get_by_label("marts__basket_size").check()
    page.get_by_role("button", name="Re-execute these").click()
    page.wait_for_url(lambda url: site.ids["success"] not in url)
    again = page.request.get(f"{site.url}/api/v1/runs/{launched(page)}").json()
    assert again["step_keys"] == ["marts__basket_size"]


def test_delete_a_run(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/runs/{site.ids['canceled']}")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/runs")
    assert page.request.get(f"{site.url}/api/v1/runs/{site.ids['canceled']}").status == 404
