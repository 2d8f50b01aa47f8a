"""Sensors of every kind in a whole stack: each event is reacted to once, webhooks are taken in, and bad code harms nobody else."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack, start, until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("sensors")]
LOCATION = Path(__file__).parent / "location" / "sensing.py"
SECRET = "of the hook"
BAD = ("raises", "hangs", "wrong", "prints", "leaves", "devours")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    env = {
        "HOOK_SECRET": SECRET,
        "DAGWRIGHT_EVALUATION_TIMEOUT_SECONDS": "4",
        "DAGWRIGHT_EVALUATION_MEMORY_BYTES": str(512 << 20),
    }
    with start(tmp_path_factory.mktemp("sensors") / "home", "-f", str(LOCATION), env=env) as running:
        yield running


def runs_of(stack: Stack, job: str) -> list[Any]:
    return list(stack.get("/api/v1/runs", job=job, limit=100)["items"])


def ticks_of(stack: Stack, name: str, kind: str = "sensors") -> list[Any]:
    return list(stack.get(f"/api/v1/{kind}/{name}/ticks", limit=100)["items"])


def ended(stack: Stack, name: str, kind: str = "sensors") -> list[Any]:
    return [tick for tick in ticks_of(stack, name, kind) if tick["status"] != "STARTED"]


def spans(stack: Stack, name: str) -> list[tuple[datetime, datetime]]:
    """When ticks began and ended."""
    return [(datetime.fromisoformat(tick["started_at"]), datetime.fromisoformat(tick["ended_at"])) for tick in ended(stack, name)]


def deliver(stack: Stack, body: Any, *, secret: str = SECRET, delivery: str | None = None, name: str = "github", **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    sent = {"X-Hub-Signature-256": signature, "Content-Type": "application/json", "X-GitHub-Event": "push", **headers}
    if delivery is not None:
        sent["X-GitHub-Delivery"] = delivery
    return httpx.post(f"{stack.url}/api/v1/hooks/{name}", content=raw, headers=sent, timeout=60)


def settled(stack: Stack, delivery_id: int) -> Any:
    def probe() -> Any:
        found = stack.get(f"/api/v1/hooks/github/deliveries/{delivery_id}")
        return found if found["status"] != "RECEIVED" else None

    return until(probe, 20, f"delivery {delivery_id} to be handled")


def test_each_materialization_is_reacted_to_once(stack: Stack) -> None:
    until(lambda: ended(stack, "on_raw"), 20, "the first evaluation")
    made = [stack.launch(assets=["raw"]) for _ in range(5)]
    for run_id in made:
        assert stack.finished(run_id)["status"] == "SUCCESS"

    def reactions() -> list[str]:  # but not to what other tests have made
        return [run["tags"]["made_by"] for run in runs_of(stack, "react") if run["tags"]["made_by"] in made]

    until(lambda: len(reactions()) >= 5, 20, "five reactions")
    assert sorted(reactions()) == sorted(made)


def test_several_assets(stack: Stack) -> None:
    stack.finished(stack.launch(assets=["raw"]))
    assert runs_of(stack, "both") == []
    stack.finished(stack.launch(assets=["other"]))
    until(lambda: len(runs_of(stack, "both")) == 1, 20, "a run when both have been made")


def test_each_run_that_ends_is_reacted_to_once(stack: Stack) -> None:
    until(lambda: ended(stack, "on_source"), 20, "the first evaluation")
    made = [stack.launch(job="source") for _ in range(5)]

    def followers() -> list[str]:
        return [run["tags"]["after"] for run in runs_of(stack, "after") if run["tags"]["after"] in made]

    until(lambda: len(followers()) >= 5, 30, "five followers")
    assert sorted(followers()) == sorted(made)


def test_a_failure_is_reacted_to(stack: Stack) -> None:
    until(lambda: ended(stack, "on_failure"), 20, "the first evaluation")
    failed = stack.launch(job="broken")
    (alarm,) = until(lambda: runs_of(stack, "alarmed"), 20, "the alarm")
    assert alarm["tags"]["failed"] == failed


def test_a_delivery_becomes_a_run_and_can_be_replayed(stack: Stack) -> None:
    answer = deliver(stack, {"ref": "main"}, delivery="guid-1", Authorization="Bearer private")
    assert answer.status_code == 202, answer.text
    received = answer.json()
    assert (received["duplicate"], received["verified"], received["id"]) == (False, True, "guid-1")
    found = settled(stack, received["delivery_id"])
    assert (found["status"], json.loads(found["body"])) == ("HANDLED", {"ref": "main"})
    assert "authorization" not in found["headers"]
    assert stack.finished(found["run_ids"][0])["tags"]["ref"] == "main"
    tick = stack.get(f"/api/v1/sensors/github/ticks/{found['tick_id']}")
    assert any("event push" in line for line in tick["logs"])

    again = deliver(stack, {"ref": "main"}, delivery="guid-1")
    assert (again.status_code, again.json()["duplicate"], again.json()["delivery_id"]) == (202, True, received["delivery_id"])

    replayed = httpx.post(f"{stack.url}/api/v1/hooks/github/deliveries/{received['delivery_id']}/replay", timeout=60)
    assert replayed.status_code == 202, replayed.text
    until(lambda: len([run for run in runs_of(stack, "deploy") if run["tags"].get("ref") == "main"]) == 2, 20, "the replay's run")


def test_an_id_counts_once_also_with_another_signature(stack: Stack) -> None:
    first = deliver(stack, {"ref": "twice"}, delivery="guid-2").json()
    assert settled(stack, first["delivery_id"])["status"] == "HANDLED"
    second = deliver(stack, {"ref": "twice", "sent": 2}, delivery="guid-2").json()
    assert settled(stack, second["delivery_id"])["status"] == "DUPLICATE"
    assert len([run for run in runs_of(stack, "deploy") if run["tags"].get("ref") == "twice"]) == 1


def test_requests_that_are_not_taken(stack: Stack) -> None:
    forged = deliver(stack, {"ref": "evil"}, secret="guessed", delivery="guid-3")
    assert forged.status_code == 401
    assert forged.headers["content-type"] == "application/problem+json"
    assert "signature" in forged.json()["detail"]
    (rejected,) = stack.get("/api/v1/hooks/github/deliveries", status="REJECTED")["items"]
    assert (rejected["id"], rejected["run_ids"]) == ("guid-3", [])
    # Who knows an id cannot keep the true request of it out.
    assert settled(stack, deliver(stack, {"ref": "good"}, delivery="guid-3").json()["delivery_id"])["status"] == "HANDLED"

    assert deliver(stack, b"{not json").status_code == 400
    assert deliver(stack, b"x" * (1 << 20) + b"x").status_code == 413
    unknown = deliver(stack, {}, name="githab")
    assert (unknown.status_code, unknown.json()["suggestion"]) == (404, "github")
    assert httpx.post(f"{stack.url}/api/v1/hooks/github", content=b"{}", timeout=60).status_code == 401
    assert httpx.post(f"{stack.url}/api/v1/hooks/counts", content=b"{}", timeout=60).status_code == 404


def test_a_delivery_that_the_function_fails_on(stack: Stack) -> None:
    received = deliver(stack, {"ref": "r", "raise": "oh"}).json()
    found = settled(stack, received["delivery_id"])
    assert found["status"] == "FAILED"
    assert "oh" in found["reason"]
    assert settled(stack, deliver(stack, {"ref": "next"}).json()["delivery_id"])["status"] == "HANDLED"


def test_everything_that_a_result_may_hold(stack: Stack) -> None:
    until(lambda: len(ended(stack, "counts")) >= 3, 30, "three evaluations")
    first = ended(stack, "counts")[-1]
    assert (first["status"], len(first["run_ids"])) == ("SUCCESS", 1)
    assert any("seen 0" in line for line in first["logs"])
    assert len(runs_of(stack, "polled")) == 2
    made = stack.post("/api/v1/runs", {"assets": ["parsed"], "partition": "file-0"})
    assert stack.finished(made["run_id"])["status"] == "SUCCESS"


def peak_megabytes(pid: int) -> float:
    """The most memory that a process has ever had."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def test_bad_code_is_told_and_delays_nobody(stack: Stack) -> None:
    for name in BAD:
        until(lambda name=name: len(ended(stack, name)) >= 2, 60, f"two ticks of {name}")  # type: ignore[misc]
    said = {name: ended(stack, name)[0] for name in BAD}
    assert "no such bucket" in said["raises"]["error"]["message"]
    assert "did not finish within" in said["hangs"]["error"]["message"]
    assert "17" in said["wrong"]["error"]["message"]
    assert said["prints"]["status"] == "SKIPPED"
    assert "dropped" in said["prints"]["logs"][-1]
    assert sum(map(len, said["prints"]["logs"])) < 100_000
    until(lambda: len(ended(stack, "prints")) >= 5 or None, 60, "a gigabyte of output")
    assert max(map(peak_megabytes, stack.service_pids().values())) < 300
    assert "exited with code 3" in said["leaves"]["error"]["message"]
    assert said["devours"]["error"]["class_name"] == "MemoryError"
    until(lambda: len(ended(stack, "schedule_that_leaves", "schedules")) >= 2, 30, "two ticks of the schedule")
    assert "exited with code 4" in ended(stack, "schedule_that_leaves", "schedules")[0]["error"]["message"]
    # While one hangs for four seconds, the one that is due each second goes on.
    until(
        lambda: any(a < c and d < b for a, b in spans(stack, "hangs") for c, d in spans(stack, "counts")), 60, "a tick during a hanging one"
    )


