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


@dg.dagster_type_loader({"rows": dg.Field(int, default_value=2), "char": str}, required_resource_keys={"case"})
def text_of(context, config):
    return context.resources.case(config["char"]) * config["rows"]


Text = dg.DagsterType(name="Text", type_check_fn=lambda _, value: isinstance(value, str) and len(value) < 5, loader=text_of)


@dg.op(ins={"text": dg.In(Text)})
def length(text):
    return len(text)


@dg.job(resource_defs={"case": dg.ResourceDefinition.hardcoded_resource(str.upper)})
def loading():
    length()


def of_text(config):
    return {"ops": {"length": {"inputs": {"text": config}}}}


def test_an_input_that_nothing_feeds_is_made_by_its_types_loader():
    assert loading.execute_in_process(run_config=of_text({"char": "a"})).output_for_node("length") == 2
    with pytest.raises(dg.TypeCheckError, match="is declared as Text"):
        loading.execute_in_process(run_config=of_text({"char": "a", "rows": 9}))
    with pytest.raises(dg.DagsterInvalidConfigError, match=r"inputs\.text\.char: this entry is required"):
        loading.execute_in_process(run_config=of_text({"chr": "a"}))
    with pytest.raises(dg.DagsterInvalidConfigError, match="has no value"):
        loading.execute_in_process()


def test_bad_loaders_are_told():
    with pytest.raises(DefinitionError, match="takes other arguments"):

        @dg.dagster_type_loader(str)
        def lonely(config):
            return config

    with pytest.raises(DefinitionError, match="loader is a function"):
        dg.DagsterType(lambda _, v: True, name="x", loader=lambda c, v: v)
    with pytest.raises(DefinitionError, match="needs the resource 'case'"):
        dg.Definitions(jobs=[unprovided()]).resolve()


def unprovided():
    @dg.job
    def without():
        length()

    return without


def test_expectations_are_written_to_the_log():
    @dg.op
    def looks(context):
        context.log_event(dg.ExpectationResult(success=True))
        yield dg.ExpectationResult(success=False, label="rows", description="too few", metadata={"found": 1})
        yield dg.Output(1)

    @dg.job
    def job():
        looks()

    events = job.execute_in_process().events
    lines = [(e.payload.level.name, e.payload.message) for e in events if type(e.payload).__name__ == "LogMessage"]
    assert lines == [("INFO", "expectation 'result' holds"), ("WARNING", "expectation 'rows' does not hold; too few; found: 1")]
    with pytest.raises(TypeError, match="not a bool"):
        dg.ExpectationResult(success=1)
