"""Fifty steps, one after another."""

import dagwright as dg


@dg.op
def first() -> int:
    return 0


@dg.op
def following(number: int) -> int:
    return number + 1


@dg.job
def chain():
    number = first()
    for _ in range(49):
        number = following(number)


defs = dg.Definitions(jobs=[chain])
