"""What a step may know of the run that it is part of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import UNPARTITIONED, PartitionKey, RunId


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
