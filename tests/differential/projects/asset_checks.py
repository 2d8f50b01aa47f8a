"""Checks: beside an asset, in it, several at once, blocking."""

import dagster as dg


@dg.asset
def table() -> list:
    return [1, 2, 3]


@dg.asset_check(asset=table, description="any rows")
def has_rows(table):
    return dg.AssetCheckResult(passed=len(table) > 0, metadata={"rows": len(table)})


@dg.asset_check(asset=table)
def small(table):
    return dg.AssetCheckResult(passed=len(table) < 2, severity=dg.AssetCheckSeverity.WARN, description="too many")


@dg.asset_check(asset=table)
def plain_answer(table) -> bool:
    return True


@dg.multi_asset_check(specs=[dg.AssetCheckSpec("even", asset=table), dg.AssetCheckSpec("odd", asset=table)])
def parity():
    yield dg.AssetCheckResult(asset_key="table", check_name="even", passed=False, severity=dg.AssetCheckSeverity.WARN)
    yield dg.AssetCheckResult(asset_key="table", check_name="odd", passed=True)


@dg.asset(check_specs=[dg.AssetCheckSpec("inside", asset="own")])
def own():
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="inside", passed=True, metadata={"k": 1})])


@dg.asset
def guarded():
    return 1


@dg.asset_check(asset=guarded, blocking=True)
def stops():
    return dg.AssetCheckResult(passed=False)


@dg.asset(deps=[guarded])
def behind():
    return 2


def case_beside():
    return dg.materialize([table, has_rows, small, plain_answer])


def case_several():
    return dg.materialize([table, parity])


def case_inside():
    return dg.materialize([own])


def case_blocking():
    return dg.materialize([guarded, stops, behind], raise_on_error=False)


def case_blocking_warning():
    @dg.asset_check(asset=guarded, blocking=True, name="warns")
    def warns():
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)

    return dg.materialize([guarded, warns, behind])


def case_only_checks():
    return dg.materialize([guarded, stops, behind], selection=dg.AssetSelection.checks(stops), raise_on_error=False)


def case_without_checks():
    return dg.materialize([guarded, stops, behind], selection=dg.AssetSelection.all() - dg.AssetSelection.checks(stops))


def case_evaluations():
    result = dg.materialize([table, has_rows, small])
    return [
        (e.asset_key, e.check_name, e.passed, e.severity) for e in sorted(result.get_asset_check_evaluations(), key=lambda e: e.check_name)
    ]


def case_raises():
    @dg.asset_check(asset=table)
    def broken():
        raise ValueError("no")

    return dg.materialize([table, broken], raise_on_error=False)
