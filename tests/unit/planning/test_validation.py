from __future__ import annotations

import pytest

import dagwright as dg


@dg.op(config_schema={"rows": int})
def load(context: dg.OpExecutionContext) -> int:
    return int(context.op_config["rows"])


def test_run_config_is_checked_without_running() -> None:
    @dg.job
    def once():
        load()

    good = {"ops": {"load": {"config": {"rows": 3}}}}
    assert dg.validate_run_config(once, good) == good
    with pytest.raises(dg.DagsterInvalidConfigError, match=r"config\.ops\.load\.config\.rows"):
        dg.validate_run_config(once, {"ops": {"load": {"config": {"rows": "x"}}}})

    @dg.job(partitions_def=dg.StaticPartitionsDefinition(["a"]))
    def by_key():
        load()

    assert dg.validate_run_config(by_key, good) == good
