"""Config classes: defaults, nesting, errors."""

from typing import Optional

import dagster as dg
from observe import raised
from pydantic import Field


class Inner(dg.Config):
    size: int = 3
    names: list[str] = ["a"]


class Outer(dg.Config):
    path: str
    inner: Inner = Inner()
    limit: Optional[int] = None
    ratio: float = Field(default=0.5, description="a share")
    flags: dict[str, bool] = {}


@dg.op
def shows(config: Outer):
    return config.path, config.inner.size, config.inner.names, config.limit, config.ratio, config.flags


@dg.job
def showing():
    shows()


def run(config):
    return showing.execute_in_process(run_config={"ops": {"shows": {"config": config}}}).output_for_node("shows")


def case_defaults():
    return run({"path": "x"})


def case_all_given():
    return run({"path": "x", "inner": {"size": 9, "names": ["b", "c"]}, "limit": 4, "ratio": 2, "flags": {"f": True}})


def case_run_config():
    config = dg.RunConfig(ops={"shows": Outer(path="y", inner=Inner(size=1))})
    return showing.execute_in_process(run_config=config).output_for_node("shows")


def case_errors():
    wrong = [{}, {"path": 1}, {"path": "x", "unknown": 1}, {"path": "x", "inner": {"size": "big"}}, {"path": "x", "flags": [1]}]
    return [raised(lambda given=given: run(given), dg.DagsterInvalidConfigError) for given in wrong]


def case_env():
    import os

    os.environ["DIFFERENTIAL_PATH"] = "from-env"
    return run({"path": dg.EnvVar("DIFFERENTIAL_PATH")}) if False else run({"path": {"env": "DIFFERENTIAL_PATH"}})


def case_permissive():
    class Loose(dg.PermissiveConfig):
        known: int = 1

    @dg.op
    def loose(config: Loose):
        return config.known, getattr(config, "extra", None)

    @dg.job
    def job():
        loose()

    return job.execute_in_process(run_config={"ops": {"loose": {"config": {"extra": "yes"}}}}).output_for_node("loose")


def case_asset_config():
    @dg.asset
    def made(config: Inner) -> int:
        return config.size

    first = dg.materialize([made]).asset_value("made")
    second = dg.materialize([made], run_config=dg.RunConfig(ops={"made": Inner(size=8)})).asset_value("made")
    return first, second


def case_job_config():
    @dg.job(config={"ops": {"shows": {"config": {"path": "fixed"}}}})
    def fixed():
        shows()

    return fixed.execute_in_process().output_for_node("shows")


def case_frozen():
    try:
        Inner().size = 4
    except Exception:  # noqa: BLE001 - pydantic's class
        return "frozen"
    return "mutable"


def case_validate():
    good = dg.validate_run_config(showing, {"ops": {"shows": {"config": {"path": "x"}}}})
    return good["ops"]["shows"]["config"]["path"], raised(
        lambda: dg.validate_run_config(showing, {"ops": {"nothing": {}}}), dg.DagsterInvalidConfigError
    )
