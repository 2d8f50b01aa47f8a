"""How soon the lineage of ten thousand assets is drawn in a browser: `make bench` prints lines `name value unit`.

A private deployment with a location of that many assets, and a headless Chromium that comes to the page anew each time.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from run import report, started, wait_for

LOCATION = Path(__file__).with_name("lineage_location.py")
TIMES = 7
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_DRAWN = "() => performance.getEntriesByName('lineage-drawn')[0]?.startTime"


def drawn(browser: Browser, url: str) -> float:
    """Seconds from the start of the navigation until the first picture is on the canvas."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    try:
        page = context.new_page()
        page.goto(f"{url}/lineage")
        page.wait_for_selector('[data-state="drawn"]', timeout=60_000)
        return float(page.evaluate(_DRAWN)) / 1000
    finally:
        context.close()


def main() -> None:
    path = os.environ.get("DAGWRIGHT_TEST_BROWSER") or next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        print("# the lineage is not measured: there is no Chromium", flush=True)
        return
    with (
        tempfile.TemporaryDirectory(prefix="dagwright-bench-") as scratch,
        started(Path(scratch) / "home", LOCATION) as stack,
        sync_playwright() as playwright,
    ):
        wait_for(lambda: len(stack.client.get("/api/v1/lineage").json().get("nodes", ())) >= 10_000, 60, "the assets")
        browser = playwright.chromium.launch(executable_path=path, args=["--headless", "--no-sandbox", "--disable-gpu"])
        drawn(browser, str(stack.client.base_url))  # the browser's own start is not what is measured
        report("lineage_of_10000_assets_drawn", statistics.median(drawn(browser, str(stack.client.base_url)) for _ in range(TIMES)), "s")
        browser.close()


if __name__ == "__main__":
    main()
