"""What is said of tables under the names that pages know: columns, lineage, row counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagwright_shared.model.errors import nearest
from dagwright_shared.model.metadata import MetadataValue, TableColumnLineage, TableSchema, metadata_value

_NAMES = ("column_schema", "column_lineage", "row_count", "partition_row_count", "table_name", "storage_kind")


class TableMetadataSet(Mapping[str, MetadataValue]):
    """Metadata of a table: `metadata={**TableMetadataSet(row_count=3)}` is `{"dagster/row_count": 3}`.

    Args:
        column_schema: its columns.
        column_lineage: which columns of upstream tables each column is made of.
        row_count: of the whole table.
        partition_row_count: of the partition that was written.
        table_name: as its database knows it, such as `shop.public.orders`.
        storage_kind: of the database, such as `duckdb`.

    Example:
        >>> dict(TableMetadataSet(row_count=3))
        {'dagster/row_count': IntMetadataValue(value=3)}
    """

    def __init__(
        self,
        *,
        column_schema: TableSchema | None = None,
        column_lineage: TableColumnLineage | None = None,
        row_count: int | None = None,
        partition_row_count: int | None = None,
        table_name: str | None = None,
        storage_kind: str | None = None,
    ) -> None:
        self.column_schema, self.column_lineage = column_schema, column_lineage
        self.row_count, self.partition_row_count = row_count, partition_row_count
        self.table_name, self.storage_kind = table_name, storage_kind
        given = {name: getattr(self, name) for name in _NAMES}
        self._values = {f"{self.namespace()}/{name}": metadata_value(value) for name, value in given.items() if value is not None}

    @classmethod
    def namespace(cls) -> str:
        """What stands before the names."""
        return "dagster"

    @classmethod
    def extract(cls, metadata: Mapping[str, Any]) -> TableMetadataSet:
        """What metadata says of a table, whatever else is in it.

        Example:
            >>> TableMetadataSet.extract({"dagster/row_count": 3, "owner": "me"}).row_count
            3
        """
        found = {name: metadata[f"{cls.namespace()}/{name}"] for name in _NAMES if f"{cls.namespace()}/{name}" in metadata}
        return cls(**{name: _plain(value) for name, value in found.items()})

    def __getitem__(self, key: str) -> MetadataValue:
        if key not in self._values:
            close = nearest(key, self._values)
            raise KeyError(f"{key!r}; did you mean {close!r}?" if close else key)
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, MetadataValue) else value
