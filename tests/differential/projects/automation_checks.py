"""Automation conditions of checks, and conditions that look at checks."""

from datetime import datetime, timedelta, timezone

import dagster as dg

C = dg.AutomationCondition
NOW = datetime.now(timezone.utc)
"""Results of checks are compared by their time, so the clock is the true one until a case sets it ahead."""


def story(assets, checks, *steps):
    """Steps: None is a tick; a timedelta is a tick after that; a tuple of names is a run of these assets; a dict the results of checks."""
    instance, cursor, now, told = dg.DagsterInstance.ephemeral(), None, None, []
    defs = dg.Definitions(assets=assets, asset_checks=checks)
    for step in steps:
        if isinstance(step, tuple):
            selection = dg.AssetSelection.assets(*step) - dg.AssetSelection.all_asset_checks()
            assert dg.materialize([*assets, *checks], selection=selection, instance=instance).success
        elif isinstance(step, str):
            selection = dg.AssetSelection.checks(*[check for check in checks if check.check_key.name == step])
            dg.materialize([*assets, *checks], selection=selection, instance=instance, raise_on_error=False)
        else:
            if step is not None:
                now = (now or NOW) + step
            result = dg.evaluate_automation_conditions(defs, instance, evaluation_time=now, cursor=cursor)
            cursor = result.cursor
            asked = sorted(
                (r.key.to_user_string() if isinstance(r.key, dg.AssetKey) else r.key.name)
                for r in result.results
                if not r.true_subset.is_empty
            )
            told.append([result.total_requested, asked])
    return told


def asset(name, condition=None, deps=()):
    @dg.asset(name=name, automation_condition=condition, deps=list(deps))
    def _asset() -> None: ...

    return _asset


def check(name, of, passes=None, condition=None, blocking=False, severity=dg.AssetCheckSeverity.ERROR):
    results = iter(passes or [])

    @dg.asset_check(name=name, asset=of, automation_condition=condition, blocking=blocking)
    def _check() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=next(results, True), severity=severity)

    return _check


def case_check_missing():
    a = asset("a")
    return story([a], [check("c", a, condition=C.missing())], None, None, "c", None, ("a",), None, "c", None)


def case_check_missing_before_asset():
    a = asset("a")
    return story([a], [check("c", a, condition=C.missing())], None, "c", None, ("a",), None)


def case_check_eager():
    a = asset("a")
    return story([a], [check("c", a, condition=C.eager())], None, ("a",), None, None, "c", None, ("a",), None, None)


def case_check_eager_with_its_asset():
    up = asset("up")
    a = asset("a", C.eager(), [up])
    return story([up, a], [check("c", a, condition=C.eager())], None, ("up",), None, None, ("a",), None, None, "c", None)


def case_check_on_cron():
    a = asset("a")
    hour = timedelta(hours=1)
    return story([a], [check("c", a, condition=C.on_cron("0 * * * *"))], None, hour, ("a",), None, None, hour)


def case_check_passed_and_failed():
    a = asset("a")
    good, bad = asset("good", C.any_deps_match(C.any_checks_match(C.check_passed())), [a]), None
    bad = asset("bad", C.any_deps_match(C.any_checks_match(C.check_failed())), [a])
    checks = [check("c", a, [True, False])]
    return story([a, good, bad], checks, None, "c", None, "c", None, ("a",), None)


def case_all_checks_of_deps():
    a = asset("a")
    b = asset("b", C.any_deps_match(C.all_checks_match(C.check_passed())), [a])
    checks = [check("c", a, [True, True]), check("d", a, [False, True])]
    return story([a, b], checks, None, "c", None, "d", None, "d", None)


def case_blocking_only():
    a = asset("a")
    b = asset("b", C.all_deps_match(C.all_checks_match(C.check_passed(), blocking_only=True)), [a])
    checks = [check("c", a, [False]), check("d", a, blocking=True)]
    return story([a, b], checks, None, "c", None, "d", None)


def case_all_deps_blocking_checks_passed():
    a = asset("a")
    b = asset("b", C.eager() & C.all_deps_blocking_checks_passed(), [a])
    checks = [check("d", a, [False, True], blocking=True)]
    return story([a, b], checks, None, ("a",), None, "d", None, "d", None, None)


def case_no_checks_at_all():
    a = asset("a")
    b = asset("b", C.all_deps_match(C.all_checks_match(C.check_passed())), [a])
    c = asset("c", C.any_deps_match(C.any_checks_match(C.check_passed())), [a])
    return story([a, b, c], [], None)


def case_checks_of_the_asset_itself():
    a = asset("a", C.any_checks_match(C.check_failed()))
    return story([a], [check("c", a, [False])], None, "c", None, ("a",), None)


def case_warning_is_a_failure():
    a = asset("a", C.any_checks_match(C.check_failed()))
    return story([a], [check("c", a, [False], severity=dg.AssetCheckSeverity.WARN)], None, "c", None)


def case_check_newly_updated():
    a = asset("a", C.any_checks_match(C.newly_updated()))
    return story([a], [check("c", a)], None, "c", None)


def case_check_will_be_requested():
    a = asset("a")
    b = asset("b", C.any_deps_match(C.any_checks_match(C.will_be_requested())), [a])
    return story([a, b], [check("c", a, condition=C.missing())], None, "c", None)


def case_check_newly_missing():
    a = asset("a")
    return story([a], [check("c", a, condition=C.newly_missing())], None, None, "c", None, ("a",), None, None)


def case_check_in_the_run_of_its_asset():
    a = asset("a")
    c = check("c", a, condition=C.missing())
    instance = dg.DagsterInstance.ephemeral()
    defs = dg.Definitions(assets=[a], asset_checks=[c])
    dg.materialize([a, c], instance=instance)
    return dg.evaluate_automation_conditions(defs, instance).total_requested
