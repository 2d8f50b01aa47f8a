"""How the page of a run that goes on fares in a browser: `make bench` prints lines `name value unit`.

Once a run logs 5,000 events a second and once it logs calmly. The page's thread is asked every 20 ms how late it is: what a person who
types or scrolls would feel.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect, sync_playwright
from run import Stack, report, started

LOCATION = Path(__file__).with_name("live_run_location.py")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_WATCH = """() => {
  const seen = new Set();
  window.bench = { late: [], tasks: [], shown: [] };
  new PerformanceObserver((all) => { for (const each of all.getEntries()) bench.tasks.push(each.duration); }).observe({ type: "longtask" });
  let last = performance.now();
  setInterval(() => { const now = performance.now(); bench.late.push(Math.max(0, now - last - 20)); last = now; }, 20);
  new MutationObserver(() => {
    const now = Date.now() / 1000;
    for (const row of [...document.querySelectorAll("#event-rows .event")].slice(-100)) {
      const sent = /sent=([\\d.]+)/.exec(row.textContent);
      if (sent && !seen.has(row.dataset.seq)) { seen.add(row.dataset.seq); bench.shown.push(now - Number(sent[1])); }
    }
  }).observe(document.getElementById("event-rows"), { childList: true, subtree: true });
}"""


def followed(browser: Browser, stack: Stack, job: str) -> dict[str, list[float]]:
    """What the page of a run of a job felt until the run was over."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    try:
        page = context.new_page()
        page.goto(f"{stack.client.base_url}/runs/{stack.client.post('/api/v1/runs', json={'job': job}).json()['run_id']}")
        page.evaluate(_WATCH)
        page.evaluate("document.getElementById('events-card').scrollIntoView()")
        expect(page.locator("#pulse")).to_have_text("Complete", timeout=120_000)
        found: Any = page.evaluate("window.bench")
        return dict(found)
    finally:
        context.close()


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else sum(values)


def main() -> None:
    path = os.environ.get("DAGWRIGHT_TEST_BROWSER") or next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        print("# the page of a run is not measured: there is no Chromium", flush=True)
        return
    with (
        tempfile.TemporaryDirectory(prefix="dagwright-bench-") as scratch,
        started(Path(scratch) / "home", LOCATION) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=["--headless", "--no-sandbox", "--disable-gpu"])
        calm = followed(browser, stack, "calmly")
        report("event_logged_to_visible_in_browser_p50", statistics.median(calm["shown"]) * 1000, "ms")
        much = followed(browser, stack, "much")
        report("live_page_at_5000_events_per_second_thread_late_p95", p95(much["late"]), "ms")
        report("live_page_at_5000_events_per_second_longest_task", max(much["tasks"], default=0.0), "ms")
        browser.close()


if __name__ == "__main__":
    main()
