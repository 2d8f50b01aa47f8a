from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dagwright_shared.model import run_config
from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_shared.model.run_config import NodeConfig
from dagwright_shared.model.snapshot import AssetSnapshot, LocationSnapshot, ResourceSnapshot


def with_class(kind: str) -> dict[str, Any]:
    return {
        "$defs": {"Inner": {"type": "object", "properties": {"v": {"$ref": "#/$defs/Leaf"}}, "required": ["v"]}, "Leaf": {"type": kind}},
        "type": "object",
        "properties": {"inner": {"$ref": "#/$defs/Inner"}},
        "required": ["inner"],
        "additionalProperties": False,
    }


def errors(schema: Any, config: Any) -> list[str]:
    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema).iter_errors(config)]


def test_classes_of_one_name_stay_apart() -> None:
    schema = run_config.compose(
        [NodeConfig(path=("a",), config=with_class("integer")), NodeConfig(path=("b",), config=with_class("string"))], []
    )
    good = {"ops": {"a": {"config": {"inner": {"v": 1}}}, "b": {"config": {"inner": {"v": "x"}}}}}
    assert errors(schema, good) == []
    assert errors(schema, {"ops": {"a": {"config": {"inner": {"v": "x"}}}, "b": good["ops"]["b"]}}) == ["'x' is not of type 'integer'"]
    assert errors(schema, {"ops": {"a": good["ops"]["a"], "b": {"config": {"inner": {"v": 1}}}}}) == ["1 is not of type 'string'"]


def test_what_is_required_inside_is_required_outside() -> None:
    schema = run_config.compose(
        [
            NodeConfig(path=("outer", "inner"), config=with_class("integer")),
            NodeConfig(path=("plain",)),
            NodeConfig(path=("free",), config={"type": "object"}),
        ],
        [],
    )
    assert errors(schema, {}) == ["'ops' is a required property"]
    assert errors(schema, {"ops": {"outer": {}}}) == ["'ops' is a required property"]
    assert errors(schema, {"ops": {"outer": {"ops": {"inner": {"config": {"inner": {"v": 1}}}}}}}) == []


def test_ops_without_config_are_known_and_others_are_not() -> None:
    schema = run_config.compose([NodeConfig(path=("plain",))], [])
    assert errors(schema, {}) == []
    assert errors(schema, {"ops": {"plain": {}}}) == []
    assert len(errors(schema, {"ops": {"plain": {"config": 1}}})) == 1
    assert len(errors(schema, {"ops": {"plian": {}}})) == 1
    assert len(errors(schema, {"opps": {}})) == 1


def test_inputs_given_by_config() -> None:
    schema = run_config.compose([NodeConfig(path=("a",), inputs={"n": {"type": "integer"}})], [])
    assert errors(schema, {"ops": {"a": {"inputs": {"n": 3}}}}) == []
    assert errors(schema, {"ops": {"a": {"inputs": {"n": {"value": 3}}}}}) == []
    assert errors(schema, {}) != []


def test_resources() -> None:
    schema = run_config.compose(
        [], [ResourceSnapshot(key="db", type_name="D", config_schema=with_class("integer")), ResourceSnapshot(key="o", type_name="O")]
    )
    assert errors(schema, {"resources": {"db": {"config": {"inner": {"v": 2}}}}}) == []
    assert errors(schema, {}) == ["'resources' is a required property"]


@pytest.mark.parametrize("picked", [["a"], ["a", "b"], []])
def test_schema_of_picked_assets(picked: list[str]) -> None:
    assets = tuple(AssetSnapshot(key=AssetKey(name), op_name=name, config_schema=with_class("integer")) for name in ("a", "b"))
    snapshot = LocationSnapshot(location=LocationName("x"), dagwright_version="1", python_version="3", assets=assets)
    schema: Any = run_config.schema_for(snapshot, [AssetKey(name) for name in picked])
    assert list(schema["properties"]["ops"]["properties"]) == picked
