"""What pages offer: nothing that would be refused to who looks."""

from __future__ import annotations

import re

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver import people, places
from tests.integration.webserver.conftest import Running, publish

pytestmark = pytest.mark.integration
BUTTON = re.compile(r"<(?:button|a|form|details|section)\b[^>]*>")
OFFERS = {
    # What stands in the tag, the page that it is on, the role that it takes.
    "data-open-launch": ("/jobs/ping?location={place}", "launcher"),
    "/launchpad": ("/jobs/ping?location={place}", "launcher"),
    'data-act="launch"': ("/jobs/ping/launchpad?location={place}", "launcher"),
    'data-act="save"': ("/jobs/ping/launchpad?location={place}", "editor"),
    "/cancel": ("/runs/{run}", "launcher"),
    'data-open="report"': ("/assets/carriers", "editor"),
    'data-open="wipe"': ("/assets/carriers", "editor"),
    'data-post="/api/v1/locations': ("/deployment", "editor"),
    "PUT /api/v1/pools": ("/deployment", "admin"),
}
COVERS = {"viewer": (), "launcher": ("launcher",), "editor": ("launcher", "editor"), "admin": ("launcher", "editor", "admin")}


@pytest.mark.parametrize("name", ["viewer", "launcher", "editor", "admin"])
def test_no_button_is_beyond_a_role(store: Engine, database_url: str, name: str) -> None:
    with (
        Running(database_url=database_url, auth="local") as server,
        httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client,
    ):
        headers = people.hire(store)
        run = client.post("/api/v1/runs", json={"job": "ping", "location": "flights"}, headers=headers["admin"]).json()["run_id"]
        for mark, (path, role) in OFFERS.items():
            page = client.get(path.format(run=run, place="flights"), headers={**headers[name], "Accept": "text/html"})
            assert page.status_code == 200, path
            tags = [tag for tag in BUTTON.findall(page.text) if mark in tag]
            shown = [tag for tag in tags if not re.search(r"\shidden\b", tag)]
            assert bool(shown) == (role in COVERS[name]), f"{mark} on {path} as {name}: {tags}"


def test_a_role_at_one_location_offers_nothing_at_another(store: Engine, database_url: str) -> None:
    publish(store, places.vault())
    with (
        Running(database_url=database_url, auth="local") as server,
        httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client,
    ):
        headers = people.hire(store)
        for place, offered in (("flights", True), ("vault", False)):
            page = client.get(f"/jobs/ping?location={place}", headers={**headers["launcher_here"], "Accept": "text/html"}).text
            (tag,) = (tag for tag in BUTTON.findall(page) if "data-open-launch" in tag)
            assert (" hidden" in tag) != offered, tag
        page = client.get("/automation", headers={**headers["launcher_here"], "Accept": "text/html"}).text
        switches = [tag for tag in BUTTON.findall(page) if "data-switch=" in tag]
        assert switches
        assert all(" disabled" in tag for tag in switches)
