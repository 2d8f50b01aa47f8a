"""What a step's end says of the partitions of its assets: a record for each that the run covers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagwright.authoring.results import ObserveResult
from dagwright.execution.contexts import clean
from dagwright.execution.surroundings import Surroundings
from dagwright.execution.versions import computed
from dagwright.planning.steps import PlannedOutput, Step
from dagwright_shared.model.events import AssetMaterialized, AssetObserved
from dagwright_shared.model.keys import UNPARTITIONED, AssetKey, PartitionKey, format_partition
from dagwright_shared.model.metadata import Metadata


def materialized(
    step: Step,
    output: PlannedOutput,
    surroundings: Surroundings,
    *,
    metadata: Metadata,
    version: Any,
    tags: Mapping[str, str],
    inputs: Mapping[str, str],
) -> Iterator[AssetMaterialized]:
    """The materializations of an output's asset.

    Args:
        version: the DataVersion that user code gave, or None.
        inputs: upstream key, as text, to the data version that was read.
    """
    key = _key(output)
    added, code = surroundings.added_to_assets, output.code_version
    for_all = {**metadata, **clean(added.get((key, None)))}
    made = version.value if version is not None else computed(code or surroundings.run.run_id, inputs)
    for partition in _partitions(step, output):
        own = added.get((key, format_partition(partition)))
        yield AssetMaterialized(
            asset_key=key,
            partition=partition,
            metadata={**for_all, **clean(own)} if own else for_all,
            tags=dict(tags),
            data_version=made,
            code_version=code,
            input_data_versions=inputs,
        )


def observed(step: Step, output: PlannedOutput, result: ObserveResult) -> Iterator[AssetObserved]:
    """The observations of an output's asset."""
    metadata = clean(result.metadata)
    for partition in _partitions(step, output):
        yield AssetObserved(
            asset_key=_key(output),
            partition=partition,
            metadata=metadata,
            tags=dict(result.tags),
            data_version=result.data_version.value if result.data_version is not None else None,
        )


def _partitions(step: Step, output: PlannedOutput) -> tuple[PartitionKey, ...]:
    """What of the asset is made: its partitions in this run, or the whole of it."""
    return (step.partition_keys if output.partitions is not None else ()) or (UNPARTITIONED,)


def _key(output: PlannedOutput) -> AssetKey:
    assert output.asset_key is not None
    return output.asset_key
