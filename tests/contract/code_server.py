"""A real code server as a child process, its client, its generated stub, and the database behind it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc
from sqlalchemy import Engine

from dagwright_api.v1.code_server_service_pb2_grpc import CodeServerServiceStub
from dagwright_shared.model.errors import UnavailableError
from dagwright_shared.model.keys import LocationName, RunId, new_run_id
from dagwright_shared.model.runs import NewRun, Run
from dagwright_shared.model.snapshot import LocationState, LocationStatus
from dagwright_shared.store import events, runs
from dagwright_shared.store.events import EventRow
from dagwright_shared.wire.client import LocationClient, Timeouts

T = TypeVar("T")
LOCATION = LocationName("service")
SECONDS = 60.0
"""How long a busy machine may take for what is done in milliseconds."""


def until(probe: Callable[[], T | None], what: str, seconds: float = SECONDS) -> T:
    """Poll until `probe` gives something true, for so many seconds or `SECONDS`.

    Raises:
        AssertionError: it did not in time.
    """
    seconds = max(seconds, SECONDS)
    deadline = time.monotonic() + seconds
    while True:
        if found := probe():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}; last seen: {found!r}")
        time.sleep(0.01)


@dataclass
class CodeServer:
    process: subprocess.Popen[bytes]
    address: str
    client: LocationClient
    stub: CodeServerServiceStub
    channel: grpc.Channel
    file: Path
    signals: Path
    log: Path
    engine: Engine

    def claimed(self, job: str | None = "small", **changes: Any) -> Run:
        """A run that the queue has just claimed: its epoch is 1."""
        new = NewRun(run_id=new_run_id(), location=LOCATION, digest=self.client.location().digest or "", job_name=job, **changes)  # type: ignore[arg-type]
        with self.engine.begin() as conn:
            assert runs.enqueue(conn, [new]) == [new.run_id]
        return self.claim(new.run_id)

    def claim(self, run_id: RunId) -> Run:
        with self.engine.begin() as conn:
            (run,) = runs.claim(conn, limit=1, lease_seconds=30)
        assert run.run_id == run_id
        return run

    def launched(self, job: str, **changes: Any) -> Run:
        run = self.claimed(job, **changes)
        self.client.launch_run(runs.launch_spec(run, 1000))
        return run

    def run(self, run_id: RunId) -> Run:
        with self.engine.connect() as conn:
            run = runs.get(conn, run_id)
        assert run is not None
        return run

    def finished(self, run_id: RunId) -> Run:
        def probe() -> Run | None:
            run = self.run(run_id)
            return run if run.status.is_final else None

        return until(probe, f"run {run_id} to end; the log says: {self.log.read_text()[-3000:]}")

    def events(self, run_id: RunId) -> list[EventRow]:
        with self.engine.connect() as conn:
            return events.read(conn, run_id)

    def announced(self, name: str) -> int:
        """The pid of user code that says it has started."""
        path = self.signals / name
        return int(until(lambda: path.exists() and path.read_text(), f"{name} to start"))

    def release(self, case: str) -> None:
        (self.signals / f"{case}.go").touch()

    def settled(self) -> LocationStatus:
        """The status once the first load is over."""

        def probe() -> LocationStatus | None:
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            try:
                status = self.client.location()
            except UnavailableError:
                return None
            return None if status.state is LocationState.LOADING else status

        return until(probe, "the first load")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(mark: str) -> list[int]:
    """Living processes with this text in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes() and alive(int(entry.name)):
                found.append(int(entry.name))
    return found


@contextlib.contextmanager
def start(folder: Path, source: str, url: str, engine: Engine, port: int, **environment: str) -> Iterator[CodeServer]:
    """Run `python -m dagwright.server` for as long as the block lasts."""
    file, signals, log = folder / f"{LOCATION}.py", folder / "signals", folder / "log"
    file.write_text(source)
    signals.mkdir()
    environment = {"DAGWRIGHT_DATABASE_URL": url, "DAGWRIGHT_HOME": str(folder), "DAGWRIGHT_TEST_SIGNALS": str(signals)} | environment
    command = [sys.executable, "-m", "dagwright.server", "--file", str(file), "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env=os.environ | environment)
    address = f"127.0.0.1:{port}"
    channel = grpc.insecure_channel(address)
    try:
        with LocationClient(address, timeouts=Timeouts(read=SECONDS, ask=SECONDS, launch=SECONDS, report=SECONDS)) as client:
            yield CodeServer(process, address, client, CodeServerServiceStub(channel), channel, file, signals, log, engine)
    finally:
        channel.close()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
