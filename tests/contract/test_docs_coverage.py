"""Each feature has an example in docs/ that a test runs, and a wrong use whose answer a test holds (both in tests/unit/test_docs.py)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.contract

DOCS = Path(__file__).parents[2] / "docs"
_PROGRAM = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"^### (.+)$", re.MULTILINE)
_SPACE = re.compile(r"(?<!\\) ")


@dataclass(frozen=True, slots=True)
class Feature:
    """A row of features.txt."""

    name: str
    page: str
    shown: tuple[str, ...]
    misused: str


def read(line: str) -> Feature:
    name, page, shown, misused = (cell.strip() for cell in line.split(" | "))
    return Feature(name, page, tuple(part.replace("\\ ", " ") for part in _SPACE.split(shown)), misused)


FEATURES = [read(line) for line in (Path(__file__).parent / "features.txt").read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_is_shown_and_its_misuse_answered(feature: Feature) -> None:
    programs = "\n".join(_PROGRAM.findall((DOCS / "concepts" / f"{feature.page}.md").read_text()))
    assert [name for name in feature.shown if name not in programs] == []
    assert feature.misused in _TITLE.findall((DOCS / "errors.md").read_text())


def test_every_page_and_every_wrong_use_belongs_to_a_feature() -> None:
    pages = {page.stem for page in (DOCS / "concepts").glob("*.md")} - {"simulation"}  # a command, nothing that users write
    assert pages - {feature.page for feature in FEATURES} == set()
    assert set(_TITLE.findall((DOCS / "errors.md").read_text())) - {feature.misused for feature in FEATURES} == set()
