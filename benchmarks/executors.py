"""Measures executors in this process: `python benchmarks/executors.py` prints lines `name value unit`.

Events go to a socket as in a run worker, read by a thread that acknowledges them at once; the database is measured elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import dagwright as dg
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.executors.coroutines import AsyncioExecutor
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright.execution.executors.process import freeze
from dagwright.execution.executors.threads import ThreadsExecutor
from dagwright.execution.run import execute
from dagwright.planning.plan import plan_run
from dagwright.server.frames import FrameBuffer, Kind, pack
from dagwright.server.sink import ChannelSink
from dagwright_shared.model.keys import Digest, new_run_id
from dagwright_shared.model.runs import LaunchSpec, RunStatus
from dagwright_shared.wire.events import decode_batch

STEPS = 1_000
EVENTS = 100_000


def report(name: str, value: float, unit: str) -> None:
    print(f"{name} {value:.4g} {unit}", flush=True)


@dg.op
def nothing() -> None: ...


@dg.op(ins={"start": dg.In(dg.Nothing)})
def following() -> None: ...


@dg.op
def waits() -> None:
    time.sleep(1)


@dg.op
async def waits_async() -> None:
    await asyncio.sleep(1)


@dg.op
def chatty(context: dg.OpExecutionContext) -> None:
    for line in range(EVENTS):
        context.log.info("line %s", line)


def fan_of(op: Any, name: str, steps: int = STEPS) -> dg.JobDefinition:
    def body() -> None:
        for _ in range(steps):
            op()

    return dg.job(name=name)(body)


def chain() -> None:
    value = nothing()
    for index in range(STEPS - 1):
        value = following.alias(f"following_{index}")(start=value)


JOBS = [
    fan_of(nothing, "fan"),
    dg.job(name="chain")(chain),
    fan_of(waits, "waiting"),
    fan_of(waits_async, "waiting_async"),
    fan_of(chatty, "talk", 1),
]
DEFINITIONS = dg.Definitions(jobs=JOBS)


class Reader:
    """The code server's end: takes batches and acknowledges them."""

    def __init__(self, channel: socket.socket) -> None:
        self.events = 0
        self._channel = channel
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        buffer = FrameBuffer()
        while data := self._channel.recv(1 << 20):
            for frame in buffer.feed(data):
                batch = decode_batch(frame.body)
                self.events += len(batch.events)
                if batch.events:
                    self._channel.sendall(pack(Kind.ACK, str(batch.events[-1].seq).encode()))


def timed(job: str, executor: Any) -> tuple[float, int]:
    near, far = socket.socketpair()
    reader = Reader(far)
    spec = LaunchSpec(
        run_id=new_run_id(),
        epoch=1,
        digest=Digest("d"),
        job_name=job,
        asset_keys=(),
        check_keys=(),
        step_keys=(),
        partition=(),
        config={},
        tags={},
        parent_run_id=None,
        root_run_id=None,
        inherited={},
        retry_number=0,
        first_seq=1,
        log_limit_bytes=1 << 20,
    )
    plan = plan_run(DEFINITIONS, job_name=job)
    sink = ChannelSink(near, spec, lost=lambda _: os.abort())
    started = time.perf_counter()
    status = execute(DEFINITIONS, plan, spec=spec, sink=sink, cancellation=Cancellation(), executor=executor)
    sink.close()
    took = time.perf_counter() - started
    assert status is RunStatus.SUCCESS, status
    near.close()
    return took, reader.events


def bare_fork(rounds: int = 300) -> float:
    """Seconds of fork, exit and wait of this process."""
    freeze()
    started = time.perf_counter()
    for _ in range(rounds):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return (time.perf_counter() - started) / rounds


def beside_bare_fork(job: str) -> None:
    """Steps in processes of their own beside the least that a process costs; in turns, since a machine is not as fast at each moment."""
    forks, found = [bare_fork()], []
    for _ in range(3):
        found.append(timed(job, MultiprocessExecutor())[0] / STEPS)
        forks.append(bare_fork())
    beside = [statistics.mean(pair) for pair in pairwise(forks)]
    report(f"bare_fork_exit_wait_beside_{job}", statistics.median(forks) * 1e3, "ms")
    report(f"multiprocess_{job}_step", statistics.median(found) * 1e3, "ms")
    report(f"multiprocess_{job}_step_to_bare_fork", statistics.median(step / fork for step, fork in zip(found, beside, strict=True)), "x")


def best(of: Callable[[], float], rounds: int = 3) -> float:
    return min(of() for _ in range(rounds))


def main() -> None:
    os.environ["DAGWRIGHT_HOME"] = tempfile.mkdtemp(prefix="dagwright-bench-")
    # First those that fork: a process with threads would not do it in the product either.
    for job in ("chain", "fan"):
        beside_bare_fork(job)
    for name, executor in (("in_process", InProcessExecutor()), ("threads", ThreadsExecutor()), ("asyncio", AsyncioExecutor())):
        for job in ("chain", "fan"):
            report(f"{name}_{job}_step", best(lambda job=job, executor=executor: timed(job, executor)[0] / STEPS) * 1e3, "ms")
    report("threads_1000_steps_that_wait_1_s", timed("waiting", ThreadsExecutor())[0], "s")
    report("asyncio_1000_steps_that_wait_1_s", timed("waiting_async", AsyncioExecutor())[0], "s")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for executor in (InProcessExecutor(), ThreadsExecutor()):
        took, events = timed("talk", executor)
        assert events >= EVENTS, events
        report(f"{executor.name}_events_of_one_step", events / took, "events/s")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report("memory_grown_by_200000_events", (after - before) / 1024, "MB")
    took, events = timed("talk", MultiprocessExecutor())
    report("multiprocess_events_of_one_step", events / took, "events/s")


if __name__ == "__main__":
    main()
