from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from enum import Enum
from typing import Any

import pytest
from pydantic import PrivateAttr

import dagwright as dg
from dagwright.authoring import resource_schema
from dagwright.authoring.config import ConfigType, config_dict
from dagwright.authoring.config_values import ConfigProblems
from dagwright.authoring.resources import InitResourceContext, Opener, opened
from dagwright_shared.model.errors import DefinitionError, Problem


class Colour(Enum):
    RED = "red"


class Inner(dg.Config):
    depth: int


class Outer(dg.Config):
    limit: int
    ratio: float = 1.5
    day: date = date(2024, 1, 1)
    colour: Colour = Colour.RED
    inner: Inner | None = None
    names: list[str] = []  # noqa: RUF012 - pydantic copies it


def problems(declared: Any, value: Any) -> dict[str, Problem]:
    with pytest.raises(ConfigProblems) as caught:
        ConfigType(declared).parse(value, "config.ops.x.config")
    return {problem.path.removeprefix("config.ops.x.config").removeprefix("."): problem for problem in caught.value.problems}


def test_config_is_parsed_from_json() -> None:
    made = ConfigType(Outer).parse({"limit": 3, "ratio": 2, "day": "2024-02-03", "colour": "red", "inner": {"depth": 1}})
    assert made == Outer(limit=3, ratio=2.0, day=date(2024, 2, 3), inner=Inner(depth=1))
    with pytest.raises(ValueError, match="frozen"):
        made.limit = 4


def test_problems_say_where_what_and_the_nearest_name() -> None:
    found = problems(Outer, {"limit": "3", "ration": 1, "inner": {"depht": 1}, "names": [1]})
    assert found["limit"].expected == "integer"
    assert found["limit"].value == "3"
    assert found["ration"].suggestion == "ratio"
    assert found["names.0"].expected == "string"
    assert "inner.depth" in found
    assert problems(Outer, {})["limit"].message == "this entry is required"
    assert problems(Outer, 3)[""].expected == "object"


def test_permissive_config_takes_more() -> None:
    class Loose(dg.PermissiveConfig):
        n: int = 1

    made = ConfigType(Loose).parse({"other": [1]})
    assert made.other == [1]


@pytest.mark.parametrize(
    ("declared", "good", "parsed", "bad"),
    [
        (int, 3, 3, "3"),
        (str, "x", "x", 3),
        (list[int], [1], [1], ["a"]),
        (dict[str, int], {"a": 1}, {"a": 1}, {"a": "b"}),
        ({"path": str, "n": dg.Field(int, default_value=2)}, {"path": "p"}, {"path": "p", "n": 2}, {"n": 1}),
        (
            {"deep": {"n": int}, "many": [str]},
            {"deep": {"n": 1}, "many": ["a"]},
            {"deep": {"n": 1}, "many": ["a"]},
            {"deep": {}, "many": []},
        ),
        (dg.Field(int), 3, 3, None),
    ],
)
def test_plain_types_and_dicts_as_config(declared: Any, good: Any, parsed: Any, bad: Any) -> None:
    kind = ConfigType(declared)
    assert kind.parse(good) == parsed
    assert kind.json_schema
    with pytest.raises(ConfigProblems):
        kind.parse(bad)


def test_an_entry_that_may_be_left_out() -> None:
    assert ConfigType({"n": dg.Field(int, is_required=False)}).parse({}) == {}


def test_a_type_without_schema_is_told() -> None:
    with pytest.raises(DefinitionError, match="has no JSON Schema"):
        _ = ConfigType(object()).json_schema


def test_run_config() -> None:
    config = dg.RunConfig(ops={"a": Inner(depth=1), "b": {"config": {"x": 1}}, "c": 3}, resources={"r": {"path": "p"}}, execution={"n": 1})
    assert config.to_config_dict() == {
        "loggers": {},
        "resources": {"r": {"config": {"path": "p"}}},
        "ops": {"a": {"config": {"depth": 1}}, "b": {"config": {"x": 1}}, "c": {"config": 3}},
        "execution": {"n": 1},
    }
    assert config_dict(None) == {}
    assert config_dict({"ops": {"a": {"config": Inner(depth=1)}}}) == {"ops": {"a": {"config": {"depth": 1}}}}
    with pytest.raises(DefinitionError, match="run config is a list"):
        config_dict([])  # type: ignore[arg-type]


