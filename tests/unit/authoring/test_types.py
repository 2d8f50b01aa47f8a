from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_wrong_types_are_told(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text("import dagwright as dg\nx: int = dg.AssetKey('a')\ndg.RetryPolicy(max_retries='many')\n")
    done = check(file, ROOT / ".mypy_cache")
    assert "Incompatible types in assignment" in done.stdout
    assert '"RetryPolicy" has incompatible type "str"' in done.stdout
