"""What user functions return or yield: outputs, materializations, observations, check results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, Self, TypeVar

from dagwright.authoring import naming
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.events import Severity as AssetCheckSeverity
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.metadata import Metadata, checked_metadata, normalize_metadata

__all__ = [
    "NO_VALUE",
    "AssetCheckResult",
    "AssetCheckSeverity",
    "AssetMaterialization",
    "AssetObservation",
    "DataVersion",
    "DataVersionsByPartition",
    "DynamicOutput",
    "ExpectationResult",
    "MaterializeResult",
    "NoValue",
    "ObserveResult",
    "Output",
]

T = TypeVar("T")


class _Replaceable:
    __slots__ = ()

    def _replace(self, **changes: Any) -> Self:
        """A copy with other values of some fields, by the name that named tuples have for it."""
        return replace(self, **changes)  # type: ignore[type-var]


class NoValue:
    """The absence of a value where None is a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<no value>"

    def __reduce__(self) -> str:
        return "NO_VALUE"


NO_VALUE = NoValue()


@dataclass(frozen=True, slots=True)
class DataVersion:
    """A text that names the content of an asset; two equal ones mean equal data."""

    value: str

    def __post_init__(self) -> None:
        if not isinstance(self.value, str):
            raise TypeError(f"DataVersion: value is {self.value!r}, a {type(self.value).__name__}; write DataVersion(str(...))")


@dataclass(frozen=True, slots=True, init=False)
class DataVersionsByPartition:
    """What an observation of a partitioned asset found: the version of each partition.

    Example:
        >>> DataVersionsByPartition({"eu": "1", "us": DataVersion("2")}).data_versions_by_partition["eu"]
        DataVersion(value='1')
    """

    data_versions_by_partition: Mapping[str, DataVersion]

    def __init__(self, data_versions_by_partition: Mapping[str, str | DataVersion]) -> None:
        if not isinstance(data_versions_by_partition, Mapping):
            kind = type(data_versions_by_partition).__name__
            raise TypeError(f'DataVersionsByPartition takes a dict by partition key, not a {kind}; write {{"eu": "1"}}, for example')
        given = data_versions_by_partition.items()
        _set(self, data_versions_by_partition={k: v if isinstance(v, DataVersion) else DataVersion(v) for k, v in given})


