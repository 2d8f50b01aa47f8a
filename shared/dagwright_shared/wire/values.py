"""Names, JSON values and metadata; what the other modules of this package share for reading messages."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar, cast

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from dagwright_api.v1 import values_pb2 as pb
from dagwright_shared.model.errors import DagwrightError, InvalidRequestError, SourceRef
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.metadata import (
    AssetMetadataValue,
    BoolMetadataValue,
    FloatMetadataValue,
    IntMetadataValue,
    JobMetadataValue,
    JsonMetadataValue,
    MarkdownMetadataValue,
    Metadata,
    MetadataValue,
    NotebookMetadataValue,
    NullMetadataValue,
    ObjectMetadataValue,
    PathMetadataValue,
    PythonArtifactMetadataValue,
    RunMetadataValue,
    TableColumn,
    TableColumnConstraints,
    TableColumnDep,
    TableColumnLineage,
    TableColumnLineageMetadataValue,
    TableConstraints,
    TableMetadataValue,
    TableRecord,
    TableSchema,
    TableSchemaMetadataValue,
    TextMetadataValue,
    TimestampMetadataValue,
    UrlMetadataValue,
    shown,
)

_M = TypeVar("_M", bound=Message)
_E = TypeVar("_E", bound=Enum)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = range(-(1 << 63), 1 << 63)
# Protobuf parsers refuse more than 100 nested messages; a level of JSON takes two.
_NEST_AT = 20


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn what a malformed message raises while it is decoded into an error that names it.

    Raises:
        InvalidRequestError: the bytes are no such message, or a value in it is not allowed.
    """
    try:
        yield
    except DagwrightError:
        raise
    except (DecodeError, ValueError, TypeError, OverflowError) as error:
        raise InvalidRequestError(f"{what} cannot be read: {error}") from error


def parse(kind: type[_M], data: bytes) -> _M:
    with reading(kind.DESCRIPTOR.name):
        return kind.FromString(data)


