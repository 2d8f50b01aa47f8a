"""docs/rest.md: its programs and commands, one after the other, on the deployment of its definitions; and the types of problems."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack, start

pytestmark = pytest.mark.xdist_group("rest-page")
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "rest.md"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for found, text in _FENCE.findall(PAGE.read_text()) if found == language]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("rest")
    (folder / "shop.py").write_text("\n".join(blocks("python")))
    with start(folder / "home", "-f", str(folder / "shop.py")) as running:
        yield running


@pytest.mark.e2e
def test_programs(stack: Stack, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("\n".join(blocks("py")))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        capture_output=True, text=True, check=False, timeout=180, cwd=tmp_path, env=os.environ | {"DAGWRIGHT_URL": stack.url},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.e2e
def test_commands(stack: Stack, tmp_path: Path) -> None:
    lines = [line for text in blocks("sh") for line in text.splitlines()]
    assert len(lines) > 5
    for line in lines:
        command = [sys.executable, "-m", "dagwright.cli", *shlex.split(line)[1:]]
        environment = os.environ | {"DAGWRIGHT_URL": stack.url, "NO_COLOR": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path, env=environment)
        assert done.returncode == 0, (line, done.stdout, done.stderr)


@pytest.mark.contract
def test_every_type_of_problem_is_documented() -> None:
    page = (ROOT / "docs" / "problems.md").read_text()
    documented = {(kind, int(status)) for kind, statuses in re.findall(r"^\| `([a-z-]+)` \| ([\d, ]+) \|", page, re.MULTILINE)
                  for status in statuses.split(", ")}  # fmt: skip
    used = set()
    for module in (ROOT / "webserver" / "dagwright_webserver").rglob("*.py"):
        text = module.read_text()
        used |= {(kind, int(status)) for status, kind in re.findall(r'problem_response\(\s*(\d{3}),\s*"([a-z-]+)"', text)}
        used |= {(kind, int(status)) for status, kind in re.findall(r'(\d{3}): "([a-z-]+)"', text)}
    assert used - documented == set()
    assert {kind for kind, _ in documented} == {kind for kind, _ in used}
