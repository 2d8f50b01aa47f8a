"""The sensor that asks freshness checks again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import dagwright as dg
from dagwright.authoring.check_factories import FRESH_UNTIL
from dagwright.authoring.freshness_sensor import is_due
from dagwright_shared.model.errors import DefinitionError


@dg.asset
def orders() -> None: ...


@dg.asset_check(asset=orders)
def other() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def test_a_check_is_due_when_its_answer_may_change() -> None:
    (check,) = dg.build_last_update_freshness_checks(assets=[orders], lower_bound_delta=timedelta(hours=1))
    (key,) = check.check_keys
    ask = dg.build_sensor_for_freshness_checks(freshness_checks=[check], tags={"why": "fresh"})

    def asked(instance: dg.DagsterInstance) -> Any:
        return ask(dg.build_sensor_context(instance=instance))

    def evaluate(instance: dg.DagsterInstance) -> None:
        dg.materialize([orders, check, other], instance=instance, selection=dg.AssetSelection.checks(check, other))

    with dg.DagsterInstance.ephemeral() as instance:
        first = asked(instance)
        assert (list(first.asset_check_keys), first.tags["why"]) == ([key], "fresh")
        evaluate(instance)  # fails: there is no data
        assert isinstance(asked(instance), dg.SkipReason)
        dg.materialize([orders], instance=instance)
        assert isinstance(asked(instance), dg.RunRequest)
        evaluate(instance)  # passes
        now = datetime.now(UTC)
        assert isinstance(asked(instance), dg.SkipReason)
        assert not is_due(instance, key, now + timedelta(minutes=59))
        assert is_due(instance, key, now + timedelta(minutes=61))


def test_deadlines_say_until_when_data_is_fresh() -> None:
    (check,) = dg.build_last_update_freshness_checks(assets=[orders], lower_bound_delta=timedelta(days=400), deadline_cron="0 0 1 1 *")
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([orders], instance=instance)
        (found,) = dg.materialize(
            [orders, check], instance=instance, selection=dg.AssetSelection.checks(check)
        ).get_asset_check_evaluations()
    until = datetime.fromtimestamp(found.metadata[FRESH_UNTIL].value, UTC)
    assert (found.passed, until.month, until.day) == (True, 1, 1)
    assert until > datetime.now(UTC)


def test_bad_uses() -> None:
    checks = dg.build_last_update_freshness_checks(assets=[orders], lower_bound_delta=timedelta(hours=1))
    with pytest.raises(DefinitionError, match="there are no checks"):
        dg.build_sensor_for_freshness_checks(freshness_checks=[])
    with pytest.raises(DefinitionError, match="orders:freshness_check is listed twice"):
        dg.build_sensor_for_freshness_checks(freshness_checks=[*checks, *checks])


def test_an_asset_takes_a_name_as_its_function_would() -> None:
    @dg.asset
    def plain() -> None: ...

    plain.__name__ = "library__plain"  # type: ignore[attr-defined]
    assert plain.__name__ == "library__plain"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        plain.specs = ()  # type: ignore[misc]
