"""A whole dagwright as a user starts it, on free ports and a home of its own, with handles for faults."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.ports import free_port

T = TypeVar("T")
PATIENCE = 60.0
"""No wait is given up sooner: where all tests run at once, all takes many times as long, and a wait costs nothing when it ends well."""


def until(probe: Callable[[], T | None], seconds: float, what: str) -> T:
    """Poll until `probe` gives something true, for so many seconds or `PATIENCE`.

    Raises:
        AssertionError: it did not in time; the message says what was awaited and what was last seen.
    """
    seconds = max(seconds, PATIENCE)
    deadline = time.monotonic() + seconds
    seen: object = None
    while time.monotonic() < deadline:
        try:
            seen = probe()
        except httpx.TransportError as error:  # a service is being restarted
            seen = error
        if seen and not isinstance(seen, Exception):
            return seen
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}; last seen: {seen!r}")


@dataclass
class Stack:
    process: subprocess.Popen[bytes]
    url: str
    code_server_port: int
    home: Path
    signals: Path
    log: Path

    def get(self, path: str, **params: Any) -> Any:
        response = httpx.get(self.url + path, params=params, timeout=60)
        if response.status_code == 503:  # the database is being restarted: `until` asks again
            raise httpx.ConnectError(response.text)
        assert response.status_code == 200, (response.status_code, response.text)
        return response.json()

    def post(self, path: str, body: Any = None, *, expect: int = 201, headers: dict[str, str] | None = None) -> Any:
        response = httpx.post(self.url + path, json=body, timeout=60, headers=headers)
        assert response.status_code == expect, (response.status_code, response.text)
        return response.json()

    def ready(self) -> bool:
        return httpx.get(self.url + "/readyz", timeout=20).status_code == 200

    def launch(self, **body: Any) -> str:
        return str(self.post("/api/v1/runs", body)["run_id"])

    def run(self, run_id: str) -> Any:
        return self.get(f"/api/v1/runs/{run_id}")

    def finished(self, run_id: str, seconds: float = 60.0) -> Any:
        def probe() -> Any:
            run = self.run(run_id)
            return run if run["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None

        return until(probe, seconds, f"run {run_id} to end")

    def announced(self, name: str, seconds: float = 60.0) -> int:
        """The pid of the step that says it has started."""
        path = self.signals / f"{name}.pid"
        return int(until(lambda: path.exists() and path.read_text(), seconds, f"step {name} to start"))

    def release(self, name: str) -> None:
        (self.signals / f"{name}.go").touch()

    def service_pids(self) -> dict[str, int]:
        """Name of each child of `dagwright dev` to its pid, from `dev.json`."""
        described = json.loads((self.home / "dev.json").read_text())
        return {name: int(service["pid"]) for name, service in described["services"].items()}

    def events(self, run_id: str) -> list[Any]:
        return list(self.get(f"/api/v1/runs/{run_id}/events", limit=1000)["items"])


def children(pid: int) -> list[int]:
    """Direct children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def start(
    home: Path, *arguments: str, env: dict[str, str] | None = None, ready_seconds: float = 240.0, ready_code: int = 200
) -> Iterator[Stack]:
    """Run `dagwright dev` for as long as the block lasts.

    Args:
        ready_code: of `/readyz`, that is waited for; 503 as soon as the webserver answers.
    """
    signals = home.parent / "signals"
    signals.mkdir(exist_ok=True)
    port, code_server_port = free_port(), free_port()
    log = home.parent / "dev.log"
    environment = os.environ | {"DAGWRIGHT_E2E_SIGNALS": str(signals), "NO_COLOR": "1"} | (env or {})
    command = [
        *(sys.executable, "-m", "dagwright.cli", "dev", "--home", str(home)),
        *("--port", str(port), "--code-server-port", str(code_server_port)),
        *arguments,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=home.parent)
    stack = Stack(process, f"http://127.0.0.1:{port}", code_server_port, home, signals, log)
    try:

        def ready() -> bool:
            assert process.poll() is None, f"dagwright dev ended: {log.read_text()[-4000:]}"
            return httpx.get(stack.url + "/readyz", timeout=20).status_code == ready_code

        try:
            until(ready, ready_seconds, "the stack to be ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{log.read_text()[-4000:]}") from None
        yield stack
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # Shown with the failure of a test, and only then.
        for said in (log, home / "postgres" / "log"):
            if said.exists():
                print(f"--- the end of {said}\n{said.read_text(errors='replace')[-4000:]}")