@dataclass(frozen=True, slots=True, init=False)
class Output(Generic[T]):
    """A value for an output, with metadata about it.

    Args:
        value: what the IO manager stores.
        output_name: which output of the op.
        metadata: values for the output's event; plain Python values are wrapped.
        data_version: names the content; by default it is computed from code version and inputs.
        tags: of the materialization, if the output is an asset.

    Example:
        >>> Output([1, 2], metadata={"rows": 2}).value
        [1, 2]
    """

    value: T
    output_name: str
    metadata: Metadata
    data_version: DataVersion | None
    tags: Mapping[str, str]

    def __init__(
        self,
        value: T,
        output_name: str = "result",
        metadata: Mapping[str, Any] | None = None,
        mapping_key: str | None = None,
        *,
        data_version: DataVersion | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        if mapping_key is not None:
            raise TypeError("Output takes no mapping_key; use DynamicOutput for an output declared with DynamicOut")
        _set(
            self,
            value=value,
            output_name=output_name,
            metadata=normalize_metadata(metadata),
            data_version=data_version,
            tags=dict(tags or {}),
        )

    def with_metadata(self, metadata: Mapping[str, Any] | None) -> Output[T]:
        """The same with other metadata."""
        return replace(self, metadata=normalize_metadata(metadata))


@dataclass(frozen=True, slots=True, init=False)
class DynamicOutput(Generic[T]):
    """One of the many values of an output declared with `DynamicOut`.

    Args:
        value: what the IO manager stores.
        mapping_key: letters, digits and underscores; names the copies of the steps downstream.

    Example:
        >>> DynamicOutput(1, mapping_key="a").mapping_key
        'a'
    """

    value: T
    mapping_key: str
    output_name: str
    metadata: Metadata

    def __init__(self, value: T, mapping_key: str, output_name: str = "result", metadata: Mapping[str, Any] | None = None) -> None:
        naming.check_name(mapping_key, "mapping key")
        _set(self, value=value, mapping_key=mapping_key, output_name=output_name, metadata=normalize_metadata(metadata))


@dataclass(frozen=True, slots=True, init=False)
class AssetCheckResult(_Replaceable):
    """The verdict of a check.

    Args:
        passed: whether the asset is as it should be.
        severity: how bad it is when it is not; only ERROR blocks.
        asset_key, check_name: needed only where the function evaluates several checks.

    Example:
        >>> AssetCheckResult(passed=False, severity=AssetCheckSeverity.WARN, metadata={"nulls": 3}).passed
        False
    """

    passed: bool
    asset_key: AssetKey | None
    check_name: str | None
    metadata: Metadata
    severity: AssetCheckSeverity
    description: str | None

    def __init__(
        self,
        *,
        passed: bool,
        asset_key: Any = None,
        check_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        severity: AssetCheckSeverity = AssetCheckSeverity.ERROR,
        description: str | None = None,
    ) -> None:
        if hasattr(passed, "item"):  # a numpy or pandas boolean
            passed = passed.item()
        if not isinstance(passed, bool):
            raise TypeError(f"AssetCheckResult: passed is {passed!r}, not a bool; write passed=bool(...)")
        _set(
            self,
            passed=passed,
            asset_key=None if asset_key is None else naming.asset_key(asset_key, "AssetCheckResult"),
            check_name=check_name,
            metadata=normalize_metadata(metadata),
            severity=AssetCheckSeverity(severity),
            description=description,
        )

    def with_metadata(self, metadata: Mapping[str, Any] | None) -> AssetCheckResult:
        """The same with other metadata."""
        return replace(self, metadata=normalize_metadata(metadata))


@dataclass(frozen=True, slots=True, init=False)
class MaterializeResult(_Replaceable, Generic[T]):
    """An asset function's word that it has stored the asset itself, with metadata about it.

    Args:
        asset_key: which asset; needed only in a multi-asset.
        metadata: values for the asset's page; numbers are plotted.
        check_results: verdicts of checks declared in `check_specs`.
        data_version: names the content.
        tags: of the materialization.
        value: when given, the IO manager stores it as if it had been returned.

    Example:
        >>> MaterializeResult(metadata={"rows": 3}).metadata["rows"]
        3
    """

    asset_key: AssetKey | None
    metadata: Mapping[str, Any]
    """As it was given; the event that records it has the wrapped values."""
    check_results: Sequence[AssetCheckResult]
    data_version: DataVersion | None
    tags: Mapping[str, str]
    value: T | NoValue

    def __init__(
        self,
        asset_key: Any = None,
        metadata: Mapping[str, Any] | None = None,
        check_results: Sequence[AssetCheckResult] | None = None,
        data_version: DataVersion | None = None,
        tags: Mapping[str, str] | None = None,
        value: T | NoValue = NO_VALUE,
    ) -> None:
        _set(
            self,
            asset_key=None if asset_key is None else naming.asset_key(asset_key, "MaterializeResult"),
            metadata=checked_metadata(metadata),
            check_results=list(check_results or ()),
            data_version=data_version,
            tags=dict(tags or {}),
            value=value,
        )


@dataclass(frozen=True, slots=True, init=False)
class ObserveResult(_Replaceable):
    """What an observation of an asset found, without making it anew."""

    asset_key: AssetKey | None
    metadata: Mapping[str, Any]
    """As it was given; the event that records it has the wrapped values."""
    check_results: Sequence[AssetCheckResult]
    data_version: DataVersion | None
    tags: Mapping[str, str]

    def __init__(
        self,
        *,
        asset_key: Any = None,
        metadata: Mapping[str, Any] | None = None,
        check_results: Sequence[AssetCheckResult] | None = None,
        data_version: DataVersion | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        _set(
            self,
            asset_key=None if asset_key is None else naming.asset_key(asset_key, "ObserveResult"),
            metadata=checked_metadata(metadata),
            check_results=list(check_results or ()),
            data_version=data_version,
            tags=dict(tags or {}),
        )


@dataclass(frozen=True, slots=True, init=False)
class AssetMaterialization(_Replaceable):
    """A record that an asset was made, logged by an op that is not its asset definition."""

    asset_key: AssetKey
    description: str | None
    metadata: Metadata
    partition: str | None
    tags: Mapping[str, str]

    def __init__(
        self,
        asset_key: Any,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        partition: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        _set(
            self,
            asset_key=naming.asset_key(asset_key, "AssetMaterialization"),
            description=description,
            metadata=normalize_metadata(metadata),
            partition=partition,
            tags=dict(tags or {}),
        )

    def with_metadata(self, metadata: Mapping[str, Any] | None) -> AssetMaterialization:
        """The same with other metadata."""
        return replace(self, metadata=normalize_metadata(metadata))

    @property
    def label(self) -> str:
        return " ".join(self.asset_key.path)


@dataclass(frozen=True, slots=True, init=False)
class AssetObservation(_Replaceable):
    """A record of what is known of an asset at this moment."""

    asset_key: AssetKey
    description: str | None
    metadata: Metadata
    partition: str | None
    tags: Mapping[str, str]

    def __init__(
        self,
        asset_key: Any,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        partition: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        _set(
            self,
            asset_key=naming.asset_key(asset_key, "AssetObservation"),
            description=description,
            metadata=normalize_metadata(metadata),
            partition=partition,
            tags=dict(tags or {}),
        )


@dataclass(frozen=True, slots=True, init=False)
class ExpectationResult(_Replaceable):
    """What an op found of its data's quality on the way; it is written to the run's log, and changes nothing else.

    Args:
        success: whether the data is as it should be.
        label: what was looked at.
        metadata: facts about it.

    Example:
        >>> ExpectationResult(success=True, label="no duplicates").label
        'no duplicates'
    """

    success: bool
    label: str
    description: str | None
    metadata: Metadata

    def __init__(
        self, success: bool, label: str | None = None, description: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        if not isinstance(success, bool):
            raise TypeError(f"ExpectationResult: success is {success!r}, not a bool; write success=bool(...)")
        _set(self, success=success, label=label or "result", description=description, metadata=normalize_metadata(metadata))

    def as_text(self) -> str:
        """One line for the log."""
        facts = ", ".join(f"{key}: {getattr(value, 'value', None)}" for key, value in self.metadata.items())
        verdict = f"expectation {self.label!r} " + ("holds" if self.success else "does not hold")
        return "; ".join(part for part in (verdict, self.description, facts) if part)


def check_key(result: AssetCheckResult, known: Sequence[AssetCheckKey]) -> AssetCheckKey:
    """Which of the checks that a function declares its result is about.

    Raises:
        ValueError: none of them, or more than one could be meant.
    """
    fits = [
        key
        for key in known
        if (result.asset_key is None or key.asset_key == result.asset_key) and (result.check_name is None or key.name == result.check_name)
    ]
    if len(fits) == 1:
        return fits[0]
    named = ", ".join(key.to_user_string() for key in known) or "none"
    trouble = "fits none" if not fits else "could be any"
    raise ValueError(
        f"AssetCheckResult(asset_key={result.asset_key!r}, check_name={result.check_name!r}) {trouble} of the declared checks: {named}"
    )


def _set(target: object, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(target, name, value)
