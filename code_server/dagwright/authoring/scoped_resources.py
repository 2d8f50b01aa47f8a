"""`context.resources`: the opened resources by key, and the error for one that is not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagwright_shared.model.errors import DagwrightError, nearest


class UnknownResourceError(DagwrightError, AttributeError):
    """There is no such resource here."""


class Scoped:
    """Resources as attributes: `context.resources.warehouse`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__["_values"] = dict(values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            known = ", ".join(sorted(self.__dict__["_values"])) or "none"
            close = nearest(name, self.__dict__["_values"])
            mend = f"did you mean {close!r}?" if close else "name it in required_resource_keys"
            raise UnknownResourceError(f"there is no resource {name!r} here (there are: {known}); {mend}") from None

    def __getitem__(self, name: str) -> Any:
        return self.__dict__["_values"][name]

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__["_values"]

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__["_values"])

    @property
    def original_resource_dict(self) -> dict[str, Any]:
        return dict(self.__dict__["_values"])

    def _asdict(self) -> dict[str, Any]:
        return dict(self.__dict__["_values"])
