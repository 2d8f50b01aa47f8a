"""The Pipes protocol, version 0.1, as clients of every language speak it: parameters, messages, keys and metadata.

Parameters are JSON, compressed and in base 64, in two environment variables or options. A message is one line of JSON
with a version, a method and its parameters.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DagwrightError, ErrorInfo, Frame, nearest
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.metadata import (
    BoolMetadataValue,
    FloatMetadataValue,
    IntMetadataValue,
    JsonMetadataValue,
    MarkdownMetadataValue,
    MetadataValue,
    NotebookMetadataValue,
    NullMetadataValue,
    PathMetadataValue,
    TableColumn,
    TableColumnConstraints,
    TableColumnDep,
    TableColumnLineage,
    TableConstraints,
    TableRecord,
    TableSchema,
    TextMetadataValue,
    UrlMetadataValue,
    metadata_value,
)

CONTEXT_VARIABLE = "DAGSTER_PIPES_CONTEXT"
MESSAGES_VARIABLE = "DAGSTER_PIPES_MESSAGES"
COMPOSITE_WRITERS = "dagster_pipes_composite_writers"
"""Where the parameters of several message writers stand, when one session has several processes."""
VERSION_FIELD = "__dagster_pipes_version"
VERSION = "0.1"
METHODS = (
    "opened",
    "closed",
    "log",
    "report_asset_materialization",
    "report_asset_check",
    "report_custom_message",
    "log_external_stream",
)

PipesParams: TypeAlias = Mapping[str, Any]
PipesExtras: TypeAlias = Mapping[str, Any]


class PipesError(DagwrightError):
    """A Pipes session did not go as its protocol asks."""


class PipesExecutionError(PipesError):
    """The external process failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of the external process."""

    method: str
    params: Mapping[str, Any]


def encode_param(value: Any) -> str:
    """A parameter as text for an environment variable or an option."""
    return base64.b64encode(zlib.compress(json.dumps(value).encode("utf-8"))).decode("ascii")


def decode_param(text: str) -> Any:
    """The inverse of `encode_param`."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def option_name(variable: str) -> str:
    """The command-line option of an environment variable: `--dagster-pipes-context`."""
    return "--" + variable.lower().replace("_", "-")


def read_message(line: str) -> Message:
    """A line as a message.

    Raises:
        PipesError: it is no message of this protocol.
    """
    try:
        data = json.loads(line)
    except ValueError as error:
        raise PipesError(f"a line is not JSON ({error}): {line[:200]!r}") from None
    return message_of(data)


def message_of(data: Any) -> Message:
    """A decoded message, checked.

    Raises:
        PipesError: it is no message of this protocol.
    """
    if not isinstance(data, Mapping) or "method" not in data:
        raise PipesError(f"not a message, for it has no method: {str(data)[:200]}")
    version = data.get(VERSION_FIELD, VERSION)
    if str(version).partition(".")[0] != VERSION.partition(".")[0]:
        raise PipesError(f"a message of protocol {version}, but this side speaks {VERSION}; use a Pipes library of that version")
    method = data["method"]
    if method not in METHODS:
        close = nearest(str(method), METHODS)
        raise PipesError(f"a message of the unknown method {method!r}" + (f"; did you mean {close!r}?" if close else ""))
    params = data.get("params") or {}
    if not isinstance(params, Mapping):
        raise PipesError(f"the params of {method!r} are a {type(params).__name__}, not an object")
    return Message(method=method, params=params)


def format_key(key: AssetKey) -> str:
    """An asset key as the protocol writes it: joined by slashes; a slash or backslash inside of a part is escaped."""
    return "/".join(part.replace("\\", "\\\\").replace("/", "\\/") for part in key.path)


def parse_key(text: str) -> AssetKey:
    """The inverse of `format_key`."""
    parts, current, escaped = [], "", False
    for char in text:
        if escaped or char not in "\\/":
            current, escaped = current + char, False
        elif char == "\\":
            escaped = True
        else:
            parts.append(current)
            current = ""
    return AssetKey([*parts, current])


def read_metadata(raw: Mapping[str, Any] | None) -> dict[str, MetadataValue]:
    """The metadata of a message.

    Raises:
        PipesError: a value does not fit its type; names the entry.
    """
    found = {}
    for name, entry in (raw or {}).items():
        try:
            found[str(name)] = _metadata_value(entry)
        except (PipesError, TypeError, ValueError, KeyError, AttributeError) as error:
            text = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise PipesError(f"metadata {name!r}: {text}") from None
    return found


