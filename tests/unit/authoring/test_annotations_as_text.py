"""Annotations that are text: `from __future__ import annotations`, classes of a function, names for type checkers only."""

from __future__ import annotations

import pytest

import dagwright as dg
from dagwright_shared.model.errors import DefinitionError

pytestmark = pytest.mark.unit


def test_classes_that_are_local_to_a_function() -> None:
    class Settings(dg.Config):
        rows: int = 3

    class Store(dg.ConfigurableResource[None]):
        factor: int = 2

    class Rows(list[int]): ...

    @dg.asset
    def rows(context: dg.AssetExecutionContext, config: Settings, store: Store) -> Rows:
        return Rows([config.rows * store.factor])

    @dg.asset
    def total(rows: Rows) -> int:
        return sum(rows)

    @dg.op
    def made(config: Settings) -> Rows:
        return Rows([config.rows])

    @dg.job
    def job() -> None:
        made()

    @dg.sensor(job=job)
    def looks(context: dg.SensorEvaluationContext, store: Store) -> dg.SkipReason:
        return dg.SkipReason(str(store.factor))

    resources = {"store": Store(), "io_manager": dg.InMemoryIOManager()}
    assert dg.materialize([rows, total], resources=resources).asset_value("total") == 6
    assert job.execute_in_process().output_for_node("made") == [3]
    assert looks.resource_params == {"store": "store"}


def program(text: str) -> None:
    exec(compile(f"from __future__ import annotations\n{text}", "x.py", "exec"), {"dg": dg, "__name__": "x"})


def test_names_that_only_type_checkers_know_may_be_anything() -> None:
    program(
        """
@dg.asset
def price() -> Decimal:
    return 3

@dg.asset
def doubled(price: Decimal, client: dg.ResourceParam[Client]) -> list[Decimal]:
    return [price * client]

assert dg.materialize([price, doubled], resources={"client": 2}).asset_value("doubled") == [6]
"""
    )


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("@dg.asset\ndef a(config: Settings): ...", "the type of its config is written 'Settings', a name that is not there"),
        ("@dg.asset\ndef a(db: Db): ...\ndg.materialize([a])", "its type is written 'Db'.*import the class outside of `if TYPE_CHECKING:`"),
        ("@dg.sensor(job_name='j')\ndef s(context, db: Db): ...", "its type is written 'Db'"),
        ("@dg.schedule(job_name='j', cron_schedule='* * * * *')\ndef s(db: Db): ...", "its type is written 'Db'"),
        ("class R(dg.ConfigurableResource):\n    inner: Db\nR(inner=1)", "resource R: `R` is not fully defined; you should define `Db`"),
        ("class C(dg.Config):\n    inner: Db\n@dg.op\ndef o(config: C): ...", "the class C cannot be used"),
    ],
)
def test_where_a_class_is_needed_the_error_says_how_to_mend_it(text: str, match: str) -> None:
    with pytest.raises(DefinitionError, match=match):
        program(text)
