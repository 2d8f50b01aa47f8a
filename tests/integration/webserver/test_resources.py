"""Resources and settings: what a deployment runs with, and nothing secret of it."""

from __future__ import annotations

import dataclasses

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver import places
from tests.integration.webserver.conftest import Running, publish

from dagwright_shared.model.snapshot import ResourceSnapshot, ScheduleSnapshot, SensorSnapshot

pytestmark = pytest.mark.integration


@pytest.fixture
def equipped(store: Engine) -> None:
    base = places.flights()
    resources = (
        ResourceSnapshot(
            key="warehouse",
            type_name="DuckDB",
            config={"path": "/w.db", "password": "hunter2", "user": {"env": "DB_USER"}},
            nested={"log": "log"},
        ),
        ResourceSnapshot(key="log", type_name="Log"),
    )
    assets = tuple(
        dataclasses.replace(each, resource_keys=("warehouse",)) if each.key.to_user_string() == "stats" else each for each in base.assets
    )
    jobs = tuple(dataclasses.replace(each, resource_keys=("log",)) if each.name == "ping" else each for each in base.jobs)
    schedules = (ScheduleSnapshot(name="hourly", cron=("0 * * * *",), resource_keys=("log", "warehouse")),)
    sensors = (SensorSnapshot(name="files", resource_keys=("log",)),)
    publish(store, dataclasses.replace(base, resources=resources, assets=assets, jobs=jobs, schedules=schedules, sensors=sensors))


@pytest.mark.usefixtures("equipped")
def test_resources(api: httpx.Client, server: Running) -> None:
    log, warehouse = api.get("/resources").json()["items"]
    assert (log["key"], log["jobs"], log["resources"], log["assets"]) == ("log", ["ping"], ["warehouse"], [])
    assert (log["schedules"], log["sensors"], warehouse["schedules"], warehouse["sensors"]) == (["hourly"], ["files"], ["hourly"], [])
    assert warehouse["config"] == {"path": "/w.db", "password": "•••", "user": {"env": "DB_USER"}}
    assert (warehouse["environment"], warehouse["assets"], warehouse["nested"]) == (["DB_USER"], ["stats"], {"log": "log"})
    assert api.get("/resources/warehouse").json() == warehouse
    assert api.get("/resources?location=twin").json()["items"] == []
    assert (api.get("/resources/warehuose").status_code, "warehouse" in api.get("/resources/warehuose").text) == (404, True)
    page = httpx.get(f"{server.url}/deployment/resources", headers={"Accept": "text/html"}, trust_env=False, timeout=60)
    assert page.status_code == 200
    assert "hunter2" not in page.text
    assert 'href="/assets/stats"' in page.text
    assert 'href="/automation/sensors/files"' in page.text


def test_settings(api: httpx.Client, server: Running, database_url: str) -> None:
    found = {each["name"]: each for each in api.get("/instance/settings").json()["items"]}
    assert found["database_url"]["value"] == "•••"
    assert found["max_concurrent_runs"]["source"] in ("default", "environment")
    page = httpx.get(f"{server.url}/deployment/settings", headers={"Accept": "text/html"}, trust_env=False, timeout=60)
    assert (page.status_code, "DAGWRIGHT_MAX_CONCURRENT_RUNS" in page.text, database_url in page.text) == (200, True, False)
