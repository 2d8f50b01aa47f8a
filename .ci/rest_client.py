"""Writes the generated half of `dagwright.client`, its models and its operations, from the OpenAPI document of the webserver.

Run `python .ci/rest_client.py` (or `make client`) after a change of REST and commit the result; `--check` changes nothing, and exits
with 1 when what is committed is out of date.
"""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
CLIENT = ROOT / "code_server" / "dagwright" / "client"
_WIDTH = 130

# First part of the path -> the group of methods; a noun of its own, where nothing is said here.
GROUPS = {
    "me": "account", "session": "account", "sessions": "account",
    "lineage": "assets", "staleness": "assets", "search": "instance",
    "audit": "instance", "stream": "instance", "simulation": "instance", "healthz": "instance", "readyz": "instance", "metrics": "instance",
    "overview": "instance",
    "report_asset_materialization": "dagster", "report_asset_observation": "dagster", "report_asset_check": "dagster",
}  # fmt: skip
TITLES = {
    "account": "Who I am: log-in, sessions, password, settings.",
    "assets": "Assets: the catalog, lineage, partitions, checks, reports, materializing, wiping.",
    "automation": "Schedules, sensors and conditions together.",
    "backfills": "Backfills: many partitions of assets or of a job.",
    "dagster": "Reports in the form of Dagster's webserver.",
    "dynamic_partitions": "Keys of dynamic partitions.",
    "hooks": "Webhooks and what came to them.",
    "instance": "The deployment as a whole.",
    "jobs": "Jobs.",
    "limits": "Limits of the queue.",
    "locations": "Code locations.",
    "pools": "Pools of slots.",
    "resources": "Resources, and what uses them.",
    "runs": "Runs: launch, list, look at, follow, cancel, run again, delete.",
    "schedules": "Schedules.",
    "sensors": "Sensors.",
    "tokens": "API tokens.",
    "users": "Users and their roles.",
    "views": "Saved views: named filters of lists.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument of a method."""

    name: str
    type: str
    default: str | None
    """As Python; None: it must be given."""
    description: str
    wire_name: str
    place: str
    """path, query, header, body, optional (a field that is left out when it is None) or raw (the whole body)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of the client."""

    group: str
    method: str
    http_method: str
    path: str
    parameters: tuple[Parameter, ...]
    returns: str
    item: str | None
    """Of a list that comes in pages: the model of its items."""
    content: str | None
    description: str
    operation_id: str


def document() -> tuple[dict[str, Any], dict[str, str]]:
    """The OpenAPI document, in the order of its source, and each path as its route spells it."""
    from dagwright_shared.runtime import settings  # noqa: PLC0415 - what is generated from
    from dagwright_webserver import access  # noqa: PLC0415
    from dagwright_webserver.main import create_app  # noqa: PLC0415

    app = create_app(settings.load(database_url="postgresql://nobody@127.0.0.1:1/none"))
    routes = {getattr(route, "path_format", ""): getattr(route, "path", "") for route in access.all_routes(app.routes)}
    return app.openapi(), routes


# ---------------------------------------------------------------- types


def type_of(schema: Mapping[str, Any], *, given: bool, prefix: str = "") -> str:
    """A schema as a Python type.

    Args:
        given: of an argument, which takes any sequence or mapping; an answer is made of tuples and dictionaries.
        prefix: of the names of models.
    """

    def part(each: Mapping[str, Any]) -> str:
        return type_of(each, given=given, prefix=prefix)

    if "$ref" in schema:
        return prefix + str(schema["$ref"]).rpartition("/")[2]
    for union in ("anyOf", "oneOf"):
        if union in schema:
            parts = [one for each in schema[union] for one in part(each).split(" | ")]
            return "Any" if "Any" in parts else " | ".join(dict.fromkeys(sorted(parts, key=lambda one: one == "None")))
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    match schema.get("type"):
        case "array" if "prefixItems" in schema:
            return f"tuple[{', '.join(map(part, schema['prefixItems']))}]"
        case "array":
            item = part(schema.get("items", {}))
            return f"Sequence[{item}]" if given else f"tuple[{item}, ...]"
        case "object":
            extra = schema.get("additionalProperties", True)
            return f"{'Mapping' if given else 'dict'}[str, {part(extra) if isinstance(extra, dict) else 'Any'}]"
        case "string":
            return "datetime" if schema.get("format") == "date-time" else "str"
        case "null":
            return "None"
        case kind:
            return {"integer": "int", "number": "float", "boolean": "bool"}.get(kind or "", "Any")


def docstring(text: str, indent: str, *, arguments: Mapping[str, str] | None = None) -> str:
    """A docstring with its quotes; a text of several sentences is broken where a line would be too long."""
    text = re.sub(r"[ \t]+", " ", text.strip()).replace("\\", "\\\\") or "See the OpenAPI document."
    lines = [line for paragraph in text.split("\n") for line in textwrap.wrap(paragraph, _WIDTH - len(indent)) or [""]]
    if arguments:
        lines += ["", "Args:"]
        for name, said in arguments.items():
            lines += textwrap.wrap(f"{name}: {said}", _WIDTH - len(indent), initial_indent="    ", subsequent_indent="        ")
    if len(lines) == 1:
        return f'{indent}"""{lines[0]}"""\n'
    first, *rest = lines
    return f'{indent}"""{first}\n' + "".join(f"{indent}{line}".rstrip() + "\n" for line in rest) + f'{indent}"""\n'


# ---------------------------------------------------------------- models


def models(found: Mapping[str, Any]) -> str:
    """The module of models: those that an answer or an argument is made of."""
    schemas = found["components"]["schemas"]
    wanted = sorted(_reached(found, schemas))
    text = [
        '"""What REST answers, as frozen structures. Written by `.ci/rest_client.py`; do not edit."""\n\n'
        "from __future__ import annotations\n\n"
        "from datetime import datetime\nfrom typing import TYPE_CHECKING, Any, Literal\n\nimport msgspec\n\n"
    ]
    enums = [name for name in wanted if "enum" in schemas[name]]
    text.append("if TYPE_CHECKING:\n")
    for name in enums:
        said = _said(schemas[name])
        text.append(f"    {name} = {type_of(schemas[name], given=False)}\n{docstring(said, '    ') if said != name else ''}")
    text.append("else:  # a newer webserver may answer with values that are not known yet\n")
    text += [f"    {name} = str\n" for name in enums]
    text.append("\n\nclass Model(msgspec.Struct, frozen=True, kw_only=True):\n" + docstring("What they all are: fields by name.", "    "))
    text += [_model(name, schemas[name]) for name in wanted if "enum" not in schemas[name]]
    return "".join(text)


def _model(name: str, schema: Mapping[str, Any]) -> str:
    # Part of a request: what is left out is not sent.
    sent = ", omit_defaults=True" if schema.get("additionalProperties") is False else ""
    text = f"\n\nclass {name}(Model, frozen=True, kw_only=True{sent}):\n{docstring(_said(schema), '    ')}\n"
    required = schema.get("required", ())
    for field, described in schema.get("properties", {}).items():
        if keyword.iskeyword(field):
            raise SystemExit(f"{name}.{field} is a word of Python; rename it in the webserver")
        default = ""
        if field not in required:
            default = f" = {described['default']!r}" if described.get("default") is not None else " = None"
            kind = described.get("type")
            default = {"array": " = ()", "object": " = {}"}.get(str(kind), default)
        text += f"    {field}: {type_of(described, given=False)}{default}\n"
        text += docstring(described["description"], "    ") if described.get("description") else ""
    return text


def _said(schema: Mapping[str, Any]) -> str:
    said = str(schema.get("description") or schema.get("title") or "")
    return said.partition("\n\n")[0] if "An enumeration" not in said else str(schema.get("title", ""))


def _reached(found: Mapping[str, Any], schemas: Mapping[str, Any]) -> set[str]:
    """Models of answers, and those that fields of bodies are made of; bodies themselves become arguments."""
    reached: set[str] = set()

    def visit(node: Any) -> None:
        match node:
            case {"$ref": str(reference)}:
                name = reference.rpartition("/")[2]
                if name not in reached:
                    reached.add(name)
                    visit(schemas[name])
            case dict():
                for child in node.values():
                    visit(child)
            case list():
                for child in node:
                    visit(child)

    for _, _, operation in _each(found):
        visit([answer for status, answer in operation["responses"].items() if status.startswith("2")])
        visit(operation.get("parameters", []))
        for field in _body_fields(operation, schemas).values():
            visit(field)
    return reached


# ---------------------------------------------------------------- operations


def _each(found: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            yield path, method.upper(), operation


def operations(found: Mapping[str, Any], routes: Mapping[str, str]) -> list[Operation]:
    schemas = found["components"]["schemas"]
    return [_operation(path, method, each, schemas, routes[path]) for path, method, each in _each(found)]


def _operation(path: str, http_method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any], route: str) -> Operation:
    place = path.removeprefix("/api/v1/").strip("/").split("/")[0]
    group = GROUPS.get(place, place.replace("-", "_"))
    status, answer = next((status, answer) for status, answer in operation["responses"].items() if status.startswith("2"))
    content = next(iter(answer.get("content", {})), None) if status != "204" else None
    schema = (answer.get("content", {}).get(content) or {}).get("schema") or {}
    returns = type_of(schema, given=False, prefix="models.") if content == "application/json" else "None" if content is None else "str"
    parameters = list(_parameters(operation, schemas, http_method))
    names = [each.name for each in parameters]
    item = _item(schemas, returns) if {"cursor", "limit"} <= {each["name"] for each in operation.get("parameters", ())} else None
    if len(names) != len(set(names)):
        raise SystemExit(f"{operation['operationId']}: two arguments have one name: {names}")
    for name in re.findall(r"{(\w+):path}", route):
        path = path.replace(f"{{{name}}}", f"{{way({name})}}")
    for each in parameters:
        path = path.replace(f"{{{each.wire_name}}}", f"{{part({each.name})}}")
    return Operation(
        group=group,
        method=_method_name(operation["operationId"], group),
        http_method=http_method,
        path=path,
        parameters=tuple(parameters),
        returns=returns,
        item=item,
        content=content,
        description=f"{operation['summary']}.\n\n{operation['description']}",
        operation_id=operation["operationId"],
    )


def _item(schemas: Mapping[str, Any], view: str) -> str:
    return type_of(schemas[view.removeprefix("models.")]["properties"]["items"]["items"], given=False, prefix="models.")


def _method_name(operation_id: str, group: str) -> str:
    """`list_runs` of the group `runs` is `list`, `start_sensor` of `sensors` is `start`."""
    if group == "dagster":
        return operation_id
    singular = "dynamic" if group == "dynamic_partitions" else group.removesuffix("s")
    return re.sub(rf"_({group}|{singular})(?=_|$)", "", operation_id)


def _body_fields(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    for option in (schema, *schema.get("anyOf", ())):
        if "$ref" in option:
            fields: Mapping[str, Any] = schemas[option["$ref"].rpartition("/")[2]].get("properties", {})
            return fields
    return {}


def _parameters(operation: Mapping[str, Any], schemas: Mapping[str, Any], http_method: str) -> Iterator[Parameter]:
    """Required ones first, those of the path before all others."""
    found = list(_all_parameters(operation, schemas, http_method))
    paths = {each.name for each in found if each.place == "path"}
    found = [each for each in found if each.place == "path" or each.name not in paths]
    if {"cursor", "limit"} <= {each.name for each in found}:  # which `Pages` has
        found = [each for each in found if each.name not in {"cursor", "limit"}]
    yield from sorted(found, key=lambda each: (each.place != "path", each.default is not None))


def _all_parameters(operation: Mapping[str, Any], schemas: Mapping[str, Any], http_method: str) -> Iterator[Parameter]:
    for given in operation.get("parameters", ()):
        name = str(given["name"])
        if name == "Last-Event-ID":  # which `Transport.stream` sends
            continue
        schema = given.get("schema", {})
        kind, default = type_of(schema, given=True, prefix="models."), None
        if not given.get("required"):
            default = "None" if schema.get("default") is None else repr(schema["default"])
            kind = kind if default != "None" or "None" in kind.split(" | ") else f"{kind} | None"
        said = str(given.get("description") or schema.get("description") or "")
        yield Parameter(
            name=name.lower().replace("-", "_"), type=kind, default=default, description=said, wire_name=name, place=given["in"]
        )
    required = _required_fields(operation, schemas)
    for name, schema in _body_fields(operation, schemas).items():
        kind, default = type_of(schema, given=True, prefix="models."), None
        if name not in required:
            if http_method == "PATCH":  # where null is not the same as left out
                kind, default = f"{kind} | Left", "LEFT_OUT"
            elif schema.get("default") is not None:
                default = repr(schema["default"])
            else:
                kind, default = kind if "None" in kind.split(" | ") else f"{kind} | None", "None"
        place = "optional" if default == "None" else "body"
        yield Parameter(name=name, type=kind, default=default, description=str(schema.get("description", "")), wire_name=name, place=place)
    if "requestBody" in operation and not _body_fields(operation, schemas):
        yield Parameter(name="body", type="Any", default="None", description="The body, as JSON.", wire_name="body", place="raw")


def _required_fields(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> tuple[str, ...]:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    for option in (schema, *schema.get("anyOf", ())):
        if "$ref" in option:
            return tuple(schemas[option["$ref"].rpartition("/")[2]].get("required", ()))
    return ()


def module(found: list[Operation]) -> str:
    """The module of operations: a class for each group."""
    text = (
        '"""The calls of REST, a class for each noun. Written by `.ci/rest_client.py`; do not edit."""\n\n'
        "# ruff: noqa: PLR0913 - arguments are the fields of requests\n\n"
        "from __future__ import annotations\n\n"
        "from collections.abc import Iterator, Mapping, Sequence\nfrom datetime import datetime\nfrom typing import Any, Literal, cast\n\n"
        "from dagwright.client import models\nfrom dagwright.client.pages import Pages\nfrom dagwright.client.streams import StreamEvent\n"
        "from dagwright.client.transport import LEFT_OUT, Left, Transport, part, way\n"
    )
    for group in sorted({each.group for each in found}):
        if group not in TITLES:
            mend = "give it a title here and a place in code_server/dagwright/client/client.py, or name its group in GROUPS"
            raise SystemExit(f"{group} is a new noun: {mend}")
        text += f"\n\nclass {''.join(word.title() for word in group.split('_'))}Calls:\n"
        text += f'    """{TITLES[group]}"""\n\n    def __init__(self, transport: Transport) -> None:\n        self._transport = transport\n'
        text += "".join(map(_method, (each for each in found if each.group == group)))
    return text


def _method(operation: Operation) -> str:
    shown = operation.parameters
    arguments = [f"{each.name}: {each.type}" for each in shown if each.place == "path"]
    named = [f"{each.name}: {each.type}" + (f" = {each.default}" if each.default else "") for each in shown if each.place != "path"]
    if operation.item:
        named.append("limit: int | None = None")
    signature = ", ".join(["self", *arguments, *(["*", *named] if named else [])])
    said = {each.name: each.description for each in shown if each.description}
    if operation.item:
        said["limit"] = "At most so many items in all; left out: all of them."
    returns, body = _answer(operation)
    told = docstring(operation.description, "        ", arguments=said)
    return f"\n    def {operation.method}({signature}) -> {returns}:\n{told}        {body}\n"


def _answer(operation: Operation) -> tuple[str, str]:
    """The type that a method returns, and what it does."""
    path = ("f" if "{" in operation.path else "") + f'"{operation.path}"'
    given: dict[str, str] = {}
    for place, argument in (("query", "query"), ("header", "headers"), ("body", "body"), ("optional", "optional"), ("raw", "body")):
        parts = [each for each in operation.parameters if each.place == place]
        if parts:
            fields = ", ".join(f'"{each.wire_name}": {each.name}' for each in parts)
            given[argument] = f"{{{fields}}}" if place != "raw" else "body"
    rest = "".join(f", {name}={value}" for name, value in given.items())
    if operation.item:
        view = operation.returns
        return f"Pages[{operation.item}, {view}]", f"return Pages(self._transport, {path}, {view}, limit=limit{rest})"
    match operation.content:
        case "text/event-stream":
            return "Iterator[StreamEvent]", f"return self._transport.stream({path}{rest})"
        case "text/plain":
            return "str", f"return self._transport.text({path}{rest})"
        case None:
            return "None", f'self._transport.call("{operation.http_method}", {path}, None{rest})'
        case _:
            call = f'("{operation.http_method}", {path}, {operation.returns}{rest})'
            if "|" in operation.returns:
                return operation.returns, f'return cast("{operation.returns}", self._transport.call_any{call})'
            return operation.returns, f"return self._transport.call{call}"


def render() -> dict[Path, str]:
    """Each generated file with its text."""
    found, routes = document()
    texts = {"models.py": models(found), "operations.py": module(operations(found, routes))}
    return {CLIENT / name: _formatted(text, CLIENT / name) for name, text in texts.items()}


def _formatted(text: str, path: Path) -> str:
    ruff = [sys.executable, "-m", "ruff"]
    name = str(path.relative_to(ROOT))
    for command in (["check", "--quiet", "--fix", "--select", "I,F401"], ["format", "--quiet"]):
        done = subprocess.run(
            [*ruff, *command, "--stdin-filename", name, "-"], input=text, capture_output=True, text=True, check=True, cwd=ROOT
        )
        text = done.stdout
    return text


def main() -> int:
    stale = {path: text for path, text in render().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        if "--check" in sys.argv:
            sys.stderr.write(f"{path.relative_to(ROOT)} is out of date; run `python .ci/rest_client.py` and commit the result\n")
        else:
            path.write_text(text)
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    raise SystemExit(main())
