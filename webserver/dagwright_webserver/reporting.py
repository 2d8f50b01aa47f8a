"""From what somebody tells of an asset to an event: pure checks on the current definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, Field, StrictBool

from dagwright_shared.model import partitions as partitioning
from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.errors import InvalidRequestError, NotFoundError, Problem
from dagwright_shared.model.events import AssetMaterialized, AssetObserved, CheckEvaluated, Severity
from dagwright_shared.model.history import ReportableEvent
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, LocationName, PartitionKey, parse_partition
from dagwright_shared.model.metadata import MetadataValue, metadata_value
from dagwright_shared.model.metadata_json import metadata_value_from_json, metadata_value_to_json
from dagwright_shared.model.snapshot import AssetSnapshot
from dagwright_webserver.launching import unknown_partition
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.schemas import Body, Tags

_TITLE = "The report is not valid"
_VERSION_TAG = "dagster/data_version"


class ReportBody(Body):
    """What happened to an asset outside of any run."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"partition": "2013-01-01", "metadata": {"rows": 842, "source": "https://example.com/flights.csv"}}]
        }
    )

    partition: str | None = None
    """Partition key, such as `2013-01-01`; `|` between dimensions."""
    metadata: dict[str, Any] = Field(default_factory=dict, max_length=1000)
    """Label to a number, text, list or object, or to `{"type": "md", "raw_value": "..."}` for a kind of metadata."""
    description: str | None = Field(default=None, max_length=10_000)
    """In words."""
    data_version: str | None = Field(default=None, min_length=1, max_length=1000)
    """Version of the data that is there now; another one than before makes downstream assets stale."""
    tags: Tags = Field(default_factory=dict)
    """Free labels of the event."""
    location: str | None = None
    """The code location, where several define the same asset."""


class CheckReportBody(Body):
    """The result of a check that was made outside of any run."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"passed": False, "severity": "WARN", "metadata": {"empty_rows": 3}}]})

    passed: StrictBool
    """Whether the asset is as it should be."""
    severity: Severity = Severity.ERROR
    """How bad it is where it did not pass: WARN or ERROR."""
    partition: str | None = None
    """The partition that was looked at, where it was one."""
    metadata: dict[str, Any] = Field(default_factory=dict, max_length=1000)
    """Label to a value, as of a materialization."""
    description: str | None = Field(default=None, max_length=10_000)
    """What was found, in words."""
    location: str | None = None
    """The code location, where several define the same asset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An event that is fit to be recorded."""

    location: LocationName
    payload: ReportableEvent


def materialized(body: ReportBody, key: AssetKey, defs: Definitions, at: Moment) -> Report:
    """Somebody has made the asset.

    Raises:
        NotFoundError: no location defines it.
        InvalidRequestError: with everything that is wrong.
    """
    place, asset = defs.asset(key, body.location)
    problems: list[Problem] = []
    if asset.partitions is not None and body.partition is None:
        described = partitioning.describe(asset.partitions)
        problems.append(Problem(path="partition", message=f"say which partition was made ({described})", expected=described))
    partition, metadata = _partition(body.partition, asset, at, problems), _metadata(body.metadata, problems)
    _raise(problems)
    payload = AssetMaterialized(
        asset_key=key,
        partition=partition,
        metadata=metadata,
        description=body.description,
        tags=body.tags,
        data_version=body.data_version or body.tags.get(_VERSION_TAG),
    )
    return Report(location=place, payload=payload)


def observed(body: ReportBody, key: AssetKey, defs: Definitions, at: Moment) -> Report:
    """Somebody has looked at the asset. Errors as of `materialized`."""
    place, asset = defs.asset(key, body.location)
    problems: list[Problem] = []
    partition, metadata = _partition(body.partition, asset, at, problems), _metadata(body.metadata, problems)
    _raise(problems)
    payload = AssetObserved(
        asset_key=key,
        partition=partition,
        metadata=metadata,
        description=body.description,
        tags=body.tags,
        data_version=body.data_version or body.tags.get(_VERSION_TAG),
    )
    return Report(location=place, payload=payload)


def checked(body: CheckReportBody, check: AssetCheckKey, defs: Definitions, at: Moment) -> Report:
    """Somebody has judged the asset.

    Raises:
        NotFoundError: no location defines the asset, or the check of it.
        InvalidRequestError: with everything that is wrong.
    """
    place, asset = defs.asset(check.asset_key, body.location)
    found = defs.check(check, place)
    if found is None:
        known = [one.key.name for at_place, one in defs.checks.get(check.asset_key, ()) if at_place == place]
        raise NotFoundError("check", check.name, known=known, where=f"asset {check.asset_key}")
    problems: list[Problem] = []
    partition, metadata = _partition(body.partition, asset, at, problems), _metadata(body.metadata, problems)
    _raise(problems)
    payload = CheckEvaluated(
        check_key=check,
        passed=body.passed,
        partition=partition,
        severity=body.severity,
        blocking=found[1].blocking,
        description=body.description,
        metadata=metadata,
    )
    return Report(location=place, payload=payload)


def _partition(given: str | None, asset: AssetSnapshot, at: Moment, problems: list[Problem]) -> PartitionKey:
    if given is None:
        return UNPARTITIONED
    if asset.partitions is None:
        problems.append(Problem(path="partition", message=f"{asset.key} is not partitioned; leave `partition` out", value=given))
        return UNPARTITIONED
    problems += unknown_partition("partition", given, [asset.partitions], at.now, at.dynamic)
    return parse_partition(given, partitioning.dimensions(asset.partitions))


_RAW_TYPES: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("text", "url", "path", "notebook", "md", "run", "asset"), str),
    "int": int,
    "float": (int, float),
    "timestamp": (int, float),
    "bool": bool,
}
_KINDS = (*_RAW_TYPES, "json", "null", "job", "python_artifact", "table", "table_schema", "table_column_lineage")


def _metadata(given: Mapping[str, Any], problems: list[Problem]) -> dict[str, MetadataValue]:
    found = {}
    for label, raw in given.items():
        path = f"metadata.{label}"
        if not (isinstance(raw, dict) and raw.keys() == {"type", "raw_value"}):
            found[label] = metadata_value(raw)
            continue
        kind, value = raw["type"], raw["raw_value"]
        wanted = _RAW_TYPES.get(kind) if isinstance(kind, str) else None
        if kind not in _KINDS:
            problems.append(Problem(path=path, message=f"there is no kind of metadata {kind!r}", value=kind, expected=", ".join(_KINDS)))
        elif wanted is not None and (not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool")):
            problems.append(Problem(path=path, message=f"this is no value of kind {kind}", value=value))
        else:
            try:
                found[label] = metadata_value_from_json(raw)
                metadata_value_to_json(found[label])
            except (ValueError, TypeError, LookupError, AttributeError):
                problems.append(Problem(path=path, message=f"this is no value of kind {kind}", value=value))
    return found


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise InvalidRequestError(_TITLE, problems=problems)
