from __future__ import annotations

import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

import dagwright as dg
from dagwright.planning.plan import plan_run, planned_steps
from dagwright.planning.steps import FromAsset, FromOutput, FromValue
from dagwright_shared.model.errors import InvalidRequestError, NotFoundError
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, StepKey

pytestmark = pytest.mark.unit
DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01")


class Limit(dg.Config):
    rows: int
    label: str = "x"


@dg.asset(key_prefix="raw", partitions_def=DAYS)
def flights(config: Limit):
    return [config.rows]


@dg.asset(partitions_def=DAYS, ins={"flights": dg.AssetIn(key_prefix="raw")})
def delays(flights):
    return flights


@dg.asset(deps=[delays])
def report():
    return 1


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["eu", "us"]))
def zones():
    return 1


@dg.asset_check(asset=delays, blocking=True)
def not_empty(delays):
    return dg.AssetCheckResult(passed=True)


@dg.multi_asset(specs=[dg.AssetSpec("m1"), dg.AssetSpec("m2")])
def rigid():
    pass


@dg.op
def start(config: Limit) -> int:
    return config.rows


@dg.op
def add(a: int, b: int = 5) -> int:
    return a + b


@dg.graph
def inner(n):
    return add(add(n))


@dg.job(config={"ops": {"start": {"config": {"rows": 1}}}})
def sums():
    inner(start())


class Db(dg.ConfigurableResource):
    url: str = "u"


nightly = dg.define_asset_job("nightly", selection="key:raw/flights or key:delays")
external = dg.AssetSpec("outside")
DEFS = dg.Definitions(
    assets=[flights, delays, report, zones, rigid, external], asset_checks=[not_empty], jobs=[sums, nightly], resources={"db": Db()}
)
ROWS = {"ops": {"raw__flights": {"config": {"rows": 3}}}}


def keys(*names):
    return [AssetKey.from_user_string(name) for name in names]


def refused(**request):
    with pytest.raises(InvalidRequestError) as caught:
        plan_run(DEFS, **request)
    assert caught.value.problems
    return caught.value.problems


class TestJobsOfOps:
    def test_nested_graphs_are_flattened_to_dotted_keys(self):
        plan = plan_run(DEFS, job_name="sums")
        assert [s.key for s in plan.steps] == ["start", "inner.add", "inner.add_2"]
        assert [s.depends_on for s in planned_steps(plan)] == [(), ("start",), ("inner.add",)]
        assert plan.steps[1].inputs[0].source == FromOutput(step=StepKey("start"), output="result")
        assert plan.steps[1].inputs[1].source == FromValue(value=5)

    def test_config_is_laid_over_the_jobs_own_and_parsed(self):
        plan = plan_run(DEFS, job_name="sums", config={"ops": {"start": {"config": {"label": "y"}}}})
        assert plan.steps[0].config == Limit(rows=1, label="y")
        nested = {"ops": {"inner": {"ops": {"add": {"inputs": {"b": {"value": 7}}}}}}}
        assert plan_run(DEFS, job_name="sums", config=nested).steps[1].inputs[1].source == FromValue(value=7, where="config")

    def test_some_steps_on_top_of_an_earlier_run(self):
        plan = plan_run(DEFS, job_name="sums", inherited={StepKey("start"): "r1"})
        assert [s.key for s in plan.steps] == ["inner.add", "inner.add_2"]
        assert plan.steps[0].inputs[0].source.run_id == "r1"
        plan = plan_run(DEFS, job_name="sums", step_keys=["inner.add"], inherited={StepKey("start"): "r1"})
        assert [s.key for s in plan.steps] == ["inner.add"]
        problem = refused(job_name="sums", step_keys=["inner.add"])[0]
        assert "needs the output 'result' of step 'start'" in problem.message
        problem = refused(job_name="sums", step_keys=["inner.ad"])[0]
        assert (problem.path, problem.value, problem.suggestion) == ("step_keys", "inner.ad", "inner.add")


class TestAssets:
    def test_free_picks_in_order_with_their_checks(self):
        plan = plan_run(DEFS, asset_keys=keys("report", "delays", "raw/flights"), partition=("2024-01-05",), config=ROWS)
        assert [(s.key, s.kind) for s in plan.steps] == [
            ("raw__flights", "asset"),
            ("delays", "asset"),
            ("delays_not_empty", "check"),
            ("report", "asset"),
        ]
        steps = {s.key: s for s in planned_steps(plan)}
        assert steps["report"].depends_on == ("delays", "delays_not_empty")
        assert steps["delays_not_empty"].check_keys == (AssetCheckKey(AssetKey("delays"), "not_empty"),)
        source = plan.steps[1].inputs[0].source
        assert isinstance(source, FromAsset)
        assert (source.asset_key, source.made_here.step) == (AssetKey(["raw", "flights"]), "raw__flights")
        assert plan.steps[0].config == Limit(rows=3)
        assert plan.steps[3].partition == ()

    def test_an_upstream_that_is_not_picked_is_loaded(self):
        plan = plan_run(DEFS, asset_keys=keys("delays"), partition=("2024-01-05",))
        assert plan.steps[0].inputs[0].source.made_here is None

    def test_jobs_and_parts_of_them(self):
        plan = plan_run(DEFS, job_name="nightly", partition=("2024-01-05",), config=ROWS)
        assert set(plan.asset_keys) == set(keys("raw/flights", "delays"))
        plan = plan_run(DEFS, job_name="nightly", asset_keys=keys("delays"), partition=("2024-01-05",))
        assert plan.asset_keys == tuple(keys("delays"))

    def test_a_check_alone(self):
        plan = plan_run(DEFS, check_keys=[AssetCheckKey(AssetKey("delays"), "not_empty")], partition=("2024-01-05",))
        assert [s.key for s in plan.steps] == ["delays_not_empty"]

    def test_certain_checks_or_none(self):
        def planned(**request):
            return [s.key for s in plan_run(DEFS, partition=("2024-01-05",), config=ROWS, only_checks=True, **request).steps]

        assert planned(job_name="nightly") == ["raw__flights", "delays"]
        assert planned(job_name="nightly", asset_keys=keys("raw/flights")) == ["raw__flights"]
        both = planned(asset_keys=keys("raw/flights", "delays"), check_keys=[AssetCheckKey(AssetKey("delays"), "not_empty")])
        assert both == ["raw__flights", "delays", "delays_not_empty"]


