"""Numbers of events, by filter, and the brief stream: what a page needs to show a log of any length."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import Engine, text
from tests.integration.webserver.conftest import problems

from dagwright_shared.model import events as e
from dagwright_shared.store import events, runs

pytestmark = pytest.mark.integration
START = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def run_id(api: httpx.Client, store: Engine) -> str:
    """A run with ten events, a second apart; each third is a warning."""
    made = str(api.post("/runs", json={"job": "ping", "location": "flights"}).json()["run_id"])
    with store.begin() as conn:
        (run,) = runs.claim(conn, limit=1, lease_seconds=60)
        told = [e.RunStarted(pid=1, host="h", executor="in_process", steps=())]
        told += [e.LogMessage(level=e.LogLevel.WARNING if n % 3 == 0 else e.LogLevel.INFO, message=f"n {n}") for n in range(2, 11)]
        batch = [e.RunEvent(seq=n, time=START + timedelta(seconds=n), payload=payload) for n, payload in enumerate(told, 1)]
        events.append(conn, [e.EventBatch(run_id=run.run_id, epoch=run.epoch, events=tuple(batch))])
    return made


def test_all_of_them(api: httpx.Client, run_id: str) -> None:
    assert api.get(f"/runs/{run_id}/events/numbers").json() == {"ranges": [[1, 10]], "count": 10, "last_seq": 10}
    assert api.get(f"/runs/{run_id}/events/numbers", params={"after_seq": 8}).json() == {"ranges": [[9, 10]], "count": 2, "last_seq": 10}
    assert api.get(f"/runs/{run_id}/events/numbers", params={"after_seq": 10}).json()["ranges"] == []


def test_those_that_fit(api: httpx.Client, run_id: str) -> None:
    assert api.get(f"/runs/{run_id}/events/numbers", params={"level": "WARNING"}).json()["ranges"] == [[3, 3], [6, 6], [9, 9]]
    since = (START + timedelta(seconds=9)).isoformat()
    assert api.get(f"/runs/{run_id}/events/numbers", params={"since": since}).json()["ranges"] == [[9, 10]]
    assert [each["seq"] for each in api.get(f"/runs/{run_id}/events", params={"since": since}).json()["items"]] == [9, 10]


def test_gaps_that_purging_has_left(api: httpx.Client, store: Engine, run_id: str) -> None:
    with store.begin() as conn:
        conn.execute(text("DELETE FROM events WHERE seq IN (4, 5)"))
    assert api.get(f"/runs/{run_id}/events/numbers").json() == {"ranges": [[1, 3], [6, 10]], "count": 8, "last_seq": 10}


def test_bad_input(api: httpx.Client, run_id: str) -> None:
    assert "level" in problems(api.get(f"/runs/{run_id}/events/numbers", params={"level": "LOUD"}))
    problems(api.get(f"/runs/{run_id}/events/numbers", params={"since": "soon"}))
    problems(api.get("/runs/none/events/numbers"), 404)
    problems(api.get("../../runs/none?_part=run_events&after=0"), 404)


def test_the_brief_stream_tells_how_far_a_run_is(api: httpx.Client, store: Engine, run_id: str) -> None:
    with store.begin() as conn:
        runs.request_cancel(conn, run_id)
        run = runs.get(conn, run_id)
        assert run is not None
        runs.cancel_lost(conn, run.run_id, run.epoch)
    with api.stream("GET", f"/runs/{run_id}/stream", params={"brief": True}) as stream:
        told = "".join(stream.iter_text())
    (progress,) = (json.loads(line[6:]) for line in told.splitlines() if "last_seq" in line)
    assert progress == {"status": "CANCELED", "last_seq": 11, "step_counts": {}, "attempts": 0}
    assert "event: end" in told
    assert "event: event" not in told
