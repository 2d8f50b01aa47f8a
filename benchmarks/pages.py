"""How long every page and list takes on a large history: lines of `name value unit`, p50 and p99 of each.

`python benchmarks/pages.py --home /tmp/big` measures what `generate.py` made there; without a home it makes a smaller one for itself.
A webserver of its own answers over HTTP on loopback, one request after the other; each asks for something else of its kind. What is
above its limit is told at the end, with the exit code 1 where `--strict` asks for it.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from big import surroundings
from big.addresses import Page, pages
from big.locations import Sizes
from generate import FAST, fill
from run import children, pss_megabytes, report, wait_for
from sqlalchemy import text

from dagwright_shared.store import embedded, engine, schema

SMALL = Sizes(runs=20_000, events=400_000, assets=2_000, partitions=250_000, days=30, long_run=20_000)
P50, P99 = 30.0, 150.0
"""Milliseconds that a page may take."""


@contextlib.contextmanager
def webserver(url: str, log: Path) -> Iterator[tuple[int, int]]:
    """A webserver on a free port, for as long as the block lasts: its port and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DAGWRIGHT_")}
    environment = {**clean, "DAGWRIGHT_DATABASE_URL": url, "DAGWRIGHT_PORT": str(port), "DAGWRIGHT_HOST": "127.0.0.1"}
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, "-m", "dagwright_webserver"], env=environment, stdout=output, stderr=output)
    try:
        wait_for(lambda: _answers(port), 60, f"the webserver; its log is {log}")
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    return False


def measure(port: int, wanted: list[Page], rounds: int, cpu: Callable[[], float]) -> list[str]:
    """Report each page; returns those that take longer than they may.

    Args:
        cpu: seconds that the webserver and Postgres have taken so far; unlike times it says the same on a machine that does other things.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    slow = []
    for page in wanted:
        for address in page.addresses[:2]:
            _get(connection, address)  # what is decoded once and kept
        times, size, before = [], 0, cpu()
        for number in range(rounds):
            address = page.addresses[number % len(page.addresses)]
            began = time.perf_counter()
            size = max(size, _get(connection, address))
            times.append((time.perf_counter() - began) * 1000)
        times.sort()
        p50, p99 = statistics.median(times), times[max(0, round(len(times) * 0.99) - 1)]
        report(f"page_{page.name}_p50", p50, "ms")
        report(f"page_{page.name}_p99", p99, "ms")
        spent = (cpu() - before) / rounds * 1000
        report(f"page_{page.name}_cpu", spent, "ms")
        if size > 100_000:
            report(f"page_{page.name}_compressed", size / 1000, "kB")
        if p50 > page.p50 or p99 > max(P99, page.p50):
            slow.append(
                f"{page.name}: p50 {p50:.0f} of {page.p50:.0f} ms, p99 {p99:.0f} of {max(P99, page.p50):.0f} ms, "
                f"fastest {times[0]:.0f} ms, CPU {spent:.0f} ms, {page.addresses[0]}"
            )
    return slow


def cpu_seconds(pids: Sequence[int]) -> float:
    """Of all threads of some processes."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())
    return total / 1e9


def _settled(pid: int) -> None:
    """Wait until it has made ready what it makes ready at its start; half a minute at most."""
    for _ in range(60):
        before = cpu_seconds([pid])
        time.sleep(0.5)
        if cpu_seconds([pid]) - before < 0.05:
            return


def _get(connection: http.client.HTTPConnection, address: str) -> int:
    """Bytes of an answer as they go over the wire."""
    kind = "application/json" if address.startswith("/api") else "text/html"
    connection.request("GET", address, headers={"Accept-Encoding": "gzip", "Accept": kind})
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        shown = gzip.decompress(body) if response.headers.get("Content-Encoding") == "gzip" else body
        raise RuntimeError(f"{address} is answered with {response.status}: {shown[:500].decode(errors='replace')}")
    return len(body)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the pages of a large deployment.")
    parser.add_argument("--home", type=Path, help="where `generate.py` has put its history; a smaller one is made if not given")
    parser.add_argument("--rounds", type=int, default=40, help="requests for each page")
    parser.add_argument("--only", default="", help="pages whose name has this in it")
    parser.add_argument("--strict", action="store_true", help="fail when a page takes longer than it may")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dagwright-bench-") as folder:
        Path(folder).chmod(0o755)
        home = arguments.home or Path(folder) / "home"
        if arguments.home is None:
            server = embedded.start(home, options=FAST)
            try:
                fill(engine.create(server.url, name="generate"), SMALL)
            finally:
                server.stop()
        server = embedded.start(home)
        try:
            slow = _measured(server, Path(folder) / "webserver.log", arguments.only, arguments.rounds)
        finally:
            server.stop()
    for each in slow:
        print(f"above its limit: {each}", file=sys.stderr)
    return 1 if slow and arguments.strict else 0


def _measured(server: embedded.Embedded, log: Path, only: str, rounds: int) -> list[str]:
    store = engine.create(server.url, name="pages")
    schema.upgrade(store)  # the history may be older than the newest migration
    with store.begin() as conn:
        found = conn.execute(text("SELECT location, digest FROM locations")).all()
        surroundings.live(conn, {row.location: row.digest for row in found})
        wanted = [page for page in pages(conn) if only in page.name]
    store.dispose()
    with webserver(server.url, log) as (port, pid):
        _settled(pid)
        slow = measure(port, wanted, rounds, lambda: cpu_seconds([pid, *children(server.pid)]))
        report("page_webserver_memory", pss_megabytes(pid), "MB")
    return slow


if __name__ == "__main__":
    sys.exit(main())
