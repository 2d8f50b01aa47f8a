"""Metadata values: what user code attaches to assets, events and checks. `metadata_json` has their JSON form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import AssetKey


class MetadataValue:
    """One value attached to an asset or an event. Make one by the static methods, or give a plain Python value.

    Example:
        >>> MetadataValue.md("# Rows").md_str
        '# Rows'
        >>> metadata_value(3)
        IntMetadataValue(value=3)
    """

    __slots__ = ()

    @staticmethod
    def text(text: str) -> TextMetadataValue:
        return TextMetadataValue(text)

    @staticmethod
    def url(url: str) -> UrlMetadataValue:
        return UrlMetadataValue(url)

    @staticmethod
    def path(path: str | Path) -> PathMetadataValue:
        return PathMetadataValue(str(path))

    @staticmethod
    def notebook(path: str | Path) -> NotebookMetadataValue:
        return NotebookMetadataValue(str(path))

    @staticmethod
    def json(data: JsonValue) -> JsonMetadataValue:
        return JsonMetadataValue(data)

    @staticmethod
    def md(data: str) -> MarkdownMetadataValue:
        return MarkdownMetadataValue(data)

    @staticmethod
    def timestamp(value: float | datetime) -> TimestampMetadataValue:
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise ValueError("MetadataValue.timestamp needs a datetime with a time zone")
            value = value.timestamp()
        return TimestampMetadataValue(value)

    @staticmethod
    def float(value: float) -> FloatMetadataValue:
        return FloatMetadataValue(value)

    @staticmethod
    def int(value: int) -> IntMetadataValue:
        return IntMetadataValue(value)

    @staticmethod
    def bool(value: bool) -> BoolMetadataValue:
        return BoolMetadataValue(value)

    @staticmethod
    def run(run_id: str) -> RunMetadataValue:
        return RunMetadataValue(run_id)

    @staticmethod
    def dagster_run(run_id: str) -> RunMetadataValue:
        """`run` under Dagster's name."""
        return RunMetadataValue(run_id)

    @staticmethod
    def job(job_name: str, location_name: str, *, repository_name: str | None = None) -> JobMetadataValue:
        del repository_name  # a location has one set of definitions
        return JobMetadataValue(job_name, location_name)

    @staticmethod
    def asset(asset_key: AssetKey) -> AssetMetadataValue:
        return AssetMetadataValue(asset_key)

    @staticmethod
    def null() -> NullMetadataValue:
        return NullMetadataValue()

    @staticmethod
    def python_artifact(artifact: Any) -> PythonArtifactMetadataValue:
        return PythonArtifactMetadataValue(artifact.__module__, artifact.__qualname__)

    @staticmethod
    def table(records: Sequence[TableRecord], schema: TableSchema | None = None) -> TableMetadataValue:
        if schema is None:
            if not records:
                raise ValueError("MetadataValue.table needs a schema when there are no records")
            schema = TableSchema([TableColumn(name, _column_type(value)) for name, value in records[0].data.items()])
        return TableMetadataValue(tuple(records), schema)

    @staticmethod
    def table_schema(schema: TableSchema) -> TableSchemaMetadataValue:
        return TableSchemaMetadataValue(schema)

    @staticmethod
    def column_lineage(lineage: TableColumnLineage) -> TableColumnLineageMetadataValue:
        return TableColumnLineageMetadataValue(lineage)

    @property
    def value(self) -> Any:
        """The plain value inside."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class TextMetadataValue(MetadataValue):
    text: str | None  # type: ignore[assignment]  # the class's own field, not the constructor of the base

    @property
    def value(self) -> str | None:
        return self.text


@dataclass(frozen=True, slots=True)
class UrlMetadataValue(MetadataValue):
    url: str | None  # type: ignore[assignment]

    @property
    def value(self) -> str | None:
        return self.url


@dataclass(frozen=True, slots=True)
class PathMetadataValue(MetadataValue):
    path: str | None  # type: ignore[assignment]

    @property
    def value(self) -> str | None:
        return self.path


@dataclass(frozen=True, slots=True)
class NotebookMetadataValue(MetadataValue):
    path: str | None  # type: ignore[assignment]

    @property
    def value(self) -> str | None:
        return self.path


@dataclass(frozen=True, slots=True)
class JsonMetadataValue(MetadataValue):
    data: JsonValue

    @property
    def value(self) -> JsonValue:
        return self.data


@dataclass(frozen=True, slots=True)
class MarkdownMetadataValue(MetadataValue):
    md_str: str | None

    @property
    def value(self) -> str | None:
        return self.md_str


@dataclass(frozen=True, slots=True)
class FloatMetadataValue(MetadataValue):
    value: float | None


@dataclass(frozen=True, slots=True)
class IntMetadataValue(MetadataValue):
    value: int | None


@dataclass(frozen=True, slots=True)
class BoolMetadataValue(MetadataValue):
    value: bool | None


@dataclass(frozen=True, slots=True)
class TimestampMetadataValue(MetadataValue):
    """Seconds since 1970 in UTC."""

    value: float


@dataclass(frozen=True, slots=True)
class RunMetadataValue(MetadataValue):
    run_id: str

    @property
    def value(self) -> str:
        return self.run_id


@dataclass(frozen=True, slots=True)
class JobMetadataValue(MetadataValue):
    job_name: str
    location_name: str

    @property
    def value(self) -> str:
        return self.job_name


@dataclass(frozen=True, slots=True)
class AssetMetadataValue(MetadataValue):
    asset_key: AssetKey

    @property
    def value(self) -> AssetKey:
        return self.asset_key


@dataclass(frozen=True, slots=True)
class NullMetadataValue(MetadataValue):
    @property
    def value(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class PythonArtifactMetadataValue(MetadataValue):
    module: str
    name: str

    @property
    def value(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True, init=False)
class ObjectMetadataValue(MetadataValue):
    """An object that cannot be stored: this process has it, others see the name of its class.

    Example:
        >>> ObjectMetadataValue(object()).class_name
        'object'
    """

    class_name: str
    instance: object | None

    def __init__(self, inst: object, *, instance: object | None = None) -> None:
        object.__setattr__(self, "class_name", inst if isinstance(inst, str) else type(inst).__name__)
        object.__setattr__(self, "instance", instance if isinstance(inst, str) else inst)

    @property
    def value(self) -> str:
        return self.class_name


@dataclass(frozen=True, slots=True)
class TableColumnConstraints:
    nullable: bool = True
    unique: bool = False
    other: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TableColumn:
    name: str
    type: str = "string"
    description: str | None = None
    constraints: TableColumnConstraints = TableColumnConstraints()
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class TableConstraints:
    other: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TableSchema:
    columns: Sequence[TableColumn]
    constraints: TableConstraints = TableConstraints()

    @staticmethod
    def from_name_type_dict(name_type_dict: Mapping[str, str]) -> TableSchema:
        """A schema of columns without constraints, from name to type.

        Example:
            >>> [column.type for column in TableSchema.from_name_type_dict({"id": "int"}).columns]
            ['int']
        """
        return TableSchema(columns=[TableColumn(name=name, type=kind) for name, kind in name_type_dict.items()])


@dataclass(frozen=True, slots=True)
class TableRecord:
    """One row: column name to a text, number, boolean or None."""

    data: Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True)
class TableMetadataValue(MetadataValue):
    records: Sequence[TableRecord]
    schema: TableSchema

    @property
    def value(self) -> TableMetadataValue:
        return self


@dataclass(frozen=True, slots=True)
class TableSchemaMetadataValue(MetadataValue):
    schema: TableSchema

    @property
    def value(self) -> TableSchema:
        return self.schema


@dataclass(frozen=True, slots=True)
class TableColumnDep:
    asset_key: AssetKey
    column_name: str


@dataclass(frozen=True, slots=True)
class TableColumnLineage:
    deps_by_column: Mapping[str, Sequence[TableColumnDep]]


@dataclass(frozen=True, slots=True)
class TableColumnLineageMetadataValue(MetadataValue):
    column_lineage: TableColumnLineage  # type: ignore[assignment]

    @property
    def value(self) -> TableColumnLineage:
        return self.column_lineage


Metadata: TypeAlias = Mapping[str, MetadataValue]
_Plain: TypeAlias = str | int | float | bool | dict[str, Any] | list[Any] | None
RawMetadataValue: TypeAlias = MetadataValue | _Plain | Path | AssetKey | TableSchema | TableColumnLineage | datetime
RawMetadata: TypeAlias = Mapping[str, Any]


def metadata_value(raw: Any) -> MetadataValue:
    """Wrap a plain Python value in the kind that shows it best.

    Raises:
        TypeError: the value has no metadata form; the message names its type.
    """
    match raw:
        case MetadataValue():
            return raw
        case None:
            return NullMetadataValue()
        case bool():
            return BoolMetadataValue(raw)
        case int():
            return IntMetadataValue(raw)
        case float():
            return FloatMetadataValue(raw)
        case str():
            return TextMetadataValue(raw)
        case Path():
            return PathMetadataValue(str(raw))
        case AssetKey():
            return AssetMetadataValue(raw)
        case datetime():
            return MetadataValue.timestamp(raw)
        case TableSchema():
            return TableSchemaMetadataValue(raw)
        case TableColumnLineage():
            return TableColumnLineageMetadataValue(raw)
        case dict() | list() | tuple():
            return JsonMetadataValue(list(raw) if isinstance(raw, tuple) else raw)
    if hasattr(raw, "item") and getattr(raw, "shape", None) == ():  # a numpy or pandas scalar
        return metadata_value(raw.item())
    raise TypeError(
        f"a metadata value of type {type(raw).__name__} cannot be stored; "
        "give a number, text, dict or list, or wrap it in a MetadataValue, such as MetadataValue.text(str(x))"
    )


def normalize_metadata(raw: Mapping[str, Any] | None) -> dict[str, MetadataValue]:
    """Wrap every plain value of a mapping; the errors name the key."""
    result = {}
    for key, value in (raw or {}).items():
        try:
            result[str(key)] = metadata_value(value)
        except TypeError as error:
            raise TypeError(f"metadata {key!r}: {error}") from None
    return result


def checked_metadata(raw: Mapping[str, Any] | None) -> dict[str, Any]:
    """Metadata as it was given, of which it is certain that it can be wrapped."""
    if not raw:
        return {}
    normalize_metadata(raw)
    return dict(raw)


def described_metadata(raw: Mapping[str, Any]) -> dict[str, MetadataValue]:
    """What definitions say of themselves: any object may stand there for user code to read, and is shown by its type."""
    result: dict[str, MetadataValue] = {}
    for key, value in raw.items():
        try:
            result[str(key)] = metadata_value(value)
        except TypeError:
            result[str(key)] = shown(ObjectMetadataValue(value))
    return result


def shown(value: MetadataValue) -> MetadataValue:
    """The value as another process sees it."""
    return TextMetadataValue(f"[{value.class_name}]") if isinstance(value, ObjectMetadataValue) else value


def _column_type(value: object) -> str:
    return {bool: "bool", int: "int", float: "float"}.get(type(value), "string")
