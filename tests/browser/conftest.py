"""A webserver over a seeded store, and a headless browser that fails a test on any error in its console."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, StorageState, expect, sync_playwright
from sqlalchemy import Engine, text

from dagwright_shared.model.access import Grant, Role
from dagwright_shared.runtime import passwords
from dagwright_shared.store import api_tokens, users
from dagwright_shared.store import engine as store_engine
from tests.browser import seed
from tests.conftest import CLEAN
from tests.ports import free_port

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PASSWORD = "a long one, for the tests"
_ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


_PATIENCE = 60_000.0
"""Milliseconds that anything on a page may take: a wait that ends well costs nothing, however loaded the machine."""
expect.set_options(timeout=_PATIENCE)


@dataclass(frozen=True)
class Site:
    """A running webserver, and what the seed put into its store."""

    url: str
    engine: Engine
    ids: dict[str, str]


@dataclass
class Watched:
    """A page, and what its console complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Note what the console complains of from now on."""

        def heard(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.complaints.append(f"{self.page.url}: {message.text} {message.location.get('url', '')}")

        self.page.on("console", heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))

    def open(self, url: str) -> Page:
        self.page.goto(url)
        self.page.wait_for_load_state("load")
        return self.page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("DAGWRIGHT_TEST_BROWSER") or next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium on this machine: install it (apt install chromium), or name one by DAGWRIGHT_TEST_BROWSER")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def site(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = store_engine.create(database_url, name="tests")
    with made.begin() as conn:
        conn.execute(text(CLEAN))
    ids = seed.fill(made)
    seed.break_location(made)
    with _served(database_url, tmp_path_factory.mktemp("webserver") / "log") as url:
        yield Site(url, made, ids)
    made.dispose()


@pytest.fixture(scope="session")
def backfill(site: Site) -> str:
    """A backfill that waits for a daemon."""
    body = {"assets": ["raw/orders"], "partitions": {"start": "2026-11-01", "end": "2026-11-03"}}
    answer = httpx.post(f"{site.url}/api/v1/backfills", json=body, timeout=60, trust_env=False)
    return str(answer.raise_for_status().json()["backfill_id"])


@pytest.fixture(scope="session")
def guarded(site: Site, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a webserver over the same store where people log in: `grete`, who may do everything, by `PASSWORD`."""
    with site.engine.begin() as conn:
        grete = users.create(conn, "grete", Grant(role=Role.ADMIN), password_hash=passwords.hashed(PASSWORD))
        api_tokens.create(conn, grete.user_id, "nightly export", Role.LAUNCHER)
    with _served(database_url, tmp_path_factory.mktemp("guarded") / "log", DAGWRIGHT_AUTH="local") as url:
        yield url


@pytest.fixture(scope="session")
def logged_in(guarded: str, browser: Browser) -> StorageState:
    """The cookies of somebody who has logged in by the form."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{guarded}/login?next=/account")
    page.get_by_label("Name").fill("grete")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/account")
    state = context.storage_state()
    context.close()
    return state


@contextmanager
def _served(database_url: str, log: Path, **settings: str) -> Iterator[str]:
    """A webserver in a process of its own; its address."""
    port = free_port()
    environment = {
        **os.environ,
        "DAGWRIGHT_DATABASE_URL": database_url,
        "DAGWRIGHT_PORT": str(port),
        "DAGWRIGHT_HOST": "127.0.0.1",
        **settings,
    }
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "dagwright_webserver"], env=environment, stdout=output, stderr=output)
    try:
        url = f"http://127.0.0.1:{port}"
        _await(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def _await(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 180.0) -> None:
    """Wait for the webserver. Its imports take more than a second of CPU, which is much longer where many tests share the cores."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the webserver ended at its start:\n{log.read_text()[-4000:]}"
        try:
            if httpx.get(f"{url}/healthz", timeout=60, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the webserver did not answer within {seconds} s:\n{log.read_text()[-4000:]}")


@pytest.fixture
def look(request: pytest.FixtureRequest) -> str:
    """light, dark or phone: how the browser of a test is set up."""
    return str(getattr(request, "param", "light"))


@pytest.fixture
def context(browser: Browser, look: str) -> Iterator[BrowserContext]:
    phone = look == "phone"
    made = browser.new_context(
        color_scheme="dark" if look == "dark" else "light",
        viewport={"width": 390, "height": 844} if phone else {"width": 1400, "height": 900},
        is_mobile=phone,
        has_touch=phone,
        permissions=[],
    )
    made.set_default_timeout(_PATIENCE)
    yield made
    made.close()


@pytest.fixture
def watched(context: BrowserContext) -> Iterator[Watched]:
    """A page whose console must stay clean."""
    found = Watched(context.new_page())
    found.listen()
    yield found
    assert not found.complaints


@pytest.fixture
def pictures() -> Path | None:
    """Where screenshots go: the folder that DAGWRIGHT_SCREENSHOTS names, or nowhere."""
    given = os.environ.get("DAGWRIGHT_SCREENSHOTS")
    if not given:
        return None
    folder = Path(given)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