def test_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DW_N", "3")
    monkeypatch.delenv("DW_GONE", raising=False)
    assert dg.EnvVar("DW_N").get_value() == "3"
    assert dg.EnvVar.int("DW_N").get_value() == 3
    assert dg.EnvVar("DW_GONE").get_value("x") == "x"
    assert repr(dg.EnvVar("DW_N")) == "EnvVar('DW_N')"
    monkeypatch.setenv("DW_N", "three")
    with pytest.raises(ValueError, match="DW_N is not a whole number"):
        dg.EnvVar.int("DW_N").get_value()


# ---- resources


class Log(list[str]):
    pass


LOG = Log()


class Credentials(dg.ConfigurableResource):
    token: str


class Client(dg.ConfigurableResource):
    """A client."""

    host: str
    port: int = 80
    credentials: Credentials
    engine: dg.ResourceDependency[object] = None
    _connection: str = PrivateAttr(default="closed")

    def setup_for_execution(self, context: InitResourceContext) -> None:
        LOG.append(f"open {context.resource_key}")
        self._connection = f"{self.host}:{self.port}:{self.credentials.token}:{self.engine}"

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        LOG.append(f"close {context.resource_key}")

    @property
    def connection(self) -> str:
        return self._connection


@dg.resource(config_schema={"size": int}, required_resource_keys={"log"})
def engine(context: InitResourceContext) -> Iterator[str]:
    LOG.append("engine up")
    yield f"engine of {context.resource_config['size']} in {context.resources.log}"
    LOG.append("engine down")


def test_resources_are_set_up_in_order_and_torn_down_in_reverse(monkeypatch: pytest.MonkeyPatch) -> None:
    LOG.clear()
    monkeypatch.setenv("DW_HOST", "example.org")
    monkeypatch.setenv("DW_PORT", "81")
    made_engine = engine.configured({"size": 3})
    client = Client(host=dg.EnvVar("DW_HOST"), port=dg.EnvVar.int("DW_PORT"), credentials=Credentials(token="t"), engine=made_engine)
    with opened({"client": client, "engine": made_engine, "log": "a log"}, {"client", "engine", "log"}) as values:
        assert values["client"].connection == "example.org:81:t:engine of 3 in a log"
        assert values["engine"] == "engine of 3 in a log"
        assert values["client"].host == "example.org"
    assert LOG == ["engine up", "open client", "close client", "engine down"]
    assert client.connection == "closed"


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DW_HOST", raising=False)
    client = Client(host=dg.EnvVar("DW_HOST"), credentials=Credentials(token="t"))
    with pytest.raises(LookupError, match="DW_HOST is not set"), opened({"c": client}, {"c"}):
        pass


def test_resources_are_torn_down_after_a_failure() -> None:
    LOG.clear()

    def fail() -> None:
        with opened({"c": Client(host="h", credentials=Credentials(token="t"))}, {"c"}):
            raise RuntimeError("in a step")

    with pytest.raises(RuntimeError, match="in a step"):
        fail()
    assert LOG == ["open c", "close c"]


def test_yield_for_execution_and_create_resource() -> None:
    class Session(dg.ConfigurableResource):
        name: str

        @contextmanager
        def yield_for_execution(self, context: InitResourceContext) -> Iterator[Any]:
            yield f"session {self.name}"

    class Factory(dg.ConfigurableResource):
        def create_resource(self, context: InitResourceContext) -> Any:
            return "made"

    with opened({"s": Session(name="x"), "f": Factory(), "bare": 3}, {"s", "f", "bare"}) as values:
        assert values == {"s": "session x", "f": "made", "bare": 3}


