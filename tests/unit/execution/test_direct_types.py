"""Direct calls check what goes in and out, as a run does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import dagwright as dg


@dg.op
def half(x: int) -> int:
    return x // 2 if x % 2 == 0 else "odd"  # type: ignore[return-value]


@dg.op(out={"rows": dg.Out(int), "name": dg.Out(str)})
def two() -> Iterator[dg.Output[object]]:
    yield dg.Output(3, "rows")
    yield dg.Output(4, "name")


@dg.asset
def boxed() -> dg.Output[str]:
    return dg.Output(1)  # type: ignore[arg-type]


@dg.asset
def described(orders: list[dict[str, int]]) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": len(orders)})


def test_what_fits_passes() -> None:
    assert half(4) == 2
    assert described([{"rows": 1}]).metadata == {"rows": 1}


def test_inputs_and_outputs_are_checked() -> None:
    with pytest.raises(dg.DagsterTypeCheckDidNotPass, match="the input 'x' of 'half' is declared as int"):
        half("4")
    with pytest.raises(dg.DagsterTypeCheckDidNotPass, match="the output 'result' of 'half' is declared as int"):
        half(3)
    with pytest.raises(dg.DagsterTypeCheckDidNotPass, match="the output 'result' of 'boxed' is declared as str"):
        boxed()
    with pytest.raises(dg.DagsterTypeCheckDidNotPass, match="the input 'orders' of 'described'"):
        described([1])


def test_a_generator_is_checked_as_it_goes() -> None:
    made = two()
    assert next(made).value == 3
    with pytest.raises(dg.DagsterTypeCheckDidNotPass, match="the output 'name' of 'two' is declared as str"):
        next(made)
