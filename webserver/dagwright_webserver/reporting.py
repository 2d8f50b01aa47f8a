"""From what somebody tells of an asset to an event: pure checks on the current definitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, Field, StrictBool

from dagwright_shared.model import partitions as partitioning
from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.errors import InvalidRequestError, NotFoundError, Problem, UnavailableError
from dagwright_shared.model.events import AssetMaterialized, AssetObserved, CheckEvaluated, Severity
from dagwright_shared.model.history import ReportableEvent
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, LocationName, PartitionKey, parse_partition
from dagwright_shared.model.metadata import MetadataValue, metadata_value
from dagwright_shared.model.metadata_json import metadata_value_from_json, metadata_value_to_json
from dagwright_shared.model.snapshot import AssetSnapshot, CheckSnapshot
from dagwright_webserver.launching import unknown_partition
from dagwright_webserver.reads import recorded
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.schemas import Body, Tags

_TITLE = "The report is not valid"
_LONGEST_KEY = 1000
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The asset that a report is of."""

    location: LocationName
    asset: AssetSnapshot
    defined: bool
    """If not, nothing is known of its partitions and checks, so any are taken."""


def new_subject(key: AssetKey, defs: Definitions, may: Callable[[LocationName], bool]) -> Subject:
    """An asset of which nothing is known yet; it is put down at the first location where that is allowed.

    Args:
        may: whether who reports it may do so at a location.

    Raises:
        InvalidRequestError: the key is no name that people can read.
        UnavailableError: there is no location.
    """
    if len(key.to_user_string()) > _LONGEST_KEY or not all(part.isprintable() and part.strip() for part in key.path):
        wanted = f"at most {_LONGEST_KEY} characters, all of them printable"
        problem = Problem(
            path="asset_key", message=f"this is no key for a new asset: it has {wanted}", value=key.to_user_string()[:200], expected=wanted
        )
        raise InvalidRequestError(_TITLE, problems=[problem])
    places = sorted(defs.locations)
    if not places:
        raise UnavailableError("No code location has loaded yet, so there is no place for the report; try again in a few seconds")
    return Subject(location=next(filter(may, places), places[0]), asset=recorded.stand_in(key), defined=False)


def materialized(body: ReportBody, subject: Subject, at: Moment) -> Report:
    """Somebody has made the asset.

    Raises:
        InvalidRequestError: with everything that is wrong.
    """
    asset = subject.asset
    problems: list[Problem] = []
    if asset.partitions is not None and body.partition is None:
        described = partitioning.describe(asset.partitions)
        problems.append(Problem(path="partition", message=f"say which partition was made ({described})", expected=described))
    partition, metadata = _partition(body.partition, subject, at, problems), _metadata(body.metadata, problems)
    _raise(problems)
    payload = AssetMaterialized(
        asset_key=asset.key,
        partition=partition,
        metadata=metadata,
        description=body.description,
        tags=body.tags,
        data_version=body.data_version or body.tags.get(_VERSION_TAG),
    )
    return Report(location=subject.location, payload=payload)


def observed(body: ReportBody, subject: Subject, at: Moment) -> Report:
    """Somebody has looked at the asset. Errors as of `materialized`."""
    asset = subject.asset
    problems: list[Problem] = []
    partition, metadata = _partition(body.partition, subject, at, problems), _metadata(body.metadata, problems)
    _raise(problems)
    payload = AssetObserved(
        asset_key=asset.key,
        partition=partition,
        metadata=metadata,
        description=body.description,
        tags=body.tags,
        data_version=body.data_version or body.tags.get(_VERSION_TAG),
    )
    return Report(location=subject.location, payload=payload)


def checked(body: CheckReportBody, check: CheckSnapshot, subject: Subject, at: Moment) -> Report:
    """Somebody has judged the asset.

    Raises:
        InvalidRequestError: with everything that is wrong.
    """
    problems: list[Problem] = []
    partition, metadata = _partition(body.partition, subject, at, problems), _metadata(body.metadata, problems)
    _raise(problems)
    payload = CheckEvaluated(
        check_key=check.key,
        passed=body.passed,
        partition=partition,
        severity=body.severity,
        blocking=check.blocking,
        description=body.description,
        metadata=metadata,
    )
    return Report(location=subject.location, payload=payload)


def find_check(key: AssetCheckKey, defs: Definitions, place: LocationName) -> CheckSnapshot:
    """The definition of a check.

    Raises:
        NotFoundError: the location does not define it.
    """
    found = defs.check(key, place)
    if found is None:
        known = [one.key.name for at_place, one in defs.checks.get(key.asset_key, ()) if at_place == place]
        raise NotFoundError("check", key.name, known=known, where=f"asset {key.asset_key.to_user_string()}")
    return found[1]


def _partition(given: str | None, subject: Subject, at: Moment, problems: list[Problem]) -> PartitionKey:
    asset = subject.asset
    if given is None or not subject.defined:
        return parse_partition(given)
    if asset.partitions is None:
        problems.append(
            Problem(path="partition", message=f"{asset.key.to_user_string()} is not partitioned; leave `partition` out", value=given)
        )
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
