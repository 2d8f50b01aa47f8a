"""Dynamic outputs: mapped, chained, nested and collected, in each executor."""

from __future__ import annotations

import time

import pytest

import dagwright as dg
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright_shared.model.errors import DefinitionError, InvalidRequestError
from dagwright_shared.model.events import LogMessage, OutputStored, StepFailed, StepSkipped, StepsPlanned, StepSucceeded
from dagwright_shared.model.runs import RunStatus
from tests.unit.execution.running import run

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGWRIGHT_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(params=["in_process", "multiprocess"])
def executor(request):
    return InProcessExecutor() if request.param == "in_process" else MultiprocessExecutor(2)


@dg.op(out=dg.DynamicOut(int))
def numbers():
    for n in (1, 2, 3):
        yield dg.DynamicOutput(n, mapping_key=f"n{n}")


@dg.op(out=dg.DynamicOut(int))
def letters(n: int):
    return [dg.DynamicOutput(n * 10 + i, mapping_key="ab"[i]) for i in range(2)]


@dg.op
def double(x: int) -> int:
    return x * 2


@dg.op
def add(x: int, y: int) -> int:
    return x + y


@dg.op
def ten() -> int:
    return 10


@dg.op
def total(context, xs: list[int]) -> int:
    context.log.info("got %s", xs)
    return sum(xs)


def succeeded(ran):
    return {event.step_key for event in ran.sink.events if isinstance(event.payload, StepSucceeded)}


def messages(ran, step):
    return [payload.message for payload in ran.of(LogMessage, step)]


def test_map_chain_and_collect(executor):
    @dg.job
    def fan():
        base = ten()
        total(numbers().map(lambda n: add(n, base)).map(double).collect())

    ran = run(fan, executor=executor)
    assert ran.status is RunStatus.SUCCESS, ran.events
    assert succeeded(ran) == {"ten", "numbers", *(f"{op}[n{n}]" for op in ("add", "double") for n in (1, 2, 3)), "total"}
    assert messages(ran, "total") == ["got [22, 24, 26]"]
    assert [stored.mapping_key for stored in ran.of(OutputStored, "numbers")] == ["n1", "n2", "n3"]
    planned = [step.key for payload in ran.of(StepsPlanned) for step in payload.steps]
    assert planned == ["add[n1]", "double[n1]", "add[n2]", "double[n2]", "add[n3]", "double[n3]", "total"]
    assert ran.of(StepsPlanned)[0].gone == ("add[?]", "double[?]")


def test_maps_inside_maps(executor):
    @dg.job
    def nested():
        def inner(n):
            return total(letters(n).map(double).collect())

        total.alias("all")(numbers().map(inner).collect())
        total.alias("flat")(numbers().map(letters).map(double).collect())

    ran = run(nested, executor=executor)
    assert ran.status is RunStatus.SUCCESS, ran.events
    assert messages(ran, "total[n2]") == ["got [40, 42]"]
    assert messages(ran, "all") == ["got [42, 82, 122]"]
    assert messages(ran, "flat") == ["got [20, 22, 40, 42, 60, 62]"]
    assert "double_2[n1][a]" in succeeded(ran)


def test_map_of_a_graph_and_a_graph_that_gives_a_dynamic_output(executor):
    @dg.graph
    def twice(x):
        return double(double(x))

    @dg.graph
    def made():
        return numbers().map(twice)

    @dg.job
    def whole():
        total(made().map(double).collect())

    ran = run(whole, executor=executor)
    assert ran.status is RunStatus.SUCCESS, ran.events
    assert "made.twice.double_2[n3]" in succeeded(ran)
    assert messages(ran, "total") == ["got [8, 16, 24]"]


def test_nothing_mapped_is_an_empty_list(executor):
    @dg.op(out=dg.DynamicOut())
    def none():
        yield from ()

    @dg.job
    def empty():
        total(none().map(double).collect())

    ran = run(empty, executor=executor)
    assert ran.status is RunStatus.SUCCESS, ran.events
    assert messages(ran, "total") == ["got []"]


