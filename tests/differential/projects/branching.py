"""Optional outputs decide what runs."""

import dagster as dg


@dg.op(out={"left": dg.Out(is_required=False), "right": dg.Out(is_required=False)})
def choose():
    yield dg.Output(1, "left")


@dg.op
def take_left(value):
    return value


@dg.op
def take_right(value):
    return value


@dg.op
def both(values: list):
    return values


@dg.op
def needs_two(a, b):
    return a, b


def case_branch():
    @dg.job
    def branches():
        left, right = choose()
        take_left(left)
        take_right(right)

    return branches.execute_in_process()


def case_skip_goes_on():
    @dg.job
    def branches():
        left, right = choose()
        needs_two(take_left(left), take_right(right))

    return branches.execute_in_process()


def case_fan_in_of_what_is_there():
    @dg.job
    def branches():
        left, right = choose()
        both([take_left(left), take_right(right)])

    result = branches.execute_in_process()
    return result, result.output_for_node("both")


def case_optional_asset():
    @dg.asset(output_required=False)
    def maybe():
        if False:
            yield dg.Output(1)

    @dg.asset
    def then(maybe):
        return maybe

    return dg.materialize([maybe, then])
