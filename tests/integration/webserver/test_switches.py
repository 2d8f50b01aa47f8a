"""All automation together: what there is, and many switches at once; the pages of each and of the simulation."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver import people, places
from tests.integration.webserver.conftest import Running, problems, publish

from dagwright_shared.model.automation import Operand, OperandKind
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.ticks import InstigatorKind
from dagwright_shared.store import automation, instigators

pytestmark = pytest.mark.integration


def running(api: httpx.Client) -> dict[str, bool]:
    found = api.get("/automation").json()
    return {each["name"]: each["running"] for each in (*found["schedules"], *found["sensors"])}


def test_many_switches_at_once(api: httpx.Client) -> None:
    assert running(api) == {"nightly": False, "watch": False}
    answer = api.post("/automation/switches", json={"on": True, "schedules": ["nightly", "nightly"], "sensors": ["watch"]})
    assert answer.status_code == 200, answer.text
    assert [(each["kind"], each["name"], each["location"]) for each in answer.json()["items"]] == [
        ("schedule", "nightly", "flights"), ("sensor", "watch", "flights"),
    ]  # fmt: skip
    assert running(api) == {"nightly": True, "watch": True}
    api.post("/automation/switches", json={"on": False, "sensors": ["watch"]})
    assert running(api) == {"nightly": True, "watch": False}


def test_all_or_none(api: httpx.Client) -> None:
    answer = api.post("/automation/switches", json={"on": True, "schedules": ["nightly"], "sensors": ["wach"]})
    assert (answer.status_code, "watch" in answer.text) == (404, True)
    assert running(api) == {"nightly": False, "watch": False}
    assert "schedules" in problems(api.post("/automation/switches", json={"on": True}))
    assert "on" in problems(api.post("/automation/switches", json={"on": "yes", "sensors": ["watch"]}))
    assert api.post("/automation/switches", json={"on": True, "sensors": ["watch"], "location": "twin"}).status_code == 404


def test_switches_of_another_location_are_not_yours(store: Engine, database_url: str) -> None:
    publish(store, places.vault())
    with (
        Running(database_url=database_url, auth="local") as server,
        httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as client,
    ):
        headers = people.hire(store)
        both = {"on": True, "schedules": ["nightly"]}  # at flights and at the vault
        assert client.post("/automation/switches", json=both, headers=headers["admin_here"]).status_code == 403
        assert not any(each["running"] for each in client.get("/schedules", headers=headers["admin"]).json()["items"])
        here = {**both, "location": "flights"}
        assert client.post("/automation/switches", json=here, headers=headers["admin_here"]).status_code == 200
        assert client.post("/automation/switches", json=here, headers=headers["launcher"]).status_code == 403


def test_conditions_are_listed_with_their_newest_evaluation(store: Engine, api: httpx.Client) -> None:
    base = places.flights()
    missing = Operand(kind=OperandKind.MISSING, label="when_missing")
    assets = tuple(
        dataclasses.replace(each, automation=missing) if each.key.to_user_string() in ("stats", "carriers") else each
        for each in base.assets
    )
    publish(store, dataclasses.replace(base, assets=assets))
    with store.begin() as conn:
        held = instigators.get(conn, InstigatorKind.SENSOR, "watch", location="flights")
        for tick, requested in ((1, 0), (2, 3)):
            new = automation.NewEvaluation(key=AssetKey("stats"), requested=requested, tree={"name": "missing"})
            automation.add_evaluations(conn, held.instigator_id, tick=tick, tick_id=None, time=datetime.now(UTC), evaluations=[new])
    found = api.get("/automation").json()
    assert found["condition_count"] == 2
    assert [(each["key"], each["condition"], each["requested"]) for each in found["conditions"]] == [
        ("carriers", "when_missing", None), ("stats", "when_missing", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/automation", "/automation/schedules/nightly", "/automation/sensors/watch", "/automation/simulation?hours=48"]
)
def test_pages(api: httpx.Client, server: Running, path: str) -> None:
    api.post("/automation/switches", json={"on": True, "schedules": ["nightly"]})
    page = httpx.get(server.url + path, headers={"Accept": "text/html"}, trust_env=False, timeout=60)
    assert page.status_code == 200, page.text[:300]
    assert ("nightly" in page.text) or "watch" in page.text
    missing = httpx.get(f"{server.url}/automation/schedules/nigtly", headers={"Accept": "text/html"}, trust_env=False, timeout=60)
    assert (missing.status_code, "nightly" in missing.text) == (404, True)
