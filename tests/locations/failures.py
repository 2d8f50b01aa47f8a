"""One job for each way in which a step can fail."""

import os
import signal
import sys
import time

import dagwright as dg


@dg.op
def raises():
    try:
        {}["missing"]
    except KeyError as error:
        raise RuntimeError("could not look it up") from error


@dg.op
def fails_on_purpose():
    raise dg.Failure("no rows", metadata={"table": "flights", "rows": 0}, allow_retries=False)


@dg.op
def exits():
    sys.exit(3)


@dg.op
def vanishes():
    os._exit(4)


@dg.op
def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)


@dg.op
def crashes():
    os.kill(os.getpid(), signal.SIGSEGV)


@dg.op
def hangs(context):
    context.log.info("hanging")
    time.sleep(3600)


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2, delay=0.05))
def works_in_the_end(context):
    if context.retry_number < 2:
        raise ConnectionError(f"attempt {context.retry_number + 1}")


@dg.op
def returns_what_it_may_not():
    yield 1


OPS = [raises, fails_on_purpose, exits, vanishes, is_killed, crashes, hangs, works_in_the_end, returns_what_it_may_not]


def _job(op):
    @dg.job(name=f"{op.name}_job")
    def body():
        op()

    return body


defs = dg.Definitions(jobs=[_job(op) for op in OPS])