def _metadata_value(entry: Any) -> MetadataValue:
    if not isinstance(entry, Mapping) or set(entry) != {"type", "raw_value"}:
        return metadata_value(entry)  # a client that sends plain values
    kind, raw = entry["type"], entry["raw_value"]
    simple = _SIMPLE.get(kind)
    if simple is not None:
        value: MetadataValue = simple(raw)
        return value
    match kind:
        case "__infer__":
            return metadata_value(raw)
        case "null":
            return NullMetadataValue()
        case "asset":
            return MetadataValue.asset(AssetKey(raw) if isinstance(raw, list) else parse_key(raw))
        case "timestamp":
            return MetadataValue.timestamp(datetime.fromisoformat(raw) if isinstance(raw, str) else float(raw))
        case "table":
            return MetadataValue.table([TableRecord(record) for record in raw["records"]], _schema(raw.get("schema")))
        case "table_schema":
            return MetadataValue.table_schema(_required_schema(raw))
        case "table_column_lineage":
            return MetadataValue.column_lineage(_lineage(raw))
    close = nearest(str(kind), [*_SIMPLE, *_STRUCTURED])
    raise PipesError(f"there is no metadata type {kind!r}" + (f"; did you mean {close!r}?" if close else ""))


_SIMPLE: Mapping[str, Any] = {
    "text": TextMetadataValue,
    "url": UrlMetadataValue,
    "path": PathMetadataValue,
    "notebook": NotebookMetadataValue,
    "json": JsonMetadataValue,
    "md": MarkdownMetadataValue,
    "float": lambda raw: FloatMetadataValue(None if raw is None else float(raw)),
    "int": lambda raw: IntMetadataValue(None if raw is None else int(raw)),
    "bool": BoolMetadataValue,
    "dagster_run": MetadataValue.run,
}
_STRUCTURED = ("__infer__", "null", "asset", "timestamp", "table", "table_schema", "table_column_lineage")


def _schema(raw: Any) -> TableSchema | None:
    return None if raw is None else _required_schema(raw)


def _required_schema(raw: Any) -> TableSchema:
    """A table's columns, as a list of them or inside of a schema object."""
    whole = raw if isinstance(raw, Mapping) else {"columns": raw}
    columns = [
        TableColumn(
            column["name"],
            column.get("type") or "string",
            column.get("description"),
            TableColumnConstraints(**(column.get("constraints") or {})),
            column.get("tags"),
        )
        for column in whole["columns"]
    ]
    return TableSchema(columns, TableConstraints(**(whole.get("constraints") or {})))


def _lineage(raw: Mapping[str, Any]) -> TableColumnLineage:
    def dep(entry: Mapping[str, Any]) -> TableColumnDep:
        key = entry["asset_key"]
        return TableColumnDep(AssetKey(key) if isinstance(key, list) else parse_key(key), entry["column_name"])

    return TableColumnLineage({column: tuple(dep(one) for one in deps) for column, deps in raw["deps_by_column"].items()})


def read_exception(raw: Mapping[str, Any]) -> ErrorInfo:
    """The exception with which an external process closed its session, as data."""
    stack: Sequence[Any] = raw.get("stack") or ()
    cause = raw.get("cause") or raw.get("context")
    message = str(raw.get("message") or "").strip()
    name = str(raw.get("name") or "Exception")
    # Python's library sends the line that a traceback ends with: the class's name is in it already.
    message = message.removeprefix(f"{name}: ") if message != name else ""
    return ErrorInfo(
        class_name=name,
        message=message,
        frames=tuple(frame for line in stack for frame in _frames(str(line))),
        cause=read_exception(cause) if isinstance(cause, Mapping) else None,
    )


def _frames(text: str) -> list[Frame]:
    """The frames in a piece of a Python traceback; another language's stack line becomes a frame as it is."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found: list[Frame] = []
    for line in lines:
        if line.startswith('File "') and '", line ' in line:
            file, _, rest = line.removeprefix('File "').partition('", line ')
            number, _, function = rest.partition(", in ")
            found.append(Frame(file=file, line=int(number) if number.isdigit() else 0, function=function))
        elif found and found[-1].source is None:
            last = found[-1]
            found[-1] = Frame(file=last.file, line=last.line, function=last.function, source=line)
        elif not found:
            found.append(Frame(file=line, line=0, function=""))
    return found
