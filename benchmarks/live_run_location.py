"""Runs that talk: at 5,000 events a second, and ten times a second; each message says when it was logged."""

from __future__ import annotations

import time

import dagwright as dg

A_TIME = 50


@dg.op
def talk_much(context: dg.OpExecutionContext) -> None:
    began = time.monotonic()
    for n in range(1, 8 * 5_000 // A_TIME + 1):
        for k in range(A_TIME):
            context.log.info(f"row {k} of batch {n} sent={time.time():.4f}")
        time.sleep(max(0.0, began + n * A_TIME / 5_000 - time.monotonic()))


@dg.op
def talk_calmly(context: dg.OpExecutionContext) -> None:
    for n in range(80):
        context.log.info(f"line {n} sent={time.time():.4f}")
        time.sleep(0.1)


@dg.job(executor_def=dg.in_process_executor)
def much() -> None:
    talk_much()


@dg.job(executor_def=dg.in_process_executor)
def calmly() -> None:
    talk_calmly()
