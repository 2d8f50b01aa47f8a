"""Errors in components: they name the YAML file, the line and the column."""

from __future__ import annotations

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlRef(SourceRef):
    """A place in a YAML file."""

    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ComponentError(DefinitionError):
    """A component, or what YAML says of it, does not fit."""

    def __init__(self, message: str | None = None, *, source: SourceRef | None = None, mend: str | None = None) -> None:
        super().__init__(f"{source}: {message}" if source is not None else message, mend=mend)
        self.source = source


ResolutionException = ComponentError
