"""Jobs of assets, and definitions as a whole."""

import dagster as dg
from observe import raised


class Size(dg.Config):
    size: int = 1


@dg.asset(group_name="g", tags={"layer": "raw"})
def raw(config: Size):
    return config.size


@dg.asset(group_name="g")
def clean(raw):
    return raw + 1


@dg.asset(group_name="h", kinds={"sql"})
def report(clean):
    return clean * 10


@dg.asset_check(asset=clean)
def positive(clean):
    return dg.AssetCheckResult(passed=clean > 0)


job_g = dg.define_asset_job(
    "job_g", selection=dg.AssetSelection.groups("g"), tags={"a": "b"}, config={"ops": {"raw": {"config": {"size": 4}}}}
)
everything = dg.define_asset_job("everything")
defs = dg.Definitions(assets=[raw, clean, report], asset_checks=[positive], jobs=[job_g, everything])


def job(name):
    return defs.resolve_job_def(name)


def case_group_job():
    return job("job_g").execute_in_process()


def case_all():
    result = job("everything").execute_in_process(run_config=dg.RunConfig(ops={"raw": Size(size=2)}))
    return result, result.asset_value("report")


def case_part_of_a_job():
    return job("everything").execute_in_process(asset_selection=[dg.AssetKey("raw"), dg.AssetKey("clean")])


class Keeps(dg.IOManager):
    """Has a value for assets that the run does not make."""

    def handle_output(self, context, obj): ...

    def load_input(self, context):
        return 1


def chosen(selection):
    found = dg.define_asset_job("chosen", selection=selection)
    whole = dg.Definitions(assets=[raw, clean, report], asset_checks=[positive], jobs=[found], resources={"io_manager": Keeps()})
    made = whole.resolve_job_def("chosen").execute_in_process()
    return sorted(
        event.step_key
        for event in made.all_events
        if getattr(event, "event_type_value", type(getattr(event, "payload", None)).__name__) in ("STEP_SUCCESS", "StepSucceeded")
    )


s = dg.AssetSelection


def case_selections():
    return {
        "assets": chosen(s.assets("raw", "report")),
        "upstream": chosen(s.assets(report).upstream()),
        "upstream 1": chosen(s.assets(report).upstream(depth=1)),
        "downstream": chosen(s.assets(raw).downstream(depth=1)),
    }


def case_selections_combined():
    return {
        "minus": chosen(s.all() - s.groups("h")),
        "and": chosen(s.all() & s.keys("clean")),
        "or": chosen(s.keys("raw") | s.keys("report")),
    }


def case_more_selections():
    return {
        "no checks": chosen(s.all().without_checks()),
        "tag": chosen(s.tag("layer", "raw")),
        "kind": chosen(s.kind("sql")),
        "roots": chosen(s.all().roots()),
        "sinks": chosen(s.all().sinks()),
    }


def case_selections_as_text():
    return {
        "text": chosen("group:g"),
        "text 2": chosen("key:raw+ and not key:report"),
        "text 3": chosen("1+key:report"),
        "text 4": chosen("tag:layer=raw or kind:sql"),
        "list": chosen(["raw", "clean"]),
        "star": chosen("*clean") if False else chosen("+clean"),
    }


def case_bare_key_in_text():
    return chosen("raw+ and not report")


def case_duplicate():
    @dg.asset(name="raw")
    def again():
        return 1

    return raised(lambda: dg.Definitions.validate_loadable(dg.Definitions(assets=[raw, again])), dg.DagsterInvalidDefinitionError)


def case_cycle():
    @dg.asset(deps=["b"])
    def a(): ...

    @dg.asset(deps=["a"])
    def b(): ...

    return raised(lambda: dg.Definitions.validate_loadable(dg.Definitions(assets=[a, b])), Exception)


def case_unknown_selected():
    found = dg.define_asset_job("chosen", selection=["nowhere"])
    return raised(lambda: dg.Definitions.validate_loadable(dg.Definitions(assets=[raw], jobs=[found])), dg.DagsterError)


def case_merge():
    merged = dg.Definitions.merge(dg.Definitions(assets=[raw]), dg.Definitions(assets=[clean], resources={"r": 1}))
    return sorted(key.to_user_string() for key in merged.resolve_all_asset_keys()) if hasattr(merged, "resolve_all_asset_keys") else None


def case_merge_conflict():
    return raised(lambda: dg.Definitions.merge(dg.Definitions(resources={"r": 1}), dg.Definitions(resources={"r": 2})), Exception)


def case_missing_resource():
    @dg.asset(required_resource_keys={"nowhere"})
    def needs(context): ...

    return raised(lambda: dg.Definitions.validate_loadable(dg.Definitions(assets=[needs])), dg.DagsterInvalidDefinitionError)


def case_names():
    return job("job_g").name, dict(job("job_g").tags)
