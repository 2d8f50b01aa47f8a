"""Types of inputs and outputs, checked while steps run."""

from __future__ import annotations

import typing

import pytest

import dagwright as dg
from dagwright_shared.model.errors import DefinitionError

pytestmark = pytest.mark.unit

Even = dg.ValueType(name="Even", type_check_fn=lambda _, value: isinstance(value, int) and value % 2 == 0)


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (int, 1, "x"),
        (float, 1, "x"),
        (list[int], [1], [1, "x"]),
        (dict[str, int], {"a": 1}, {"a": "b"}),
        (tuple[int, str], (1, "a"), (1, 2)),
        (int | None, None, "x"),
        (typing.Optional[list[str]], ["a"], [1]),  # noqa: UP045 - the older spelling is what is tested
        (Even, 2, 3),
        (typing.Any, object(), None),
        (typing.Callable[[int], int], abs, 3),
    ],
)
def test_what_fits(annotation, good, bad):
    assert dg.check_dagster_type(annotation, good).success
    if annotation is not typing.Any:
        assert not dg.check_dagster_type(annotation, bad).success


def test_outputs_and_inputs_of_steps_are_checked():
    @dg.asset
    def wrong() -> int:
        return "text"

    with pytest.raises(dg.TypeCheckError, match="the output 'result' of step 'wrong' is declared as int: the value is a str"):
        dg.materialize([wrong])

    @dg.op(out=dg.Out(Even))
    def odd():
        return 3

    @dg.job
    def job():
        odd()

    with pytest.raises(dg.DagsterTypeCheckDidNotPass, match="Even"):
        job.execute_in_process()

    @dg.asset
    def text():
        return "text"

    @dg.asset
    def reader(text: int):
        return text

    with pytest.raises(dg.TypeCheckError, match="the input 'text' of step 'reader' is declared as int"):
        dg.materialize([text, reader])


def test_results_and_unions_of_them_pass():
    @dg.asset
    def maybe() -> dg.MaterializeResult | None:
        return None

    @dg.multi_asset(outs={"a": dg.AssetOut(), "b": dg.AssetOut()})
    def both() -> tuple[int, str]:
        return 1, "b"

    assert dg.materialize([maybe, both]).success


def test_registered_classes():
    @dg.usable_as_dagster_type(name="Shape")
    class Polygon:
        pass

    assert dg.check_dagster_type(Polygon, Polygon()).success

    class Celsius(float):
        pass

    dg.make_python_type_usable_as_dagster_type(Celsius, dg.DagsterType(lambda _, value: value > -273.15, name="Celsius"))
    assert not dg.check_dagster_type(Celsius, -300.0).success


def test_mistakes_are_told():
    with pytest.raises(DefinitionError, match="give a class"):
        dg.PythonObjectDagsterType("int")
    with pytest.raises(DefinitionError, match="type_check_fn"):
        dg.DagsterType(type_check_fn=3, name="x")
    with pytest.raises(dg.TypeCheckError, match="give a bool"):
        dg.check_dagster_type(dg.DagsterType(lambda _, v: 1, name="x"), 3)
