from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagwright.loading import load
from dagwright.loading.load import LoadTarget
from dagwright_shared.model.errors import DefinitionError


@pytest.fixture(autouse=True)
def own_modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What a test imports is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    before, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


ASSET = "import dagwright as dg\n@dg.asset\ndef numbers():\n    return [1]\n"


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def keys(target: LoadTarget) -> list[str]:
    return [key.to_user_string() for key in load.load(target).resolve().assets_by_key]


def test_a_file_with_definitions(tmp_path: Path) -> None:
    file = write(tmp_path / "proj" / "defs.py", f"{ASSET}from near import X\ndefs = dg.Definitions(assets=[numbers])\n")
    write(tmp_path / "proj" / "near.py", "X = 1\n")
    assert keys(LoadTarget(file=file)) == ["numbers"]
    assert sys.modules["defs"].__file__ == file
    assert gc.isenabled()


def test_loose_definitions_are_gathered(tmp_path: Path) -> None:
    text = f"{ASSET}lot = [dg.AssetSpec('b')]\n"
    text += "@dg.asset_check(asset=numbers)\ndef fine():\n    return dg.AssetCheckResult(passed=True)\nj = dg.define_asset_job('j')\n"
    resolved = load.load(LoadTarget(file=write(tmp_path / "loose.py", text))).resolve()
    assert [key.to_user_string() for key in resolved.assets_by_key] == ["numbers", "b"]
    assert list(resolved.jobs_by_name) == ["j"]
    assert len(resolved.checks_by_key) == 1


def test_a_function_that_makes_definitions(tmp_path: Path) -> None:
    text = f"{ASSET}@dg.definitions\ndef defs():\n    return dg.Definitions(assets=[numbers])\n"
    assert keys(LoadTarget(file=write(tmp_path / "lazy.py", text))) == ["numbers"]
    plain = f"{ASSET}def make():\n    return dg.Definitions(assets=[numbers])\n"
    assert keys(LoadTarget(file=write(tmp_path / "plain.py", plain), attribute="make")) == ["numbers"]


def test_a_module_of_the_working_directory(tmp_path: Path) -> None:
    write(tmp_path / "w" / "pkg_a" / "__init__.py", "")
    write(tmp_path / "w" / "pkg_a" / "definitions.py", f"{ASSET}from .more import Y\ndefs = dg.Definitions(assets=[numbers])\n")
    write(tmp_path / "w" / "pkg_a" / "more.py", "Y = 1\n")
    assert keys(LoadTarget(module="pkg_a.definitions", working_directory=str(tmp_path / "w"))) == ["numbers"]
    assert Path.cwd() == tmp_path / "w"


def test_a_file_inside_a_package_keeps_its_relative_imports(tmp_path: Path) -> None:
    write(tmp_path / "pkg_b" / "__init__.py", "")
    write(tmp_path / "pkg_b" / "more.py", "Y = 1\n")
    file = write(tmp_path / "pkg_b" / "defs_b.py", f"from .more import Y\n{ASSET}")
    assert keys(LoadTarget(file=file)) == ["numbers"]
    assert "pkg_b.defs_b" in sys.modules


def test_a_file_named_like_a_module_that_is_there(tmp_path: Path) -> None:
    file = write(tmp_path / "json.py", ASSET)
    assert keys(LoadTarget(file=file)) == ["numbers"]
    assert sys.modules["json"].__file__ != file


def fails(target: LoadTarget, match: str) -> None:
    with pytest.raises(DefinitionError, match=match):
        load.load(target)


def test_errors_say_what_to_mend(tmp_path: Path) -> None:
    several = write(tmp_path / "several.py", "import dagwright as dg\na = dg.Definitions()\nb = dg.Definitions()\n")
    fails(LoadTarget(file=several), r"has several Definitions: a, b.*Definitions\.merge")
    assert load.load(LoadTarget(file=several, attribute="a")) is not None
    fails(LoadTarget(file=several, attribute="aa"), "no name 'aa'.*did you mean 'a'")
    fails(LoadTarget(file=write(tmp_path / "empty.py", "X = 1\n")), "neither a Definitions object nor an asset.*add `defs = ")
    fails(LoadTarget(file=write(tmp_path / "other.py", "X = 1\n"), attribute="X"), "'X' in .* is a int, not Definitions")
    fails(LoadTarget(file=str(tmp_path / "severl.py")), "there is no file .*did you mean .*several.py")
    fails(LoadTarget(module="not_there_at_all.x"), "no module 'not_there_at_all.x'.*pip install -e")
    fails(LoadTarget(), "nothing to load")
    fails(LoadTarget(file="x.py", working_directory=str(tmp_path / "gone")), "working directory .* does not exist")
    wrong = write(tmp_path / "wrong.py", "import dagwright as dg\n@dg.definitions\ndef defs():\n    return 3\n")
    fails(LoadTarget(file=wrong), "@definitions defs returned 3, a int.*wrong.py:2")


def test_errors_of_the_users_code_stay_theirs(tmp_path: Path) -> None:
    file = write(tmp_path / "broken.py", "import no_such_package_here\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_package_here"):
        load.load(LoadTarget(file=file))
    assert "broken" not in sys.modules
    with pytest.raises(ModuleNotFoundError, match="no_such_package_here"):
        load.load(LoadTarget(module="broken"))
    with pytest.raises(SyntaxError):
        load.load(LoadTarget(file=write(tmp_path / "syntax.py", "def f(:\n")))
    write(tmp_path / "broken.py", ASSET)
    assert keys(LoadTarget(file=file)) == ["numbers"]


def test_the_whole_is_checked(tmp_path: Path) -> None:
    text = "import dagwright as dg\n@dg.asset\ndef report(missing):\n    return 1\n"
    fails(LoadTarget(file=write(tmp_path / "incomplete.py", text)), r"loads the asset 'missing'.*incomplete\.py:2")
