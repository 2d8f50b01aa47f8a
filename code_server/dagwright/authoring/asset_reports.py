"""What user code tells of assets outside of any run, as it is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dagwright.authoring.results import AssetMaterialization, AssetObservation
from dagwright_shared.model import events as e
from dagwright_shared.model.keys import UNPARTITIONED, PartitionKey

_DATA_VERSION_TAG = "dagster/data_version"


def partition_keys(keys: Sequence[str | None]) -> tuple[PartitionKey, ...]:
    """Partition keys as text, as keys."""
    # Text of several dimensions has their keys joined by `|`, as everywhere in the product.
    return tuple(UNPARTITIONED if key is None else tuple(str(key).split("|")) for key in keys)


def reported_payload(given: Any) -> e.AssetMaterialized | e.AssetObserved | e.CheckEvaluated:
    """What user code reports of an asset, as it is recorded.

    Raises:
        TypeError: it is nothing that can be reported.
    """
    version = getattr(given, "tags", {}).get(_DATA_VERSION_TAG) if not hasattr(given, "check_name") else None
    match given:
        case AssetMaterialization() | AssetObservation():
            kind: type[Any] = e.AssetMaterialized if isinstance(given, AssetMaterialization) else e.AssetObserved
            made: e.AssetMaterialized | e.AssetObserved = kind(
                asset_key=given.asset_key,
                partition=partition_keys([given.partition])[0],
                metadata=given.metadata,
                description=given.description,
                tags=given.tags,
                data_version=version,
            )
            return made
    if hasattr(given, "check_name") and hasattr(given, "passed"):
        return e.CheckEvaluated(
            check_key=given.asset_check_key,
            passed=given.passed,
            severity=given.severity,
            blocking=getattr(given, "blocking", False),
            description=given.description,
            metadata=given.metadata,
        )
    what = type(given).__name__
    raise TypeError(f"report_runless_asset_event takes an AssetMaterialization, AssetObservation or AssetCheckEvaluation, not a {what}")