def test_trying_out_and_rewinding(stack: Stack) -> None:
    stack.post("/api/v1/sensors/counts/stop", expect=200)
    until(lambda: all(tick["status"] != "STARTED" for tick in ticks_of(stack, "counts")), 20, "its last tick")
    ticks = len(ticks_of(stack, "counts"))
    tried = stack.post("/api/v1/sensors/counts/evaluate", {"cursor": "1"}, expect=200)
    assert ([one["run_key"] for one in tried["requests"]], tried["cursor"]) == (["file-1"], "2")
    assert tried["added_partitions"] == {"files": ["file-1"]}
    assert len(ticks_of(stack, "counts")) == ticks
    answer = httpx.put(f"{stack.url}/api/v1/sensors/counts/cursor", json={"cursor": "41"}, timeout=60)
    assert (answer.status_code, answer.json()["cursor"]) == (200, "41")
    failing = httpx.post(f"{stack.url}/api/v1/sensors/raises/evaluate", timeout=60)
    assert (failing.status_code, failing.json()["error"]["class_name"]) == (502, "RuntimeError")
    at = stack.post("/api/v1/schedules/morning/evaluate", {"at": "2026-01-02T06:00:00Z"}, expect=200)
    assert [one["run_key"] for one in at["requests"]] == ["2026-01-02"]


