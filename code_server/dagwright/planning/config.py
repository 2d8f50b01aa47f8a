"""Reading a run's config: each op takes its part, what nobody takes is a problem, and all problems are told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dagwright.authoring import enum_names
from dagwright.authoring.config import PermissiveConfig
from dagwright.authoring.config_values import ConfigProblems
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.ops import OpDefinition
from dagwright.authoring.resources import ConfigurableResource, PartialResource, ResourceDefinition
from dagwright.authoring.type_loaders import TypeLoader
from dagwright_shared.model.errors import Problem, UserCodeError, nearest
from dagwright_shared.model.json_values import JsonValue

TOP_LEVEL = ("ops", "resources", "execution", "loggers", "inputs")
_NODE_KEYS = ("config", "inputs", "outputs", "ops")


class ConfigReader:
    """The part of a run config that is about one node: `{"config": ..., "inputs": ..., "ops": {...}}`."""

    def __init__(self, entry: Any, path: str, problems: list[Problem]) -> None:
        self.path, self._problems = path, problems
        if entry is not None and not isinstance(entry, Mapping):
            problems.append(Problem(path=path, message="this is not an object", value=entry, expected="object"))
            entry = {}
        self._entry: Mapping[str, Any] = entry or {}
        for key in self._entry:
            if key not in _NODE_KEYS and path != "config":
                close = nearest(key, _NODE_KEYS)
                message = f"there is no config entry {key!r} here" + (f"; did you mean {close!r}?" if close else "")
                problems.append(Problem(path=f"{path}.{key}", message=message, suggestion=close, expected="one of config, inputs, ops"))

    def node(self, name: str) -> ConfigReader:
        """The part of an op or graph inside this graph."""
        inner = self._entry.get("ops")
        entry = inner.get(name) if isinstance(inner, Mapping) else None
        return ConfigReader(entry, f"{self.path}.ops.{name}", self._problems)

    def done(self, names: Iterable[str]) -> None:
        """All nodes have taken their part: what is left names none of them."""
        inner, known = self._entry.get("ops"), list(names)
        if inner is None:
            return
        if not isinstance(inner, Mapping):
            self.problem("ops", "this is not an object", value=inner, expected="object")
            return
        for name in inner:
            if name not in known:
                close = nearest(name, known)
                message = f"there is no op {name!r} here" + (f"; did you mean {close!r}?" if close else "")
                self.problem(f"ops.{name}", message, expected=f"one of {', '.join(known[:20])}", suggestion=close)

    def of_graph(self, graph: GraphDefinition, *, root: bool = False) -> ConfigReader:
        """The part as the nodes of a graph read it: through its config mapping, or over the config that it fixes."""
        mapping = graph.config_mapping
        inner = self._entry.get("ops")
        if mapping is None:
            if not graph.config:
                return self
            ops = merged(graph.config, inner if isinstance(inner, Mapping) else {})
            return ConfigReader({**self._entry, "ops": ops}, self.path, self._problems)
        given = (inner.get("config") if isinstance(inner, Mapping) else None) if root else self._entry.get("config")
        path = f"{self.path}.ops.config" if root else f"{self.path}.config"
        made: Mapping[str, Any] = {}
        try:
            made = mapping.resolve(given, path)
        except ConfigProblems as error:
            self._problems.extend(error.problems)
        except UserCodeError as error:
            self._problems.append(Problem(path=path, message=str(error), value=given))
        found = made["ops"] if set(made) == {"ops"} else made
        return ConfigReader({"ops": found}, self.path, self._problems)

    def of_op(self, op: OpDefinition) -> tuple[JsonValue, Any]:
        """The op's config as given (or its empty form), and what its function receives."""
        given = self._entry.get("config")
        if op.config_type is None:
            if given:
                self.problem("config", f"{op.name!r} takes no config", value=given)
                return None, None
            return given, given
        value = op.config_type.empty if given is None else given
        try:
            return value, op.config_type.parse(value, f"{self.path}.config")
        except ConfigProblems as error:
            self._problems.extend(error.problems)
            return value, None

    def input(self, name: str) -> tuple[bool, Any]:
        """Whether config gives the value of an input, and the value: `{"inputs": {"x": 3}}` or `{"x": {"value": 3}}`."""
        inputs = self._entry.get("inputs")
        if not isinstance(inputs, Mapping) or name not in inputs:
            return False, None
        value = inputs[name]
        return True, value["value"] if isinstance(value, Mapping) and set(value) == {"value"} else value

    def inputs(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of a whole graph's inputs: `{"inputs": {...}}` at the top."""
        found = {}
        for name in names:
            known, value = self.input(name)
            if known:
                found[name] = value
            else:
                self.problem(f"inputs.{name}", f"the job's input {name!r} has no value", expected='{"value": ...}')
        return found

    def input_to_load(self, name: str, loader: TypeLoader) -> tuple[bool, Any]:
        """Whether config has an input, and what its type's loader is to make the value of."""
        inputs = self._entry.get("inputs")
        if not isinstance(inputs, Mapping) or name not in inputs:
            return False, None
        try:
            return True, loader.config_type().parse(inputs[name], f"{self.path}.inputs.{name}")
        except ConfigProblems as error:
            self._problems.extend(error.problems)
            return True, None

    def problem(self, where: str, message: str, **more: Any) -> None:
        self._problems.append(Problem(path=f"{self.path}.{where}", message=message, **more))


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A run config laid over another: objects are merged, anything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def root(config: Mapping[str, JsonValue], problems: list[Problem]) -> ConfigReader:
    """The reader of a whole run config; top-level entries that nobody knows are problems."""
    for key in config:
        if key not in TOP_LEVEL:
            close = nearest(key, TOP_LEVEL)
            problems.append(
                Problem(
                    path=f"config.{key}",
                    message=f"there is no config entry {key!r}" + (f"; did you mean {close!r}?" if close else ""),
                    expected=f"one of {', '.join(TOP_LEVEL)}",
                    suggestion=close,
                )
            )
    return ConfigReader(config, "config", problems)


def check_resources(given: Any, definitions: Mapping[str, Any], problems: list[Problem]) -> None:
    """The `resources` part must name resources that exist, with values that fit them."""
    if given is None:
        return
    if not isinstance(given, Mapping):
        problems.append(Problem(path="config.resources", message="this is not an object", value=given, expected="object"))
        return
    for key, entry in given.items():
        path = f"config.resources.{key}"
        if key not in definitions:
            close = nearest(key, definitions)
            message = f"there is no resource {key!r}" + (f"; did you mean {close!r}?" if close else "")
            problems.append(Problem(path=path, message=message, suggestion=close, expected=f"one of {', '.join(sorted(definitions))}"))
        elif not isinstance(entry, Mapping) or set(entry) - {"config"}:
            problems.append(Problem(path=path, message="write the values under `config`", value=entry, expected='{"config": {...}}'))
        else:
            _check_resource(definitions[key], entry.get("config"), f"{path}.config", problems)


def check_missing_resources(given: Any, definitions: Mapping[str, Any], needed: Iterable[str], problems: list[Problem]) -> None:
    """Resources that the run needs, and of which config says nothing, must do without it."""
    said = given if isinstance(given, Mapping) else {}
    seen: set[str] = set()
    waiting = list(needed)
    while waiting:
        key = waiting.pop()
        definition = definitions.get(key)
        if key in seen or definition is None:
            continue
        seen.add(key)
        if isinstance(definition, ResourceDefinition):
            waiting += definition.required_resource_keys
        if key not in said and getattr(definition, "config", None) is None:
            _check_resource(definition, None, f"config.resources.{key}.config", problems)


def _check_resource(definition: Any, config: Any, path: str, problems: list[Problem]) -> None:
    match definition:
        case ResourceDefinition(config_type=kind) if kind is not None and not _reads_environment(config):
            try:
                kind.parse(kind.empty if config is None else config, path)
            except ConfigProblems as error:
                problems.extend(error.problems)
        case ConfigurableResource():
            _check_fields(type(definition), config or {}, path, problems)
        case PartialResource():
            given = config or {}
            _check_fields(definition.resource_class, given, path, problems)
            for name in definition.missing(given) if isinstance(given, Mapping) else ():
                problems.append(Problem(path=f"{path}.{name}", message="this entry is required", expected="a value"))


def _check_fields(model: type[ConfigurableResource[Any]], config: Any, path: str, problems: list[Problem]) -> None:
    if not isinstance(config, Mapping):
        problems.append(Problem(path=path, message="this is not an object", value=config, expected="object"))
        return
    for name, value in enum_names.members_of(config, model.model_fields).items():
        declared = model.model_fields.get(name)
        if declared is None:
            if not issubclass(model, PermissiveConfig):
                close = nearest(name, model.model_fields)
                message = f"there is no config entry {name!r} here" + (f"; did you mean {close!r}?" if close else "")
                expected = f"one of {', '.join(model.model_fields)}"
                problems.append(Problem(path=f"{path}.{name}", message=message, suggestion=close, expected=expected))
            continue
        if _reads_environment(value):
            continue
        try:
            TypeAdapter[Any](declared.annotation or Any).validate_python(value)
        except ValidationError as error:
            problems.append(Problem(path=f"{path}.{name}", message=error.errors()[0]["msg"], value=value))


def _reads_environment(value: Any) -> bool:
    """Whether an environment variable is in it, whose value exists only where the run will be."""
    match value:
        case {"env": str()}:
            return True
        case Mapping():
            return any(_reads_environment(item) for item in value.values())
        case list():
            return any(_reads_environment(item) for item in value)
        case _:
            return False
