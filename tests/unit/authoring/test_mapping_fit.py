"""Mappings that cannot be between two assets are told at load; those of the user's own work inside of others."""

from __future__ import annotations

import pytest

import dagwright as dg
from dagwright_shared.model.errors import DefinitionError

pytestmark = pytest.mark.unit

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-04")
HOURS = dg.HourlyPartitionsDefinition("2024-01-01-00:00", end_date="2024-01-04-00:00")
LETTERS = dg.StaticPartitionsDefinition(["a", "b"])
GRID = dg.MultiPartitionsDefinition({"day": DAYS, "letter": LETTERS})
SAME_DAY = dg.DimensionPartitionMapping("day", dg.IdentityPartitionMapping())


class Opposite(dg.PartitionMapping):
    """a reads b, b reads a, and what is not there."""

    def get_upstream_mapped_partitions_result_for_partitions(
        self,
        downstream_partitions_subset,
        downstream_partitions_def,
        upstream_partitions_def,
        current_time=None,
        dynamic_partitions_store=None,
    ):
        read = [{"a": "b", "b": "a"}[key] for key in downstream_partitions_subset]
        there = [key for key in read if upstream_partitions_def.has_partition_key(key)]
        missing = [key for key in read if key not in there]
        return dg.UpstreamPartitionsResult(
            partitions_subset=upstream_partitions_def.subset_with_partition_keys(there),
            required_but_nonexistent_subset=upstream_partitions_def.empty_subset().with_partition_keys(missing),
        )

    def validate_partition_mapping(self, upstream_partitions_def, downstream_partitions_def):
        if not isinstance(downstream_partitions_def, (dg.StaticPartitionsDefinition, dg.MultiPartitionsDefinition)):
            raise TypeError("only letters have an opposite")


def load(above, below, mapping, *, external: bool = False) -> None:
    if external:
        up = dg.AssetSpec("up", partitions_def=above)
    else:

        @dg.asset(name="up", partitions_def=above)
        def up() -> None: ...

    @dg.asset(name="down", partitions_def=below, deps=[dg.AssetDep("up", partition_mapping=mapping)])
    def down() -> None: ...

    dg.Definitions.validate_loadable(dg.Definitions(assets=[up, down]))


@pytest.mark.parametrize(
    ("above", "below", "mapping", "told"),
    [
        (LETTERS, DAYS, dg.TimeWindowPartitionMapping(), "both sides must have partitions of time"),
        (DAYS, None, dg.TimeWindowPartitionMapping(), "both sides must have partitions of time"),
        (DAYS, LETTERS, dg.IdentityPartitionMapping(), "partitions of one kind"),
        (LETTERS, LETTERS, dg.StaticPartitionMapping({"a": "a", "bb": "b"}), "the upstream has no partition 'bb'.*did you mean 'b'"),
        (LETTERS, LETTERS, dg.StaticPartitionMapping({"a": ["a", "z"]}), "the downstream has no partition 'z'.*its partitions are a, b"),
        (DAYS, LETTERS, dg.StaticPartitionMapping({}), "the upstream must have static partitions"),
        (GRID, GRID, dg.MultiPartitionMapping({"days": SAME_DAY}), "the upstream has no dimension 'days'.*did you mean 'day'"),
        (GRID, DAYS, dg.MultiPartitionMapping({"day": SAME_DAY}), "the downstream must have partitions of several dimensions"),
        (GRID, DAYS, dg.MultiToSingleDimensionPartitionMapping("hour"), "no dimension 'hour'"),
        (DAYS, LETTERS, dg.MultiToSingleDimensionPartitionMapping(), "one side must have partitions of several dimensions"),
        (LETTERS, DAYS, Opposite(), "TypeError: only letters have an opposite.*name another mapping"),
    ],
)
def test_a_mapping_that_does_not_fit(above, below, mapping, told) -> None:
    with pytest.raises(
        DefinitionError, match=rf"the asset down reads up by a {type(mapping).__name__}, which does not fit: .*{told}"
    ) as raised:
        load(above, below, mapping)
    assert "test_mapping_fit.py:" in str(raised.value)
    load(above, below, mapping, external=True)


@pytest.mark.parametrize(
    ("above", "below", "mapping"),
    [
        (HOURS, DAYS, dg.TimeWindowPartitionMapping(start_offset=-1)),
        (DAYS, None, dg.LastPartitionMapping()),
        (LETTERS, DAYS, dg.SpecificPartitionsPartitionMapping(["a"])),
        (LETTERS, LETTERS, dg.StaticPartitionMapping({"a": "b"})),
        (GRID, DAYS, dg.MultiToSingleDimensionPartitionMapping()),
        (LETTERS, GRID, dg.MultiToSingleDimensionPartitionMapping("letter")),
        (GRID, GRID, dg.MultiPartitionMapping({"day": SAME_DAY})),
        (GRID, GRID, dg.MultiPartitionMapping({"letter": dg.DimensionPartitionMapping("letter", Opposite())})),
    ],
)
def test_a_mapping_that_fits(above, below, mapping) -> None:
    load(above, below, mapping)


def test_a_class_of_the_users_in_a_dimension(tmp_path) -> None:
    mapping = dg.MultiPartitionMapping({"day": SAME_DAY, "letter": dg.DimensionPartitionMapping("letter", Opposite())})

    @dg.asset(partitions_def=GRID)
    def up(context: dg.AssetExecutionContext) -> str:
        return f"made of {context.partition_key}"

    @dg.asset(partitions_def=GRID, ins={"up": dg.AssetIn(partition_mapping=mapping)})
    def down(up: str) -> str:
        return up

    resources = {"io_manager": dg.FilesystemIOManager(base_dir=str(tmp_path))}
    dg.materialize([up], partition_key="2024-01-02|b", resources=resources)
    result = dg.materialize([up, down], selection=[down], partition_key="2024-01-02|a", resources=resources)
    assert result.asset_value("down") == "made of 2024-01-02|b"


def test_what_a_class_in_a_dimension_lacks_is_missing_as_a_whole() -> None:
    few = dg.MultiPartitionsDefinition({"day": DAYS, "letter": dg.StaticPartitionsDefinition(["a"])})
    mapping = dg.MultiPartitionMapping({"letter": dg.DimensionPartitionMapping("letter", Opposite())})
    found = mapping.get_upstream_mapped_partitions_result_for_partitions(GRID.subset_with_partition_keys(["2024-01-01|a"]), GRID, few)
    assert list(found.partitions_subset) == []
    assert [str(key) for key in found.required_but_nonexistent_partition_keys] == ["2024-01-01|b", "2024-01-02|b", "2024-01-03|b"]
