"""What a context is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

from dagwright.execution.identity import RunInfo
from dagwright.execution.partition_view import RunPartitions
from dagwright.execution.ports import History
from dagwright.planning.steps import FromAsset, Step
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.events import Payload
from dagwright_shared.model.keys import AssetKey, PartitionKey


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """The engine fills it in for a step; the `build_*_context` functions for a test."""

    run: RunInfo
    emit: Callable[[Payload], None]
    step: Step | None = None
    attempt: int = 1
    config: Any = None
    resources: Any = None
    instance: Any = None
    history: History | None = None
    covered: RunPartitions = field(default_factory=RunPartitions)
    """The partitions of the run."""
    upstream_keys: Callable[[FromAsset], Sequence[PartitionKey]] | None = None
    load_asset: Callable[[AssetKey, Any, str | None], Any] | None = None
    """Loads the value of an asset upstream: the key, the type that is asked for, the partition."""
    added: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Metadata by output."""
    added_to_assets: dict[tuple[AssetKey, str | None], dict[str, Any]] = field(default_factory=dict)
    """Metadata by asset, and by partition where one was named."""
    mapping_key: str | None = None
    """Of a context that was made by hand."""
    built: bool = False
    """Made by hand, outside of a run."""
    close: Callable[[], None] | None = None
    """Tears down what was set up for a context that was made by hand."""
