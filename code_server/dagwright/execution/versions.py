"""Data versions: a name for the content of an asset, computed from its code version and the versions that it was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from dagwright.authoring.results import DataVersion
from dagwright.execution.ports import History
from dagwright_shared.model import versions
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import AssetKey, PartitionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class DataProvenance:
    """What an asset's newest data was made of."""

    code_version: str | None
    input_data_versions: Mapping[AssetKey, DataVersion]
    input_storage_ids: Mapping[AssetKey, int | None]
    """Always empty: events are named by run and number here."""
    is_user_provided: bool
    """Whether user code said the version itself."""


def provenance(history: History, key: AssetKey, partition: PartitionKey) -> DataProvenance | None:
    """Of the newest materialization that this run knows of."""
    known = history.latest(key, partition)
    if known is None:
        return None
    inputs = {AssetKey.from_user_string(name): DataVersion(version) for name, version in known.input_data_versions.items()}
    expected = computed(known.code_version or known.run_id or "", known.input_data_versions)
    return DataProvenance(
        code_version=known.code_version,
        input_data_versions=inputs,
        input_storage_ids={},
        is_user_provided=known.data_version != expected,
    )


def computed(code_version: str, inputs: Mapping[str, str]) -> str:
    """The version of what was made by this code from these inputs.

    Args:
        code_version: of the asset; the run's id where it has none, so that each run makes new data.
        inputs: upstream key, as text, to its data version.
    """
    text = "\n".join((code_version, *(f"{key}={version}" for key, version in sorted(inputs.items()))))
    return hashlib.sha256(text.encode()).hexdigest()


def of_input(history: History, key: AssetKey, partitions: Sequence[PartitionKey]) -> str | None:
    """The version of what a step reads of an asset: of its partition, or of all that it reads, taken together.

    None where there are too many partitions to look at.
    """
    if len(partitions) > versions.MAX_PARTITIONS:
        return None
    found = [history.latest(key, partition) for partition in partitions]
    return versions.combined([known.data_version if known is not None else None for known in found])
