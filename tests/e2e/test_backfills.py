"""Backfills on a real deployment: runs of one partition and of ranges, keys added at run time, the command line, cancel."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.stack import Stack, alive, start, until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("backfills")]

PROJECT = """
import time
import dagwright as dg

days = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-03-01")
weeks = dg.WeeklyPartitionsDefinition("2024-01-01", end_date="2024-03-04")
people = dg.DynamicPartitionsDefinition(name="people")


@dg.asset(partitions_def=days)
def daily(context: dg.AssetExecutionContext) -> str:
    if context.partition_key == "2024-02-13":
        raise ValueError("not this one")
    return context.partition_key


@dg.asset(partitions_def=weeks, deps=[daily])
def weekly(context: dg.AssetExecutionContext) -> str:
    return context.partition_key


@dg.asset(partitions_def=days, backfill_policy=dg.BackfillPolicy.single_run())
def ranged(context: dg.AssetExecutionContext) -> None:
    context.log.info(f"made {len(context.partition_keys)}")


@dg.asset(partitions_def=people)
def person() -> None: ...


@dg.asset
def add_people(context: dg.AssetExecutionContext) -> None:
    context.instance.add_dynamic_partitions("people", ["anna", "ben"])


@dg.asset(partitions_def=days)
def steady(context: dg.AssetExecutionContext) -> None:
    time.sleep(0.2)


@dg.asset(partitions_def=dg.StaticPartitionsDefinition([f"k{n}" for n in range(2000)]))
def slow() -> None:
    time.sleep(60)


defs = dg.Definitions(assets=[daily, weekly, ranged, person, add_people, steady, slow])
"""


ELSEWHERE = """
import dagwright as dg

weeks = dg.WeeklyPartitionsDefinition("2024-01-01", end_date="2024-03-04")


@dg.asset(partitions_def=weeks, deps=[dg.AssetKey("steady")])
def report_elsewhere(context: dg.AssetExecutionContext) -> str:
    return context.partition_key


defs = dg.Definitions(assets=[report_elsewhere])
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("backfills")
    (folder / "definitions.py").write_text(PROJECT)
    (folder / "elsewhere.py").write_text(ELSEWHERE)
    with start(folder / "home", "-f", str(folder / "definitions.py"), "-f", str(folder / "elsewhere.py")) as running:
        yield running


def ended(stack: Stack, backfill_id: str, seconds: float = 120.0) -> Any:
    def probe() -> Any:
        found = stack.get(f"/api/v1/backfills/{backfill_id}")
        return found if found["status"] in ("COMPLETED", "FAILED", "CANCELED") else None

    return until(probe, seconds, f"the end of backfill {backfill_id}")


