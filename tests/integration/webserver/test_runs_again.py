"""Runs again in part, canceled by force, deleted."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import Engine, text
from tests.integration.webserver.conftest import problems

from dagwright_shared.model import events as e
from dagwright_shared.model.keys import RunId, StepKey
from dagwright_shared.store import events, runs

pytestmark = pytest.mark.integration
USAGE = e.Usage(cpu_seconds=0.1, peak_memory_bytes=1)


def tell(store: Engine, run_id: str, epoch: int, first: int, *told: tuple[str | None, e.Payload]) -> bool:
    """Whether the events of a worker were taken."""
    made = tuple(
        e.RunEvent(seq=n, time=datetime.now(UTC), step_key=StepKey(step) if step else None, payload=payload)
        for n, (step, payload) in enumerate(told, first)
    )
    with store.begin() as conn:
        return events.append(conn, [e.EventBatch(run_id=RunId(run_id), epoch=epoch, events=made)])[RunId(run_id)] is not None


@pytest.fixture
def running(api: httpx.Client, store: Engine) -> tuple[str, int]:
    """A run of `etl`, load -> clean, whose first step has succeeded."""
    made = api.post("/runs", json={"job": "etl", "config": {"ops": {"load": {"config": {"limit": 3}}}}}).json()["run_id"]
    with store.begin() as conn:
        (run,) = runs.claim(conn, limit=1, lease_seconds=60)
    plan = (
        e.PlannedStep(key=StepKey("load"), op_name="load"),
        e.PlannedStep(key=StepKey("clean"), op_name="clean", depends_on=(StepKey("load"),)),
    )
    assert tell(
        store, made, run.epoch, 1,
        (None, e.RunStarted(pid=1, host="h", executor="in_process", steps=plan)),
        ("load", e.StepStarted(attempt=1, pid=1)),
        ("load", e.StepSucceeded(attempt=1, usage=USAGE)),
    )  # fmt: skip
    return made, run.epoch


def end(store: Engine, running: tuple[str, int]) -> str:
    assert tell(
        store,
        *running,
        4,
        ("clean", e.StepStarted(attempt=1, pid=1)),
        ("clean", e.StepSucceeded(attempt=1, usage=USAGE)),
        (None, e.RunSucceeded()),
    )
    return running[0]


def test_chosen_steps(api: httpx.Client, store: Engine, running: tuple[str, int]) -> None:
    done = end(store, running)
    again = api.post(f"/runs/{done}/re-execute", json={"steps": ["clean"]})
    assert again.status_code == 201, again.text
    made = api.get(f"/runs/{again.json()['run_id']}").json()
    assert (made["step_keys"], made["inherited"], made["parent_run_id"]) == (["clean"], {"load": done}, done)
    with_rest = api.post(f"/runs/{done}/re-execute", json={"steps": ["load"], "downstream": True}).json()
    assert api.get(f"/runs/{with_rest['run_id']}").json()["step_keys"] == ["load", "clean"]


def test_steps_that_cannot_be_chosen(api: httpx.Client, store: Engine, running: tuple[str, int]) -> None:
    done = end(store, running)
    wrong = problems(api.post(f"/runs/{done}/re-execute", json={"steps": ["claen"]}))
    assert wrong["steps[0]"]["suggestion"] == "clean"
    problems(api.post(f"/runs/{done}/re-execute", json={"steps": []}))
    with store.begin() as conn:
        conn.execute(text("UPDATE steps SET status = 'FAILURE' WHERE step_key = 'load'"))
    refused = api.post(f"/runs/{done}/re-execute", json={"steps": ["clean"]})
    assert refused.status_code == 409
    assert "load" in refused.json()["detail"]


def test_force_marks_as_canceled_and_fences_the_worker_off(api: httpx.Client, store: Engine, running: tuple[str, int]) -> None:
    run_id, epoch = running
    assert api.post(f"/runs/{run_id}/cancel").json()["status"] == "CANCELING"
    assert api.post(f"/runs/{run_id}/cancel", json={"force": True}).json()["status"] == "CANCELED"
    assert api.get(f"/runs/{run_id}").json()["status"] == "CANCELED"
    assert not tell(store, run_id, epoch, 4, ("clean", e.StepStarted(attempt=1, pid=1)))
    assert api.post(f"/runs/{run_id}/cancel", json={"force": True}).status_code == 202
    problems(api.post(f"/runs/{run_id}/cancel", json={"force": "maybe"}))


def test_delete(api: httpx.Client, store: Engine, running: tuple[str, int]) -> None:
    refused = api.delete(f"/runs/{running[0]}")
    assert refused.status_code == 409
    assert "cancel it first" in refused.json()["detail"]
    done = end(store, running)
    assert api.delete(f"/runs/{done}").status_code == 204
    problems(api.get(f"/runs/{done}"), 404)
    problems(api.delete(f"/runs/{done}"), 404)
    with store.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM events")).scalar_one() == 0
        assert conn.execute(text("SELECT count(*) FROM steps")).scalar_one() == 0
