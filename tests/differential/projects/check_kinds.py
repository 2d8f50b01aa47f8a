"""Checks: blocking and severities, several in a function, declared with assets, and what goes wrong."""

import dagster as dg
from observe import raised


@dg.asset
def table():
    return [1, 2, 3]


@dg.asset
def report(table):
    return sum(table)


def check(**options):
    def decorate(fn):
        return dg.asset_check(**options)(fn)

    return decorate


def ran(*definitions, **options):
    return dg.materialize(list(definitions), raise_on_error=False, **options)


def case_blocking_stops():
    @dg.asset_check(asset=table, blocking=True)
    def fails(table):
        return dg.AssetCheckResult(passed=False, metadata={"why": "because"})

    return ran(table, report, fails)


def case_blocking_warning_goes_on():
    @dg.asset_check(asset=table, blocking=True)
    def warns(table):
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)

    return ran(table, report, warns)


def case_not_blocking_goes_on():
    @dg.asset_check(asset=table)
    def fails(table):
        return dg.AssetCheckResult(passed=False)

    return ran(table, report, fails)


def case_check_raises():
    @dg.asset_check(asset=table)
    def breaks(table):
        raise ValueError("x")

    return ran(table, report, breaks)


def case_blocking_check_raises():
    @dg.asset_check(asset=table, blocking=True)
    def breaks(table):
        raise ValueError("x")

    return ran(table, report, breaks)


def case_multi():
    @dg.multi_asset_check(specs=[dg.AssetCheckSpec("a", asset=table), dg.AssetCheckSpec("b", asset=report)])
    def both():
        yield dg.AssetCheckResult(check_name="a", passed=True, asset_key="table")
        yield dg.AssetCheckResult(check_name="b", passed=False, asset_key="report", severity=dg.AssetCheckSeverity.WARN)

    return ran(table, report, both)


def case_multi_forgets_one():
    @dg.multi_asset_check(specs=[dg.AssetCheckSpec("a", asset=table), dg.AssetCheckSpec("b", asset=table)])
    def both():
        yield dg.AssetCheckResult(check_name="a", passed=True)

    return ran(table, both)


def case_multi_can_subset():
    @dg.multi_asset_check(specs=[dg.AssetCheckSpec("a", asset=table), dg.AssetCheckSpec("b", asset=table)], can_subset=True)
    def both(context):
        for key in sorted(context.selected_asset_check_keys):
            yield dg.AssetCheckResult(check_name=key.name, passed=True)

    chosen = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("table"), "b"))
    defs = dg.Definitions(assets=[table], asset_checks=[both], jobs=[dg.define_asset_job("only_b", selection=chosen)])
    with dg.instance_for_test() if hasattr(dg, "instance_for_test") else dg.DagsterInstance.ephemeral() as instance:
        return defs.get_job_def("only_b").execute_in_process(instance=instance)


def case_in_asset():
    @dg.asset(check_specs=[dg.AssetCheckSpec("ok", asset="own"), dg.AssetCheckSpec("small", asset="own", blocking=True)])
    def own():
        return dg.MaterializeResult(
            metadata={"rows": 1},
            check_results=[dg.AssetCheckResult(check_name="ok", passed=True), dg.AssetCheckResult(check_name="small", passed=False)],
        )

    @dg.asset(deps=[own])
    def after(): ...

    return ran(own, after)


def case_in_asset_yielded():
    @dg.asset(check_specs=[dg.AssetCheckSpec("ok", asset="own")])
    def own():
        yield dg.Output([1], metadata={"a": 1})
        yield dg.AssetCheckResult(passed=True, metadata={"b": 2})

    return ran(own)


def case_in_asset_forgotten():
    @dg.asset(check_specs=[dg.AssetCheckSpec("ok", asset="own")])
    def own():
        return dg.MaterializeResult()

    return ran(own)


def case_unknown_result():
    @dg.asset(check_specs=[dg.AssetCheckSpec("ok", asset="own")])
    def own():
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="other", passed=True)])

    return ran(own)


def case_check_of_other_asset_in_specs():
    return raised(lambda: dg.asset(check_specs=[dg.AssetCheckSpec("ok", asset="elsewhere")])(lambda: 1), Exception)


def case_additional_inputs():
    @dg.asset_check(asset=table, additional_ins={"report": dg.AssetIn("report")})
    def compares(table, report):
        return dg.AssetCheckResult(passed=sum(table) == report)

    return ran(table, report, compares)


def case_additional_deps():
    @dg.asset_check(asset=table, additional_deps=[report])
    def waits():
        return dg.AssetCheckResult(passed=True)

    return ran(table, report, waits)


def case_config_and_resources():
    class Limits(dg.Config):
        most: int = 2

    @dg.asset_check(asset=table, required_resource_keys={"bonus"})
    def limited(context, table, config: Limits):
        return dg.AssetCheckResult(passed=len(table) <= config.most + context.resources.bonus)

    return ran(table, limited, resources={"bonus": 1}), ran(
        table, limited, resources={"bonus": 0}, run_config={"ops": {"table_limited": {"config": {"most": 1}}}}
    )


def case_context():
    told = []

    @dg.asset_check(asset=table, description="d", metadata={"k": "v"})
    def looks(context: dg.AssetCheckExecutionContext):
        told.append((context.check_spec.name, context.check_spec.asset_key.to_user_string(), context.op_execution_context.op.name))
        return dg.AssetCheckResult(passed=True)

    ran(table, looks)
    return (
        told,
        looks.check_specs_by_output_name if False else [spec.description for spec in looks.check_specs],
        [key.name for key in looks.check_keys],
    )


def case_direct():
    @dg.asset_check(asset=table)
    def direct(table):
        return dg.AssetCheckResult(passed=len(table) == 2)

    return direct([1, 2]).passed, direct(table=[1]).passed


def case_direct_with_context():
    @dg.asset_check(asset=table)
    def direct(context, table):
        return dg.AssetCheckResult(passed=bool(table), metadata={"run": context.log is not None})

    return direct(dg.build_asset_check_context(), [1]).passed


def case_names():
    @dg.asset_check(asset=table, name="renamed")
    def original(): ...

    spec = next(iter(original.check_specs))
    return spec.name, spec.key, spec.blocking, spec.get_python_identifier()


def case_duplicate():
    @dg.asset_check(asset=table, name="same")
    def one(): ...

    @dg.asset_check(asset=table, name="same")
    def two(): ...

    return raised(lambda: dg.Definitions.validate_loadable(dg.Definitions(assets=[table], asset_checks=[one, two])), Exception)


def case_wrong_return():
    @dg.asset_check(asset=table)
    def wrong():
        return "yes"

    return ran(table, wrong)


def case_not_a_bool():
    return raised(lambda: dg.AssetCheckResult(passed="yes"), Exception), raised(lambda: dg.AssetCheckResult(passed=1), Exception)


def case_check_job():
    @dg.asset_check(asset=table)
    def fine():
        return dg.AssetCheckResult(passed=True)

    job = dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks())
    return dg.Definitions(assets=[table], asset_checks=[fine], jobs=[job]).get_job_def("checks").execute_in_process()


def case_checks_left_out():
    @dg.asset_check(asset=table)
    def fine():
        return dg.AssetCheckResult(passed=True)

    job = dg.define_asset_job("bare", selection=dg.AssetSelection.assets(table).without_checks())
    return dg.Definitions(assets=[table], asset_checks=[fine], jobs=[job]).get_job_def("bare").execute_in_process()