def printable(value: Any) -> Any:
    """A model value with replacement characters for lone surrogates, which UTF-8, and so a message, cannot carry.

    Python makes them of undecodable file names and output; an event that holds one must not be lost.
    """
    match value:
        case Enum():
            return value
        case str():
            return value.encode(errors="replace").decode()
        case Mapping():
            return {printable(key): printable(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(map(printable, value))
        case AssetKey():
            return AssetKey(printable(value.path))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: printable(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return type(value)(**fields)
    return value


def required(text: str, what: str) -> str:
    """The text of a field that must be given."""
    if not text:
        raise InvalidRequestError(f"{what} is missing or empty")
    return text


def too_new(what: str) -> DagwrightError:
    return DagwrightError(f"The message has {what} that this version does not know; it needs a newer dagwright")


def optional(message: Message, field: str) -> Any:
    """A field with presence, or None."""
    return getattr(message, field) if message.HasField(field) else None


def enum_codec(kind: type[_E], names: Any, prefix: str) -> tuple[Callable[[_E], Any], Callable[[int], _E]]:
    """How members of an enum become numbers of the protobuf enum with the same names, and back."""
    to = {member: names.Value(f"{prefix}_{member.name}") for member in kind}
    back = {number: member for member, number in to.items()}

    def decode(number: int) -> _E:
        try:
            return back[number]
        except KeyError:
            raise too_new(f"a {kind.__name__} ({number})") from None

    return to.__getitem__, decode


def encode_time(moment: datetime) -> Timestamp:
    since = moment - _EPOCH
    return Timestamp(seconds=since.days * 86400 + since.seconds, nanos=since.microseconds * 1000)


def decode_time(message: Timestamp) -> datetime:
    return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)


def encode_asset_key(key: AssetKey) -> pb.AssetKey:
    return pb.AssetKey(path=key.path)


# A key occurs again in dependencies, jobs, checks and events: made once, it is checked once and takes memory once.
_asset_key = lru_cache(maxsize=16_384)(AssetKey)


def decode_asset_key(message: pb.AssetKey) -> AssetKey:
    return _asset_key(tuple(message.path))


def decode_asset_keys(messages: Iterable[pb.AssetKey]) -> tuple[AssetKey, ...]:
    return tuple([_asset_key(tuple(message.path)) for message in messages])


def encode_check_key(key: AssetCheckKey) -> pb.AssetCheckKey:
    return pb.AssetCheckKey(asset_key=encode_asset_key(key.asset_key), name=key.name)


def decode_check_key(message: pb.AssetCheckKey) -> AssetCheckKey:
    return AssetCheckKey(decode_asset_key(message.asset_key), required(message.name, "the name of an asset check"))


def decode_check_keys(messages: Iterable[pb.AssetCheckKey]) -> tuple[AssetCheckKey, ...]:
    return tuple(decode_check_key(message) for message in messages)


def encode_source(source: SourceRef | None) -> pb.SourceRef | None:
    return None if source is None else pb.SourceRef(file=source.file, line=source.line)


def decode_source(message: pb.SourceRef) -> SourceRef:
    return SourceRef(file=message.file, line=message.line)


def encode_value(value: JsonValue) -> pb.Value:
    message = pb.Value()
    _fill(message, value, 0)
    return message


def encode_struct(members: Mapping[str, JsonValue]) -> pb.Struct:
    message = pb.Struct()
    _fill_struct(message, members, 0)
    return message


def _fill(message: pb.Value, value: Any, depth: int) -> None:
    # The exact type first: most values are text, and isinstance with Mapping is slow.
    if type(value) is str:
        message.string_value = value
    elif type(value) is dict and depth < _NEST_AT:
        _fill_struct(message.struct_value, value, depth + 1)
    elif isinstance(value, str):
        message.string_value = value
    elif value is None:
        message.null_value = pb.NULL_VALUE_UNSPECIFIED
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int):
        if value in _INT64:
            message.int_value = value
        else:
            message.big_int_value = str(value)
    elif isinstance(value, float):
        message.double_value = value
    elif depth == _NEST_AT:
        message.nested_value = encode_value(value).SerializeToString(deterministic=True)
    elif isinstance(value, Mapping):
        _fill_struct(message.struct_value, value, depth + 1)
    elif isinstance(value, list | tuple):
        message.list_value.SetInParent()
        for item in value:
            _fill(message.list_value.items.add(), item, depth + 1)
    else:
        raise TypeError(f"{value!r} of type {type(value).__name__} has no JSON form; give text, numbers, lists and mappings")


def _fill_struct(message: pb.Struct, members: Mapping[str, Any], depth: int) -> None:
    message.SetInParent()
    message.names.extend(members)
    add = message.values.add
    for value in members.values():
        _fill(add(), value, depth)


def decode_value(message: pb.Value) -> JsonValue:
    match message.WhichOneof("kind"):
        case "string_value":
            return message.string_value
        case "struct_value":
            return decode_struct(message.struct_value)
        case "list_value":
            return [decode_value(item) for item in message.list_value.items]
        case "bool_value":
            return message.bool_value
        case "int_value":
            return message.int_value
        case "double_value":
            return message.double_value
        case "big_int_value":
            return int(message.big_int_value)
        case "nested_value":
            return decode_value(pb.Value.FromString(message.nested_value))
        case "null_value":
            return None
        case _:
            return None


def decode_struct(message: pb.Struct) -> dict[str, JsonValue]:
    return dict(zip(message.names, map(decode_value, message.values), strict=True))


def encode_metadata(metadata: Metadata) -> list[pb.MetadataEntry]:
    return [pb.MetadataEntry(label=label, value=encode_metadata_value(value)) for label, value in metadata.items()]


def decode_metadata(entries: Iterable[pb.MetadataEntry]) -> dict[str, MetadataValue]:
    return {entry.label: decode_metadata_value(entry.value) for entry in entries}


def encode_metadata_value(value: MetadataValue) -> pb.MetadataValue:
    match value:
        case TextMetadataValue():
            return pb.MetadataValue(text=pb.TextMetadata(value=value.text))
        case ObjectMetadataValue():
            return encode_metadata_value(shown(value))
        case UrlMetadataValue():
            return pb.MetadataValue(url=pb.TextMetadata(value=value.url))
        case PathMetadataValue():
            return pb.MetadataValue(path=pb.TextMetadata(value=value.path))
        case NotebookMetadataValue():
            return pb.MetadataValue(notebook=pb.TextMetadata(value=value.path))
        case MarkdownMetadataValue():
            return pb.MetadataValue(markdown=pb.TextMetadata(value=value.md_str))
        case JsonMetadataValue():
            return pb.MetadataValue(json=encode_value(value.data))
        case FloatMetadataValue():
            return pb.MetadataValue(float_number=pb.FloatMetadata(value=value.value))
        case IntMetadataValue():
            small = value.value is None or value.value in _INT64
            return pb.MetadataValue(integer=pb.IntMetadata(value=value.value) if small else pb.IntMetadata(big_value=str(value.value)))
        case BoolMetadataValue():
            return pb.MetadataValue(boolean=pb.BoolMetadata(value=value.value))
        case TimestampMetadataValue():
            return pb.MetadataValue(timestamp=value.value)
        case RunMetadataValue():
            return pb.MetadataValue(run_id=value.run_id)
        case JobMetadataValue():
            return pb.MetadataValue(job=pb.JobMetadata(job_name=value.job_name, location_name=value.location_name))
        case AssetMetadataValue():
            return pb.MetadataValue(asset_key=encode_asset_key(value.asset_key))
        case NullMetadataValue():
            return pb.MetadataValue(null=pb.NullMetadata())
        case PythonArtifactMetadataValue():
            return pb.MetadataValue(python_artifact=pb.PythonArtifactMetadata(module=value.module, name=value.name))
        case TableMetadataValue():
            records = [encode_struct(cast("Mapping[str, JsonValue]", record.data)) for record in value.records]
            return pb.MetadataValue(table=pb.TableMetadata(records=records, schema=_encode_schema(value.schema)))
        case TableSchemaMetadataValue():
            return pb.MetadataValue(table_schema=_encode_schema(value.schema))
        case TableColumnLineageMetadataValue():
            return pb.MetadataValue(column_lineage=_encode_lineage(value.column_lineage))
    raise TypeError(f"metadata of type {type(value).__name__} cannot be sent")


def decode_metadata_value(message: pb.MetadataValue) -> MetadataValue:
    kind = message.WhichOneof("kind")
    if kind is not None and kind in _TEXTS:
        return _TEXTS[kind](optional(getattr(message, kind), "value"))
    match kind:
        case "json":
            return JsonMetadataValue(decode_value(message.json))
        case "float_number":
            return FloatMetadataValue(optional(message.float_number, "value"))
        case "integer":
            big = message.integer.HasField("big_value")
            return IntMetadataValue(int(message.integer.big_value) if big else optional(message.integer, "value"))
        case "boolean":
            return BoolMetadataValue(optional(message.boolean, "value"))
        case "timestamp":
            return TimestampMetadataValue(message.timestamp)
        case "run_id":
            return RunMetadataValue(message.run_id)
        case "job":
            return JobMetadataValue(message.job.job_name, message.job.location_name)
        case "asset_key":
            return AssetMetadataValue(decode_asset_key(message.asset_key))
        case "null":
            return NullMetadataValue()
        case "python_artifact":
            return PythonArtifactMetadataValue(message.python_artifact.module, message.python_artifact.name)
        case "table":
            records = tuple(TableRecord(decode_struct(record)) for record in message.table.records)  # type: ignore[arg-type]  # cells are scalars
            return TableMetadataValue(records, _decode_schema(message.table.schema))
        case "table_schema":
            return TableSchemaMetadataValue(_decode_schema(message.table_schema))
        case "column_lineage":
            return TableColumnLineageMetadataValue(_decode_lineage(message.column_lineage))
        case _:
            # A newer writer: the rest of the message is still worth showing.
            return TextMetadataValue("(a kind of metadata that needs a newer dagwright to show)")


_TEXTS: Mapping[str, Callable[[str | None], MetadataValue]] = {
    "text": TextMetadataValue,
    "url": UrlMetadataValue,
    "path": PathMetadataValue,
    "notebook": NotebookMetadataValue,
    "markdown": MarkdownMetadataValue,
}


def _encode_schema(schema: TableSchema) -> pb.TableSchema:
    columns = [
        pb.TableColumn(
            name=column.name,
            type=column.type,
            description=column.description,
            nullable=column.constraints.nullable,
            unique=column.constraints.unique,
            constraints=column.constraints.other,
            tags=None if column.tags is None else pb.TableColumnTags(tags=column.tags),
        )
        for column in schema.columns
    ]
    return pb.TableSchema(columns=columns, constraints=schema.constraints.other)


def _decode_schema(message: pb.TableSchema) -> TableSchema:
    columns = tuple(
        TableColumn(
            column.name,
            column.type,
            optional(column, "description"),
            TableColumnConstraints(column.nullable, column.unique, tuple(column.constraints)),
            dict(column.tags.tags) if column.HasField("tags") else None,
        )
        for column in message.columns
    )
    return TableSchema(columns, TableConstraints(tuple(message.constraints)))


def _encode_lineage(lineage: TableColumnLineage) -> pb.TableColumnLineage:
    return pb.TableColumnLineage(
        columns=[
            pb.TableColumnSources(
                column_name=column,
                deps=[pb.TableColumnDep(asset_key=encode_asset_key(dep.asset_key), column_name=dep.column_name) for dep in deps],
            )
            for column, deps in lineage.deps_by_column.items()
        ]
    )


def _decode_lineage(message: pb.TableColumnLineage) -> TableColumnLineage:
    return TableColumnLineage(
        {
            column.column_name: tuple(TableColumnDep(decode_asset_key(dep.asset_key), dep.column_name) for dep in column.deps)
            for column in message.columns
        }
    )
