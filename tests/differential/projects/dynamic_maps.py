"""Steps that are known only while the run goes on."""

import dagster as dg


@dg.op(out=dg.DynamicOut(int))
def pieces():
    for number in range(3):
        yield dg.DynamicOutput(number, mapping_key=f"n{number}")


@dg.op
def square(number: int) -> int:
    return number**2


@dg.op
def add_one(number: int) -> int:
    return number + 1


@dg.op
def gather(numbers: list) -> list:
    return sorted(numbers)


@dg.op(out=dg.DynamicOut())
def none_at_all():
    yield from ()


def case_map_collect():
    @dg.job
    def mapped():
        gather(pieces().map(square).map(add_one).collect())

    result = mapped.execute_in_process()
    return result, result.output_for_node("gather"), result.output_for_node("square")


def case_map_function():
    @dg.job
    def mapped():
        gather(pieces().map(lambda piece: add_one(square(piece))).collect())

    return mapped.execute_in_process().output_for_node("gather")


def case_empty():
    @dg.job
    def mapped():
        gather(none_at_all().map(square).collect())

    result = mapped.execute_in_process()
    return result, result.output_for_node("gather")


def case_one_piece_fails():
    @dg.op
    def picky(number: int):
        if number == 1:
            raise ValueError("one")
        return number

    @dg.job
    def mapped():
        gather(pieces().map(picky).collect())

    return mapped.execute_in_process(raise_on_error=False)


def case_mapping_key():
    seen = []

    @dg.op
    def look(context: dg.OpExecutionContext, number):
        seen.append((context.get_mapping_key(), number))

    @dg.job
    def mapped():
        pieces().map(look)

    mapped.execute_in_process()
    return sorted(seen)


def case_same_key_twice():
    @dg.op(out=dg.DynamicOut())
    def twice():
        yield dg.DynamicOutput(1, mapping_key="a")
        yield dg.DynamicOutput(2, mapping_key="a")

    @dg.job
    def mapped():
        twice().map(square)

    return mapped.execute_in_process(raise_on_error=False).success


def case_graph_asset_with_map():
    @dg.graph_asset
    def collected():
        return gather(pieces().map(square).collect())

    result = dg.materialize([collected])
    return result, result.asset_value("collected")
