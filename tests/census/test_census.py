"""What real projects use of Dagster resolves on dagwright; the floor is raised as coverage grows."""

from __future__ import annotations

import pytest

from tests.census.count import Coverage, count

pytestmark = pytest.mark.unit

FLOOR = 99.0
"""Percent of all uses in the census."""


@pytest.fixture(scope="module")
def coverage() -> Coverage:
    return count()


def test_what_real_projects_use_resolves(coverage: Coverage) -> None:
    assert coverage.share() >= FLOOR, coverage.report()


def test_a_name_that_does_not_exist_is_missing() -> None:
    census = {
        "names": {"asset": 2, "no_such_name": 1},
        "members": {"AssetKey": {"from_user_string": 1, "no_such_member": 1}},
        "arguments": {"asset": {"deps": 1}, "op": {"no_such_argument": 1}},
        "contexts": {"AssetExecutionContext": {"partition_key": 1, "no_such_attribute": 1}},
        "chains": {"log.info": 1, "log.no_such_level": 1},
    }
    missing = {(item.name, item.member) for item in count(census=census).missing()}
    assert missing == {
        ("no_such_name", None),
        ("AssetKey", "no_such_member"),
        ("op", "no_such_argument"),
        ("AssetExecutionContext", "no_such_attribute"),
        ("log.no_such_level", None),
    }
