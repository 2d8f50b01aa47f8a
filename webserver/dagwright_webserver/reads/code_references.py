"""Where the code of an asset can be looked at, as its metadata says: files, and pages of a repository."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagwright_webserver.reads.view import view

LABELS = ("dagwright/code_references", "dagster/code_references")
"""Under which a definition's metadata has them."""


@view
class CodeReferenceView:
    """A place where code is."""

    url: str | None
    """A page on the web that shows it; null for a file."""
    file: str | None
    """A file on the machine of the code server; null for a page."""
    line: int | None
    """The line in that file."""
    label: str | None
    """What it is called."""


def read_references(metadata: Mapping[str, Any]) -> tuple[CodeReferenceView, ...]:
    """The code references among the metadata of a definition. What is of another shape is left out."""
    found = []
    for label in LABELS:
        raw = metadata.get(label, {}).get("raw_value")
        listed = raw.get("code_references") if isinstance(raw, dict) else None
        for each in listed if isinstance(listed, list) else ():
            if isinstance(each, dict) and (each.get("url") or each.get("file_path")):
                url, file, line = each.get("url"), each.get("file_path"), each.get("line_number")
                found.append(
                    CodeReferenceView(
                        url=str(url) if url else None,
                        file=str(file) if file else None,
                        line=line if isinstance(line, int) else None,
                        label=str(each["label"]) if each.get("label") else None,
                    )
                )
    return tuple(found)
