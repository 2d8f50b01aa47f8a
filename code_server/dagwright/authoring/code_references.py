"""Where the code of assets is: links from their pages to files and to a repository on the web."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from dagwright.authoring import source as sources
from dagwright.authoring.assets_definition import AssetsDefinition
from dagwright.authoring.specs import AssetSpec
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.metadata import JsonMetadataValue

CODE_REFERENCES = "dagwright/code_references"
"""The metadata entry that holds an asset's references."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFileCodeReference:
    """A file on the machine of the code server, and a line in it.

    Example:
        >>> LocalFileCodeReference(file_path="/app/assets.py", line_number=3).to_json()["line_number"]
        3
    """

    file_path: str
    line_number: int | None = None
    label: str | None = None

    def to_json(self) -> dict[str, JsonValue]:
        return {"kind": "file", "file_path": str(self.file_path), "line_number": self.line_number, "label": self.label}


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlCodeReference:
    """A page on the web that shows the code."""

    url: str
    label: str | None = None

    def to_json(self) -> dict[str, JsonValue]:
        return {"kind": "url", "url": self.url, "label": self.label}


class CodeReferencesMetadataValue(JsonMetadataValue):
    """Metadata that holds references to code.

    Example:
        >>> CodeReferencesMetadataValue([UrlCodeReference(url="https://example.org/a.py")]).code_references[0].url
        'https://example.org/a.py'
    """

    __slots__ = ()

    def __init__(self, code_references: Sequence[LocalFileCodeReference | UrlCodeReference]) -> None:
        super().__init__({"code_references": [reference.to_json() for reference in code_references]})

    @property
    def code_references(self) -> list[LocalFileCodeReference | UrlCodeReference]:
        return _references(self)


class FilePathMapping(Protocol):
    """Says where in a repository a local file is."""

    def convert_to_repo_path(self, file: Path) -> str:
        """The path of a file inside the repository."""


@dataclass(frozen=True, slots=True)
class AnchorBasedFilePathMapping:
    """One file whose place in the repository is known tells the places of all others.

    Args:
        local_file_anchor: a local file, such as `Path(__file__)`.
        file_anchor_path_in_repository: the path of the same file in the repository.

    Example:
        >>> mapping = AnchorBasedFilePathMapping(Path("/app/pkg/defs.py"), "src/pkg/defs.py")
        >>> mapping.convert_to_repo_path(Path("/app/pkg/assets/raw.py"))
        'src/pkg/assets/raw.py'
    """

    local_file_anchor: Path
    file_anchor_path_in_repository: str

    def convert_to_repo_path(self, file: Path) -> str:
        inside = os.path.relpath(file, Path(self.local_file_anchor).parent)
        return os.path.normpath(os.path.join(os.path.dirname(self.file_anchor_path_in_repository), inside))  # noqa: PTH118, PTH120 - of a URL


def with_source_code_references(assets_defs: Iterable[Any]) -> list[Any]:
    """The same definitions, whose assets link to the file and line of their function.

    Args:
        assets_defs: definitions and specs; a spec is linked to where it is written.

    Example:
        >>> from dagwright import asset, with_source_code_references
        >>> @asset
        ... def numbers():
        ...     return [1]
        >>> (linked,) = with_source_code_references([numbers])
        >>> linked.get_asset_spec().metadata["dagwright/code_references"].data["code_references"][0]["kind"]
        'file'
    """

    def linked(spec: AssetSpec, fallback: Any = None) -> AssetSpec:
        place = fallback or spec.source
        if place is None:
            return spec
        own = LocalFileCodeReference(file_path=place.file, line_number=place.line, label=None)
        return _with(spec, [*_references(spec.metadata.get(CODE_REFERENCES)), own])

    return _mapped(assets_defs, linked, "with_source_code_references")


def link_code_references_to_git(
    assets_defs: Iterable[Any],
    git_url: str,
    git_branch: str,
    file_path_mapping: FilePathMapping,
    platform: Literal["github", "gitlab"] | None = None,
) -> list[Any]:
    """The same definitions, whose links to local files are links to a repository on the web.

    Args:
        assets_defs: as `with_source_code_references` gives them.
        git_url: of the repository, such as `https://github.com/me/project`.
        git_branch: branch, tag or commit.
        file_path_mapping: local files to paths in the repository, such as AnchorBasedFilePathMapping.
        platform: `github` or `gitlab`; by default told by the URL.

    Raises:
        DefinitionError: the URL does not tell the platform, and none is given.
    """
    root = git_url.rstrip("/").removesuffix(".git")
    kind = platform or next((name for name in ("github", "gitlab") if name in root), None)
    if kind not in ("github", "gitlab"):
        raise DefinitionError(
            f"link_code_references_to_git: {git_url!r} does not tell what platform it is on",
            source=sources.of_caller(),
            mend='give platform="github" or platform="gitlab"',
        )
    base = f"{root}/tree/{git_branch}" if kind == "github" else f"{root}/-/tree/{git_branch}"

    def moved(reference: LocalFileCodeReference | UrlCodeReference) -> LocalFileCodeReference | UrlCodeReference:
        if not isinstance(reference, LocalFileCodeReference):
            return reference
        path = file_path_mapping.convert_to_repo_path(Path(reference.file_path))
        line = f"#L{reference.line_number}" if reference.line_number else ""
        return UrlCodeReference(url=f"{base}/{path}{line}", label=reference.label)

    def linked(spec: AssetSpec, _: Any = None) -> AssetSpec:
        found = _references(spec.metadata.get(CODE_REFERENCES))
        return _with(spec, [moved(reference) for reference in found]) if found else spec

    return _mapped(assets_defs, linked, "link_code_references_to_git")


def _mapped(assets_defs: Iterable[Any], change: Callable[..., AssetSpec], what: str) -> list[Any]:
    result: list[Any] = []
    for item in assets_defs:
        if isinstance(item, AssetSpec):
            result.append(change(item))
        elif isinstance(item, AssetsDefinition):
            place = item.source if item.is_executable else None
            result.append(item.map_asset_specs(lambda spec, place=place: change(spec, place)))  # type: ignore[misc]
        elif hasattr(item, "check_specs"):
            result.append(item)
        else:
            raise DefinitionError(f"{what} was given a {type(item).__name__}", source=sources.of_caller(), mend="give assets and specs")
    return result


def _with(spec: AssetSpec, references: Sequence[LocalFileCodeReference | UrlCodeReference]) -> AssetSpec:
    return spec.replace_attributes(metadata={**spec.metadata, CODE_REFERENCES: CodeReferencesMetadataValue(references)})


def _references(value: Any) -> list[LocalFileCodeReference | UrlCodeReference]:
    data = getattr(value, "data", None)
    found: list[LocalFileCodeReference | UrlCodeReference] = []
    for item in data.get("code_references", ()) if isinstance(data, dict) else ():
        if item["kind"] == "file":
            found.append(LocalFileCodeReference(file_path=item["file_path"], line_number=item["line_number"], label=item["label"]))
        else:
            found.append(UrlCodeReference(url=item["url"], label=item["label"]))
    return found
