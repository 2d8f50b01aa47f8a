"""Values that a function loads itself, and what is said when it cannot."""

from __future__ import annotations

import re

import pytest

import dagwright as dg

pytestmark = pytest.mark.unit

LETTERS = dg.StaticPartitionsDefinition(["a", "b"])


@dg.asset
def numbers():
    return [1, 2]


def test_partitions_are_those_that_an_argument_would_have():
    seen = []

    @dg.asset(partitions_def=LETTERS)
    def letter(context):
        return context.partition_key * 2

    @dg.asset(partitions_def=LETTERS, deps=[letter])
    def reader(context: dg.AssetExecutionContext):
        seen.extend([context.load_asset_value("letter"), context.load_asset_value("letter", partition_key="a")])

    with dg.instance_for_test() as instance:
        resources = {"io_manager": dg.InMemoryIOManager()}
        for key in LETTERS.get_partition_keys():
            dg.materialize([letter], partition_key=key, instance=instance, resources=resources)
        assert dg.materialize([letter, reader], selection=[reader], partition_key="b", instance=instance, resources=resources).success
    assert seen == ["bb", "aa"]


def test_an_asset_that_is_not_upstream_is_refused():
    @dg.asset(deps=[numbers])
    def reader(context: dg.AssetExecutionContext):
        context.load_asset_value("words")

    said = "step 'reader' depends on numbers, not on words, so nothing says when that is made; add it to deps="
    with pytest.raises(ValueError, match=re.escape(said)):
        dg.materialize([numbers, reader])


def test_a_context_built_by_hand_has_no_values():
    with pytest.raises(ValueError, match=r"built by hand.*Definitions\.load_asset_value"):
        dg.build_asset_context().load_asset_value("numbers")


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("get_backfills", "`.backfills` of a `dagwright.client.Client`"),
        ("create_run_for_job", "`.runs` of a `dagwright.client.Client`"),
        ("report_dagster_event", "`report_runless_asset_event`"),
        ("report_run_failed", "an exception in the step"),
        ("run_launcher", "the daemon and the code servers"),
    ],
)
def test_members_that_the_instance_lacks_say_what_to_use(name: str, instead: str):
    instance = dg.Instance.ephemeral()
    with pytest.raises(AttributeError, match=re.escape(f"the instance has no {name!r}; use {instead}")):
        getattr(instance, name)
    assert not hasattr(instance, name)


def test_what_nobody_knows_is_plainly_absent():
    with pytest.raises(AttributeError, match=r"^the instance has no 'nonsense'$"):
        dg.Instance.ephemeral().nonsense  # noqa: B018
