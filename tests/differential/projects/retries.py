"""Trying again, and not."""

import dagster as dg

state = {"count": 0}


def fails_until(number):
    state["count"] += 1
    if state["count"] < number:
        raise RuntimeError(f"attempt {state['count']}")
    return state["count"]


def case_policy_on_op():
    state["count"] = 0

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=3))
    def flaky():
        return fails_until(3)

    @dg.job
    def trying():
        flaky()

    result = trying.execute_in_process()
    return result, result.retry_attempts_for_node("flaky"), result.output_for_node("flaky")


def case_policy_used_up():
    state["count"] = 0

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
    def flaky():
        return fails_until(9)

    @dg.job
    def trying():
        flaky()

    return trying.execute_in_process(raise_on_error=False), state["count"]


def case_policy_on_job():
    state["count"] = 0

    @dg.op
    def flaky():
        return fails_until(2)

    @dg.job(op_retry_policy=dg.RetryPolicy(max_retries=1))
    def trying():
        flaky()

    return trying.execute_in_process()


def case_policy_on_asset():
    state["count"] = 0

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2, delay=0.01, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS))
    def flaky():
        return fails_until(2)

    return dg.materialize([flaky])


def case_requested():
    seen = []

    @dg.op
    def asks(context: dg.OpExecutionContext):
        seen.append(context.retry_number)
        if context.retry_number < 2:
            raise dg.RetryRequested(max_retries=4, seconds_to_wait=0.01)

    @dg.job
    def trying():
        asks()

    return trying.execute_in_process(), seen


def case_failure_that_must_not_be_retried():
    state["count"] = 0

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=3))
    def final():
        state["count"] += 1
        raise dg.Failure("enough", metadata={"why": "because"}, allow_retries=False)

    @dg.job
    def trying():
        final()

    return trying.execute_in_process(raise_on_error=False), state["count"]


def case_failure_raised():
    @dg.op
    def final():
        raise dg.Failure(description="enough", metadata={"why": "because"})

    @dg.job
    def trying():
        final()

    try:
        trying.execute_in_process()
    except dg.Failure as failure:
        return failure.description, failure.metadata
