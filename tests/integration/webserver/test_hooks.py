"""Webhooks while no code server answers: requests are kept, limits hold, and what is listed is what came."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver.conftest import Running, problems, publish

from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.snapshot import LocationSnapshot, SensorKind, SensorSnapshot, WebhookSnapshot
from dagwright_shared.model.ticks import DeliveryStatus, InstigatorKind
from dagwright_shared.store import deliveries, instigators


def hook(name: str, **more: object) -> SensorSnapshot:
    given = {"signed": True, "signature_header": "X-Signature", "id_headers": ("X-Id",), "max_body_bytes": 100, "max_per_minute": 600}
    return SensorSnapshot(name=name, kind=SensorKind.WEBHOOK, default_running=True, webhook=WebhookSnapshot(**{**given, **more}))  # type: ignore[arg-type]


@pytest.fixture
def api(store_engine: Engine, database_url: str) -> Iterator[httpx.Client]:
    sensors = (hook("signed"), hook("open", signed=False), hook("few", signed=False, max_per_minute=2), SensorSnapshot(name="plain"))
    place = LocationSnapshot(location=LocationName("here"), dagwright_version="0", python_version="3", sensors=sensors)
    publish(store_engine, place)
    with (
        Running(database_url=database_url) as running,
        httpx.Client(base_url=f"{running.url}/api/v1", timeout=60, trust_env=False) as client,
    ):
        yield client


def test_a_request_is_kept_until_its_signature_can_be_checked(api: httpx.Client) -> None:
    answer = api.post("/hooks/signed", content=b"{}", headers={"X-Signature": "abc", "X-Id": "1", "Cookie": "private"})
    assert answer.status_code == 202, answer.text
    assert (answer.json()["verified"], answer.json()["id"]) == (False, "1")
    found = api.get(answer.json()["url"].removeprefix("/api/v1")).json()
    assert (found["status"], found["body"], found["body_bytes"]) == ("RECEIVED", "{}", 2)
    assert found["headers"]["x-signature"] == "abc"
    assert "cookie" not in found["headers"]


def test_without_a_signature_it_is_refused_at_once(api: httpx.Client) -> None:
    answer = api.post("/hooks/signed", content=b"x" * 100, headers={"X-Id": "1"})
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:dagwright:problem:bad-signature"
    (rejected,) = api.get("/hooks/signed/deliveries").json()["items"]
    assert rejected["status"] == "REJECTED"
    assert "X-Signature" in rejected["reason"]


def test_limits(api: httpx.Client) -> None:
    assert api.post("/hooks/open", content=b"x" * 101).status_code == 413
    assert api.post("/hooks/open", content=b"[", headers={"Content-Type": "application/json"}).status_code == 400
    assert [api.post("/hooks/few", content=str(number).encode()).status_code for number in range(3)] == [202, 202, 429]
    assert int(api.post("/hooks/few").headers["retry-after"]) > 0
    assert api.post("/hooks/open", content=b"\xff\x00 any bytes").status_code == 202


def test_names(api: httpx.Client) -> None:
    answer = api.post("/hooks/opne", content=b"{}")
    problems(answer, 404)
    assert answer.json()["suggestion"] == "open"
    assert api.post("/hooks/plain", content=b"{}").status_code == 404
    assert api.get("/hooks/open/deliveries/7").status_code == 404
    assert api.post("/hooks/open/deliveries/7/replay").status_code == 404
    assert api.get("/sensors/open").json()["hook"] == "/api/v1/hooks/open"


def test_pages_and_replays(api: httpx.Client, store_engine: Engine) -> None:
    numbers = [api.post("/hooks/open", content=str(number).encode()).json()["delivery_id"] for number in range(5)]
    same = api.post("/hooks/open", content=b"0").json()
    assert (same["delivery_id"], same["duplicate"]) == (numbers[0], True)
    first = api.get("/hooks/open/deliveries", params={"limit": 3}).json()
    rest = api.get("/hooks/open/deliveries", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [item["delivery_id"] for item in first["items"] + rest["items"]] == numbers[::-1]
    assert rest["next_cursor"] is None
    assert "cursor" in problems(api.get("/hooks/open/deliveries", params={"cursor": "x"}))
    assert api.post(f"/hooks/open/deliveries/{numbers[0]}/replay").status_code == 409, "it waits already"
    with store_engine.begin() as conn:
        deliveries.settle(conn, numbers[0], DeliveryStatus.FAILED, "it raised")
    replayed = api.post(f"/hooks/open/deliveries/{numbers[0]}/replay")
    assert (replayed.status_code, replayed.json()["status"], replayed.json()["replays"]) == (202, "RECEIVED", 1)
    assert len(api.get("/hooks/open/deliveries", params={"status": "RECEIVED"}).json()["items"]) == 5


def test_what_is_old_is_forgotten_unless_it_waits(api: httpx.Client, store_engine: Engine) -> None:
    numbers = [api.post("/hooks/open", content=str(number).encode()).json()["delivery_id"] for number in range(2)]
    with store_engine.begin() as conn:
        deliveries.settle(conn, numbers[0], DeliveryStatus.HANDLED)
        assert deliveries.forget(conn, older_than_seconds=3600) == 0
        conn.commit()
    with store_engine.begin() as conn:
        assert deliveries.forget(conn, older_than_seconds=0) == 1
        left = deliveries.list_page(conn, instigators.get(conn, InstigatorKind.SENSOR, "open").instigator_id).items
    assert [row.delivery.delivery_id for row in left] == [numbers[1]]


def test_a_cursor_that_is_no_text(api: httpx.Client) -> None:
    assert "cursor" in problems(api.put("/sensors/plain/cursor", json={"cursor": 7}))
    assert api.put("/sensors/plain/cursor", json={"cursor": None}).json()["cursor"] is None
    assert "at" in problems(api.post("/schedules/none/evaluate", json={"at": "2026-01-01T00:00:00"}))
    assert api.post("/sensors/plain/evaluate").status_code == 503, "no code server runs here"
    assert api.get("/sensors/plain/ticks/1").status_code == 404
