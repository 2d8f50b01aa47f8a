"""What a step may know of the run that it is part of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import UNPARTITIONED, PartitionKey, RunId


@dataclass(frozen=True, slots=True)
class NodeHandle:
    """The place of an op in its job: `outer.inner` is the op `inner` in the graph `outer`."""

    name: str
    parent: NodeHandle | None = None

    @staticmethod
    def of(text: str) -> NodeHandle:
        """Read `outer.inner`."""
        outer, _, name = text.rpartition(".")
        return NodeHandle(name, NodeHandle.of(outer) if outer else None)

    @property
    def path(self) -> list[str]:
        return [*(self.parent.path if self.parent is not None else ()), self.name]

    def to_string(self) -> str:
        return ".".join(self.path)

    def __str__(self) -> str:
        return self.to_string()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """`context.run`: the run, seen from inside."""

    run_id: str
    job_name: str = "__ASSET_JOB"
    tags: Mapping[str, str] = field(default_factory=dict)
    run_config: Mapping[str, JsonValue] = field(default_factory=dict)
    partition: PartitionKey = UNPARTITIONED
    partition_end: PartitionKey | None = None
    """The last partition of a range; None: it is not of a range."""
    parent_run_id: RunId | None = None
    root_run_id: RunId | None = None
    retry_number: int = 0

    @property
    def is_resume_retry(self) -> bool:
        return self.parent_run_id is not None
