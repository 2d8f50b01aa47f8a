"""The events of a run in a real browser: a list of any length, of which only a part is in the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect

from dagwright_shared.model import events as e
from dagwright_shared.model.keys import StepKey
from tests.browser.conftest import Site, Watched
from tests.browser.test_live import Worker
from tests.e2e.stack import until

MANY = 100_000
ROW_IN_THE_MIDDLE = """() => { const box = document.getElementById("events").getBoundingClientRect();
return Boolean(document.elementFromPoint(innerWidth / 2, box.top + 200)?.closest(".event")); }"""


def launch(site: Site, page: Page) -> Worker:
    """A run that has begun its only step."""
    body = {"job": "rebuild_segments"}
    worker = Worker(site, page.request.post(f"{site.url}/api/v1/runs", data=body).json()["run_id"])
    plan = (e.PlannedStep(key=StepKey("build"), op_name="build"),)
    worker.tell((None, e.RunStarted(pid=1, host="h", executor="in_process", steps=plan)), ("build", e.StepStarted(attempt=1, pid=1)))
    return worker


def talk(worker: Worker, count: int) -> None:
    """So many log messages; each thousandth is an error, each hundredth a warning."""
    for start in range(0, count, 5_000):
        told = []
        for n in range(start, min(count, start + 5_000)):
            level = e.LogLevel.ERROR if n % 1_000 == 999 else e.LogLevel.WARNING if n % 100 == 99 else e.LogLevel.INFO
            told.append(("build", e.LogMessage(level=level, message=f"row {n:,} loaded")))
        worker.tell(*told)


def end(worker: Worker) -> None:
    worker.tell(("build", e.StepSucceeded(attempt=1, usage=e.Usage(cpu_seconds=0.1, peak_memory_bytes=1))), (None, e.RunSucceeded()))


def rows(page: Page) -> int:
    return int(page.evaluate("document.querySelectorAll('#event-rows .event').length"))


@contextmanager
def long_tasks(page: Page) -> Iterator[None]:
    """Tell how long the page's thread was busy in one piece while something went on."""
    page.evaluate(
        """() => { window.tasks = []; new PerformanceObserver((all) => { for (const each of all.getEntries()) tasks.push(each.duration); })
        .observe({ type: "longtask" }); }"""
    )
    began = time.monotonic()
    yield
    found = [float(each) for each in page.evaluate("window.tasks")]
    seconds = time.monotonic() - began
    print(f"long tasks: {len(found)}, longest {max(found, default=0):.0f} ms, {sum(found) / seconds / 10:.1f} % of {seconds:.1f} s")


def test_a_hundred_thousand_events(site: Site, watched: Watched) -> None:
    page = watched.page
    worker = launch(site, page)
    talk(worker, MANY)
    end(worker)
    watched.open(f"{site.url}/runs/{worker.run_id}")
    words = page.locator("#log-count-words")
    expect(words).to_have_text(f"{worker.seq:,} events")
    expect(page.locator("[data-seq='1']")).to_be_visible()
    page.evaluate("document.getElementById('events-card').scrollIntoView()")
    with long_tasks(page):
        for part in (0.3, 0.9, 0.55, 1.0):
            page.evaluate(f"document.getElementById('events').scrollTop = {part} * document.getElementById('events').scrollHeight")
            until(lambda: page.evaluate(ROW_IN_THE_MIDDLE), 15, f"rows at {part}")
        expect(page.locator(f"[data-seq='{worker.seq}']")).to_be_visible()
    assert rows(page) <= 4_000

    page.get_by_label("Go to an event").fill("50,002".replace(",", ""))
    page.keyboard.press("Enter")
    expect(page.locator(".event.at")).to_contain_text("row 49,999 loaded")
    page.get_by_role("button", name="Next error").click()
    expect(page.locator(".event.at")).to_contain_text("row 50,999 loaded")
    page.get_by_role("button", name="Earlier error").click()
    expect(page.locator(".event.at")).to_contain_text("row 49,999 loaded")

    page.get_by_label("Least level").select_option("ERROR")
    expect(words).to_have_text("100 fit")
    expect(page.locator("#event-rows .event").first).to_contain_text("row 999 loaded")
    page.get_by_label("Text", exact=True).fill("99,999")
    expect(words).to_have_text("1 fit")
    assert "text=99" in page.url
    page.reload()
    expect(words).to_have_text("1 fit")
    expect(page.locator("#event-rows .event")).to_have_count(1)
    page.get_by_label("Others too").check()
    expect(words).to_have_text(f"1 of {worker.seq:,} fit")
    page.get_by_role("button", name="Next match").click()
    expect(page.locator(".event.at.hit")).to_contain_text("row 99,999 loaded")
    page.get_by_label("Text", exact=True).fill("nowhere")
    page.get_by_label("Others too").uncheck()
    expect(page.locator("#no-events")).to_contain_text("No events")


def test_a_link_to_an_event(site: Site, watched: Watched) -> None:
    page = watched.open(f"{site.url}/runs/{site.ids['long']}?at=2000")
    expect(page.locator(".event.at")).to_have_attribute("data-seq", "2000")
    expect(page.locator(".event.at")).to_be_in_viewport()
    page.get_by_label("Go to an event").fill("nothing such")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("No event at nothing such")


def test_a_run_that_talks_much(site: Site, watched: Watched) -> None:
    """5,000 events a second: the page follows, and its thread stays free. What it costs is told, not asserted."""
    page = watched.page
    worker = launch(site, page)
    watched.open(f"{site.url}/runs/{worker.run_id}")
    expect(page.locator("#pulse")).to_have_text("Live")
    page.evaluate("document.getElementById('events-card').scrollIntoView()")

    def write() -> None:
        began = time.monotonic()
        for n in range(1, 41):
            worker.tell(*(("build", e.LogMessage(level=e.LogLevel.INFO, message=f"batch {n}, row {k}")) for k in range(500)))
            time.sleep(max(0.0, began + n / 10 - time.monotonic()))

    writer = threading.Thread(target=write)
    with long_tasks(page):
        writer.start()
        while writer.is_alive():
            page.keyboard.press("Shift")
            page.wait_for_timeout(100)
        newest = page.locator(f"[data-seq='{worker.seq}']")
        expect(newest).to_contain_text("batch 40, row 499")
        expect(newest).to_be_in_viewport()
    writer.join()
    assert rows(page) <= 4_000
    page.evaluate("document.getElementById('events').scrollTop = 0")
    follow = page.get_by_role("button", name="Follow the end")
    expect(follow).to_have_attribute("aria-pressed", "false")
    expect(page.locator("[data-seq='1']")).to_be_visible(timeout=15_000)
    worker.tell(("build", e.LogMessage(level=e.LogLevel.INFO, message="one more")))
    expect(page.locator("#log-count-words")).to_have_text(f"{worker.seq:,} events")
    expect(page.locator("[data-seq='1']")).to_be_in_viewport()
    follow.click()
    expect(page.locator("#event-rows")).to_contain_text("one more")
    end(worker)
    expect(page.locator("#event-rows")).to_contain_text("Run succeeded")
    expect(page.locator("#pulse")).to_have_text("Complete")
