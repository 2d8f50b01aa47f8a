"""A part hangs, is full, or is away while much waits: what does not need it goes on, and afterwards everything is done once."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg2
import pytest

from tests.e2e.stack import Stack, start, until

pytestmark = pytest.mark.e2e
PIPELINE = Path(__file__).parent / "location" / "pipeline.py"
QUEUED = 200
"""A thousand work as well, and take minutes where all tests share a machine."""
ELSEWHERE = '''"""Another location, which no fault of the first one may reach."""
import dagwright as dg


@dg.op
def two() -> int:
    return 2


@dg.job(executor_def=dg.in_process_executor)
def elsewhere():
    two()
'''


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("outages")
    (folder / "elsewhere.py").write_text(ELSEWHERE)
    with start(folder / "home", "-f", str(PIPELINE), "-f", str(folder / "elsewhere.py")) as running:
        yield running


def statuses(stack: Stack, case: str) -> Counter[str]:
    runs = stack.get("/api/v1/runs", tag=f"case={case}", limit=1000)["items"]
    return Counter(run["status"] for run in runs)


def test_a_code_server_that_hangs(stack: Stack) -> None:
    held = stack.launch(job="held_job", tags={"case": "hangs"})
    stack.announced("held-hangs")
    code_server = stack.service_pids()["code_server"]
    os.kill(code_server, signal.SIGSTOP)
    try:
        queued = [stack.launch(job="one_op", tags={"case": "hung"}) for _ in range(30)]
        assert stack.finished(stack.launch(job="elsewhere"))["status"] == "SUCCESS", "another location is not held up"
        refused = httpx.post(f"{stack.url}/api/v1/locations/pipeline/reload", timeout=60)
        assert refused.status_code in (503, 504), refused.text
        assert httpx.get(f"{stack.url}/jobs/one_op", timeout=60).status_code == 200
        lost = stack.finished(held)
        assert lost["status"] == "FAILURE", "its lease has lapsed"
        assert statuses(stack, "hung").keys() <= {"QUEUED", "STARTING"}
    finally:
        os.kill(code_server, signal.SIGCONT)
    stack.release("held-hangs")
    assert [stack.finished(run)["status"] for run in queued] == ["SUCCESS"] * 30
    assert stack.run(held)["status"] == "FAILURE", "the worker that came back writes nothing any more"


def test_a_database_that_takes_no_more_connections(stack: Stack) -> None:
    socket = stack.home / "postgres" / "socket"
    taken = []
    try:
        with pytest.raises(psycopg2.OperationalError, match="too many clients"):
            taken.extend(psycopg2.connect(host=str(socket), user="dagwright", dbname="dagwright") for _ in range(1000))

        def launch(_: int) -> httpx.Response:
            return httpx.post(f"{stack.url}/api/v1/runs", json={"job": "one_op", "tags": {"case": "full"}}, timeout=120)

        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(launch, range(64)))
    finally:
        for connection in taken:
            connection.close()
    told = Counter(answer.status_code for answer in answers)
    assert told.keys() <= {201, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["type"] == "urn:dagwright:problem:database-away"
            assert answer.headers["retry-after"]
    made = [answer.json()["run_id"] for answer in answers if answer.status_code == 201]
    assert [stack.finished(run)["status"] for run in made] == ["SUCCESS"] * len(made)
    assert statuses(stack, "full").total() == len(made), "what was refused was not made"
    assert stack.finished(stack.launch(job="one_op"))["status"] == "SUCCESS"


def test_hundreds_of_runs_wait_over_a_restart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with start(home, "-f", str(PIPELINE)) as stack:
        for name in ("daemon", "code_server"):
            os.kill(stack.service_pids()[name], signal.SIGSTOP)

        def launch(number: int) -> str:
            key = {"Idempotency-Key": f"waiting {number}"}
            return str(stack.post("/api/v1/runs", {"job": "one_op", "tags": {"case": "waiting"}}, headers=key)["run_id"])

        with ThreadPoolExecutor(4) as pool:
            queued = set(pool.map(launch, range(QUEUED)))
        stack.process.kill()
        stack.process.wait(60)
    with start(home, "-f", str(PIPELINE)) as stack:
        waiting = ["QUEUED", "STARTING", "STARTED"]
        until(lambda: not stack.get("/api/v1/runs", status=waiting, limit=1)["items"], 300, "all of them to end")
        assert statuses(stack, "waiting") == {"SUCCESS": QUEUED}
        again = stack.post("/api/v1/runs", {"job": "one_op", "tags": {"case": "waiting"}}, headers={"Idempotency-Key": "waiting 7"})
        assert again["run_id"] in queued
        assert statuses(stack, "waiting").total() == QUEUED
