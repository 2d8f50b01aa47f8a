"""Counts how much of the census (census.json) resolves on `dagwright`: names, their members, arguments, attributes of contexts.

python tests/census/count.py            # coverage, then what is missing, the most used first
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import logging
import sys
import textwrap
import typing
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CENSUS = Path(__file__).parent / "census.json"

OF_DECORATED = {
    "@op": "OpExecutionContext",
    "@asset": "AssetExecutionContext",
    "@multi_asset": "AssetExecutionContext",
    "@resource": "InitResourceContext",
    "@io_manager": "InitResourceContext",
    "@sensor": "SensorEvaluationContext",
    "@schedule": "ScheduleEvaluationContext",
    "@run_status_sensor": "RunStatusSensorContext",
}
"""Whose attributes an unannotated `context` has, by the decorator of its function."""

BEHIND = {
    "instance": "DagsterInstance",
    "dagster_run": "DagsterRun",
    "run": "DagsterRun",
    "failure_event": "DagsterEvent",
    "upstream_output": "OutputContext",
    "asset_key": "AssetKey",
    "op": "OpDefinition",
    "op_def": "OpDefinition",
    "assets_def": "AssetsDefinition",
    "op_execution_context": "OpExecutionContext",
    "partition_time_window": "TimeWindow",
    "partition_key": "MultiPartitionKey",
}
"""What an attribute of a context is, for chains such as `context.instance.get_runs`; others are followed one step."""

NO_ARGUMENTS = {"make_values_resource"}
"""Its arguments are names that the user makes up."""


@dataclass(frozen=True, slots=True)
class Item:
    part: str
    name: str
    member: str | None
    uses: int
    found: bool


class Api:
    """A package whose names are looked up."""

    def __init__(self, package: str) -> None:
        self.module = importlib.import_module(package)

    def get(self, dotted: str) -> Any:
        """The object of `Name` or `Name.member`; None where there is none."""
        value: Any = self.module
        for part in dotted.split("."):
            try:
                value = getattr(value, part, None)
            except Exception:  # noqa: BLE001 - a name that cannot be loaded does not resolve
                return None
        return value

    def accepts(self, dotted: str, argument: str) -> bool:
        """Whether it can be called with this keyword."""
        target = self.get(dotted)
        if target is None:
            return False
        fields = getattr(target, "model_fields", None)
        if fields is not None and argument in fields:
            return True
        overloads = typing.get_overloads(target) if inspect.isfunction(target) else []
        return any(
            takes(candidate, argument)
            for candidate in overloads or [target, getattr(target, "__init__", None), getattr(target, "__new__", None)]
        )

    def has(self, dotted: str, attribute: str) -> bool:
        """Whether instances of the class (or the object itself) have an attribute."""
        target = self.get(dotted)
        if target is None:
            return False
        if not inspect.isclass(target):
            return hasattr(target, attribute)
        return (
            hasattr(target, attribute)
            or any(attribute in vars(kind).get("__annotations__", {}) for kind in target.__mro__)
            or attribute in set_in_init(target)
        )

    def has_chain(self, name: str, chain: str) -> bool:
        first, _, rest = chain.partition(".")
        if not self.has(name, first):
            return False
        if first == "log" and rest:
            return hasattr(logging.Logger, rest)
        if rest and first in BEHIND:
            return self.has_chain(BEHIND[first], rest)
        return True


def takes(candidate: Any, argument: str) -> bool:
    """Whether a signature has the keyword; a class's `__init__` that takes any says nothing."""
    try:
        parameters = inspect.signature(candidate).parameters.values()
    except (TypeError, ValueError):
        return False
    any_keyword = not inspect.isclass(candidate) and getattr(candidate, "__name__", "") not in ("__init__", "__new__")
    return any((p.name == argument and p.kind is not p.POSITIONAL_ONLY) or (any_keyword and p.kind is p.VAR_KEYWORD) for p in parameters)


