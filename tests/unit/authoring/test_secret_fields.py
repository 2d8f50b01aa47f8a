"""Entries of config whose values pages do not show; jobs of some of a job's assets."""

from __future__ import annotations

import pytest

import dagwright as dg
from dagwright.loading.snapshot import build
from dagwright_shared.model.keys import LocationName
from dagwright_webserver.reads.resources import MASK, masked

pytestmark = pytest.mark.unit


@dg.resource(config_schema={"account": dg.Field(str), "pin": dg.Field(str, is_secret=True)})
def bank(context):
    return context.resource_config["pin"]


def test_the_schema_says_that_an_entry_is_secret_and_pages_mask_it() -> None:
    given = bank.configured({"account": "shop", "pin": "1234"})
    (shown,) = (one for one in build(dg.Definitions(resources={"bank": given}), LocationName("here")).resources if one.key == "bank")
    schema = shown.config_schema
    assert schema is not None
    assert schema["properties"]["pin"]["writeOnly"] is True
    assert "writeOnly" not in schema["properties"]["account"]
    assert masked("account", "shop", schema["properties"]["account"]) == "shop"
    assert masked("pin", "1234", schema["properties"]["pin"]) == MASK


def test_a_job_of_ops_says_how_some_of_them_are_run() -> None:
    @dg.op
    def work(): ...

    @dg.job
    def nightly():
        work()

    with pytest.raises(dg.DefinitionError, match=r"job 'nightly' has no subset.*execute_in_process\(op_selection="):
        nightly.get_subset(op_selection=["work"])


def test_a_subset_of_what_a_job_does_not_have_names_the_nearest() -> None:
    @dg.asset
    def orders(): ...

    job = dg.Definitions(assets=[orders], jobs=[dg.define_asset_job("all_of_it")]).resolve_job_def("all_of_it")
    assert job.get_subset() is job
    with pytest.raises(dg.SubsetError, match=r"job 'all_of_it' does not have ordres; did you mean 'orders'\?"):
        job.get_subset(asset_selection={dg.AssetKey("ordres")})
