"""One file: its imports rewritten, everything else as it was, and what needs a person."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from libcst import metadata

from dagwright.migrate import names


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that a person has to look at."""

    file: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class Rewritten:
    before: str
    after: str
    findings: tuple[Finding, ...]


def rewrite(file: Path, text: str, own: AbstractSet[str] = frozenset()) -> Rewritten:
    """The text with its imports of Dagster changed.

    Args:
        own: packages of the project itself, which may be named like integrations.

    Raises:
        libcst.ParserSyntaxError: it is not Python.
    """
    wrapper = metadata.MetadataWrapper(cst.parse_module(text))
    visitor = _Imports(file, own)
    after = wrapper.visit(visitor).code
    return Rewritten(text, after, tuple(sorted(visitor.findings)))


class _Imports(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (metadata.PositionProvider,)

    def __init__(self, file: Path, own: AbstractSet[str]) -> None:
        super().__init__()
        self.file, self.own = file, own
        self.findings: list[Finding] = []
        self.aliases: set[str] = set()
        """Names by which the package itself is known in the file."""
        self.plain = False
        """`import dagster`, without a name of its own: then `dagster.X` changes too."""

    def note(self, node: cst.CSTNode, what: str) -> None:
        found = Finding(self.file, self.get_metadata(metadata.PositionProvider, node).start.line, what)
        if found not in self.findings:
            self.findings.append(found)

    # ---- import dagster, import dagster as dg

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import:
        return updated_node.with_changes(
            names=[self._imported(before, after) for before, after in zip(original_node.names, updated_node.names, strict=True)]
        )

    def _imported(self, original: cst.ImportAlias, updated: cst.ImportAlias) -> cst.ImportAlias:
        module = _dotted(original.name)
        public = names.public_module(module)
        if public is not None and original.asname is not None:
            return updated.with_changes(name=_parsed(public))
        if not _is_dagster(module):
            ours = names.integration(module)
            if ours is not None and original.asname is not None:
                return updated.with_changes(name=_parsed(ours))
            self._note_integration(original, module)
            return updated
        if module != "dagster" and not names.has_module(module):
            self.note(original, names.advice(module, None))
            return updated
        if original.asname is None:
            self.plain = True
            self.aliases.add("dagster")
        elif module == "dagster":
            self.aliases.add(cst.ensure_type(original.asname.name, cst.Name).value)
        return updated.with_changes(name=_renamed(updated.name))

    # ---- from dagster import a, b

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom | cst.FlattenSentinel[cst.ImportFrom]:
        if original_node.relative or original_node.module is None:
            return updated_node
        module = _dotted(original_node.module)
        if not _is_dagster(module) and not module.startswith("dagster_shared") and names.integration(module) is None:
            self._note_integration(original_node, module)
            return updated_node
        if isinstance(original_node.names, cst.ImportStar):
            return updated_node.with_changes(module=_parsed(names.integration(module) or module.replace("dagster", "dagwright", 1)))
        assert not isinstance(updated_node.names, cst.ImportStar)
        by_module: dict[str, list[cst.ImportAlias]] = {}
        for before, after in zip(original_node.names, updated_node.names, strict=True):
            name = cst.ensure_type(before.name, cst.Name).value
            found = names.place(module, name)
            if found is None:
                self.note(before, names.advice(module, name))
            # A public name that is missing is asked of dagwright all the same: the project is to need Dagster no more.
            missing = "dagwright" if module == "dagster" else module
            by_module.setdefault(found.module if found else missing, []).append(_called(after, found.name if found else name))
        return _statements(updated_node, by_module)

    # ---- dagster.X, dg.X

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.Attribute:
        if not isinstance(original_node.value, cst.Name) or original_node.value.value not in self.aliases:
            return updated_node
        name = original_node.attr.value
        if names.place("dagster", name) is None:
            self.note(original_node, names.advice("dagster", name))
        if original_node.value.value == "dagster" and self.plain:
            return updated_node.with_changes(value=cst.Name("dagwright"))
        return updated_node

    def _note_integration(self, node: cst.CSTNode, module: str) -> None:
        package = module.partition(".")[0]
        if package.startswith("dagster_") and package != "dagster_pipes" and package not in self.own:
            self.note(node, f"{package} is an integration for Dagster, which dagwright does not load; use the tool's own Python package")


def _statements(node: cst.ImportFrom, by_module: dict[str, list[cst.ImportAlias]]) -> cst.ImportFrom | cst.FlattenSentinel[cst.ImportFrom]:
    """One statement for each module; a lone one keeps the commas and parentheses that it had."""
    if len(by_module) == 1:
        (module, aliases), *_ = by_module.items()
        return node.with_changes(module=_parsed(module), names=aliases)
    return cst.FlattenSentinel(
        [
            cst.ImportFrom(
                module=_parsed(module),
                names=[alias.with_changes(comma=cst.MaybeSentinel.DEFAULT) for alias in aliases],
                # On one line each, separated by the line's semicolon: the file's formatter decides how they are broken.
                semicolon=cst.MaybeSentinel.DEFAULT,
            )
            for module, aliases in sorted(by_module.items())
        ]
    )


def _called(alias: cst.ImportAlias, name: str) -> cst.ImportAlias:
    """The imported name, which the file goes on calling as it did."""
    before = cst.ensure_type(alias.name, cst.Name).value
    if name == before:
        return alias
    return alias.with_changes(name=cst.Name(name), asname=alias.asname or cst.AsName(cst.Name(before)))


def _dotted(node: cst.BaseExpression) -> str:
    return cst.Module([]).code_for_node(node).replace(" ", "")


def _is_dagster(module: str) -> bool:
    return module == "dagster" or module.startswith("dagster.")


def _parsed(module: str) -> cst.Attribute | cst.Name:
    node = cst.parse_expression(module)
    assert isinstance(node, cst.Attribute | cst.Name)
    return node


def _renamed(node: cst.Attribute | cst.Name) -> cst.Attribute | cst.Name:
    return _parsed(_dotted(node).replace("dagster", "dagwright", 1))
