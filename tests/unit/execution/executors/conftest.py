"""The executors that every case of this folder runs against."""

from __future__ import annotations

import pytest

from dagwright.execution.cancellation import Cancellation
from dagwright.execution.executors.coroutines import AsyncioExecutor
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright.execution.executors.threads import ThreadsExecutor

MAKERS = {
    "in_process": lambda **options: InProcessExecutor(),
    "multiprocess": lambda max_concurrent=2, **options: MultiprocessExecutor(max_concurrent, **options),
    "threads": ThreadsExecutor,
    "asyncio": AsyncioExecutor,
}
CONCURRENT = [name for name in MAKERS if name != "in_process"]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGWRIGHT_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(params=list(MAKERS))
def make(request):
    """Makes each executor, with options."""
    return MAKERS[request.param]


@pytest.fixture(params=CONCURRENT)
def make_concurrent(request):
    """Makes each executor that runs several steps at once."""
    return MAKERS[request.param]


@pytest.fixture
def cancellation():
    made = Cancellation()
    yield made
    made.close()
