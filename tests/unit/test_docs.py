"""The programs of the documentation run, and the gallery shows what errors really say."""

from __future__ import annotations

import re
import runpy
import sys
import types
from pathlib import Path

import pytest

import dagwright

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "adr" not in page.parts)
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def programs(page: Path) -> list[str]:
    return [text for language, text in _FENCE.findall(page.read_text()) if language == "python"]


@pytest.mark.parametrize("page", [page for page in PAGES if programs(page)], ids=lambda page: page.stem)
def test_the_programs_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_URL", "")  # what a page sets is put back
    file = tmp_path / "page.py"
    # One file, so that a page may go on with what it has shown; line numbers do not matter here.
    file.write_text("\n".join(programs(page)))
    module = types.ModuleType(f"docs_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(file.read_text(), str(file), "exec", dont_inherit=True), module.__dict__)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_says_what_it_is(page: Path) -> None:
    unknown = {language for language, _ in _FENCE.findall(page.read_text())} - {"python", "py", "text", "sh", "json", "toml"}
    assert not unknown, f"{page}: blocks are programs (python) or marked as something else"


def test_the_gallery_shows_real_messages() -> None:
    gallery = runpy.run_path(str(DOCS / "gallery.py"))
    page = (DOCS / "errors.md").read_text()
    assert page == gallery["render"](page), "run python docs/gallery.py"
    assert page.count("\n### ") == len(gallery["_ENTRY"].findall(page)), "each title has one program and one answer"


def test_every_page_is_in_the_navigation() -> None:
    navigation = (DOCS.parent / "mkdocs.yml").read_text()
    assert [page for page in PAGES if str(page.relative_to(DOCS)) not in navigation] == []


def test_the_table_of_aliases_is_that_of_the_code() -> None:
    page = (DOCS / "from_dagster.md").read_text()
    shown = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|$", page, re.MULTILINE))
    assert shown == dagwright._ALIASES
