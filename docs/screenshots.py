"""Makes the pictures of the README from a real run of the flights example.

    python docs/screenshots.py

Needs Chromium (or DAGWRIGHT_TEST_BROWSER), the development tools, and the data (`python examples/flights/fetch.py`).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.e2e import stack as stacks  # noqa: E402 - found from the root of the clone
from tests.e2e.stack import Stack  # noqa: E402

IMAGES = ROOT / "docs" / "images"
DAYS = [f"2013-06-{day:02d}" for day in range(1, 15)]
MOST_BYTES = 250_000
SIZE = (1280, 800)


def work(stack: Stack) -> str:
    """Load the example as its README says; returns the run of the full year."""
    assert stack.finished(stack.launch(job="reference_tables"), 60)["status"] == "SUCCESS"
    year = stack.launch(job="full_year", partition="2013")
    assert stack.finished(year, 120)["status"] == "SUCCESS"
    for run_id in [stack.launch(job="daily_load", partition=day) for day in DAYS]:
        assert stack.finished(run_id, 180)["status"] == "SUCCESS"
    assert stack.finished(stack.launch(job="warehouse_report"), 60)["status"] == "SUCCESS"
    stack.post("/api/v1/schedules/every_morning/start", expect=200)
    return year


def take(page: Page, address: str, name: str, *, awaited: str) -> None:
    page.goto(address)
    expect(page.locator(awaited).first).to_be_visible()
    target = IMAGES / f"{name}.png"
    page.screenshot(path=str(target))
    assert target.stat().st_size <= MOST_BYTES, f"{target} is too large for a README"
    sys.stdout.write(f"{target.relative_to(ROOT)}  {target.stat().st_size // 1000} kB\n")


def main() -> int:
    browser_path = os.environ.get("DAGWRIGHT_TEST_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dagwright-screenshots-") as scratch:
        example = ROOT / "examples" / "flights" / "definitions.py"
        with stacks.start(Path(scratch) / "home", "-f", str(example), ready_seconds=120) as stack, sync_playwright() as playwright:
            year = work(stack)
            browser = playwright.chromium.launch(executable_path=browser_path, args=["--headless", "--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light")
            take(page, f"{stack.url}/runs/{year}", "run", awaited="#event-rows .event")
            take(page, f"{stack.url}/lineage", "lineage", awaited="[data-graph] .node")
            take(page, stack.url, "overview", awaited=".timeline .bar")
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
