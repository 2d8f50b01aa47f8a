"""Run config that is kept in YAML files."""

from __future__ import annotations

import glob
import importlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from dagwright_shared.model.errors import DefinitionError


def config_from_files(config_files: Sequence[str]) -> dict[str, Any]:
    """The run config of YAML files, later ones over earlier ones, entry by entry.

    Args:
        config_files: paths, or patterns such as `config/*.yaml`.

    Raises:
        DefinitionError: a path or pattern finds nothing, or a file is not YAML of a mapping.
    """
    found: list[str] = []
    for pattern in config_files:
        files = sorted(glob.glob(pattern))  # noqa: PTH207 - patterns are absolute as well as relative
        if not files:
            raise DefinitionError(
                f"config_from_files: {pattern!r} finds no file", mend="give a path that is there; relative ones start here"
            )
        found += files
    return _together([(name, Path(name).read_text(encoding="utf-8")) for name in found])


def config_from_pkg_resources(pkg_resource_defs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The run config of YAML files inside packages.

    Args:
        pkg_resource_defs: the package's name and the file's, such as `("shop.config", "base.yaml")`.

    Raises:
        DefinitionError: there is no such file, or it is not YAML of a mapping.
    """
    texts = []
    for package, name in pkg_resource_defs:
        try:
            texts.append((f"{package}/{name}", resources.files(package).joinpath(name).read_text(encoding="utf-8")))
        except (ModuleNotFoundError, FileNotFoundError) as error:
            raise DefinitionError(f"config_from_pkg_resources: {error}", mend="name a package and a file inside it") from None
    return _together(texts)


def config_from_yaml_strings(yaml_strings: Sequence[str]) -> dict[str, Any]:
    """The run config of texts in YAML, later ones over earlier ones, entry by entry.

    Raises:
        DefinitionError: a text is not YAML of a mapping.

    Example:
        >>> config_from_yaml_strings(["ops: {load: {config: {rows: 3}}}", "ops: {load: {config: {fast: true}}}"])
        {'ops': {'load': {'config': {'rows': 3, 'fast': True}}}}
    """
    return _together([(f"text {number}", text) for number, text in enumerate(yaml_strings, start=1)])


def _together(texts: Sequence[tuple[str, str]]) -> dict[str, Any]:
    yaml = importlib.import_module("yaml")  # only who keeps config in files pays for it
    whole: dict[str, Any] = {}
    for name, text in texts:
        try:
            read = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise DefinitionError(f"{name} is not YAML: {error}") from None
        if not isinstance(read, Mapping | None):
            raise DefinitionError(
                f"{name} holds a {type(read).__name__}", mend="write run config: a mapping that begins with ops:, resources: ..."
            )
        whole = _over(whole, read or {})
    return whole


def _over(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = {
        key: _over(base[key], value) if isinstance(value, Mapping) and isinstance(base.get(key), Mapping) else value
        for key, value in more.items()
    }
    return {**base, **merged}
