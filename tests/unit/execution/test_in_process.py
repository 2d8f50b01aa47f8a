"""What a run in this process takes and gives: jobs of assets, parts of them, checks left out, values of mapped steps."""

from __future__ import annotations

import pytest

import dagwright as dg
from dagwright_shared.model.errors import InvalidRequestError
from dagwright_shared.model.events import CheckEvaluated, StepSucceeded


@dg.asset
def raw() -> int:
    return 1


@dg.asset
def clean(raw: int) -> int:
    return raw + 1


@dg.asset_check(asset=clean)
def positive(clean: int) -> bool:
    return clean > 0


@dg.asset_check(asset=raw, blocking=True)
def never() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


def done(result: dg.ExecuteInProcessResult) -> set[str]:
    return {str(event.step_key) for event in result.events if isinstance(event.payload, StepSucceeded)}


defs = dg.Definitions(assets=[raw, clean], asset_checks=[positive], jobs=[dg.define_asset_job("everything")])


def test_a_job_knows_the_definitions_that_it_was_taken_from():
    result = defs.get_job_def("everything").execute_in_process()
    assert done(result) == {"raw", "clean", "clean_positive"}
    assert result.asset_value("clean") == 2


def test_part_of_a_job():
    job = defs.get_job_def("everything")
    assert done(job.execute_in_process(asset_selection=[dg.AssetKey("raw")])) == {"raw"}
    with pytest.raises(InvalidRequestError, match=r"no asset 'row' in job 'everything'; did you mean 'raw'\?"):
        job.execute_in_process(asset_selection=["row"])


@pytest.mark.parametrize("verdict", [True, False])
def test_a_bool_is_the_verdict_of_a_check(verdict: bool):
    @dg.asset_check(asset=raw)
    def says():
        return verdict

    found = [event.payload for event in dg.materialize([raw, says]).events if isinstance(event.payload, CheckEvaluated)]
    assert [one.passed for one in found] == [verdict]


def test_a_selection_leaves_checks_out():
    selection = dg.AssetSelection.all() - dg.AssetSelection.checks(never)
    assert done(dg.materialize([raw, clean, never, positive], selection=selection)) == {"raw", "clean", "clean_positive"}


def test_steps_of_checks_of_nested_keys():
    @dg.asset(key=["a", "b"])
    def deep(): ...

    @dg.asset_check(asset=deep)
    def fine():
        return True

    assert done(dg.materialize([deep, fine])) == {"a__b", "a__b_fine"}


def test_values_of_a_mapped_op():
    @dg.op(out=dg.DynamicOut())
    def pieces():
        yield from (dg.DynamicOutput(n, mapping_key=f"n{n}") for n in range(2))

    @dg.op
    def square(n):
        return n * n

    @dg.job
    def squares():
        pieces().map(square)

    result = squares.execute_in_process()
    assert result.output_for_node("square") == {"n0": 0, "n1": 1}
    assert len(result.all_events) > 4
    with pytest.raises(LookupError, match="'cube' did not produce"):
        result.output_for_node("cube")


def test_an_op_is_told_the_name_that_it_has_in_its_graph():
    seen = []

    @dg.op
    def looks(context: dg.OpExecutionContext):
        seen.append((context.op.name, context.op_def.name))

    @dg.job
    def watching():
        looks()
        looks.alias("other")()

    watching.execute_in_process()
    assert sorted(seen) == [("looks", "looks"), ("other", "looks")]


def test_an_input_manager_is_a_function_of_the_inputs_context():
    @dg.input_manager(config_schema={"add": int})
    def counted(context):
        return len(context.name) + context.resource_config["add"]

    @dg.input_manager
    def broken():
        raise LookupError("nothing there")

    @dg.op
    def makes():
        return 1

    @dg.op(ins={"value": dg.In(input_manager_key="own")})
    def takes(value):
        return value

    def job_with(manager):
        @dg.job(resource_defs={"own": manager})
        def job():
            takes(makes())

        return job

    assert job_with(counted.configured({"add": 10})).execute_in_process().output_for_node("takes") == 15
    with pytest.raises(LookupError, match="nothing there"):
        job_with(broken).execute_in_process()
    with pytest.raises(TypeError, match="use metadata of the input"):
        dg.input_manager(input_config_schema={"a": int})


