"""The executors that every case of this folder runs against."""

from __future__ import annotations

import concurrent.futures
import zlib

import pytest

from dagwright import Executor
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.executors.coroutines import AsyncioExecutor
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.mixed import MixedExecutor, Part
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright.execution.executors.own import OwnExecutor
from dagwright.execution.executors.threads import ThreadsExecutor


class Pool(Executor):
    """A user's own: a pool of the standard library."""

    def __init__(self, max_concurrent=None, *, cancel_grace=10.0, tag_limits=()):
        self.max_concurrent, self.cancel_grace_seconds, self.tag_concurrency_limits = max_concurrent, cancel_grace, tag_limits
        self.pool = concurrent.futures.ThreadPoolExecutor(max_concurrent or 8)

    def start(self, attempt):
        self.pool.submit(attempt.run)

    def close(self):
        self.pool.shutdown(wait=False, cancel_futures=True)


class All(dict):
    def __missing__(self, key):
        return 0


class Spread(dict):
    def __missing__(self, key):
        return zlib.crc32(key.encode()) % 3


def multiprocess(max_concurrent=2, **options):
    return MultiprocessExecutor(max_concurrent, **options)


def hosted(name, maker):
    """The executor in a process of its own, as in a run that has several."""
    return lambda *given, **options: MixedExecutor([Part(name, lambda: maker(*given, **options))], All())


def mixed(**_):
    return MixedExecutor(
        [Part("threads", ThreadsExecutor), Part("multiprocess", multiprocess), Part("in_process", InProcessExecutor)], Spread()
    )


MAKERS = {
    "in_process": lambda **options: InProcessExecutor(),
    "multiprocess": multiprocess,
    "threads": ThreadsExecutor,
    "asyncio": AsyncioExecutor,
    "own": lambda *given, **options: OwnExecutor("own", Pool(*given, **options)),
    "hosted_in_process": hosted("in_process", lambda **options: InProcessExecutor()),
    "hosted_multiprocess": hosted("multiprocess", multiprocess),
    "hosted_threads": hosted("threads", ThreadsExecutor),
    "mixed": mixed,
}
CONCURRENT = [name for name in MAKERS if "in_process" not in name and name != "mixed"]


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
