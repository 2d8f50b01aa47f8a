"""What an IO manager receives: where a value comes from or goes to."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from dagwright.authoring.partition_views import definition_of
from dagwright.authoring.partitions import PartitionKeyRange, PartitionsDefinition, TimeWindow
from dagwright.authoring.specs import AssetSpec
from dagwright.execution.identity import RunInfo
from dagwright.execution.partition_view import PartitionError, RunPartitions, multi_key, window_of
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import AssetKey, PartitionKey
from dagwright_shared.model.metadata import Metadata, normalize_metadata
from dagwright_shared.model.partitions import Partitions


@dataclass(kw_only=True)
class _Port:
    """What inputs and outputs have in common."""

    name: str = "result"
    step_key: str = ""
    job_name: str = ""
    run: RunInfo | None = None
    asset_key_or_none: AssetKey | None = None
    partitions: Partitions | None = None
    """Of the asset."""
    keys: tuple[PartitionKey, ...] = ()
    """Partitions of the asset that are loaded or stored."""
    of_run: RunPartitions = field(default_factory=RunPartitions)
    """The partitions of the run."""
    definition_metadata: Mapping[str, Any] = field(default_factory=dict)
    resources: Any = None
    resource_config: Any = None
    config: Any = None
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("dagwright"))
    annotation: Any = None
    op_def: Any = None
    step_context: Any = None
    _added: dict[str, Any] = field(default_factory=dict)

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.definition_metadata

    @property
    def run_id(self) -> str:
        if self.run is None:
            raise ValueError("this context has no run_id; build it with run_id=...")
        return self.run.run_id

    @property
    def has_asset_key(self) -> bool:
        return self.asset_key_or_none is not None

    @property
    def asset_key(self) -> AssetKey:
        if self.asset_key_or_none is None:
            raise ValueError(f"{self.name!r} is not an asset, so it has no asset_key; see has_asset_key")
        return self.asset_key_or_none

    @property
    def _subject(self) -> str:
        """What is loaded or stored, for errors."""
        return f"{self.name!r}" if self.asset_key_or_none is None else f"the asset {self.asset_key_or_none.to_user_string()}"

    @property
    def has_partition_key(self) -> bool:
        """Whether the run is of one partition."""
        return self.of_run.has_key

    @property
    def partition_key(self) -> str:
        """The partition of the run, as text.

        Raises:
            PartitionError: the run has no partition, or a range of them.
        """
        return self.of_run.key("the run")

    @property
    def has_asset_partitions(self) -> bool:
        return self.partitions is not None or any(self.keys)

    @property
    def asset_partitions_def(self) -> PartitionsDefinition | None:
        return definition_of(self.partitions)

    @property
    def asset_partition_keys(self) -> Sequence[str]:
        """Keys of the asset's partitions that are loaded or stored here, in order."""
        if not self.has_asset_partitions:
            raise PartitionError(f"{self._subject} is not partitioned; see has_asset_partitions")
        return [multi_key(key, self.partitions) for key in self.keys]

    @property
    def asset_partition_key(self) -> str:
        """The one partition; raises PartitionError when there are several."""
        keys = self.asset_partition_keys
        if len(keys) != 1:
            raise PartitionError(f"{len(keys)} partitions are handled here, not one; use asset_partition_keys")
        return keys[0]

    @property
    def asset_partition_key_range(self) -> PartitionKeyRange:
        """The first and the last of the asset's partitions that are loaded or stored here."""
        keys = self.asset_partition_keys
        if not keys:
            raise PartitionError(f"no partition of {self._subject} is handled here")
        return PartitionKeyRange(keys[0], keys[-1])

    @property
    def asset_partitions_time_window(self) -> TimeWindow:
        """From the start of the first to the end of the last partition; only where one dimension is of time."""
        return window_of(self.partitions, self.keys, self._subject)

    @property
    def dagster_type(self) -> Any:
        return _TypeView(self.annotation)

    def get_asset_identifier(self) -> Sequence[str]:
        """The key's components, and the partition's key where there is one."""
        path = list(self.asset_key.path)
        return [*path, self.asset_partition_key] if self.has_asset_partitions else path

    def note_metadata(self) -> Metadata:
        """What the IO manager has added, wrapped."""
        return normalize_metadata(self._added)


@dataclass(frozen=True, slots=True)
class _TypeView:
    typing_type: Any

    @property
    def display_name(self) -> str:
        return getattr(self.typing_type, "__name__", "Any") if self.typing_type is not None else "Any"


@dataclass(kw_only=True)
class OutputContext(_Port):
    """Given to `IOManager.handle_output`: which output, asset and partition a value is for."""

    mapping_key: str | None = None
    version: str | None = None
    output_metadata: Mapping[str, Any] = field(default_factory=dict)
    """What the function attached to this very output."""
    spec_or_none: AssetSpec | None = None

    @property
    def asset_spec(self) -> AssetSpec:
        """The spec of the asset that the output is.

        Raises:
            ValueError: it is not an asset, or the context was built without one.
        """
        if self.spec_or_none is not None:
            return self.spec_or_none
        step = self.step_context.surroundings.step if self.step_context is not None else None
        if step is None or step.assets is None:
            raise ValueError(f"{self.name!r} has no asset_spec here; in a test, build_output_context(asset_spec=...) gives it one")
        spec: AssetSpec = step.assets.get_asset_spec(self.asset_key)
        return spec

    @property
    def has_asset_partitions(self) -> bool:
        """Whether it is partitions of the asset that are stored: not so in a test that runs it without any."""
        return bool(self.keys)

    def add_output_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Attach metadata to the output's event and to the asset's materialization."""
        self._added.update(metadata)

    def get_logged_metadata(self) -> Metadata:
        """What `add_output_metadata` was given here."""
        return self.note_metadata()

    def consume_logged_metadata(self) -> Metadata:
        """The same, which is then forgotten: how a test of an IO manager reads what it told of each value."""
        told = self.note_metadata()
        self._added.clear()
        return told

    def get_identifier(self) -> Sequence[str]:
        """A path that is unique to this output: that of the asset, or run, step, output (and mapping key)."""
        if self.has_asset_key:
            return self.get_asset_identifier()
        return self.get_run_scoped_output_identifier()

    def get_run_scoped_output_identifier(self) -> Sequence[str]:
        path = [self.run_id, self.step_key, self.name]
        return [*path, self.mapping_key] if self.mapping_key else path

    def log_event(self, event: Any) -> None:
        if self.step_context is None:
            raise ValueError("this context was built outside of a run: there is nowhere to log an event")
        self.step_context.log_event(event)


@dataclass(kw_only=True)
class InputContext(_Port):
    """Given to `IOManager.load_input`: which asset, partitions or upstream output to load."""

    upstream_output: OutputContext | None = None

    def add_input_metadata(self, metadata: Mapping[str, Any], description: str | None = None) -> None:
        """Attach metadata to the event that tells of the loading."""
        del description
        self._added.update(metadata)

    def get_identifier(self) -> Sequence[str]:
        if self.has_asset_key:
            return self.get_asset_identifier()
        if self.upstream_output is None:
            raise ValueError(f"the input {self.name!r} has neither an asset key nor an upstream output")
        return self.upstream_output.get_identifier()
