"""Metadata as JSON, in the form of Dagster Pipes: `{"type": "md", "raw_value": "..."}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagwright_shared.model.json_values import json_safe
from dagwright_shared.model.keys import AssetKey
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


def metadata_to_json(metadata: Metadata) -> dict[str, Any]:
    return {key: metadata_value_to_json(value) for key, value in metadata.items()}


def metadata_from_json(data: Mapping[str, Any]) -> dict[str, MetadataValue]:
    return {key: metadata_value_from_json(value) for key, value in data.items()}


def metadata_value_to_json(value: MetadataValue) -> dict[str, Any]:
    """`{"type", "raw_value"}` with a raw value that JSON can carry. NaN and infinities become text."""
    match value:
        case TextMetadataValue():
            return {"type": "text", "raw_value": value.text}
        case ObjectMetadataValue():
            return metadata_value_to_json(shown(value))
        case UrlMetadataValue():
            return {"type": "url", "raw_value": value.url}
        case PathMetadataValue():
            return {"type": "path", "raw_value": value.path}
        case NotebookMetadataValue():
            return {"type": "notebook", "raw_value": value.path}
        case JsonMetadataValue():
            return {"type": "json", "raw_value": json_safe(value.data)}
        case MarkdownMetadataValue():
            return {"type": "md", "raw_value": value.md_str}
        case FloatMetadataValue():
            return {"type": "float", "raw_value": json_safe(value.value)}
        case IntMetadataValue():
            return {"type": "int", "raw_value": value.value}
        case BoolMetadataValue():
            return {"type": "bool", "raw_value": value.value}
        case TimestampMetadataValue():
            return {"type": "timestamp", "raw_value": value.value}
        case RunMetadataValue():
            return {"type": "run", "raw_value": value.run_id}
        case JobMetadataValue():
            return {"type": "job", "raw_value": {"job": value.job_name, "location": value.location_name}}
        case AssetMetadataValue():
            return {"type": "asset", "raw_value": value.asset_key.to_user_string()}
        case PythonArtifactMetadataValue():
            return {"type": "python_artifact", "raw_value": {"module": value.module, "name": value.name}}
        case TableMetadataValue():
            records = [{name: json_safe(cell) for name, cell in record.data.items()} for record in value.records]
            return {"type": "table", "raw_value": {"records": records, "schema": _schema_to_json(value.schema)}}
        case TableSchemaMetadataValue():
            return {"type": "table_schema", "raw_value": _schema_to_json(value.schema)}
        case TableColumnLineageMetadataValue():
            deps = {
                column: [{"asset_key": dep.asset_key.to_user_string(), "column_name": dep.column_name} for dep in deps]
                for column, deps in value.column_lineage.deps_by_column.items()
            }
            return {"type": "table_column_lineage", "raw_value": {"deps_by_column": deps}}
        case _:
            return {"type": "null", "raw_value": None}


def metadata_value_from_json(data: Mapping[str, Any]) -> MetadataValue:
    """The inverse of `metadata_value_to_json`; an unknown type comes back as JSON, so that a newer writer is readable."""
    raw: Any = data.get("raw_value")
    simple = _SIMPLE.get(data["type"])
    if simple is not None:
        value: MetadataValue = simple(raw)
        return value
    match data["type"]:
        case "float":
            return FloatMetadataValue(None if raw is None else float(raw))
        case "job":
            return JobMetadataValue(raw["job"], raw["location"])
        case "asset":
            return AssetMetadataValue(AssetKey.from_user_string(raw))
        case "python_artifact":
            return PythonArtifactMetadataValue(raw["module"], raw["name"])
        case "table":
            return TableMetadataValue(tuple(TableRecord(r) for r in raw["records"]), _schema_from_json(raw["schema"]))
        case "table_schema":
            return TableSchemaMetadataValue(_schema_from_json(raw))
        case "table_column_lineage":
            deps = {
                column: tuple(TableColumnDep(AssetKey.from_user_string(d["asset_key"]), d["column_name"]) for d in deps)
                for column, deps in raw["deps_by_column"].items()
            }
            return TableColumnLineageMetadataValue(TableColumnLineage(deps))
        case "null":
            return NullMetadataValue()
        case _:
            return JsonMetadataValue(raw)


_SIMPLE: Mapping[str, Any] = {
    "text": TextMetadataValue,
    "url": UrlMetadataValue,
    "path": PathMetadataValue,
    "notebook": NotebookMetadataValue,
    "json": JsonMetadataValue,
    "md": MarkdownMetadataValue,
    "int": IntMetadataValue,
    "bool": BoolMetadataValue,
    "timestamp": TimestampMetadataValue,
    "run": RunMetadataValue,
}


def _schema_to_json(schema: TableSchema) -> dict[str, Any]:
    columns = [
        {
            "name": column.name,
            "type": column.type,
            "description": column.description,
            "constraints": {
                "nullable": column.constraints.nullable,
                "unique": column.constraints.unique,
                "other": list(column.constraints.other),
            },
            "tags": dict(column.tags or {}),
        }
        for column in schema.columns
    ]
    return {"columns": columns, "constraints": {"other": list(schema.constraints.other)}}


def _schema_from_json(data: Mapping[str, Any]) -> TableSchema:
    columns = tuple(
        TableColumn(
            column["name"],
            column.get("type", "string"),
            column.get("description"),
            TableColumnConstraints(**(column.get("constraints") or {})),
            column.get("tags") or None,
        )
        for column in data["columns"]
    )
    return TableSchema(columns, TableConstraints(**(data.get("constraints") or {})))