class TestProblems:
    def test_unknown_names_come_with_the_nearest(self):
        with pytest.raises(NotFoundError, match="did you mean 'nightly'"):
            plan_run(DEFS, job_name="nightli")
        assert [(p.path, p.value, p.suggestion) for p in refused(asset_keys=keys("dleays"))] == [("assets", "dleays", "delays")]
        outside = refused(job_name="nightly", asset_keys=keys("report"), partition=("2024-01-05",))[0]
        assert "in job 'nightly'" in outside.message
        check = refused(check_keys=[AssetCheckKey(AssetKey("delays"), "not_emty")])[0]
        assert check.suggestion == "delays:not_empty"

    def test_nothing_external_and_torn(self):
        assert "nothing is picked" in refused()[0].message
        assert "external" in refused(asset_keys=keys("outside"))[0].message
        torn = refused(asset_keys=keys("m1"))[0]
        assert torn.expected.startswith("also m2")
        assert refused(job_name="sums", asset_keys=keys("report"))[0].path == "assets"

    @pytest.mark.parametrize(
        ("config", "path", "value", "suggestion"),
        [
            ({"op": {}}, "config.op", None, "ops"),
            ({"ops": {"strat": {}}}, "config.ops.strat", None, "start"),
            ({"ops": {"start": {"confg": {}}}}, "config.ops.start.confg", None, "config"),
            ({"ops": {"start": {"config": {"row": 1}}}}, "config.ops.start.config.row", 1, "rows"),
            ({"ops": {"start": {"config": {"rows": "5"}}}}, "config.ops.start.config.rows", "5", None),
            ({"ops": {"inner": {"ops": {"ad": {}}}}}, "config.ops.inner.ops.ad", None, "add"),
            ({"ops": 3}, "config.ops", 3, None),
            ({"resources": {"dbs": {"config": {}}}}, "config.resources.dbs", None, "db"),
            ({"resources": {"db": {"config": {"ulr": "x"}}}}, "config.resources.db.config.ulr", None, "url"),
            ({"resources": {"db": {"url": "x"}}}, "config.resources.db", {"url": "x"}, None),
            ({"execution": {"config": {"max_concurent": 2}}}, "config.execution.config.max_concurent", 2, "max_concurrent"),
            ({"execution": {"config": {"max_concurrent": "many"}}}, "config.execution.config.max_concurrent", "many", None),
        ],
    )
    def test_config(self, config, path, value, suggestion):
        problem = next(p for p in refused(job_name="sums", config=config) if p.path == path)
        assert (problem.value, problem.suggestion) == (value, suggestion)

    def test_all_problems_at_once(self):
        problems = refused(job_name="sums", config={"x": 1, "ops": {"start": {"config": {"rows": "a", "z": 1}}}}, partition=("p",))
        assert {p.path for p in problems} == {"config.x", "config.ops.start.config.rows", "config.ops.start.config.z", "partition"}

    def test_partitions(self):
        missing = refused(asset_keys=keys("delays"))[0]
        assert (missing.path, missing.expected) == ("partition", "such as 2024-01-31")
        wrong = refused(asset_keys=keys("delays"), partition=("2024-01-32",))[0]
        assert wrong.value == "2024-01-32"
        assert wrong.suggestion is not None
        assert "takes no partition" in refused(asset_keys=keys("report"), partition=("2024-01-05",))[0].message
        mixed = refused(asset_keys=keys("delays", "zones"), partition=("eu",))[0]
        assert "partitioned differently" in mixed.message

    def test_a_window_that_has_not_ended_does_not_exist_yet(self):
        at = datetime(2024, 1, 5, 12, tzinfo=UTC)
        assert plan_run(DEFS, asset_keys=keys("delays"), partition=("2024-01-04",), now=at)
        with pytest.raises(InvalidRequestError):
            plan_run(DEFS, asset_keys=keys("delays"), partition=("2024-01-05",), now=at)

    def test_a_missing_resource(self):
        @dg.op(required_resource_keys={"dbs"})
        def needs(context):
            pass

        @dg.job
        def wants():
            needs()

        loose = SimpleNamespace(
            resources={"db": 1}, jobs_by_name={"wants": wants}, assets_by_key={}, checks_by_key={}, executor=None, loggers={}
        )
        with pytest.raises(InvalidRequestError) as caught:
            plan_run(loose, job_name="wants")
        assert [(p.path, p.suggestion) for p in caught.value.problems] == [("resources.dbs", "db")]


def test_two_thousand_assets_are_planned_in_a_moment():
    made = []
    for number in range(2000):

        def fn():
            return 1

        made.append(dg.asset(name=f"a{number}", deps=[f"a{up}" for up in (number - 1, number // 2) if 0 <= up < number])(fn))
    defs = dg.Definitions(assets=made)
    defs.resolve()
    started = time.process_time()
    plan = plan_run(defs, asset_keys=list(defs.resolve().assets_by_key))
    assert len(plan.steps) == 2000
    assert time.process_time() - started < 20, "quadratic planning would take minutes"
