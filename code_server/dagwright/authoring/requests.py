"""What schedules and sensors answer: run requests, or why there are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from dagwright.authoring import naming
from dagwright.authoring.config import RunConfig, config_dict
from dagwright.authoring.partitions import MultiPartitionKey, PartitionKeyRange, PartitionsDefinition
from dagwright_shared.model import ranges
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import UserCodeError, error_info
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, PartitionKey
from dagwright_shared.model.snapshot import TriggerTarget
from dagwright_shared.model.ticks import RunRequestData

Stale: TypeAlias = Callable[[Sequence[AssetKey], PartitionKey], Sequence[AssetKey]]
"""Which of some assets are missing, or older than their upstreams or their code."""


@dataclass(frozen=True, slots=True, init=False)
class RunRequest:
    """A run that a schedule or sensor asks for.

    Args:
        run_key: a run with the same key is made once only, in the whole deployment.
        run_config: a dict or a RunConfig.
        tags: of the run; `dagster/asset_partition_range_start` and `..._end` have it cover a range of partitions, both ends included.
        job_name: which of the sensor's jobs; not needed where there is one.
        asset_selection: only these assets of the target.
        stale_assets_only: of them, only those that are missing, or older than their upstreams or their code.
        partition_key: the partition that the run covers.
        asset_check_keys: of the checks only these; none with `[]`. By default all those of the assets.

    Example:
        >>> RunRequest(run_key="2024-01-01", partition_key="2024-01-01").partition_key
        '2024-01-01'
    """

    run_key: str | None
    run_config: Mapping[str, Any]
    tags: Mapping[str, str]
    job_name: str | None
    asset_selection: Sequence[AssetKey] | None
    partition_key: str | None
    stale_assets_only: bool
    asset_check_keys: Sequence[AssetCheckKey] | None

    def __init__(
        self,
        run_key: str | None = None,
        run_config: Mapping[str, Any] | RunConfig | None = None,
        tags: Mapping[str, Any] | None = None,
        job_name: str | None = None,
        asset_selection: Sequence[Any] | None = None,
        stale_assets_only: bool = False,
        partition_key: str | None = None,
        asset_check_keys: Sequence[AssetCheckKey] | None = None,
    ) -> None:
        if partition_key is not None and not isinstance(partition_key, str):
            raise TypeError(
                f"RunRequest: partition_key is a {type(partition_key).__name__}, not text; format it as the partitions definition does"
            )
        if run_key is not None and not isinstance(run_key, str):
            raise TypeError(f"RunRequest: run_key is a {type(run_key).__name__}, not text; write run_key=str(...)")
        values = {
            "run_key": run_key,
            "run_config": config_dict(run_config),
            "tags": naming.check_run_tags(tags, "RunRequest", None),
            "job_name": job_name,
            "asset_selection": None if asset_selection is None else [naming.asset_key(item, "RunRequest") for item in asset_selection],
            "partition_key": partition_key,
            "stale_assets_only": stale_assets_only,
            "asset_check_keys": None if asset_check_keys is None else list(asset_check_keys),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if self.partition_key_range is not None and partition_key is not None:
            raise ValueError("RunRequest: partition_key names one partition, and the tags a range; leave one of them out")

    @property
    def partition_key_range(self) -> PartitionKeyRange | None:
        """The range of partitions that the request's tags name, if they do."""
        span = ranges.ends_in(self.tags)
        return None if span is None else PartitionKeyRange(*span)

    def with_replaced_attrs(self, **changes: Any) -> RunRequest:
        """A copy with other values; arguments as for RunRequest."""
        return RunRequest(**{**{name: getattr(self, name) for name in self.__slots__}, **changes})

    def to_model(self, target: TriggerTarget | None, partitions: PartitionsDefinition | None, stale: Stale | None = None) -> RunRequestData:
        """The request as data.

        Args:
            target: what it is for; None when `job_name` says it.
            partitions: of the target, to read the key.
            stale: which of some assets are stale; without it `stale_assets_only` leaves out none.
        """
        span = self.partition_key_range
        partition, partition_end = UNPARTITIONED, None
        if span is not None:
            partition, partition_end = (_parsed(end, partitions) for end in span)
        elif self.partition_key is not None:
            partition = _parsed(self.partition_key, partitions)
        job_name = self.job_name or (target.job_name if target else None)
        assets = self.asset_selection if self.asset_selection is not None else (target.asset_keys if target else ())
        checks = (
            self.asset_check_keys
            if self.asset_check_keys is not None
            else (target.check_keys if target and self.asset_selection is None else ())
        )
        if self.stale_assets_only and stale is not None:
            assets = tuple(stale(assets, partition))
        return RunRequestData(
            run_key=self.run_key,
            job_name=job_name,
            asset_keys=tuple(assets),
            check_keys=tuple(checks),
            only_checks=self.asset_check_keys is not None,
            partition=partition,
            partition_end=partition_end,
            config=self.run_config,
            # The run tells its partitions itself.
            tags={key: value for key, value in self.tags.items() if span is None or key not in (ranges.START_TAG, ranges.END_TAG)},
        )


def _parsed(key: str, partitions: PartitionsDefinition | None) -> PartitionKey:
    if isinstance(key, MultiPartitionKey):
        return tuple(key.keys_by_dimension.values())
    return partitions.parse_key(key) if partitions is not None else (key,)


@dataclass(frozen=True, slots=True, kw_only=True)
class TickResult:
    """What a schedule or sensor answers when a test evaluates it by `evaluate_tick`."""

    run_requests: Sequence[RunRequest] = ()
    skip_message: str | None = None
    """Why there are no requests."""
    cursor: str | None = None
    """A sensor's new cursor."""
    dynamic_partitions_requests: Sequence[Any] = ()
    asset_events: Sequence[Any] = ()

    @staticmethod
    def of(requests: Sequence[RunRequest], skip_message: str | None, **others: Any) -> TickResult:
        """The answer; requests for a partition carry the tag that their runs will have."""
        tagged = [
            request.with_replaced_attrs(tags={**request.tags, **_partition_tags(request.partition_key)})
            if request.partition_key is not None
            else request
            for request in requests
        ]
        return TickResult(run_requests=tagged, skip_message=skip_message, **others)


def _partition_tags(key: str) -> dict[str, str]:
    parts = key.keys_by_dimension if isinstance(key, MultiPartitionKey) else {}
    return {ranges.PARTITION_TAG: str(key), **{f"{ranges.PARTITION_TAG}/{name}": part for name, part in parts.items()}}


@dataclass(frozen=True, slots=True)
class SkipReason:
    """Why a schedule or sensor asks for no run this time; shown beside the tick."""

    skip_message: str | None = None


def broke(error: BaseException, doing: str) -> UserCodeError:
    """A user function's exception as data, with what it was doing."""
    return UserCodeError(error_info(error), doing)


def misfit(what: str, returned: object, expected: str) -> UserCodeError:
    """The error for a user function that returned something else than it may."""
    error = TypeError(f"it returned {returned!r} (a {type(returned).__name__}); return {expected}")
    return UserCodeError(error_info(error), what)
