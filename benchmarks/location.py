"""What the benchmark runs: one op, chains of fifty, a thousand steps with each executor, and steps that say much."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import dagwright as dg

STEPS = 50
MANY = 1_000
MAPPED = 10_000
EVENTS = 100_000
FORKS = 200


@dg.op
def nothing() -> int:
    return 0


@dg.op
def following(number: int) -> int:
    return number + 1


@dg.job(executor_def=dg.in_process_executor)
def one_op() -> None:
    nothing()


@dg.job
def one_op_multiprocess() -> None:
    nothing()


def _chain() -> None:
    value = nothing()
    for index in range(STEPS - 1):
        value = following.alias(f"step_{index + 2:02}")(value)


chain_multiprocess = dg.job(name="chain_multiprocess", executor_def=dg.multiprocess_executor)(_chain)
chain_in_process = dg.job(name="chain_in_process", executor_def=dg.in_process_executor)(_chain)


@dg.op(ins={"start": dg.In(dg.Nothing)})
def after() -> None: ...


@dg.op
def first() -> None: ...


@dg.op
def waits() -> None:
    time.sleep(1)


@dg.op
async def waits_async() -> None:
    await asyncio.sleep(1)


def _many() -> None:
    value = first()
    for index in range(MANY - 1):
        value = after.alias(f"after_{index}")(start=value)


def _fan(op: dg.OpDefinition):
    def body() -> None:
        for _ in range(MANY):
            op()

    return body


@dg.op(out=dg.DynamicOut(int))
def keys():
    for key in range(MAPPED):
        yield dg.DynamicOutput(key, str(key))


@dg.op
def mapped(number: int) -> None: ...


def _map() -> None:
    keys().map(mapped)


def own_memory() -> float:
    """Megabytes that this process has to itself. What the kernel counts as resident is off by megabytes, and has what forks share in it."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024 / 1e6


@dg.op
def bare_fork(context: dg.OpExecutionContext) -> None:
    """Fork, exit and wait, of the process that a step is forked from."""
    times = []
    for _ in range(FORKS):
        began = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        times.append(time.perf_counter() - began)
    context.log.info("measured %s", sum(times) / FORKS)


def _talk(say):
    def talk(context: dg.OpExecutionContext) -> None:
        peak = before = 0.0
        for number in range(EVENTS):
            say(context, number)
            if number == EVENTS // 10:
                before = own_memory()
            if number % 5000 == 0:
                peak = max(peak, own_memory())
        context.log.info("measured %s", peak - before)

    return talk


talks = [
    dg.op(name="says_logs")(_talk(lambda context, number: context.log.info("line %s", number))),
    dg.op(name="says_observations")(_talk(lambda context, number: context.log_event(dg.AssetObservation("seen", metadata={"n": number})))),
    dg.op(name="says_materializations")(
        _talk(lambda context, number: context.log_event(dg.AssetMaterialization("made", metadata={"n": number})))
    ),
]

EXECUTORS = {
    "in_process": dg.in_process_executor,
    "threads": dg.threads_executor,
    "asyncio": dg.asyncio_executor,
    "multiprocess": dg.multiprocess_executor,
}


def _jobs():
    for name, executor in EXECUTORS.items():
        yield dg.job(name=f"chain_1000_{name}", executor_def=executor)(_many)
        yield dg.job(name=f"fan_1000_{name}", executor_def=executor)(_fan(first))
    yield dg.job(name="chain_1000_multiprocess_one_group", executor_def=dg.multiprocess_executor)(_grouped)
    yield dg.job(name="map_10000", executor_def=dg.threads_executor)(_map)
    yield dg.job(name="waiting_threads", executor_def=dg.threads_executor)(_fan(waits))
    yield dg.job(name="waiting_asyncio", executor_def=dg.asyncio_executor)(_fan(waits_async))
    yield dg.job(name="bare_fork", executor_def=dg.in_process_executor)(_once(bare_fork))
    for op in talks:
        yield dg.job(name=f"{op.name}_in_process", executor_def=dg.in_process_executor)(_once(op))
    yield dg.job(name="says_logs_multiprocess", executor_def=dg.multiprocess_executor)(_once(talks[0]))


def _once(op: dg.OpDefinition):
    def body() -> None:
        op()

    return body


def _grouped() -> None:
    tag = {"dagwright/step_group": "chain"}
    value = first.tag(tag).alias("first")()
    for index in range(MANY - 1):
        value = after.tag(tag).alias(f"after_{index}")(start=value)


@dg.asset(partitions_def=dg.StaticPartitionsDefinition([f"p{number:05}" for number in range(10_000)]))
def many() -> None: ...


defs = dg.Definitions(assets=[many], jobs=[one_op, one_op_multiprocess, chain_multiprocess, chain_in_process, *_jobs()])