def test_a_failed_copy_stops_what_collects_and_nothing_else(executor):
    @dg.op
    def picky(x: int) -> int:
        if x == 2:
            raise ValueError("not two")
        return x

    @dg.job
    def some():
        total(numbers().map(picky).map(double).collect())

    ran = run(some, executor=executor)
    assert ran.status is RunStatus.FAILURE
    assert [event.step_key for event in ran.sink.events if isinstance(event.payload, StepFailed)] == ["picky[n2]"]
    assert {event.step_key for event in ran.sink.events if isinstance(event.payload, StepSkipped)} == {"double[n2]", "total"}
    assert "double[n3]" in succeeded(ran)
    again = run(
        some,
        executor=executor,
        inherited={"numbers": ran.run_id, **dict.fromkeys(succeeded(ran), ran.run_id)},
        step_keys=["picky[n2]", "double[n2]", "total"],
    )
    assert succeeded(again) == set()
    assert [event.step_key for event in again.sink.events if isinstance(event.payload, StepFailed)] == ["picky[n2]"]


def test_from_failure_only_what_is_missing_runs(executor, tmp_path):
    flag = tmp_path / "mended"

    @dg.op
    def picky(x: int) -> int:
        if x == 2 and not flag.exists():
            raise ValueError("not two")
        return x

    @dg.job
    def some():
        total(numbers().map(picky).collect())

    ran = run(some, executor=executor)
    flag.touch()
    again = run(some, executor=executor, inherited=dict.fromkeys(succeeded(ran), ran.run_id), step_keys=["picky[n2]", "total"])
    assert again.status is RunStatus.SUCCESS, again.events
    assert succeeded(again) == {"picky[n2]", "total"}
    assert sorted(messages(again, "total")[0].removeprefix("got [").removesuffix("]").split(", ")) == ["1", "2", "3"]


def test_what_was_never_planned_is_planned_when_its_producer_runs_again(executor):
    @dg.job
    def fan():
        total(numbers().map(double).collect())

    again = run(fan, executor=executor, step_keys=["numbers", "double[?]", "total"])
    assert again.status is RunStatus.SUCCESS, again.events
    assert messages(again, "total") == ["got [2, 4, 6]"]


def test_a_lost_producer_skips_its_placeholders(executor):
    @dg.op(out=dg.DynamicOut())
    def broken():
        raise ValueError("no")

    @dg.job
    def fan():
        total(broken().map(letters).map(double).collect())

    ran = run(fan, executor=executor)
    assert ran.status is RunStatus.FAILURE
    assert {e.step_key for e in ran.sink.events if isinstance(e.payload, StepSkipped)} == {"letters[?]", "double[?][?]", "total"}


def test_optional_outputs_in_copies_are_left_out_of_the_list(executor):
    @dg.op(out=dg.Out(int, is_required=False))
    def odd(x: int):
        if x % 2:
            yield dg.Output(x)

    @dg.job
    def some():
        total(numbers().map(odd).map(double).collect())

    ran = run(some, executor=executor)
    assert ran.status is RunStatus.SUCCESS, ran.events
    assert messages(ran, "total") == ["got [2, 6]"]


def test_mistakes_are_told(executor):
    @dg.op(out=dg.DynamicOut())
    def same():
        yield dg.DynamicOutput(1, mapping_key="a")
        yield dg.DynamicOutput(2, mapping_key="a")

    @dg.op(out=dg.DynamicOut())
    def plain():
        yield dg.Output(1)

    for bad, words in ((same, "mapping key 'a'"), (plain, "yield DynamicOutput")):
        ran = run(_job(bad), executor=executor)
        assert words in ran.of(StepFailed)[0].error.message
    with pytest.raises(DefinitionError, match="as it is"):

        @dg.job
        def direct():
            double(numbers())

    @dg.job
    def crossed():
        other = numbers.alias("other")()
        numbers().map(lambda n: other.map(lambda m: add(n, m)))

    with pytest.raises(InvalidRequestError, match="two dynamic outputs that are independent"):
        run(crossed, executor=executor)


def _job(definition):
    @dg.job
    def one():
        definition()

    return one


def test_ten_thousand_copies():
    @dg.op(out=dg.DynamicOut())
    def many():
        for n in range(10_000):
            yield dg.DynamicOutput(n, mapping_key=str(n))

    @dg.op
    def same(x):
        return x

    @dg.job
    def big():
        total(many().map(same).collect())

    started = time.monotonic()
    ran = run(big, executor=InProcessExecutor(), resources={"io_manager": dg.InMemoryIOManager()})
    seconds = time.monotonic() - started
    assert ran.status is RunStatus.SUCCESS
    assert len(succeeded(ran)) == 10_002
    assert messages(ran, "total")[0].startswith("got [0, 1, 2,")
    assert seconds < 60
    print(f"10,000 mapped steps in process: {seconds:.1f} s")
