"""JSON Schema of the config of a whole run: `{"ops": {op: {"config": ...}}, "resources": {key: {"config": ...}}, ...}`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from typing import Any

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.snapshot import JsonSchema, LocationSnapshot, ResourceSnapshot

EXECUTION_SCHEMA: JsonSchema = {"type": "object"}
LOGGERS_SCHEMA: JsonSchema = {"type": "object"}
NO_CONFIG: JsonSchema = {"additionalProperties": False}
"""Of an op that takes none. It is named all the same, so that a mistyped name can be told from one without config."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """What run config may say of one op."""

    path: tuple[str, ...]
    """Names of the enclosing graphs, then of the op."""
    config: JsonSchema | None = None
    """None: the op takes none."""
    inputs: Mapping[str, JsonSchema] = field(default_factory=dict)
    """Inputs that nothing is connected to: config gives their values."""


def schema_for(snapshot: LocationSnapshot, asset_keys: Collection[AssetKey], check_keys: Collection[AssetCheckKey] = ()) -> JsonSchema:
    """Schema of a run of picked assets and checks."""
    nodes: dict[str, NodeConfig] = {}
    wanted = frozenset(asset_keys)
    for asset in snapshot.assets:
        if asset.key in wanted and asset.op_name is not None:
            nodes[asset.op_name] = NodeConfig(path=(asset.op_name,), config=asset.config_schema)
    wanted_checks = frozenset(check_keys)
    for check in snapshot.checks:
        if check.key in wanted_checks and check.op_name is not None:
            nodes.setdefault(check.op_name, NodeConfig(path=(check.op_name,), config=check.config_schema))
    return compose(nodes.values(), snapshot.resources)


def compose(nodes: Iterable[NodeConfig], resources: Iterable[ResourceSnapshot]) -> JsonSchema:
    """Schema of a run of these ops and resources. Each schema's own `$defs` are moved to the root, renamed where two differ."""
    definitions = _Definitions()
    ops: dict[str, Any] = {}
    for node in nodes:
        _place(ops, node, definitions)
    entries: dict[str, Any] = {}
    for resource in resources:
        if resource.config_schema is not None:
            entries[resource.key] = _object({"config": definitions.adopt(resource.key, resource.config_schema)})
    frame = _object({"ops": _object(ops), "resources": _object(entries), "execution": EXECUTION_SCHEMA, "loggers": LOGGERS_SCHEMA})
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_require(frame)}
    if definitions.known:
        schema["$defs"] = definitions.known
    return schema


def _place(ops: dict[str, Any], node: NodeConfig, definitions: _Definitions) -> None:
    parts: dict[str, Any] = {}
    if node.config is not None:
        parts["config"] = definitions.adopt("_".join(node.path), node.config)
    if node.inputs:
        parts["inputs"] = inputs_schema(node.inputs)
    *graphs, name = node.path
    for graph in graphs:
        outer = ops.setdefault(graph, _object({"ops": _object({})}))
        ops = outer["properties"]["ops"]["properties"]
    ops[name] = _object(parts) if parts else NO_CONFIG


def inputs_schema(inputs: Mapping[str, JsonSchema]) -> dict[str, Any]:
    """Schema of the values of inputs, all of which have to be given."""
    return _object({name: _input(schema) for name, schema in inputs.items()}, list(inputs))


def _input(schema: JsonSchema) -> dict[str, Any]:
    wrapped = {"type": "object", "properties": {"value": schema}, "required": ["value"], "additionalProperties": False}
    return {"anyOf": [schema, wrapped]}


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


_DEEPEST = 20


def _require(schema: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """Each frame of the whole requires those of its parts that have required parts of their own."""
    if depth < _DEEPEST and "config" not in schema["properties"] and "inputs" not in schema["properties"]:
        for part in schema["properties"].values():
            if "properties" in part and part.get("additionalProperties") is False:
                _require(part, depth + 1)
    needed = [name for name, part in schema["properties"].items() if part.get("required")]
    if needed:
        schema["required"] = needed
    return schema


class _Definitions:
    """The `$defs` of the whole, gathered from those of its parts."""

    def __init__(self) -> None:
        self.known: dict[str, JsonValue] = {}

    def adopt(self, owner: str, schema: JsonSchema) -> dict[str, Any]:
        own: Any = schema.get("$defs") or {}
        renamed = {name: self._name(owner, name, content) for name, content in own.items()}
        for name, content in own.items():
            self.known[renamed[name]] = _rewritten(content, renamed)
        result: dict[str, Any] = _rewritten({key: value for key, value in schema.items() if key != "$defs"}, renamed)
        return result

    def _name(self, owner: str, name: str, content: JsonValue) -> str:
        if name not in self.known:
            return name
        # Two classes of one name: equal ones may be shared, but only if what they refer to is equal too, so never mind.
        return name if not _refers(content) and self.known[name] == content else f"{owner}.{name}"


def _refers(schema: Any) -> bool:
    match schema:
        case Mapping():
            return "$ref" in schema or any(map(_refers, schema.values()))
        case list():
            return any(map(_refers, schema))
        case _:
            return False


def _rewritten(schema: Any, renamed: Mapping[str, str]) -> Any:
    match schema:
        case Mapping():
            return {key: _reference(value, renamed) if key == "$ref" else _rewritten(value, renamed) for key, value in schema.items()}
        case list():
            return [_rewritten(item, renamed) for item in schema]
        case _:
            return schema


def _reference(value: Any, renamed: Mapping[str, str]) -> Any:
    head = "#/$defs/"
    if isinstance(value, str) and value.startswith(head) and value.removeprefix(head) in renamed:
        return head + renamed[value.removeprefix(head)]
    return value
