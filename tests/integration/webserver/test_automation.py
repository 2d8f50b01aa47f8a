"""Evaluations of automation conditions and staleness: REST and the page of an asset."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver.conftest import Running, problems, publish

from dagwright.authoring.automation import AutomationCondition
from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.automation import Automation
from dagwright_shared.decide.staleness import StaleStatus
from dagwright_shared.model.events import AssetMaterialized, RunEvent
from dagwright_shared.model.keys import AssetKey, LocationName, new_run_id
from dagwright_shared.model.partitions import StaticPartitions
from dagwright_shared.model.snapshot import AssetDepSnapshot, AssetSnapshot, LocationSnapshot, SensorKind, SensorSnapshot
from dagwright_shared.store import events, wipes
from dagwright_webserver.deps import Memos
from dagwright_webserver.reads import staleness

pytestmark = pytest.mark.integration
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HERE = LocationName("robots")
UP, DOWN, PARTED = AssetKey(["in", "up"]), AssetKey("down"), AssetKey("parted")
SNAPSHOT = LocationSnapshot(
    location=HERE,
    dagwright_version="0",
    python_version="3",
    assets=(
        AssetSnapshot(key=DOWN, deps=(AssetDepSnapshot(key=UP),), op_name="down", automation=AutomationCondition.eager().node),
        AssetSnapshot(key=UP, op_name="up"),
        AssetSnapshot(
            key=PARTED,
            op_name="parted",
            partitions=StaticPartitions(keys=("x", "y")),
            deps=(AssetDepSnapshot(key=UP),),
            automation=AutomationCondition.missing().node,
        ),
    ),
    sensors=(SensorSnapshot(name="auto", kind=SensorKind.AUTOMATION, default_running=True, asset_keys=(DOWN, PARTED)),),
)


def make(engine: Engine, key: AssetKey, version: str, partition: tuple[str, ...] = (), **inputs: str) -> None:
    payload = AssetMaterialized(asset_key=key, data_version=version, input_data_versions=inputs, partition=partition)
    with engine.begin() as conn:
        events.record(conn, HERE, new_run_id(), RunEvent(seq=1, time=datetime.now(UTC), payload=payload))


@pytest.fixture
def ticked(store: Engine) -> Engine:
    """Two evaluations that came to something."""
    publish(store, SNAPSHOT)
    loop = Automation(store, Catalog())
    for at in range(3):
        if at == 1:
            make(store, UP, "1")
        while loop.tick(Turn(now=NOW + timedelta(seconds=at))).more:
            pass
    return store


def test_evaluations_by_rest(ticked: Engine, api: httpx.Client) -> None:
    newest = api.get("/assets/down/evaluations").json()
    requested = next(one for one in newest["items"] if one["requested"])
    assert (requested["location"], requested["sensor"], requested["tree"]["label"]) == ("robots", "auto", "eager")
    (run_id,) = requested["run_ids"]
    assert api.get(f"/runs/{run_id}").json()["trigger"] == "automation"
    first = api.get("/assets/down/evaluations", params={"limit": 1}).json()
    then = api.get("/assets/down/evaluations", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert first["items"][0]["evaluation_id"] > then["items"][0]["evaluation_id"]
    assert api.get("/assets/in/up/evaluations").json() == {"items": [], "next_cursor": None}


def test_partitions_in_an_evaluation(ticked: Engine, api: httpx.Client) -> None:
    (first, *_) = [one for one in api.get("/assets/parted/evaluations").json()["items"] if one["requested"]]
    assert (first["requested"], first["tree"]["true"]) == (2, [[[], [["x", "x"], ["y", "y"]]]])


def test_bad_requests(ticked: Engine, api: httpx.Client) -> None:
    assert "cursor" in problems(api.get("/assets/down/evaluations", params={"cursor": "zzz"}))
    assert api.get("/assets/nothing/evaluations").status_code == 404


def test_the_page_shows_the_condition(ticked: Engine, server: Running) -> None:
    page = httpx.get(f"{server.url}/assets/down?tab=automation", trust_env=False, timeout=60).text
    assert "<details" in page
    assert "any_deps_updated" in page
    assert "Requested" in page
    without = httpx.get(f"{server.url}/assets/in/up", trust_env=False, timeout=60).text
    assert "tab=automation" not in without


def test_staleness(ticked: Engine, api: httpx.Client) -> None:
    make(ticked, DOWN, "d", **{"in/up": "1"})
    assert api.get("/assets/down").json()["staleness"] == {"status": "FRESH", "causes": [], "stale_partitions": []}
    make(ticked, UP, "2")
    found = api.get("/assets/down").json()["staleness"]
    cause = {"kind": "DATA", "reason": "in/up has new data", "dependency": "in/up", "partition": None}
    assert found == {"status": "STALE", "causes": [cause], "stale_partitions": []}


def test_staleness_of_partitions(ticked: Engine, api: httpx.Client) -> None:
    assert api.get("/assets/parted").json()["staleness"]["status"] == "MISSING"
    make(ticked, PARTED, "p", ("x",), **{"in/up": "0"})
    make(ticked, PARTED, "p", ("y",), **{"in/up": "1"})
    found = api.get("/assets/parted").json()["staleness"]
    assert (found["status"], [one["partition"] for one in found["stale_partitions"]]) == ("STALE", ["x"])


def test_what_is_stale(ticked: Engine, api: httpx.Client, server: Running) -> None:
    make(ticked, DOWN, "d", **{"in/up": "1"})
    make(ticked, UP, "2")
    make(ticked, PARTED, "p", ("x",), **{"in/up": "2"})
    found = api.get("/staleness").json()
    assert {one["key"]: one["status"] for one in found["items"]}["down"] == "STALE"
    assert "parted" not in [one["key"] for one in found["items"]]
    make(ticked, UP, "3")
    found = api.get("/staleness", params={"selection": "parted"}).json()
    assert [(one["key"], one["causes"][0]["reason"]) for one in found["items"]] == [("parted", "in/up has new data")]
    catalog = api.get("/assets", params={"location": HERE}).json()["items"]
    assert {one["key"]: one["staleness"] for one in catalog} == {"down": "STALE", "in/up": "FRESH", "parted": "STALE"}
    for wanted, keys in (("true", ["down", "parted"]), ("false", ["in/up"])):
        assert [one["key"] for one in api.get("/assets", params={"location": HERE, "stale": wanted}).json()["items"]] == keys
    assert "stale" in problems(api.get("/assets", params={"stale": "perhaps"}))
    page = httpx.get(f"{server.url}/assets?stale=true", trust_env=False, timeout=60).text
    assert 'href="/assets/down"' in page
    assert 'href="/assets/in/up"' not in page
    assert api.get("/staleness", params={"around": "nowhere"}).status_code == 404
    assert "selection" in problems(api.get("/staleness", params={"selection": "("}))


def test_of_very_many_partitions_only_the_newest_are_judged_for_a_list(ticked: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    make(ticked, PARTED, "p", ("x",), **{"in/up": "0"})
    make(ticked, PARTED, "p", ("y",), **{"in/up": "1"})
    make(ticked, UP, "1")
    assert stale_keys(ticked, Memos()) == (100, {"parted"})
    monkeypatch.setattr(staleness, "_LOOKED_AT_OF_ALL", 1)
    assert stale_keys(ticked, Memos()) == (1, set())
    make(ticked, PARTED, "p", ("y",), **{"in/up": "0"})
    assert stale_keys(ticked, Memos()) == (1, {"parted"})


def test_what_a_process_remembers_follows_what_happens(ticked: Engine) -> None:
    memo = Memos()
    make(ticked, UP, "1")
    make(ticked, DOWN, "d", **{"in/up": "1"})
    make(ticked, PARTED, "p", ("x",), **{"in/up": "1"})
    assert stale_keys(ticked, memo) == (100, set())
    make(ticked, UP, "2")
    assert stale_keys(ticked, memo)[1] == {"down", "parted"} == stale_keys(ticked, Memos())[1]
    make(ticked, DOWN, "d", **{"in/up": "2"})
    assert stale_keys(ticked, memo)[1] == {"parted"}
    make(ticked, PARTED, "p", ("y",), **{"in/up": "2"})
    assert stale_keys(ticked, memo)[1] == {"parted"}
    make(ticked, PARTED, "p", ("x",), **{"in/up": "2"})
    assert stale_keys(ticked, memo)[1] == set()
    with ticked.begin() as conn:
        wipes.wipe(conn, memo.definitions.current(conn).ids[HERE, "in/up"])
    assert stale_keys(ticked, memo)[1] == {"down", "parted"} == stale_keys(ticked, Memos())[1]


def stale_keys(engine: Engine, web: Memos) -> tuple[int, set[str]]:
    """How many partitions of each asset are judged, and which assets are stale, to a process that remembers this."""
    with engine.connect() as conn:
        defs = web.definitions.current(conn)
        found = staleness.read_stale(conn, defs, web.stale, defs.graph.keys(), now=datetime.now(UTC))
    return found.newest, {one.key for one in found.items if one.status is StaleStatus.STALE}


def test_code_changes(ticked: Engine, api: httpx.Client, server: Running) -> None:
    make(ticked, UP, "1")
    assets = tuple(replace(one, code_version="2") if one.key == UP else one for one in SNAPSHOT.assets)
    with ticked.begin() as conn:
        payload = AssetMaterialized(asset_key=UP, data_version="1", code_version="1")
        events.record(conn, HERE, new_run_id(), RunEvent(seq=1, time=datetime.now(UTC), payload=payload))
    publish(ticked, replace(SNAPSHOT, assets=assets))
    assert api.get("/assets/in/up").json()["staleness"]["causes"][0]["kind"] == "CODE"
    assert "Stale: its code version was 1" in httpx.get(f"{server.url}/assets/in/up", trust_env=False, timeout=60).text
