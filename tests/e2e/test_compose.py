"""docker-compose.yml for real: opt-in, by `make test-compose`, as it needs a Docker engine and base images."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.stack import free_port, until

COMPOSE = os.environ.get("DAGWRIGHT_TEST_COMPOSE")
ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.compose,
    pytest.mark.skipif(not COMPOSE, reason="needs a Docker engine: make test-compose"),
]


def compose(*arguments: str, port: int, check: bool = True) -> str:
    command = [*shlex.split(COMPOSE or ""), "-p", "dagwright-test", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"DAGWRIGHT_PORT": str(port)}, capture_output=True, text=True, check=False, timeout=900
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    number = free_port()
    try:
        compose("up", "--build", "--detach", port=number)
        yield number
    finally:
        compose("down", "--volumes", "--timeout", "5", port=number, check=False)


@pytest.fixture(scope="module")
def client(port: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as made:
        until(lambda: made.get("/readyz").status_code == 200, 120, "the containers to be ready")
        yield made


def run(client: httpx.Client, **body: Any) -> dict[str, Any]:
    created = client.post("/api/v1/runs", json=body)
    assert created.status_code == 201, created.text

    def probe() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(f"/api/v1/runs/{created.json()['run_id']}").json()
        return found if found["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None

    return until(probe, 120, "the run to end")


def test_the_year_of_flights_runs_in_containers(client: httpx.Client) -> None:
    assert run(client, job="reference_tables")["status"] == "SUCCESS"
    year = run(client, job="full_year", partition="2013")
    assert year["status"] == "SUCCESS", year
    run_id = year["run_id"]
    output = client.get(f"/api/v1/runs/{run_id}/logs", params={"step": "flights", "stream": "stdout"}).json()
    assert "loaded 336776 flights of 2013" in output["text"], "output of a worker is shown by a webserver on another host"


def test_every_container_becomes_healthy(client: httpx.Client, port: int) -> None:
    ids = compose("ps", "-q", port=port).split()
    template = "{{.Name}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.Status}}"

    def healthy() -> bool:
        listing = subprocess.run(["docker", "inspect", "--format", template, *ids], capture_output=True, text=True, check=True).stdout
        services = [line.split() for line in listing.splitlines() if "migrate" not in line]
        return len(services) == 4 and all(health == "healthy" for _, health, _ in services)

    until(healthy, 60, "four healthy containers")