def test_configuration_at_launch() -> None:
    class Sized(dg.ConfigurableResource):
        size: int
        name: str = "n"

    later = Sized.configure_at_launch(name="given")
    with opened({"s": later}, {"s"}, config={"s": {"config": {"size": 4}}}) as values:
        assert (values["s"].size, values["s"].name) == (4, "given")
    fixed = Sized(size=1)
    with opened({"s": fixed}, {"s"}, config={"s": {"config": {"size": 5}}}) as values:
        assert values["s"].size == 5
    with pytest.raises(ConfigProblems, match="size"), opened({"s": fixed}, {"s"}, config={"s": {"config": {"size": "many"}}}):
        pass


def test_resources_that_need_each_other() -> None:
    @dg.resource(required_resource_keys={"b"})
    def a(context: InitResourceContext) -> int:
        return 1

    @dg.resource(required_resource_keys={"a"})
    def b(context: InitResourceContext) -> int:
        return 1

    with pytest.raises(DefinitionError, match="a -> b -> a"), opened({"a": a, "b": b}, {"a"}):
        pass
    with pytest.raises(LookupError, match="'c'; the keys are a, b"), opened({"a": a, "b": b}, {"c"}):
        pass
    assert Opener is not None


def test_a_wrong_field_is_told_with_its_place() -> None:
    with pytest.raises(DefinitionError, match=r"resource Client: .*port.*'x'.*test_config_and_resources.py"):
        Client(host="h", port="x", credentials=Credentials(token="t"))
    with pytest.raises(DefinitionError, match=r"did you mean 'host'"):
        Client(hots="h", credentials=Credentials(token="t"))


def test_what_others_see_of_a_resource() -> None:
    credentials = Credentials(token=dg.EnvVar("DW_TOKEN"))
    resources = {"client": Client(host="h", credentials=credentials), "credentials": credentials, "bare": object(), "engine": engine}
    client = resource_schema.snapshot("client", resources)
    assert client.description == "A client."
    assert client.nested == {"credentials": "credentials"}
    assert client.config == {"host": "h", "port": 80, "engine": None}
    assert client.config_schema is not None
    assert client.config_schema["properties"] == {  # the nested ones are configured under their own keys
        "host": {"default": "h", "title": "Host", "type": "string"},
        "port": {"default": 80, "title": "Port", "type": "integer"},
    }
    shown = resource_schema.snapshot("credentials", resources)
    assert shown.config == {"token": {"env": "DW_TOKEN"}}
    assert resource_schema.snapshot("bare", resources).type_name == "builtins.object"
    assert resource_schema.snapshot("engine", resources).config_schema is not None


def test_io_managers() -> None:
    class Keep(dg.IOManager):
        def handle_output(self, context: Any, obj: Any) -> None: ...

        def load_input(self, context: Any) -> int:
            return 1

    @dg.io_manager(config_schema={"base": str})
    def kept(context: InitResourceContext) -> Keep:
        return Keep()

    class Factory(dg.ConfigurableIOManagerFactory):
        def create_io_manager(self, context: Any) -> dg.IOManager:
            return Keep()

    assert isinstance(kept, dg.IOManagerDefinition)
    with opened({"k": kept.configured({"base": "b"}), "f": Factory()}, {"k", "f"}) as values:
        assert all(isinstance(value, Keep) for value in values.values())
    with pytest.raises(TypeError, match="not supported"):
        dg.io_manager(output_config_schema={})


def test_a_config_class_as_a_schema_of_entries():
    class Limit(dg.Config):
        """Of rows."""

        name: str
        rows: int = 3
        tags: dict[str, str] = {}  # noqa: RUF012

    @dg.resource(config_schema=Limit.to_config_schema())
    def limit(context):
        return context.resource_config

    @dg.op(config_schema={**Limit.to_fields_dict(), "more": int})
    def uses(context):
        return context.op_config["rows"] + context.op_config["more"]

    assert dg.build_resources({"limit": limit.configured({"name": "x"})}).__enter__().limit == {"name": "x", "rows": 3, "tags": {}}
    assert uses(dg.build_op_context(op_config={"name": "x", "more": 1})) == 4
    with pytest.raises(dg.DagwrightError, match="name"):
        uses(dg.build_op_context(op_config={"more": 1}))
    assert isinstance(dg.PermissiveConfig.to_config_schema(), dg.Permissive)


