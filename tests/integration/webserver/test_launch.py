"""POST /api/v1/runs: what is taken, and what each mistake is told."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from tests.integration.webserver import places
from tests.integration.webserver.conftest import problems, publish

from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.snapshot import CheckSnapshot
from dagwright_shared.store import runs

pytestmark = pytest.mark.integration


def rows(store: Engine) -> int:
    with store.connect() as conn:
        return conn.execute(text("SELECT count(*) FROM runs")).scalar_one()


def test_job(api: httpx.Client, store: Engine) -> None:
    answer = api.post(
        "/runs", json={"job": "etl", "config": {"ops": {"load": {"config": {"limit": 3}}}}, "tags": {"who": "me"}, "priority": 7}
    )
    assert answer.status_code == 201
    made = answer.json()
    assert made["status"] == "QUEUED"
    assert made["url"].endswith(f"/runs/{made['run_id']}")
    assert answer.headers["location"] == f"/api/v1/runs/{made['run_id']}"
    with store.connect() as conn:
        run = runs.get(conn, made["run_id"])
    assert run is not None
    assert run.job_name == "etl"
    assert run.location == "flights"
    assert run.config == {"ops": {"load": {"config": {"limit": 3}}}}
    assert run.tags == {"team": "data", "who": "me"}
    assert run.priority == 7
    assert run.trigger.kind == "api"
    found = api.get(f"/runs/{made['run_id']}").json()
    fixed = ("run_id", "status", "job", "assets", "partition", "created_at", "started_at", "ended_at", "steps")
    assert {name: found[name] for name in fixed} == {
        "run_id": made["run_id"], "status": "QUEUED", "job": "etl", "assets": [], "partition": None,
        "created_at": found["created_at"], "started_at": None, "ended_at": None, "steps": [],
    }  # fmt: skip
    assert len(found["created_at"]) == len("2026-01-31T06:00:00.000000Z")


def test_assets_take_their_checks_and_partition(api: httpx.Client, store: Engine) -> None:
    # The op of carriers has a field without a default.
    missing = problems(api.post("/runs", json={"assets": ["stats", "carriers"], "partition": "2013-02-03"}))
    assert "config.ops" in missing
    body = {"assets": ["stats", "raw/flights"], "partition": "2013-02-03"}
    made = api.post("/runs", json=body, headers={"X-Dagwright-Client": "cli"}).json()
    with store.connect() as conn:
        run = runs.get(conn, made["run_id"])
    assert run is not None
    assert [key.to_user_string() for key in run.asset_keys] == ["stats", "raw/flights"]
    assert [key.to_user_string() for key in run.check_keys] == ["stats:row_count"]
    assert run.partition == ("2013-02-03",)
    assert run.trigger.kind == "cli"


ALONE, OWN = ({"asset": "stats", "name": name} for name in ("alone", "row_count"))


@pytest.fixture
def judged(store: Engine) -> None:
    """The check of stats is a part of what makes it; beside it is one of its own op."""
    flights = places.flights()
    alone = CheckSnapshot(key=AssetCheckKey(AssetKey("stats"), "alone"), op_name="stats_alone")
    publish(store, replace(flights, checks=(*flights.checks, alone)))


def test_checks_by_themselves(judged: None, api: httpx.Client, store: Engine) -> None:
    made = api.post("/runs", json={"checks": [ALONE], "partition": "2013-02-03"})
    assert made.status_code == 201, made.text
    with store.connect() as conn:
        run = runs.get(conn, made.json()["run_id"])
    assert run is not None
    assert (run.asset_keys, [key.name for key in run.check_keys], run.only_checks) == ((), ["alone"], True)


def test_an_asset_with_one_of_its_checks(judged: None, api: httpx.Client, store: Engine) -> None:
    made = api.post("/runs", json={"assets": ["stats"], "checks": [OWN], "partition": "2013-02-03"}).json()
    with store.connect() as conn:
        run = runs.get(conn, made["run_id"])
    assert run is not None
    assert ([key.to_user_string() for key in run.asset_keys], [key.name for key in run.check_keys], run.only_checks) == (
        ["stats"],
        ["row_count"],
        True,
    )


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        ({"checks": []}, "checks", "the list is empty"),
        ({"checks": [{"asset": "statz", "name": "alone"}]}, "checks[0].asset", "did you mean 'stats'"),
        ({"checks": [ALONE, {"asset": "stats", "name": "allone"}]}, "checks[1].name", "did you mean 'alone'"),
        ({"checks": [OWN], "partition": "2013-02-03"}, "checks", "a part of what makes stats"),
        ({"checks": [ALONE]}, "partition", "a partition is required"),
        ({"job": "etl", "checks": [ALONE]}, "checks", "leave `job` out"),
        ({"assets": ["elsewhere"], "checks": [ALONE]}, "checks", "has not all of these checks"),
    ],
)
def test_mistakes_about_checks(judged: None, api: httpx.Client, store: Engine, body: dict[str, Any], path: str, words: str) -> None:
    before = rows(store)
    assert words in problems(api.post("/runs", json=body))[path]["message"]
    assert rows(store) == before


def test_a_range_of_partitions_in_one_run(api: httpx.Client, store: Engine) -> None:
    body = {"assets": ["stats", "raw/flights"], "partition": {"start": "2013-02-03", "end": "2013-02-05"}}
    made = api.post("/runs", json=body).json()
    with store.connect() as conn:
        run = runs.get(conn, made["run_id"])
    assert run is not None
    assert (run.partition, run.partition_end) == (("2013-02-03",), ("2013-02-05",))
    assert api.get(f"/runs/{made['run_id']}").json()["partition"] == "2013-02-03...2013-02-05"
    assert [each["partition"] for each in api.get("/runs").json()["items"]] == ["2013-02-03...2013-02-05"]
    going_on = api.get("/assets/stats/partitions").json()
    assert [(each["first"], each["last"]) for each in going_on["ranges"] if each["status"] == "MATERIALIZING"] == [
        ("2013-02-03", "2013-02-05")
    ]


@pytest.mark.parametrize(
    ("body", "path", "suggestion"),
    [
        ({"job": "elt"}, "job", "etl"),
        ({"job": "etl", "location": "flihgts"}, "location", "flights"),
        ({"assets": ["raw/flihgts"]}, "assets[0]", "raw/flights"),
        ({"assets": ["stats", "outside"]}, "assets[1]", None),
        ({"assets": []}, "assets", None),
        ({"assets": ["left"]}, "assets", None),
        ({"assets": ["elsewhere", "stats"]}, "assets", None),
        ({}, "job", None),
        ({"job": "ping"}, "location", None),
        ({"job": "ping", "location": "flights", "partition": "2013-01-01"}, "partition", None),
        ({"job": "day"}, "partition", "2013-12-31"),
        ({"job": "day", "partition": "2013-1-1"}, "partition", "2013-12-31"),
        ({"job": "day", "partition": {"start": "2013-1-1", "end": "2013-12-31"}}, "partition.start", "2013-12-31"),
        ({"job": "day", "partition": {"start": "2013-12-30", "end": "2013-12-32"}}, "partition.end", "2013-12-31"),
        ({"job": "day", "partition": {"start": "2013-12-30", "end": "2013-12-29"}}, "partition", None),
        ({"job": "ping", "location": "flights", "partition": {"start": "a", "end": "b"}}, "partition", None),
        ({"assets": ["raw/flights", "colours"], "partition": "red"}, "partition", None),
        ({"job": "day", "partition": "2013-01-01", "assets": ["carriers"]}, "assets[0]", None),
        ({"job": "etl", "steps": ["laod"], "config": {"ops": {"load": {"config": {"limit": 1}}}}}, "steps[0]", "load"),
        ({"job": "ping", "location": "flights", "tags": {"dagwright/priority": "high"}}, "tags.dagwright/priority", None),
        ({"jbo": "etl"}, "jbo", "job"),
        ({"job": 3}, "job", None),
        ({"job": "etl", "priority": "1"}, "priority", None),
        ({"job": "etl", "tags": {"a": 1}}, "tags.a", None),
        ({"job": "etl", "config": [1]}, "config", None),
    ],
)
def test_mistakes(api: httpx.Client, store: Engine, body: dict[str, Any], path: str, suggestion: str | None) -> None:
    found = problems(api.post("/runs", json=body))
    assert path in found, found
    assert found[path]["suggestion"] == suggestion
    assert rows(store) == 0


def test_all_mistakes_of_config_are_told(api: httpx.Client, store: Engine) -> None:
    config = {"ops": {"load": {"config": {"limt": 5, "mode": "fats", "source": 3, "colour": "rde"}}, "claen": {}}}
    found = problems(api.post("/runs", json={"job": "etl", "config": config}))
    where = "config.ops.load.config"
    assert found[f"{where}.limit"]["expected"] == "a whole number"
    assert found[f"{where}.limt"]["suggestion"] == "limit"
    assert found[f"{where}.limt"]["value"] == 5
    assert found[f"{where}.mode"]["suggestion"] == "fast"
    assert found[f"{where}.source"]["expected"] == "text or null"
    assert found[f"{where}.colour"]["suggestion"] == "red"
    assert found["config.ops.claen"]["suggestion"] == "clean"
    assert rows(store) == 0


def test_config_of_assets_is_checked(api: httpx.Client) -> None:
    config = {"ops": {"carriers": {"config": {"limit": "x", "colour": "blue"}}}}
    found = problems(api.post("/runs", json={"assets": ["carriers"], "config": config}))
    assert found["config.ops.carriers.config.limit"]["expected"] == "a whole number"
    assert found["config.ops.carriers.config.colour"]["expected"] == 'one of "red", "green"'


def test_same_idempotency_key_makes_one_run(api: httpx.Client, store: Engine) -> None:
    body = {"job": "ping", "location": "flights"}
    answers: list[httpx.Response] = []

    def post() -> None:
        answers.append(api.post("/runs", json=body, headers={"Idempotency-Key": "once"}))

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert rows(store) == 1
    other = api.post("/runs", json={**body, "priority": 1}, headers={"Idempotency-Key": "once"})
    assert "Idempotency-Key" in problems(other)
    assert rows(store) == 1


def test_a_refused_request_does_not_use_up_its_key(api: httpx.Client) -> None:
    headers = {"Idempotency-Key": "later"}
    assert api.post("/runs", json={"job": "nope"}, headers=headers).status_code == 422
    assert api.post("/runs", json={"job": "ping", "location": "twin"}, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"job": ', "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b'{"job": "etl"}', "text/plain", 415),
        (b"[]", "application/json", 422),
        (b'{"job": "e\\u0000tl"}', "application/json", 422),
        (b'{"job": "ping", "location": "flights", "tags": {"a": "b\\u0000"}}', "application/json", 422),
        (b'{"job": "ping", "location": "flights", "config": {"a": "b\\u0000"}}', "application/json", 422),
        (b'{"job": "ping", "location": "flights", "tags": {"a": "\\ud800"}}', "application/json", 422),
        (b'{"job": "ping", "location": "flights", "config": {"a": NaN}}', "application/json", 422),
        (b'{"a":' * 20_000, "application/json", 400),
    ],
)
def test_bodies_that_cannot_be_read(api: httpx.Client, store: Engine, content: bytes, kind: str, status: int) -> None:
    problems(api.post("/runs", content=content, headers={"Content-Type": kind}), status)
    assert rows(store) == 0


def test_too_large_a_body(api: httpx.Client) -> None:
    problems(api.post("/runs", content=b" " * 5_000_000, headers={"Content-Type": "application/json"}), 413)

    def pieces() -> Any:
        for _ in range(50):
            yield b" " * 100_000

    problems(api.post("/runs", content=pieces(), headers={"Content-Type": "application/json"}), 413)


def test_materialize_an_asset_by_its_path(api: httpx.Client, store: Engine) -> None:
    answer = api.post("/assets/raw/flights/materialize", json={"partition": "2013-12-31"})
    assert answer.status_code == 201, answer.text
    assert "partition" in problems(api.post("/assets/raw/flights/materialize"))
    answer = api.post("/assets/raw/flihgts/materialize")
    assert answer.status_code == 404
    assert "raw/flights" in answer.json()["detail"]
    assert rows(store) == 1
