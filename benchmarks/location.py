"""What the benchmark runs: one op, and chains of fifty."""

from __future__ import annotations

import dagwright as dg

STEPS = 50


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

defs = dg.Definitions(jobs=[one_op, one_op_multiprocess, chain_multiprocess, chain_in_process])