class Colour(Enum):
    RED = "r"
    BLUE = "b"


class Painted(dg.Config):
    colour: Colour = Colour.RED
    more: list[Colour] = []  # noqa: RUF012
    maybe: Colour | None = None


def test_run_config_names_the_members_of_enums():
    @dg.op
    def paints(config: Painted):
        return config

    @dg.job
    def paint():
        paints()

    def run(config):
        return paint.execute_in_process(run_config={"ops": {"paints": {"config": config}}}).output_for_node("paints")

    assert run({"colour": "BLUE", "more": ["RED"], "maybe": "BLUE"}) == Painted(colour=Colour.BLUE, more=[Colour.RED], maybe=Colour.BLUE)
    assert run({"colour": "b"}).colour is Colour.BLUE
    assert run({"colour": Colour.BLUE}).colour is Colour.BLUE
    given = dg.RunConfig({"paints": Painted(colour=Colour.BLUE, more=[Colour.RED])})
    assert given.to_config_dict()["ops"] == {"paints": {"config": {"colour": "BLUE", "more": ["RED"]}}}
    assert paint.execute_in_process(run_config=given).output_for_node("paints").colour is Colour.BLUE
    with pytest.raises(dg.DagwrightError, match="colour"):
        run({"colour": "GREEN"})


def test_values_without_json_load_and_are_refused_when_they_are_used():
    @dg.op(config_schema={"table": str})
    def loads(context):
        return context.op_config["table"]

    @dg.job(config={"ops": {"loads": {"config": {"table": str}}}})
    def nightly():
        loads()

    assert nightly.config == {"ops": {"loads": {"config": {"table": {"not_json": "<class 'str'>"}}}}}
    with pytest.raises(dg.DagwrightError, match=r"ops\.loads\.config\.table: Input should be a valid string"):
        nightly.execute_in_process()
    assert nightly.execute_in_process(run_config={"ops": {"loads": {"config": {"table": "t"}}}}).output_for_node("loads") == "t"


def test_fields_that_are_none_by_default_are_not_told():
    class Limits(dg.Config):
        rows: int | None = None
        depth: int | None = 3

    assert dg.RunConfig(ops={"a": Limits(depth=None)}).to_config_dict()["ops"] == {"a": {"config": {"depth": None}}}


def test_run_config_names_the_members_of_enums_of_resources():
    class Brush(dg.ConfigurableResource):
        colour: Colour

    @dg.op
    def paints(brush: Brush):
        return brush.colour

    @dg.job(resource_defs={"brush": Brush(colour=Colour.RED)})
    def paint():
        paints()

    @dg.job(resource_defs={"brush": Brush.configure_at_launch()})
    def later():
        paints()

    for each in (paint, later):
        for said in ({"colour": "BLUE"}, {"colour": "b"}):
            made = each.execute_in_process(run_config={"resources": {"brush": {"config": said}}})
            assert made.output_for_node("paints") is Colour.BLUE


def test_resources_with_equal_fields_are_equal_and_set_up_apart():
    opened_now = []

    class Client(dg.ConfigurableResource):
        url: str
        tags: dict[str, str] = {}  # noqa: RUF012

        def setup_for_execution(self, context):
            opened_now.append(self.url)

    assert Client(url="a") == Client(url="a") != Client(url="b")
    assert hash(Client(url="a")) == hash(Client(url="a"))
    with dg.build_resources({"one": Client(url="a"), "two": Client(url="a")}):
        assert opened_now == ["a", "a"]


def test_run_config_may_be_given_by_position():
    @dg.op
    def paints(config: Painted):
        return config.colour

    @dg.graph
    def whole():
        paints()

    config = {"ops": {"paints": {"config": {"colour": "BLUE"}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        assert whole.execute_in_process(config, instance).output_for_node("paints") is Colour.BLUE
        assert whole.to_job().execute_in_process(config, instance).output_for_node("paints") is Colour.BLUE
        assert len(instance.get_runs()) == 2
