"""`dagwright dev` as a supervisor: one for each home, nothing left behind, dead children come back, files are watched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagwright_shared.store import embedded
from tests.e2e.stack import Stack, alive, start, until

pytestmark = pytest.mark.e2e

GOOD = """
import dagwright as dg

@dg.asset
def {name}():
    return 1

defs = dg.Definitions(assets=[{name}])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    file = tmp_path / "project" / "definitions.py"
    file.parent.mkdir()
    file.write_text(GOOD.format(name="first"))
    return file


@pytest.fixture
def stack(tmp_path: Path, project: Path) -> Iterator[Stack]:
    with start(tmp_path / "home", "-f", str(project)) as running:
        yield running


def processes_of(home: Path) -> list[int]:
    """Whatever was started with this home in its environment, and its Postgres."""
    needle, found = f"DAGWRIGHT_HOME={home.resolve()}\0".encode(), []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and needle in (entry / "environ").read_bytes() and alive(int(entry.name)):
                found.append(int(entry.name))
        except OSError:
            continue
    postgres = embedded.running_pid(home.resolve())
    return found if postgres is None else [*found, postgres]


def assets(stack: Stack) -> list[str]:
    return [item["key"] for item in stack.get("/api/v1/assets")["items"]]


def test_a_second_one_in_the_same_home_says_so(stack: Stack, project: Path) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "dagwright.cli", "dev", "-f", str(project), "--home", str(stack.home)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert second.returncode == 2
    assert stack.url in second.stderr
    assert "--home" in second.stderr
    assert stack.finished(stack.launch(assets=["first"]))["status"] == "SUCCESS", "the first one is unharmed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_no_process(stack: Stack, number: signal.Signals) -> None:
    assert len(processes_of(stack.home)) >= 5
    began = time.monotonic()
    stack.process.send_signal(number)
    assert stack.process.wait(60) == 0
    assert time.monotonic() - began < 30
    assert processes_of(stack.home) == []
    assert not (stack.home / "dev.json").exists()


def test_a_killed_supervisor_leaves_no_process(stack: Stack) -> None:
    stack.process.kill()
    stack.process.wait()
    until(lambda: not processes_of(stack.home), 10, "all processes to end")


@pytest.mark.parametrize("service", ["webserver", "daemon", "code_server", "postgres"])
def test_a_child_that_dies_comes_back(stack: Stack, service: str) -> None:
    before = stack.service_pids()[service]
    os.kill(before, signal.SIGKILL)
    until(lambda: stack.service_pids().get(service) not in (None, before), 60, f"a new {service}")
    run_id = until(lambda: stack.launch(assets=["first"]) if stack.get("/readyz") else None, 90, "readiness")
    assert stack.finished(run_id)["status"] == "SUCCESS"


def test_a_changed_file_is_reloaded_and_a_broken_one_is_shown(stack: Stack, project: Path) -> None:
    assert assets(stack) == ["first"]
    project.write_text(GOOD.format(name="second"))
    until(lambda: assets(stack) == ["second"], 20, "the new asset")
    project.write_text("import dagwright as dg\n\nraise RuntimeError('not today')\n")

    def error() -> str | None:
        (location,) = stack.get("/api/v1/locations")["items"]
        return str(location["error"]) if location["error"] else None

    assert "not today" in until(error, 20, "the load error")
    assert assets(stack) == ["second"], "the old definitions go on serving"
    project.write_text(GOOD.format(name="third"))
    until(lambda: assets(stack) == ["third"] and not error(), 20, "the mended file")


def test_two_locations(tmp_path: Path, project: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(GOOD.format(name="elsewhere"))
    with start(tmp_path / "home2", "-f", str(project), "-f", str(other)) as stack:
        until(lambda: sorted(assets(stack)) == ["elsewhere", "first"], 30, "both locations")
        assert stack.finished(stack.launch(assets=["elsewhere"]))["status"] == "SUCCESS"
