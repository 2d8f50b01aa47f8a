"""Run config in YAML files."""

from __future__ import annotations

from pathlib import Path

import pytest

import dagwright as dg
from dagwright_shared.model.errors import DefinitionError


def test_files_are_laid_over_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text("ops: {load: {config: {rows: 3, fast: false}}}\n")
    (tmp_path / "b.yaml").write_text("ops: {load: {config: {rows: 4}}}\nresources: {}\n")
    (tmp_path / "empty.yaml").write_text("")
    whole = {"ops": {"load": {"config": {"rows": 4, "fast": False}}}, "resources": {}}
    assert dg.config_from_files([str(tmp_path / "*.yaml")]) == whole
    monkeypatch.chdir(tmp_path)
    assert dg.config_from_files(["b.yaml", "a.yaml"])["ops"]["load"]["config"]["rows"] == 3
    package = tmp_path / "settings_of_a_shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "base.yaml").write_text("ops: {}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert dg.config_from_pkg_resources([("settings_of_a_shop", "base.yaml")]) == {"ops": {}}


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="finds no file"):
        dg.config_from_files([str(tmp_path / "*.yaml")])
    with pytest.raises(DefinitionError, match="nowhere"):
        dg.config_from_pkg_resources([("nowhere", "base.yaml")])
    with pytest.raises(DefinitionError, match="text 1 is not YAML"):
        dg.config_from_yaml_strings(["a: ]"])
    with pytest.raises(DefinitionError, match="text 2 holds a list"):
        dg.config_from_yaml_strings(["a: 1", "- b"])
