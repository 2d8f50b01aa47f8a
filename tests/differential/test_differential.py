"""The same small projects say the same on Dagster and on dagwright; only the line that imports the package differs."""

from __future__ import annotations

import pytest

from tests.differential.compare import PROJECTS, CannotInstallError, Difference, compare, dagster_python
from tests.differential.intended import INTENDED, is_intended

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.xdist_group("differential")]

FLOOR = 99.5
"""Percent of the cases in which both say the same; raised as dagwright grows."""


@pytest.fixture(scope="module")
def compared() -> tuple[int, list[Difference]]:
    try:
        dagster_python()
    except CannotInstallError as error:
        pytest.skip(str(error))
    return compare(sorted(PROJECTS.glob("*.py")))


def test_there_are_projects_enough() -> None:
    assert len(list(PROJECTS.glob("*.py"))) >= 25


def test_both_say_the_same(compared: tuple[int, list[Difference]]) -> None:
    count, found = compared
    differences = [one for one in found if not is_intended(one.case, one.ours)]
    assert 100 * (count - len(differences)) / count >= FLOOR, "\n".join(map(str, differences))


def test_intended_differences_are_as_they_are_described(compared: tuple[int, list[Difference]]) -> None:
    found = {one.case: one.ours for one in compared[1]}
    assert {case: found.get(case, "both say the same") for case in INTENDED} == {case: entry.ours for case, entry in INTENDED.items()}
