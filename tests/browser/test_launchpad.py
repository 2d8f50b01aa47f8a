"""The launchpad: one config as YAML and as a form, problems where they are, presets, earlier runs, and what a launch sends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import text

from tests.browser.axe import serious
from tests.browser.conftest import Site, Watched
from tests.e2e.stack import until

JOB = "/jobs/refresh_exchange_rates/launchpad"


@pytest.fixture
def page(site: Site, watched: Watched) -> Iterator[Page]:
    yield watched.open(site.url + JOB)
    with site.engine.begin() as conn:
        conn.execute(text("DELETE FROM presets"))


def editor(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Config as YAML")


def write(page: Page, words: str) -> None:
    editor(page).click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(words)


def lines(page: Page) -> list[str]:
    return [line for line in page.locator("#config-editor .cm-line").all_inner_texts() if line.strip()]


def sent(page: Page) -> dict[str, Any]:
    """What a launch sent, and the run that it made."""
    with page.expect_request(lambda each: each.method == "POST" and each.url.endswith("/api/v1/runs")) as asked:
        page.get_by_role("button", name="Launch", exact=True).click()
    body: dict[str, Any] = asked.value.post_data_json
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}$"))
    return body


def test_form_and_yaml_say_the_same(page: Page) -> None:
    page.get_by_label("days").fill("7")
    expect(page.locator("#config-editor")).to_contain_text("days: 7")
    write(page, "ops:\n  fetch_rates:\n    config:\n      # asked by finance\n      url: https://bank.example.com\n      days: 3\n")
    expect(page.get_by_label("days")).to_have_value("3")
    expect(page.get_by_label("url")).to_have_value("https://bank.example.com")
    page.get_by_label("times").fill("4")
    expect(page.locator("#config-editor")).to_contain_text("times: 4")
    expect(page.locator("#config-editor")).to_contain_text("# asked by finance")
    body = sent(page)
    assert body["config"]["ops"]["fetch_rates"]["config"] | {"retry": None} == {"url": "https://bank.example.com", "days": 3, "retry": None}
    assert body["config"]["ops"]["fetch_rates"]["config"]["retry"]["times"] == 4


def test_problems_stand_where_they_are(page: Page, pictures: Path | None) -> None:
    write(page, "ops:\n  fetch_rates:\n    config:\n      url: https://bank.example.com\n      days: many\n      bse: EUR\n")
    expect(page.locator("#verdict")).to_have_text("2 problems")
    expect(page.locator("#config-editor .cm-lintRange-error")).to_have_count(2)
    expect(page.locator("#launch-problems")).to_contain_text("did you mean 'base'?")
    expect(page.locator(".field.bad", has_text="days")).to_contain_text("not a whole number")
    assert serious(page) == []
    if pictures:
        page.screenshot(path=str(pictures / "launchpad-problems-light.png"))
    write(page, "ops: [\n")
    expect(page.locator("#verdict")).to_have_text(re.compile("problem"))
    expect(page.locator("#config-form")).to_have_attribute("inert", "")
    write(page, "ops:\n  fetch_rates:\n    config:\n      url: https://bank.example.com\n")
    expect(page.locator("#verdict")).to_have_text("Fits the schema")
    expect(page.locator("#launch-problems")).to_be_hidden()


def test_completion_knows_the_schema(page: Page) -> None:
    write(page, "ops:\n  fetch_rates:\n    config:\n      ")
    page.keyboard.type("ur")
    options = page.locator("#config-editor .cm-tooltip-autocomplete")
    expect(options).to_contain_text("url")

    def taken() -> bool:
        if options.count():  # it takes no answer within the blink of an eye after it has opened
            page.keyboard.press("Control+Space")
            options.get_by_role("option", name="url").dispatch_event("mousedown")
        return any("url: " in line for line in lines(page))

    until(taken, 60, "the completion to be taken")
    page.keyboard.type("x")
    page.keyboard.press("Enter")
    page.keyboard.type("base: ")
    page.keyboard.press("Control+Space")
    expect(options).to_contain_text("EUR")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add all defaults").click()
    expect(page.locator("#config-editor")).to_contain_text("symbols:")


def test_steps_tags_and_priority_are_sent(page: Page) -> None:
    write(page, "ops:\n  fetch_rates:\n    config:\n      url: https://bank.example.com\n")
    page.get_by_role("button", name="None").click()
    expect(page.locator("#launch-problems")).to_contain_text("nothing is chosen")
    page.get_by_label("validate_rates").check()
    page.get_by_role("button", name="+ down").click()
    page.get_by_label("Tags").fill("team=sales")
    page.get_by_label("Priority").fill("3")
    expect(page.locator("#verdict")).to_have_text("Fits the schema")
    assert sent(page) == {
        "job": "refresh_exchange_rates", "steps": ["validate_rates", "store_rates"], "priority": 3, "tags": {"team": "sales"},
        "config": {"ops": {"fetch_rates": {"config": {"url": "https://bank.example.com"}}}},
    }  # fmt: skip


def test_presets_and_earlier_runs(page: Page, site: Site) -> None:
    write(page, "ops:\n  fetch_rates:\n    config:\n      url: https://bank.example.com\n      days: 30\n")
    page.get_by_label("Tags").fill("size=month")
    expect(page.locator("#verdict")).to_have_text("Fits the schema")
    page.get_by_role("button", name="Save as preset").click()
    page.get_by_label("Name").fill("a month")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile("preset="))
    expect(page.locator("#config-editor")).to_contain_text("days: 30")
    expect(page.get_by_label("Tags")).to_have_value("size=month")
    run_id = sent(page) and page.url.rsplit("/", 1)[1]
    page.goto(f"{site.url}{JOB}?run={run_id}")
    expect(page.locator("#config-editor")).to_contain_text("days: 30")
    page.goto(f"{site.url}{JOB}?preset=a%20month")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete the preset").click()
    expect(page.locator("#begin option", has_text="a month")).to_have_count(0)


def test_prediction_follows_the_choice(page: Page) -> None:
    write(page, "ops:\n  fetch_rates:\n    config:\n      url: https://bank.example.com\n")
    whole = page.locator("#prediction [data-samples]")
    expect(whole).to_have_text(re.compile(r"^\d+ runs$"))
    page.get_by_label("fetch_rates").uncheck()
    page.get_by_label("store_rates").uncheck()
    expect(page.locator("#prediction tbody tr")).to_have_count(1)
    expect(page.locator("#prediction [data-p50]")).to_have_text("300 ms")


@pytest.mark.parametrize("look", ["light", "dark", "phone"], indirect=True)
@pytest.mark.parametrize("job", ["daily_sales", "refresh_exchange_rates"])
def test_it_is_fit_to_be_seen(site: Site, watched: Watched, job: str, look: str, pictures: Path | None) -> None:
    page = watched.open(f"{site.url}/jobs/{job}/launchpad")
    expect(page.locator("#verdict")).to_be_visible()
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    if pictures:
        page.screenshot(path=str(pictures / f"launchpad-{job}-{look}.png"), full_page=look == "phone")
