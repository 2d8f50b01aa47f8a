from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field as PydanticField

import dagwright as dg
from dagwright.authoring.config import ConfigType
from dagwright_shared.model.errors import DefinitionError

WHOLE = ConfigType(
    {
        "name": dg.Field(dg.String),
        "nested": dg.Field({"rows": dg.Field(int, default_value=2)}),
        "absent": dg.Field(int, is_required=False),
        "secret": dg.Field(dg.StringSource, default_value={"env": "SCHEMA_SECRET"}),
        "mode": dg.Field(dg.Enum("Mode", [dg.EnumValue("fast", 1), dg.EnumValue("slow", 2)]), default_value="fast"),
        "one": dg.Field(dg.Selector({"file": str, "table": {"rows": int}}), is_required=False),
        "many": dg.Field(dg.Array(int), default_value=[1]),
        "maybe": dg.Field(dg.Noneable(str), default_value=None),
        "loose": dg.Permissive({"z": int}),
        "table": dg.Field(dg.Map(str, int), default_value={}),
        "either": dg.Field(dg.ScalarUnion(str, {"q": int}), default_value="v"),
        "free": dg.Field(dict, default_value={"k": [1]}),
        "two words": dg.Field(int, default_value=1),
        "counts": dg.Field({str: int}, default_value={"a": 1}),
    }
)


def test_defaults_of_a_whole_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEMA_SECRET", "s3cret")
    assert WHOLE.parse({"name": "x", "loose": {"z": 1, "more": {"deep": [1]}}}) == {
        "name": "x",
        "nested": {"rows": 2},
        "secret": "s3cret",
        "mode": 1,
        "many": [1],
        "maybe": None,
        "loose": {"z": 1, "more": {"deep": [1]}},
        "table": {},
        "either": "v",
        "free": {"k": [1]},
        "two words": 1,
        "counts": {"a": 1},
    }
    given = {"name": "x", "loose": {"z": 1}, "one": {"table": {"rows": 3}}, "mode": "slow", "either": {"q": 1}, "absent": 4}
    parsed = WHOLE.parse(given)
    assert (parsed["one"], parsed["mode"], parsed["either"], parsed["absent"]) == ({"table": {"rows": 3}}, 2, {"q": 1}, 4)


GOOD = {"name": "x", "loose": {"z": 1}, "secret": "s"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loose": {"z": 1}, "secret": "s"}, r"config\.name: this entry is required"),
        ({**GOOD, "name": 1}, r"config\.name: Input should be a valid string"),
        ({**GOOD, "one": {"file": "a", "table": {"rows": 1}}}, "give exactly one of file, table"),
        ({**GOOD, "mode": "fst"}, "'fst' is not one of fast, slow; did you mean 'fast'"),
        ({**GOOD, "two wordz": 1}, "no config entry 'two wordz' here; did you mean 'two words'"),
        ({**GOOD, "loose": {}}, r"config\.loose\.z: this entry is required"),
        ({**GOOD, "nested": {"rows": "x"}}, r"config\.nested\.rows: Input should be a valid integer"),
        ({**GOOD, "secret": {"env": "SCHEMA_NOT_SET"}}, "environment variable SCHEMA_NOT_SET is not set"),
    ],
)
def test_what_does_not_fit_is_told_by_path(given: dict[str, object], message: str) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match=message) as caught:
        WHOLE.parse(given)  # type: ignore[arg-type]
    assert caught.value.problems


def test_schemas_that_are_none() -> None:
    with pytest.raises(DefinitionError, match="'abc' is not a type of config"):
        dg.Field("abc")
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="the default 'x' does not fit"):
        dg.Field(int, default_value="x")
    with pytest.raises(DefinitionError, match="it is required and has a default"):
        dg.Field(int, default_value=1, is_required=True)
    with pytest.raises(DefinitionError, match="Shape: fields is a list"):
        dg.Shape([int])  # type: ignore[arg-type]


class Cat(dg.Config):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(dg.Config):
    kind: Literal["dog"] = "dog"
    weight: float


class Owner(dg.Config):
    pet: Cat | Dog = PydanticField(discriminator="kind")
    env: str = "home"
    count: int = 1


def test_one_of_several_classes_in_both_ways_of_writing() -> None:
    kind = ConfigType(Owner)
    assert kind.parse({"pet": {"cat": {"lives": 9}}}).pet == Cat(lives=9)
    assert kind.parse({"pet": {"kind": "dog", "weight": 1.5}}).pet == Dog(weight=1.5)
    assert kind.parse({"pet": {"cat": {"lives": 9}}, "env": "prod"}).env == "prod"


def test_environment_variables_in_run_config(monkeypatch: pytest.MonkeyPatch) -> None:
    class Load(dg.Config):
        path: str
        rows: int = 1

    @dg.asset
    def loaded(config: Load) -> str:
        return f"{config.path}:{config.rows}"

    config = dg.RunConfig(ops={"loaded": Load(path=dg.EnvVar("LOAD_PATH"), rows=dg.EnvVar.int("LOAD_ROWS"))})  # type: ignore[arg-type]
    assert config.to_config_dict()["ops"]["loaded"]["config"] == {"path": {"env": "LOAD_PATH"}, "rows": {"env": "LOAD_ROWS"}}
    monkeypatch.setenv("LOAD_PATH", "/data")
    monkeypatch.setenv("LOAD_ROWS", "7")
    assert dg.materialize([loaded], run_config=config).asset_value("loaded") == "/data:7"
    monkeypatch.setenv("LOAD_ROWS", "many")
    with pytest.raises(dg.DagsterInvalidConfigError, match="LOAD_ROWS is not of type integer"):
        dg.materialize([loaded], run_config=config)


def test_enums_from_python() -> None:
    import enum

    class Colour(enum.Enum):
        RED = "r"
        BLUE = "b"

    assert ConfigType(dg.Enum.from_python_enum(Colour)).parse("RED") is Colour.RED
    assert ConfigType(dg.Enum.from_python_enum_direct_values(Colour)).parse("BLUE") == "b"


def test_a_field_alone_may_have_a_default() -> None:
    assert ConfigType(dg.Field(int, default_value=4)).parse(ConfigType(dg.Field(int, default_value=4)).empty) == 4
    optional = ConfigType(dg.Field(int, is_required=False))
    assert optional.parse(optional.empty) is None
    with pytest.raises(DefinitionError, match="make them EnumValues"):
        dg.Enum("Mode", ["fast"])  # type: ignore[list-item]
    with pytest.raises(DefinitionError, match="is not a type of config"):
        dg.Array(3)
