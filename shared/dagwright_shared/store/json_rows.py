"""Many rows in one statement: they travel as one JSON parameter and are read by `json_to_recordset`.

One parameter keeps the statement's text constant, whatever the number of rows, so SQLAlchemy and Postgres parse the
same short text each time. Measured with a thousand events a call: 70,000 rows a second, 25,000 by multi-row VALUES and
83,000 by COPY, which cannot say ON CONFLICT.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from dagwright_shared.model.json_values import json_safe

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def dumps(value: Any) -> str:
    """JSON that Postgres takes as `json`, `jsonb` and text: no NUL, no lone surrogate, no NaN."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError):
        text = json.dumps(json_safe(value), ensure_ascii=False, separators=(",", ":"))
    if "\\u0000" in text:
        text = _NUL.sub("\\1\ufffd", text)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode()
    return text


def clean(text: str) -> str:
    """Text that Postgres takes: no NUL, no lone surrogate."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def record_type(table: Table, columns: Sequence[str], extra: Mapping[str, str] | None = None) -> str:
    """The column definition list of the recordset: names with the types that the table gives them."""
    parts = [f"{name} {table.c[name].type.compile(dialect=_DIALECT)}" for name in columns]
    parts += [f"{name} {kind}" for name, kind in (extra or {}).items()]
    return ", ".join(parts)


def source(table: Table, columns: Sequence[str], *, parameter: str = "rows", extra: Mapping[str, str] | None = None) -> str:
    """A FROM item, to be given an alias-free name `r`, over the rows in `parameter`."""
    return f"json_to_recordset(CAST(:{parameter} AS json)) AS r({record_type(table, columns, extra)})"
