"""YAML with places: each value knows its line and column, so that errors can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from dagwright.components.errors import ComponentError, YamlRef
from dagwright_shared.model.dataclass import dataclass

YamlPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlDocument:
    """One document of a file."""

    file: str
    data: Any
    marks: Mapping[YamlPath, tuple[int, int]] = field(default_factory=dict)
    """Where each key or list item begins: line and column, from 1 on."""

    def at(self, path: YamlPath) -> YamlRef:
        """The place of a value, or of the nearest one around it that is written down."""
        for length in range(len(path), -1, -1):
            mark = self.marks.get(path[:length])
            if mark is not None:
                return YamlRef(file=self.file, line=mark[0], column=mark[1])
        return YamlRef(file=self.file, line=1, column=1)


def read(file: Path) -> list[YamlDocument]:
    """The documents of a file that are not empty.

    Raises:
        ComponentError: it is not YAML, or a key is given twice.
    """
    return parse(file.read_text(encoding="utf-8"), str(file))


def parse(text: str, file: str = "<text>") -> list[YamlDocument]:
    """The documents of a text that are not empty; see `read`."""
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
        found = []
        for node in nodes:
            marks = dict(_marks(node, (), file))
            found.append(YamlDocument(file=file, data=yaml.constructor.SafeConstructor().construct_document(node), marks=marks))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = YamlRef(file=file, line=mark.line + 1, column=mark.column + 1) if mark is not None else YamlRef(file=file, line=1, column=1)
        raise ComponentError(f"this is not YAML: {error.problem or error.context}", source=place, mend=_mend(error)) from None
    return [one for one in found if one.data is not None]


def _mend(error: yaml.MarkedYAMLError) -> str:
    if "\\t" in str(error.problem):
        return "indent with spaces, not tabs"
    return "quote texts that hold ': ', '#' or braces, such as \"{{ env.NAME }}\""


def _marks(node: yaml.Node, path: YamlPath, file: str) -> Iterator[tuple[YamlPath, tuple[int, int]]]:
    if not path:
        yield path, _place(node)
    if isinstance(node, yaml.MappingNode):
        seen: set[str | int] = set()
        for key_node, value_node in node.value:
            key = _key(key_node)
            if key in seen and key != "<<":
                line, column = _place(key_node)
                raise ComponentError(
                    f"the key {key!r} is given twice",
                    source=YamlRef(file=file, line=line, column=column),
                    mend="keep one of them, or put --- between two components",
                )
            seen.add(key)
            inner = (*path, key)
            yield inner, _place(key_node)
            yield from _marks(value_node, inner, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), _place(item)
            yield from _marks(item, (*path, index), file)


def _key(node: yaml.Node) -> str | int:
    if isinstance(node, yaml.ScalarNode):
        return int(node.value) if node.tag == "tag:yaml.org,2002:int" and node.value.isdigit() else str(node.value)
    return str(node.value)


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