def set_in_init(kind: type) -> set[str]:
    """Attributes that `__init__` assigns to self."""
    found: set[str] = set()
    for one in kind.__mro__:
        if "__init__" not in vars(one):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(one.__init__)))  # type: ignore[misc]
        except (OSError, TypeError, SyntaxError):
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id == "self"
            ):
                found.add(node.attr)
    return found


def context_classes(kind: str) -> list[str]:
    """The class or classes that a kind of context in the census means; none where the census could not tell."""
    if kind in OF_DECORATED:
        return [OF_DECORATED[kind]]
    names = kind.removeprefix("Union[").removesuffix("]").replace("|", ",").split(",")
    return [name.strip() for name in names if name.strip().endswith("Context")]


def items(census: dict[str, Any], api: Api) -> Iterator[Item]:
    for name, uses in census["names"].items():
        yield Item("names", name, None, uses, api.get(name) is not None)
    for name, members in census["members"].items():
        for member, uses in members.items():
            if name.endswith("…()"):
                made = name.removesuffix("…()")
                found = hasattr(logging.Logger, member) if made in LOGGERS and api.get(made) else api.has(OF_CALL.get(name, made), member)
            else:
                found = api.get(f"{name}.{member}") is not None
            yield Item("members", name, member, uses, found)
    for name, arguments in census["arguments"].items():
        if name not in NO_ARGUMENTS:
            for argument, uses in arguments.items():
                yield Item("arguments", name, argument, uses, api.accepts(name, argument))
    for kind, attributes in census["contexts"].items():
        classes = context_classes(kind)
        for attribute, uses in attributes.items() if classes else ():
            yield Item("contexts", kind, attribute, uses, any(api.has_chain(name, attribute) for name in classes))
    known = sorted({name for kind in census["contexts"] for name in context_classes(kind)})
    for chain, uses in census["chains"].items():
        if not chain.startswith("resources.") and "." in chain:
            yield Item("chains", chain, None, uses, any(api.has_chain(name, chain) for name in known))


LOGGERS = {"get_dagster_logger"}
"""They return loggers of the standard library."""

OF_CALL = {"materialize…()": "ExecuteInProcessResult"}
"""What a call gives, where it is not an object of the class that is called."""


@dataclass(frozen=True, slots=True)
class Coverage:
    items: list[Item]

    def share(self, part: str | None = None) -> float:
        """Covered uses of all uses, in percent."""
        chosen = [item for item in self.items if part in (None, item.part)]
        return 100 * sum(item.uses for item in chosen if item.found) / max(1, sum(item.uses for item in chosen))

    def missing(self) -> list[Item]:
        return sorted(
            (item for item in self.items if not item.found), key=lambda item: (-item.uses, item.part, item.name, item.member or "")
        )

    def report(self) -> str:
        parts = list(dict.fromkeys(item.part for item in self.items))
        uses = sum(item.uses for item in self.items)
        lines = [f"{self.share():6.2f} %  of {uses} uses of {len(self.items)} names, members, arguments and attributes"]
        lines += [f"{self.share(part):6.2f} %  {part}" for part in parts]
        lines += ["", "missing, the most used first:"]
        for item in self.missing():
            lines.append(f"{item.uses:5d}  {item.part:9s}  {item.name}{' . ' + item.member if item.member else ''}")
        return "\n".join(lines)


def count(package: str = "dagwright", census: dict[str, Any] | None = None) -> Coverage:
    """How much of the census a package covers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Coverage(list(items(census or json.loads(CENSUS.read_text()), Api(package))))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--package", default="dagwright")
    arguments.add_argument(
        "--missing-json", action="store_true", help="census from standard input, what is missing as JSON to standard output"
    )
    given = arguments.parse_args()
    if given.missing_json:
        coverage = count(given.package, json.load(sys.stdin))
        json.dump([[item.part, item.name, item.member, item.uses] for item in coverage.missing()], sys.stdout)
    else:
        sys.stdout.write(count(given.package).report() + "\n")


if __name__ == "__main__":
    main()
