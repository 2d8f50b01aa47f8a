"""What is said of an asset or a check, apart from the code that computes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from dagwright.authoring import naming
from dagwright.authoring import source as sources
from dagwright.authoring.mappings import PartitionMapping
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.results import NO_VALUE
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef, nearest
from dagwright_shared.model.keys import AssetCheckKey, AssetKey

_UNSET: Any = NO_VALUE
_KIND_TAG = "dagster/kind/"
"""How Dagster's projects write a kind as a tag."""


@dataclass(frozen=True, slots=True, init=False)
class AssetDep:
    """A dependency of order only: the function loads the upstream by itself, if at all.

    Args:
        asset: the upstream: a definition, a key, or text.
        partition_mapping: which of its partitions are needed.
        metadata: of the dependency, for code that reads specs.
    """

    asset_key: AssetKey
    partition_mapping: PartitionMapping | None
    metadata: Mapping[str, Any] = field(hash=False)

    def __init__(self, asset: Any, *, partition_mapping: PartitionMapping | None = None, metadata: Mapping[str, Any] | None = None) -> None:
        object.__setattr__(self, "asset_key", naming.asset_key(asset, "AssetDep", sources.of_caller()))
        object.__setattr__(self, "partition_mapping", check_mapping(partition_mapping, "AssetDep"))
        object.__setattr__(self, "metadata", dict(metadata or {}))

    @staticmethod
    def from_coercible(arg: Any) -> AssetDep:
        """Itself, or a dependency on what is given."""
        return arg if isinstance(arg, AssetDep) else AssetDep(arg)


