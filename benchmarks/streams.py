"""What live pages cost: 200 open streams, and a run that says 5,000 things a second while pages watch it.

`python benchmarks/streams.py` prints lines of `name value unit`. The webserver is a process of its own; this one commits what workers
would, and reads the streams as browsers do.
"""

from __future__ import annotations

import http.client
import json
import selectors
import socket
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pages import cpu_seconds, webserver
from run import pss_megabytes, report, wait_for
from sqlalchemy import Engine

from dagwright_shared.model.events import EventBatch, LogLevel, LogMessage, RunEvent, RunStarted
from dagwright_shared.model.keys import Digest, LocationName, new_run_id
from dagwright_shared.model.runs import NewRun, Run
from dagwright_shared.store import embedded, engine, events, runs, schema

CLIENTS, RATE, SECONDS = 200, 5_000, 5


@dataclass
class Client:
    """A browser that follows something."""

    socket: socket.socket
    heard: bytes = b""
    seen: float = 0.0
    """When the newest number came."""
    last_seq: int = 0


class Clients:
    """Streams that one thread reads."""

    def __init__(self, port: int, path: str, count: int) -> None:
        self.selector, self.all = selectors.DefaultSelector(), []
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            client = Client(connection)
            self.all.append(client)
            self.selector.register(connection, selectors.EVENT_READ, client)

    def read_until(self, seq: int, seconds: float) -> None:
        """Until all have heard of an event.

        Raises:
            TimeoutError: some have not.
        """
        deadline = time.monotonic() + seconds
        while any(client.last_seq < seq for client in self.all):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{sum(client.last_seq < seq for client in self.all)} streams have not told of event {seq}")
            for key, _ in self.selector.select(0.05):
                self._read(key.data)

    def _read(self, client: Client) -> None:
        client.heard += client.socket.recv(1 << 20)
        whole, _, client.heard = client.heard.rpartition(b"\n\n")
        numbers = [int(line[4:]) for line in whole.split(b"\n") if line.startswith(b"id: ")]
        if numbers and numbers[-1] > client.last_seq:
            client.last_seq, client.seen = numbers[-1], time.monotonic()

    def close(self) -> None:
        for client in self.all:
            client.socket.close()
        self.selector.close()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="dagwright-bench-") as folder:
        Path(folder).chmod(0o755)
        server = embedded.start(Path(folder) / "home")
        try:
            store = engine.create(server.url, name="bench")
            schema.upgrade(store)
            with webserver(server.url, Path(folder) / "webserver.log") as (port, pid):
                many_clients(store, port, pid)
                busy_run(store, port, pid)
            store.dispose()
        finally:
            server.stop()


def many_clients(store: Engine, port: int, pid: int) -> None:
    """Streams that wait, and how soon they all tell of one event."""
    run = started(store)
    before = pss_megabytes(pid)
    clients = Clients(port, f"/api/v1/runs/{run.run_id}/stream?brief=true", CLIENTS)
    clients.read_until(1, 60)
    report(f"streams_{CLIENTS}_memory", pss_megabytes(pid) - before, "MB")
    delays = []
    for seq in range(2, 22):
        committed = say(store, run, seq, 1)
        clients.read_until(seq, 60)
        delays += [(client.seen - committed) * 1000 for client in clients.all]
    delays.sort()
    report(f"streams_{CLIENTS}_event_told_p50", statistics.median(delays), "ms")
    report(f"streams_{CLIENTS}_event_told_p99", delays[len(delays) * 99 // 100], "ms")
    report(f"streams_{CLIENTS}_memory_after", pss_megabytes(pid) - before, "MB")
    clients.close()


def busy_run(store: Engine, port: int, pid: int) -> None:
    """A run that says much: how far behind its pages are, and what other pages take meanwhile."""
    for name, query, count in (("events", "after_seq=1", 1), ("brief", "brief=true", 10)):
        run = started(store)
        clients = Clients(port, f"/api/v1/runs/{run.run_id}/stream?{query}", count)
        committed: dict[int, float] = {}
        talker = threading.Thread(target=_talk, args=(store, run, committed))
        cpu, began = cpu_seconds([pid]), time.monotonic()
        talker.start()
        lags, pages = [], []
        while talker.is_alive():
            wait_for(lambda known=committed: known, 10, "the first batch")
            seq = max(committed)
            clients.read_until(seq, 30)
            lags += [(client.seen - committed[seq]) * 1000 for client in clients.all if client.last_seq == seq]
            pages.append(_page(port, f"/api/v1/runs/{run.run_id}/events?limit=200&after_seq={max(1, seq - 200)}"))
        talker.join()
        clients.read_until(max(committed), 60)
        elapsed = time.monotonic() - began
        report(f"busy_run_{name}_rate", (max(committed) - 1) / elapsed, "events/s")
        report(f"busy_run_{name}_behind_p50", statistics.median(lags or [0.0]), "ms")
        report(f"busy_run_{name}_page_of_log_p50", statistics.median(pages), "ms")
        report(f"busy_run_{name}_page_of_log_max", max(pages), "ms")
        report(f"busy_run_{name}_webserver_cpu", (cpu_seconds([pid]) - cpu) / elapsed * 100, "percent_of_a_core")
        clients.close()


def _talk(store: Engine, run: Run, committed: dict[int, float]) -> None:
    """Batches of a tenth of a second each."""
    seq, piece, began = 2, RATE // 10, time.monotonic()
    for number in range(SECONDS * 10):
        time.sleep(max(0.0, began + number / 10 - time.monotonic()))
        moment = say(store, run, seq, piece)
        seq += piece
        committed[seq - 1] = moment


def _page(port: int, path: str) -> float:
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    assert json.loads(connection.getresponse().read())["items"]
    connection.close()
    return (time.perf_counter() - began) * 1000


def started(store: Engine) -> Run:
    with store.begin() as conn:
        new = NewRun(run_id=new_run_id(), location=LocationName("bench"), digest=Digest("0"), job_name="job")
        runs.enqueue(conn, [new])
        (run,) = runs.claim(conn, limit=1, lease_seconds=600)
        start = RunStarted(pid=1, host="h", executor="e", steps=())
        first = (RunEvent(seq=1, time=datetime.now(UTC), payload=start),)
        events.append(conn, [EventBatch(run_id=run.run_id, epoch=run.epoch, events=first)])
    return run


def say(store: Engine, run: Run, seq: int, count: int) -> float:
    """Commit some lines; returns when they were."""
    now = datetime.now(UTC)
    made = tuple(
        RunEvent(seq=number, time=now, payload=LogMessage(level=LogLevel.INFO, message=f"line {number} of a log"))
        for number in range(seq, seq + count)
    )
    with store.begin() as conn:
        events.append(conn, [EventBatch(run_id=run.run_id, epoch=run.epoch, events=made)])
    return time.monotonic()


if __name__ == "__main__":
    sys.exit(main())