def test_io_managers_read_metadata_as_it_was_written():
    seen = {}

    class Noting(dg.IOManager):
        def handle_output(self, context, obj):
            seen.update(context.definition_metadata)

        def load_input(self, context):
            return None

    @dg.asset(metadata={"table": "orders", "rows": 3, "columns": ["a"], "where": dg.MetadataValue.path("/data")})
    def noted():
        return 1

    dg.materialize([noted], resources={"io_manager": Noting()})
    assert {key: seen[key] for key in ("table", "rows", "columns")} == {"table": "orders", "rows": 3, "columns": ["a"]}
    assert isinstance(seen["where"], dg.PathMetadataValue)


@dg.op
def one() -> int:
    return 1


@dg.op
def add(a: int, b: int) -> int:
    return a + b


@dg.graph
def inner(number):
    return add(number, number)


@dg.graph
def outer(number):
    return inner(inner.alias("again")(number))


@dg.job
def sums():
    add.alias("last")(outer(one()), one.alias("other")())


def test_outputs_of_graphs_are_those_of_the_ops_inside():
    result = sums.execute_in_process()
    assert [result.output_for_node(name) for name in ("last", "outer", "outer.again", "outer.inner.add")] == [5, 4, 2, 4]
    assert outer.execute_in_process(input_values={"number": 3}).output_value() == 12
    with pytest.raises(LookupError, match=r"no output 'result'; it has none"):
        result.output_value()


@pytest.mark.parametrize(
    ("queries", "expected"),
    [
        (["one"], {"one"}),
        (["one", "outer"], {"one", "outer.again.add", "outer.inner.add"}),
        (["*outer"], {"one", "outer.again.add", "outer.inner.add"}),
        (["one+"], None),
        (["*last"], {"one", "other", "outer.again.add", "outer.inner.add", "last"}),
        (["++outer.inner.add"], {"one", "outer.again.add", "outer.inner.add"}),
    ],
)
def test_a_part_of_a_job_of_ops(queries, expected):
    expected = expected or {"one", "outer.again.add"}
    assert done(sums.execute_in_process(op_selection=queries)) == expected


def test_a_part_of_a_job_that_cannot_be():
    with pytest.raises(InvalidRequestError, match="the job has no op 'onne'; did you mean 'one'"):
        sums.execute_in_process(op_selection=["onne"])
    with pytest.raises(InvalidRequestError, match="needs the output 'result' of step"):
        sums.execute_in_process(op_selection=["last"])


def test_an_error_without_user_code_names_the_definition():
    @dg.op(out={"rows": dg.Out(int), "rest": dg.Out(int)})
    def forgets():
        yield dg.Output(1, "rows")

    @dg.op
    def raises():
        raise dg.DagwrightError("of the user's own")

    @dg.job
    def work():
        forgets()
        raises()

    result = work.execute_in_process(raise_on_error=False)
    (refused,) = [event.payload.error for event in result.all_events if event.step_key == "forgets" and hasattr(event.payload, "error")]
    (frame,) = refused.frames
    assert (frame.file, frame.function) == (__file__, "forgets")
    assert frame.line == forgets.source.line
    assert frame.source in {'@dg.op(out={"rows": dg.Out(int), "rest": dg.Out(int)})', "def forgets():"}
    (raised,) = [event.payload.error for event in result.all_events if event.step_key == "raises" and hasattr(event.payload, "error")]
    assert raised.frames[-1].source == 'raise dg.DagwrightError("of the user\'s own")'
    with pytest.raises(dg.DagwrightError) as shown:
        work.execute_in_process()
    assert shown.value.__notes__ == [f"'forgets' is defined at {__file__}:{forgets.source.line}"]
