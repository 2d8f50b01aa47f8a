from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "tests" / "types").glob("*.py"))


def check(path: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", str(cache), str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_users_file_is_strictly_typed(path: Path) -> None:
    done = check(path, ROOT / ".mypy_cache")
    assert done.returncode == 0, done.stdout


def pyright(paths: list[Path], place: Path) -> dict[str, Any]:
    # A type checker finds an editable install by the environment's own paths; a user has the package in site-packages.
    settings = {
        "include": [str(path) for path in paths],
        "typeCheckingMode": "strict",
        "extraPaths": [str(ROOT / "code_server"), str(ROOT / "shared")],
    }
    (place / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_users_files_pass_basedpyright_too(tmp_path: Path) -> None:
    told = pyright(FILES, tmp_path)
    assert told["summary"]["filesAnalyzed"] >= len(FILES)
    assert [f"{one['file']}:{one['range']['start']['line'] + 1}: {one['message']}" for one in told["generalDiagnostics"]] == []


def test_calls_keep_the_types_of_the_function(tmp_path: Path) -> None:
    file = tmp_path / "calls.py"
    file.write_text("import dagwright as dg\n@dg.asset\ndef total(rows: list[int]) -> int:\n    return sum(rows)\nx: str = total([1])\n")
    told = pyright([file], tmp_path)
    assert any('"int" is not assignable to "str"' in one["message"] for one in told["generalDiagnostics"])


def test_wrong_types_are_told(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text("import dagwright as dg\nx: int = dg.AssetKey('a')\ndg.RetryPolicy(max_retries='many')\n")
    done = check(file, ROOT / ".mypy_cache")
    assert "Incompatible types in assignment" in done.stdout
    assert '"RetryPolicy" has incompatible type "str"' in done.stdout
