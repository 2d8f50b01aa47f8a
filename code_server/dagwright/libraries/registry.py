"""Which libraries for dagwright a process has imported, and their versions: what a report of a problem needs."""

from __future__ import annotations

from collections.abc import Mapping

from dagwright import __version__


class LibraryRegistry:
    """Libraries register themselves when they are imported.

    Example:
        >>> LibraryRegistry.register("dagwright-shop", "1.2.0")
        >>> LibraryRegistry.get()["dagwright-shop"]
        '1.2.0'
    """

    _versions: dict[str, str] = {"dagwright": __version__}  # noqa: RUF012 - one for the process

    @classmethod
    def register(cls, name: str, version: str, *, is_dagster_package: bool = True) -> None:
        """
        Args:
            name: of the library.
            version: of it.
            is_dagster_package: taken for compatibility.
        """
        del is_dagster_package
        cls._versions[name] = version

    @classmethod
    def get(cls) -> Mapping[str, str]:
        """Names and versions."""
        return dict(cls._versions)