def dagwright(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dagwright.cli", *arguments, "--url", stack.url]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}, timeout=150)


def test_weeks_after_their_days_and_what_failed_holds_back(stack: Stack) -> None:
    body = {"assets": ["daily", "weekly"], "partitions": {"start": "2024-02-04", "end": "2024-02-17"}}
    found = ended(stack, stack.post("/api/v1/backfills", body)["backfill_id"])
    assert (found["status"], found["targeted"], found["succeeded"], found["failed"], found["skipped"]) == ("FAILED", 16, 14, 1, 1)
    runs = stack.get("/api/v1/runs", backfill=found["backfill_id"], limit=100)["items"]
    assert len(runs) == 15
    [week] = [run for run in runs if run["assets"] == ["weekly"]]
    days = [run for run in runs if run["assets"] == ["daily"] and "2024-02-04" <= run["partition"] <= "2024-02-10"]
    assert week["partition"] == "2024-02-04"
    assert week["created_at"] > max(run["ended_at"] for run in days)


def test_an_asset_of_another_location_follows_what_it_reads(stack: Stack) -> None:
    body = {"assets": ["steady", "report_elsewhere"], "partitions": {"start": "2024-02-04", "end": "2024-02-17"}}
    found = ended(stack, stack.post("/api/v1/backfills", body)["backfill_id"])
    assert (found["status"], found["targeted"], found["locations"]) == ("COMPLETED", 16, [found["location"], "elsewhere"])
    runs = stack.get("/api/v1/runs", backfill=found["backfill_id"], limit=100)["items"]
    weeks = {run["partition"]: run for run in runs if run["location"] == "elsewhere"}
    assert sorted(weeks) == ["2024-02-04", "2024-02-11"]
    days = [run for run in runs if run["location"] == found["location"] and run["partition"] <= "2024-02-10"]
    assert len(days) == 7
    assert weeks["2024-02-04"]["created_at"] > max(run["ended_at"] for run in days)


def test_one_run_of_a_range(stack: Stack) -> None:
    result = dagwright(stack, "backfill", "launch", "ranged", "--from", "2024-01-05", "--to", "2024-02-10", "--wait", "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["status"], found["succeeded"]) == ("COMPLETED", 37)
    assert found["runs"]["SUCCESS"] == 1
    counts = stack.get("/api/v1/assets/ranged/partitions")["counts"]
    assert counts["MATERIALIZED"] == 37
    preview = dagwright(stack, "backfill", "launch", "ranged", "--missing", "--preview", "--json")
    assert json.loads(preview.stdout)["targeted"] == 60 - 37
    assert json.loads(preview.stdout)["runs"] == 2


def test_partitions_added_at_run_time(stack: Stack) -> None:
    stack.finished(stack.launch(assets=["add_people"]))
    found = ended(stack, stack.post("/api/v1/backfills", {"assets": ["person"], "partitions": "all"})["backfill_id"])
    assert (found["status"], found["succeeded"]) == ("COMPLETED", 2)


def test_it_goes_on_after_the_daemon_and_the_code_server_were_killed(stack: Stack) -> None:
    backfill_id = stack.post("/api/v1/backfills", {"assets": ["steady"], "partitions": "all", "tags": {"dagwright/max_retries": "2"}})[
        "backfill_id"
    ]

    def made() -> int:
        return int(stack.get(f"/api/v1/backfills/{backfill_id}")["succeeded"])

    for service, after in (("daemon", 5), ("code_server", 20), ("daemon", 30)):
        until(lambda after=after: made() >= after or None, 120, f"{after} partitions of a backfill")  # type: ignore[misc]
        pid = stack.service_pids()[service]
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: not alive(pid) or None, 60, f"the death of the {service}")  # type: ignore[misc]
    found = ended(stack, backfill_id, seconds=180.0)
    assert (found["status"], found["targeted"], found["succeeded"]) == ("COMPLETED", 60, 60)
    runs = stack.get("/api/v1/runs", backfill=backfill_id, limit=1000)["items"]
    # Each partition was asked for once; what a killed code server lost was tried again, as a retry of the run that was lost.
    first = [run["partition"] for run in runs if run["parent_run_id"] is None]
    assert len(first) == len(set(first)) == 60
    done = [run["partition"] for run in runs if run["status"] == "SUCCESS"]
    assert len(done) == len(set(done)) == 60


def test_cancel_stops_it(stack: Stack) -> None:
    made = stack.post("/api/v1/backfills", {"assets": ["slow"], "partitions": "all"})
    backfill_id = made["backfill_id"]
    until(lambda: stack.get(f"/api/v1/backfills/{backfill_id}")["runs"]["STARTED"] or None, 60, "runs that have started")
    assert dagwright(stack, "backfill", "cancel", backfill_id).stdout.split()[0] == backfill_id
    # A cancel that was answered holds, whatever becomes of the daemon that takes the runs out of the queue.
    os.kill(stack.service_pids()["daemon"], signal.SIGKILL)
    found = ended(stack, backfill_id)
    assert found["status"] == "CANCELED"
    assert found["canceled"] == found["targeted"] == 2000
    assert found["runs"]["QUEUED"] == found["runs"]["STARTED"] == 0
    listed = dagwright(stack, "backfill", "list", "--status", "CANCELED")
    assert backfill_id in listed.stdout
