"""How a process lives: logging, signals that ask it to stop, and ties to its parent and children."""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from types import FrameType
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class _TextFormatter(logging.Formatter):
    """`12:00:01.234 INFO  queue launched run=ab12 seconds=0.004`: the message is constant, the data follows it."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        extra = "".join(f" {key}={value}" for key, value in _extra(record).items())
        text = f"{moment} {record.levelname:<7} {record.name.removeprefix('dagwright')} {record.getMessage()}{extra}"
        return text + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _PLAIN}


def configure_logging(level: str = "INFO", *, as_json: bool = False) -> None:
    """Send the log of this process to standard error. Call once, in the composition root."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if as_json else _TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Each tick of a timer and each request would be a line otherwise.
    for noisy in ("apscheduler", "httpx", "httpcore", "uvicorn.access", "alembic", "watchfiles"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set. Call from the main thread."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when the thread that made it ends (Linux)."""
    _libc.prctl(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent died, so that they can be reaped (Linux)."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def kill_session(session_id: int, number: int = signal.SIGKILL) -> int:
    """Signal every process of a session; returns how many there were.

    A run worker is a session leader, so this reaches its step processes and whatever user code started, in any
    process group, unless that made a session of its own.
    """
    members = [pid for name in os.listdir("/proc") if name.isdigit() and _session_of(pid := int(name)) == session_id]
    # This process last, or it would not get to the others.
    for pid in sorted(members, key=lambda pid: pid == os.getpid()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
    return len(members)


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None
