"""Runs the benchmarks one after the other; `make bench` is this. Each prints lines of `name value unit`.

Each has a limit of time, and all together have ten minutes. One that fails, or has no time left, is named on standard error
and hides none of the others; the exit status tells that there was one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

WHOLE = 590
PARTS = {
    "run.py": 250,
    "authoring.py": 60,
    "store_bench.py": 60,
    "reactions.py": 90,
    "executors.py": 100,
    "pages.py": 120,
    "automation.py": 90,
    "lineage.py": 60,
    "live_run.py": 60,
    "triggers.py": 160,
}
"""Which, in the order of what matters most, and the most seconds that each may take."""
END_SECONDS = 25
"""How long one that is stopped may take to end what it has started."""


def main() -> int:
    # What runs in the background of a shell ignores this signal, and so would what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    deadline = time.monotonic() + WHOLE
    failed = []
    for name, limit in PARTS.items():
        left = deadline - END_SECONDS - time.monotonic()
        trouble = run(name, min(limit, left)) if left > 0 else "there was no time left"
        if trouble:
            failed.append(name)
            print(f"{name}: {trouble}", file=sys.stderr, flush=True)
    return 1 if failed else 0


def run(name: str, limit: float) -> str | None:
    """Run one to its end; returns what went wrong, if anything."""
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name(name))], start_new_session=True)
    try:
        code = process.wait(limit)
    except subprocess.TimeoutExpired:
        end(process)
        return f"it was stopped after {limit:.0f} s"
    except KeyboardInterrupt:
        end(process)
        raise
    return f"it ended with status {code}" if code else None


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, which it does with what it has started, and make it."""
    process.send_signal(signal.SIGINT)  # an exception in Python, where SIGTERM would leave servers behind
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
