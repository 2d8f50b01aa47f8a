"""Every route of the application, tried by everybody: whoever may not is refused, and whoever may is let in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver import people, places
from tests.integration.webserver.conftest import Running, publish

from dagwright_shared.model.access import EVERYTHING, Grant, Role
from dagwright_shared.runtime import settings
from dagwright_webserver import access, main

pytestmark = pytest.mark.integration
UUID = "00000000-0000-7000-8000-000000000001"
PARAMETERS = {
    "run_id": UUID, "backfill_id": UUID, "tick_id": "1", "delivery_id": "1", "token_id": "999999", "session_id": "none",
    "key": "nowhere", "name": "nowhere", "asset_key": "nowhere",
    "preset": "nowhere", "page": "runs", "view_name": "nowhere", "other_id": UUID,
}  # fmt: skip
PUBLIC = {
    # What anybody reaches; a new one is added here by intent.
    "GET /openapi.json", "GET /healthz", "GET /readyz", "GET /favicon.ico", "GET /login", "POST /login", "GET /login/oidc",
    "GET /login/callback", "POST /api/v1/session", "POST /api/v1/hooks/{name}", "GET /static",
}  # fmt: skip


def cases() -> list[tuple[str, str, Role | str, bool]]:
    app = main.create_app(settings.load(database_url="postgresql://nobody@127.0.0.1:1/none"))
    found = []
    for route in access.all_routes(app.routes):
        needs = access.needs_of(route)
        assert needs is not None, route
        for method in sorted((getattr(route, "methods", None) or {"GET"}) - {"HEAD"}):
            found.append((method, str(getattr(route, "path", "")), *needs))
    return found


CASES = cases()


@pytest.fixture
def staffed(store: Engine, database_url: str) -> Iterator[tuple[Running, dict[str, dict[str, str]]]]:
    with Running(database_url=database_url, auth="local") as running:
        yield running, people.hire(store)


def expected(name: str, needs: Role | str, whole: bool) -> str:
    if needs == access.PUBLIC:
        return "in"
    if name == "anonymous":
        return "log in"
    if needs == access.MEMBER:
        return "in"
    grant = people.GRANTS[name]
    assert isinstance(needs, Role)
    return "in" if (grant.allows(needs) if whole else grant.anywhere(needs)) else "refused"


def outcome(answer: httpx.Response) -> str:
    if answer.status_code == 401 and answer.url.path != "/login":  # where it means a wrong password
        return "log in"
    return "refused" if answer.status_code == 403 else "in"


def test_what_is_public_is_meant_to_be() -> None:
    assert {f"{method} {path}" for method, path, needs, _ in CASES if needs == access.PUBLIC} <= PUBLIC


def test_every_change_takes_more_than_looking() -> None:
    for method, path, needs, _ in CASES:
        if method in access.CHANGING:
            assert needs is not Role.VIEWER, f"{method} {path}"


def test_everybody_at_every_route(staffed: tuple[Running, dict[str, dict[str, str]]]) -> None:
    """Role x route. What is let in may well be wrong in other ways: nothing here names anything that there is."""
    server, headers = staffed
    wrong = []
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
        for method, path, needs, whole in CASES:
            url = re.sub(r"{(\w+)(?::path)?}", lambda match: PARAMETERS[match.group(1)], path)
            for name, sent in headers.items():
                with client.stream(method, url, headers=sent) as answer:
                    if outcome(answer) != expected(name, needs, whole):
                        wrong.append(f"{method} {path} as {name}: {answer.status_code}, should be {expected(name, needs, whole)}")
                    assert answer.status_code < 500 or path == "/readyz", f"{method} {path} as {name}: {answer.status_code}"
    assert wrong == []


def test_roles_grow() -> None:
    """What a role may do, each higher one may."""
    for lower, higher in zip(Role, list(Role)[1:], strict=False):
        assert higher.covers(lower)
        assert not lower.covers(higher)
        assert Grant(role=higher).everywhere(lower)
    assert EVERYTHING.allows(Role.ADMIN, "anywhere")


CARRIERS = {"ops": {"carriers": {"config": {"limit": 1}}}}
CHANGES: list[tuple[str, str, Any, Role]] = [
    ("POST", "/runs", {"job": "ping", "location": "{place}"}, Role.LAUNCHER),
    ("PUT", "/jobs/ping/presets/mine?location={place}", {"config": {}}, Role.EDITOR),
    ("DELETE", "/jobs/ping/presets/mine?location={place}", None, Role.EDITOR),
    ("POST", "/runs/{run}/cancel", None, Role.LAUNCHER),
    ("POST", "/runs/{run}/re-execute", {"strategy": "ALL_STEPS"}, Role.LAUNCHER),
    ("DELETE", "/runs/{run}", None, Role.EDITOR),
    ("POST", "/backfills", {"job": "day", "location": "{place}", "partitions": ["2013-01-01"]}, Role.LAUNCHER),
    ("POST", "/assets/carriers/materialize", {"location": "{place}", "config": CARRIERS}, Role.LAUNCHER),
    ("POST", "/schedules/nightly/start?location={place}", None, Role.EDITOR),
    ("POST", "/schedules/nightly/stop?location={place}", None, Role.EDITOR),
    ("POST", "/schedules/nightly/evaluate?location={place}", None, Role.LAUNCHER),
    ("POST", "/sensors/watch/start?location={place}", None, Role.EDITOR),
    ("POST", "/sensors/watch/stop?location={place}", None, Role.EDITOR),
    ("POST", "/sensors/watch/evaluate?location={place}", None, Role.LAUNCHER),
    ("PUT", "/sensors/watch/cursor?location={place}", {"cursor": "1"}, Role.EDITOR),
    ("POST", "/locations/{place}/reload", None, Role.EDITOR),
    ("POST", "/assets/carriers/wipe", {"location": "{place}", "partitions": "all"}, Role.EDITOR),
    ("POST", "/assets/carriers/materializations", {"location": "{place}"}, Role.EDITOR),
    ("POST", "/assets/carriers/observations", {"location": "{place}"}, Role.EDITOR),
    ("POST", "/assets/stats/checks/row_count/evaluations", {"location": "{place}", "passed": True}, Role.EDITOR),
]  # fmt: skip


@pytest.mark.parametrize("place", ["flights", "vault"])
def test_changes_are_refused_by_location(store: Engine, database_url: str, place: str) -> None:
    """The same names in two locations: a role at one of them is none at the other."""
    publish(store, places.vault())
    with (
        Running(database_url=database_url, auth="local") as server,
        httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as client,
    ):
        headers = people.hire(store)
        for method, path, body, needed in CHANGES:
            for name in ("viewer", "launcher", "editor", "admin", "viewer_here", "launcher_here", "admin_here"):
                made = client.post("/runs", json={"job": "ping", "location": place}, headers=headers["admin"])
                url = path.format(place=place, run=made.json()["run_id"])
                sent = None if body is None else {key: place if value == "{place}" else value for key, value in body.items()}
                answer = client.request(method, url, json=sent, headers=headers[name])
                allowed = people.GRANTS[name].allows(needed, place)
                if allowed and method == "DELETE":
                    assert answer.status_code not in (401, 403), f"{method} {url} as {name}: {answer.text}"
                elif allowed:
                    assert answer.status_code not in (401, 403, 404), f"{method} {url} as {name}: {answer.text}"
                elif people.GRANTS[name].allows(Role.VIEWER, place):
                    assert answer.status_code == 403, f"{method} {url} as {name}: {answer.status_code} {answer.text}"
                    assert answer.json()["needed_role"] == needed, url
                else:
                    assert answer.status_code in (403, 404), f"{method} {url} as {name}: {answer.status_code} {answer.text}"


def test_nothing_of_a_hidden_location_is_shown(store: Engine, database_url: str) -> None:
    """Every GET, as somebody who sees another location only: no word of the hidden one."""
    publish(store, places.vault())
    with (
        Running(database_url=database_url, auth="local") as server,
        httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client,
    ):
        headers = people.hire(store)
        made = client.post("/api/v1/runs", json={"job": "vault_job", "tags": {"vault_tag": "x"}}, headers=headers["admin"]).json()
        filled = client.post("/api/v1/backfills", json={"job": "vault_day", "partitions": ["2013-01-01"]}, headers=headers["admin"])
        assert filled.status_code == 201, filled.text
        parameters = PARAMETERS | {"run_id": made["run_id"], "backfill_id": filled.json()["backfill_id"]}
        names = {"jobs": "vault_job", "schedules": "vault_nightly", "sensors": "vault_watch", "locations": "vault", "hooks": "vault_watch"}
        seen_by_admin = 0
        for method, path, needs, _ in CASES:
            if method != "GET" or not isinstance(needs, Role) or path.endswith("/stream"):
                continue
            noun = path.removeprefix("/api/v1").split("/")[1]
            values = parameters | {"name": names.get(noun, "nowhere"), "key": "vault_asset"}
            url = re.sub(r"{(\w+)(?::path)?}", lambda match, values=values: values[match.group(1)], path)
            shown = client.get(url, headers={**headers["viewer_here"], "Accept": "text/html, application/json"})
            assert shown.status_code < 500, f"{url}: {shown.text[:300]}"
            if shown.status_code == 200:
                assert "vault" not in shown.text, url
                assert made["run_id"] not in shown.text, url
            seen_by_admin += "vault" in client.get(url, headers={**headers["admin"], "Accept": "text/html, application/json"}).text
    assert seen_by_admin > 15, "the hidden location shows nowhere to begin with"


def test_a_backfill_is_shown_to_whoever_may_see_all_of_its_locations(staffed: tuple[Running, dict[str, dict[str, str]]]) -> None:
    server, headers = staffed
    body = {"assets": ["stats", "elsewhere"], "partitions": ["2013-01-01"]}
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as client:
        both = client.post("/backfills", json=body, headers=headers["admin"]).json()["backfill_id"]
        here = client.post("/backfills", json={**body, "assets": ["stats"]}, headers=headers["admin_here"]).json()["backfill_id"]

        def seen_by(name: str) -> tuple[set[str], int]:
            listed = client.get("/backfills", headers=headers[name]).json()["items"]
            return {found["backfill_id"] for found in listed}, client.get(f"/backfills/{both}", headers=headers[name]).status_code

        assert seen_by("viewer") == ({both, here}, 200)
        assert seen_by("viewer_here") == ({here}, 404)
        assert client.post(f"/backfills/{both}/cancel", headers=headers["admin_here"]).status_code in (403, 404)
