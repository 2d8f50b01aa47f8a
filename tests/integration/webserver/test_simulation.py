"""What would run from now on, by the switches, limits and history of a deployment."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine, text
from tests import build
from tests.integration.webserver.conftest import problems

from dagwright_shared.model.events import RunSucceeded
from dagwright_shared.store import events

pytestmark = pytest.mark.integration


def test_by_switches_and_history(api: httpx.Client, store: Engine) -> None:
    off = api.get("/simulation", params={"hours": 48}).json()
    assert off["run_count"] == 0
    assert "schedule nightly: it is switched off" in off["left_out"]
    api.post("/schedules/nightly/start", params={"location": "flights"})
    with store.begin() as conn:
        run = build.claimed(conn, job_name="day")
        events.append(conn, [build.batch(run, [build.planned("s"), RunSucceeded()])])
        conn.execute(text("UPDATE runs SET started_at = ended_at - :length"), {"length": timedelta(minutes=30)})
    found = api.get("/simulation", params={"hours": 48}).json()
    assert found["run_count"] == 2
    first = found["runs"][0]
    assert (first["job"], first["trigger"], first["trigger_name"], first["partition"]) == ("day", "schedule", "nightly", "2013-12-31")
    assert found["total"]["peak"] == 1
    assert found["total"]["busy"] == pytest.approx(2 * 30 / (48 * 60), rel=0.02)
    assert len(api.get("/simulation", params={"hours": 48, "limit": 1}).json()["runs"]) == 1


def test_bad_input(api: httpx.Client) -> None:
    assert "hours" in problems(api.get("/simulation", params={"hours": 0}))
