"""What a schedule or sensor answered when somebody tried it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagwright_shared.model.events import CheckEvaluated
from dagwright_shared.model.history import ReportableEvent
from dagwright_shared.model.keys import AssetKey, format_partition
from dagwright_shared.model.ticks import Evaluation
from dagwright_webserver.reads.view import view


@view
class RequestView:
    """A run that a schedule or sensor would ask for."""

    run_key: str | None
    """A run with the same key is made once only."""
    job: str | None
    """The job; null for assets picked freely."""
    assets: tuple[str, ...]
    """Its assets; none: all of the job."""
    partition: str | None
    """Its partition."""
    config: Mapping[str, Any]
    """Its run config."""
    tags: Mapping[str, str]
    """Its tags."""


@view
class EvaluationView:
    """What a schedule or sensor would do now."""

    requests: tuple[RequestView, ...]
    """The runs that it would ask for."""
    skip_reason: str | None
    """Why it would ask for none."""
    cursor: str | None
    """A sensor's new cursor; null keeps the old one."""
    added_partitions: Mapping[str, tuple[str, ...]]
    """Keys that it would add to dynamic partitions, by definition."""
    deleted_partitions: Mapping[str, tuple[str, ...]]
    """Keys that it would delete."""
    asset_events: tuple[str, ...]
    """What it would record of assets."""
    logs: tuple[str, ...]
    """What user code printed and logged."""


def evaluation_view(evaluation: Evaluation) -> EvaluationView:
    """What a schedule or sensor answered, as it is shown."""
    return EvaluationView(
        requests=tuple(
            RequestView(
                run_key=one.run_key,
                job=one.job_name,
                assets=tuple(key.to_user_string() for key in one.asset_keys),
                partition=format_partition(one.partition),
                config=one.config,
                tags=one.tags,
            )
            for one in evaluation.requests
        ),
        skip_reason=evaluation.skip_reason,
        cursor=evaluation.cursor,
        added_partitions={change.name: change.add for change in evaluation.dynamic_partitions if change.add},
        deleted_partitions={change.name: change.delete for change in evaluation.dynamic_partitions if change.delete},
        asset_events=tuple(f"{type(event).__name__} of {_asset_of(event).to_user_string()}" for event in evaluation.asset_events),
        logs=evaluation.logs,
    )


def _asset_of(event: ReportableEvent) -> AssetKey:
    return event.check_key.asset_key if isinstance(event, CheckEvaluated) else event.asset_key