@dataclass(frozen=True, slots=True, init=False)
class AssetIn:
    """An input of an asset, where its argument's name does not say it all.

    Args:
        key: of the upstream asset; by default the argument's name, after `key_prefix`.
        key_prefix: goes before the argument's name.
        metadata: for the IO manager that loads it.
        input_manager_key: resource that loads it, in place of the upstream's IO manager.
        dagster_type: Python type of the value; by default the annotation.
        partition_mapping: which of the upstream's partitions are loaded.
    """

    key: AssetKey | None
    metadata: Mapping[str, Any]
    key_prefix: Sequence[str]
    input_manager_key: str | None
    dagster_type: Any
    partition_mapping: PartitionMapping | None

    def __init__(
        self,
        key: Any = None,
        metadata: Mapping[str, Any] | None = None,
        key_prefix: str | Sequence[str] | None = None,
        input_manager_key: str | None = None,
        partition_mapping: PartitionMapping | None = None,
        dagster_type: Any = None,
    ) -> None:
        if key is not None and key_prefix is not None:
            raise DefinitionError("AssetIn has both key and key_prefix", source=sources.of_caller(), mend="keep one of them")
        values = {
            "key": None if key is None else naming.asset_key(key, "AssetIn", sources.of_caller()),
            "metadata": dict(metadata or {}),
            "key_prefix": naming.key_prefix(key_prefix),
            "input_manager_key": input_manager_key,
            "dagster_type": dagster_type,
            "partition_mapping": check_mapping(partition_mapping, "AssetIn"),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @staticmethod
    def from_coercible(arg: Any) -> AssetIn:
        """Itself, or an input of the asset that is given."""
        return arg if isinstance(arg, AssetIn) else AssetIn(key=arg)


@dataclass(frozen=True, slots=True, init=False)
class AssetSpec:
    """What is known of an asset without its code. In Definitions it stands for an external asset.

    Args:
        key: an AssetKey, a list of components, or text such as `"schema/table"`.
        deps: assets that it depends on.
        description, metadata, group_name, code_version, owners, tags, kinds: shown, and used by selections.
        skippable: a multi-asset may leave it out.
        partitions_def: which partitions it has.

    Raises:
        DefinitionError: a name, owner or tag is not valid.

    Example:
        >>> AssetSpec("raw/flights", group_name="raw", kinds={"csv"}).key.path
        ['raw', 'flights']
    """

    key: AssetKey
    deps: Sequence[AssetDep]
    description: str | None
    metadata: Mapping[str, Any]
    skippable: bool
    group_name: str | None
    code_version: str | None
    owners: Sequence[str]
    tags: Mapping[str, str]
    kinds: frozenset[str]
    partitions_def: PartitionsDefinition | None
    io_manager_key: str | None
    automation_condition: Any
    freshness_policy: Any
    source: SourceRef | None

    def __init__(
        self,
        key: Any,
        *,
        deps: Iterable[Any] | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        skippable: bool = False,
        group_name: str | None = None,
        code_version: str | None = None,
        automation_condition: Any = None,
        owners: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        kinds: Iterable[str] | None = None,
        partitions_def: PartitionsDefinition | None = None,
        freshness_policy: Any = None,
        io_manager_key: str | None = None,
        auto_materialize_policy: Any = None,
        legacy_freshness_policy: Any = None,
        source: SourceRef | None = None,
    ) -> None:
        source = source or sources.of_caller()
        read = naming.asset_key(key, "AssetSpec", source)
        what = f"asset {read.to_user_string()}"
        if partitions_def is not None and not isinstance(partitions_def, PartitionsDefinition):
            raise DefinitionError(
                f"{what}: partitions_def is a {type(partitions_def).__name__}",
                source=source,
                mend="give a PartitionsDefinition, such as DailyPartitionsDefinition",
            )
        kind_tags = {key: key.removeprefix(_KIND_TAG) for key in tags or () if isinstance(key, str) and key.startswith(_KIND_TAG)}
        values = {
            "key": read,
            "deps": read_deps(deps, what, source),
            "description": description,
            "metadata": dict(metadata or {}),
            "skippable": skippable,
            "group_name": naming.check_group(group_name, what, source),
            "code_version": code_version,
            "owners": naming.check_owners(owners, what, source),
            "tags": naming.check_tags({key: value for key, value in (tags or {}).items() if key not in kind_tags}, what, source),
            "kinds": read_kinds(kinds, what, source) | set(kind_tags.values()),
            "partitions_def": partitions_def,
            "io_manager_key": io_manager_key,
            "automation_condition": read_automation(automation_condition, auto_materialize_policy, what, source),
            "freshness_policy": read_policy(freshness_policy if freshness_policy is not None else legacy_freshness_policy, what, source),
            "source": source,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def group(self) -> str:
        return self.group_name or "default"

    def with_io_manager_key(self, io_manager_key: str) -> AssetSpec:
        """The same spec, loaded by another IO manager where it is an input."""
        return self.replace_attributes(io_manager_key=io_manager_key)

    def replace_attributes(self, **changes: Any) -> AssetSpec:
        """A copy with other values; arguments as for AssetSpec."""
        values: dict[str, Any] = {name: changes.pop(name, getattr(self, name)) for name in self.__slots__}
        if changes:
            unknown = next(iter(changes))
            close = nearest(unknown, self.__slots__)
            raise DefinitionError(
                f"asset {self.key.to_user_string()}: an AssetSpec has no attribute {unknown!r}",
                source=self.source,
                mend=f"did you mean {close!r}?" if close else "use the names of AssetSpec's arguments",
            )
        return AssetSpec(**values)

    def merge_attributes(
        self,
        *,
        deps: Iterable[Any] = (),
        metadata: Mapping[str, Any] | None = None,
        owners: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        kinds: Iterable[str] = (),
    ) -> AssetSpec:
        """A copy with more of each."""
        return self.replace_attributes(
            deps=[*self.deps, *deps],
            metadata={**self.metadata, **(metadata or {})},
            owners=[*self.owners, *owners],
            tags={**self.tags, **(tags or {})},
            kinds={*self.kinds, *kinds},
        )


_OF_OUTPUTS = frozenset(
    {"description", "metadata", "group_name", "code_version", "owners", "tags", "kinds", "automation_condition", "freshness_policy"}
)


@dataclass(frozen=True, slots=True, init=False)
class AssetOut:
    """An output of a multi-asset that is an asset.

    Args:
        key: by default the output's name, after `key_prefix`.
        is_required: False lets the function leave it out.
        io_manager_key, dagster_type: as for Out; the others as for AssetSpec.
    """

    key: AssetKey | None
    key_prefix: Sequence[str]
    dagster_type: Any
    is_required: bool
    io_manager_key: str | None
    attributes: Mapping[str, Any]
    backfill_policy: Any

    def __init__(
        self,
        key_prefix: str | Sequence[str] | None = None,
        key: Any = None,
        dagster_type: Any = None,
        description: str | None = None,
        is_required: bool = True,
        io_manager_key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        group_name: str | None = None,
        code_version: str | None = None,
        owners: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        kinds: Iterable[str] | None = None,
        automation_condition: Any = None,
        freshness_policy: Any = None,
        backfill_policy: Any = None,
        auto_materialize_policy: Any = None,
        legacy_freshness_policy: Any = None,
    ) -> None:
        source = sources.of_caller()
        attributes = {
            "description": description,
            "metadata": metadata,
            "group_name": group_name,
            "code_version": code_version,
            "owners": owners,
            "tags": tags,
            "kinds": kinds,
            "automation_condition": read_automation(automation_condition, auto_materialize_policy, "AssetOut", source),
            "freshness_policy": read_policy(
                freshness_policy if freshness_policy is not None else legacy_freshness_policy, "AssetOut", source
            ),
        }
        values = {
            "backfill_policy": backfill_policy,
            "key": None if key is None else naming.asset_key(key, "AssetOut", source),
            "key_prefix": naming.key_prefix(key_prefix),
            "dagster_type": dagster_type,
            "is_required": is_required,
            "io_manager_key": io_manager_key,
            "attributes": {name: value for name, value in attributes.items() if value is not None},
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @staticmethod
    def from_spec(
        spec: AssetSpec,
        dagster_type: Any = None,
        is_required: bool = True,
        io_manager_key: str | None = None,
        backfill_policy: Any = None,
    ) -> AssetOut:
        """An output that is the asset of a spec.

        Raises:
            DefinitionError: the spec has `deps`; those of outputs are said by `internal_asset_deps` of the multi-asset.

        Example:
            >>> AssetOut.from_spec(AssetSpec("orders", group_name="sales")).group_name
            'sales'
        """
        if spec.deps:
            raise DefinitionError(
                f"asset {spec.key.to_user_string()} has deps, which an AssetOut cannot have",
                source=spec.source,
                mend="give specs= to @multi_asset, or the deps as internal_asset_deps= of it",
            )
        said = {name: getattr(spec, name) for name in _OF_OUTPUTS}
        return AssetOut(
            key=spec.key,
            dagster_type=dagster_type,
            is_required=is_required,
            io_manager_key=io_manager_key,
            backfill_policy=backfill_policy,
            **said,
        )

    def __getattr__(self, name: str) -> Any:
        """What is said of the asset: `description`, `metadata`, `group_name`, ..."""
        if name in _OF_OUTPUTS:
            return self.attributes.get(name)
        raise AttributeError(f"AssetOut has no attribute {name!r}")


@dataclass(frozen=True, slots=True, init=False)
class AssetCheckSpec:
    """What is said of a check.

    Args:
        name: unique for its asset.
        asset: the asset that it judges.
        description, metadata: shown.
        additional_deps: other assets that it reads.
        blocking: what is downstream of the asset waits for it, and does not run when it fails with severity ERROR.
    """

    name: str
    asset_key: AssetKey
    description: str | None
    additional_deps: Sequence[AssetDep]
    blocking: bool
    metadata: Mapping[str, Any]
    partitions_def: PartitionsDefinition | None
    automation_condition: Any
    source: SourceRef | None

    def __init__(
        self,
        name: str,
        *,
        asset: Any,
        description: str | None = None,
        additional_deps: Iterable[Any] | None = None,
        blocking: bool = False,
        metadata: Mapping[str, Any] | None = None,
        automation_condition: Any = None,
        partitions_def: PartitionsDefinition | None = None,
        source: SourceRef | None = None,
    ) -> None:
        source = source or sources.of_caller()
        what = f"check {name!r}"
        values = {
            "automation_condition": read_automation(automation_condition, None, what, source),
            "name": naming.check_name(name, "check", source),
            "asset_key": naming.asset_key(asset, what, source),
            "description": description,
            "additional_deps": read_deps(additional_deps, what, source),
            "blocking": blocking,
            "metadata": dict(metadata or {}),
            "partitions_def": partitions_def,
            "source": source,
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @property
    def key(self) -> AssetCheckKey:
        return AssetCheckKey(self.asset_key, self.name)

    def get_python_identifier(self) -> str:
        """The op name that stands for the check, such as `schema__table_has_rows`."""
        return f"{naming.identifier(self.asset_key)}_{self.name}"

    def replace_key(self, key: AssetCheckKey) -> AssetCheckSpec:
        """The same check of another asset, or under another name."""
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__ if name not in ("name", "asset_key")}
        return AssetCheckSpec(key.name, asset=key.asset_key, **values)

    def with_metadata(self, metadata: Mapping[str, Any]) -> AssetCheckSpec:
        """The same check with other metadata."""
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__ if name not in ("name", "asset_key", "metadata")}
        return AssetCheckSpec(self.name, asset=self.asset_key, metadata=metadata, **values)


def read_deps(deps: Iterable[Any] | None, what: str, source: SourceRef | None) -> list[AssetDep]:
    """Dependencies in the ways that people write them; each upstream once."""
    if deps is None:
        return []
    if isinstance(deps, (str, AssetKey)):
        raise DefinitionError(f"{what}: deps is {deps!r}", source=source, mend="give a list of assets")
    found: dict[AssetKey, AssetDep] = {}
    for item in deps:
        for dep in _deps_of(item, what, source):
            known = found.get(dep.asset_key)
            if known is not None and known != dep:
                raise DefinitionError(
                    f"{what} depends on {dep.asset_key.to_user_string()} twice, with different partition mappings",
                    source=source,
                    mend="keep one of them",
                )
            found[dep.asset_key] = dep
    return list(found.values())


def _deps_of(item: Any, what: str, source: SourceRef | None) -> list[AssetDep]:
    if isinstance(item, AssetDep):
        return [item]
    keys = getattr(item, "keys", None)
    if keys is not None and not callable(keys):  # an AssetsDefinition, of one asset or several
        return [AssetDep(key) for key in keys]
    return [AssetDep(naming.asset_key(item, f"{what}: deps", source))]


def read_kinds(kinds: Iterable[str] | None, what: str, source: SourceRef | None) -> frozenset[str]:
    """Kinds as a set of texts."""
    found = frozenset(kinds or ())
    if isinstance(kinds, str) or not all(isinstance(kind, str) and kind for kind in found):
        raise DefinitionError(f"{what}: kinds is {kinds!r}", source=source, mend='give a set of texts: {"duckdb"}')
    return found


def check_mapping(mapping: object, what: str) -> PartitionMapping | None:
    """Return a partition mapping if it is one."""
    if mapping is not None and not isinstance(mapping, PartitionMapping):
        raise DefinitionError(
            f"{what}: partition_mapping is a {type(mapping).__name__}",
            source=sources.of_caller(),
            mend="give a PartitionMapping, such as AllPartitionMapping()",
        )
    return mapping


def read_automation(condition: Any, older: Any, what: str, source: SourceRef | None) -> Any:
    """An automation condition; an AutoMaterializePolicy, its older form, says which one it stands for."""
    if condition is not None and older is not None:
        raise DefinitionError(
            f"{what} has automation_condition and auto_materialize_policy", source=source, mend="keep automation_condition"
        )
    given = older.to_automation_condition() if hasattr(older, "to_automation_condition") else older
    given = condition if condition is not None else given
    if given is not None and isinstance(given, (str, bytes, int, float, Mapping, list, tuple, set, type)):
        raise DefinitionError(
            f"{what}: automation_condition is {given!r:.60}, a {type(given).__name__}",
            source=source,
            mend="give an AutomationCondition, such as AutomationCondition.eager()",
        )
    return given


def read_policy(policy: Any, what: str, source: SourceRef | None) -> Any:
    """A freshness policy, if it is one."""
    if policy is not None and isinstance(policy, (str, bytes, int, float, Mapping, list, tuple, set, type)):
        raise DefinitionError(
            f"{what}: freshness_policy is {policy!r:.60}, a {type(policy).__name__}",
            source=source,
            mend="give a FreshnessPolicy, such as FreshnessPolicy.time_window(fail_window=timedelta(hours=24))",
        )
    return policy


def read_hooks(hooks: Iterable[Any] | None, what: str, source: SourceRef | None) -> frozenset[Any]:
    """Hooks as a set."""
    found = frozenset(hooks or ())
    for item in found:
        if not callable(item) or isinstance(item, type) or not hasattr(item, "name"):
            raise DefinitionError(
                f"{what}: hooks has {item!r:.60}, a {type(item).__name__}",
                source=source,
                mend="give functions decorated with @success_hook or @failure_hook",
            )
    return found


def refuse(what: str, source: SourceRef | None, **options: Any) -> None:
    """Options of Dagster that dagwright does not carry out are refused, never ignored."""
    for option, value in options.items():
        if value is not None:
            raise DefinitionError(
                f"{what}: {option}= is not supported by this version of dagwright", source=source, mend=f"leave {option}= out"
            )