def test_command_line(stack: Stack) -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "dagwright.cli", *arguments, "--url", stack.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "on_raw" in run("sensor", "list")
    assert {item["name"] for item in json.loads(run("schedule", "list", "--json"))} == {"morning", "schedule_that_leaves"}
    assert json.loads(run("schedule", "start", "morning", "--json"))["running"] is True
    assert "off" in run("schedule", "stop", "morning")
    assert "off" in run("sensor", "stop", "counts")
    until(lambda: all(tick["status"] != "STARTED" for tick in ticks_of(stack, "counts")), 20, "its last tick")
    assert run("sensor", "cursor", "counts", "--set", "0").strip() == "0"
    assert run("sensor", "cursor", "counts").strip() == "0"
    assert "file-0" in run("sensor", "evaluate", "counts")
    assert run("sensor", "cursor", "counts", "--reset").strip() == ""
    assert "2026-01-02" in run("schedule", "evaluate", "morning", "--at", "2026-01-02T06:00:00Z")


def test_freshness_is_told(stack: Stack) -> None:
    stack.finished(stack.launch(assets=["raw"]))

    def fresh() -> Any:
        found = stack.get("/api/v1/assets/raw")["summary"]["freshness"]
        return found if found["state"] == "PASS" else None

    found = until(fresh, 20, "the asset to be fresh")
    assert found["policy"] == "never older than 1:00:00"
    history = stack.get("/api/v1/assets/raw")["history"]
    assert any(item["type"] == "FRESHNESS_CHANGED" for item in history)
    assert 'dagwright_asset_freshness{state="PASS"} 1' in httpx.get(stack.url + "/metrics", timeout=60).text
    assert "Fresh" in httpx.get(stack.url + "/assets/raw", headers={"Accept": "text/html"}, timeout=60).text
