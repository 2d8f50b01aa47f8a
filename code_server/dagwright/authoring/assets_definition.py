"""The definition of assets: what is said of them, the op or graph that computes them, and how the two belong together."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, fields, replace
from functools import cached_property
from typing import Any

from dagwright.authoring import composition, invocation, naming, ops
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.mappings import PartitionMapping
from dagwright.authoring.ops import OpDefinition
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.policies import BackfillPolicy
from dagwright.authoring.specs import AssetCheckSpec, AssetDep, AssetSpec
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, NotFoundError, SourceRef
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.snapshot import AssetExecution

_NODE_ASSETS = "dagwright.authoring.graph_assets"


@dataclass(frozen=True, kw_only=True, eq=False)
class AssetsDefinition:
    """One or more assets computed together by one op (or graph), or external ones that nothing here computes."""

    specs: tuple[AssetSpec, ...]
    op: OpDefinition | None = None
    graph: GraphDefinition | None = None
    """In place of an op."""
    keys_by_output_name: Mapping[str, AssetKey] = field(default_factory=dict)
    loaded_by_input_name: Mapping[str, AssetKey] = field(default_factory=dict)
    """Inputs that are loaded; dependencies of order only are in the specs' `deps`."""
    partition_mappings: Mapping[AssetKey, PartitionMapping] = field(default_factory=dict)
    """By upstream key."""
    internal_deps: Mapping[AssetKey, AbstractSet[AssetKey]] = field(default_factory=dict)
    """Of a multi-asset: which upstreams each asset has, where it is not all of them."""
    check_specs_by_output_name: Mapping[str, AssetCheckSpec] = field(default_factory=dict)
    can_subset: bool = False
    execution: AssetExecution = AssetExecution.MATERIALIZE
    resource_defs: Mapping[str, Any] = field(default_factory=dict)
    """Resources that the definition brings along."""
    backfill_policy: BackfillPolicy | None = None
    source: SourceRef | None = None

    # ---- what it is about

    @cached_property
    def specs_by_key(self) -> Mapping[AssetKey, AssetSpec]:
        return {spec.key: spec for spec in self.specs}

    @property
    def keys(self) -> AbstractSet[AssetKey]:
        return self.specs_by_key.keys()

    @property
    def key(self) -> AssetKey:
        """The key of a definition with one asset.

        Raises:
            DefinitionError: it has several.
        """
        if len(self.specs) != 1:
            raise DefinitionError(
                f"{self!r} has {len(self.specs)} assets", source=self.source, mend="use .keys, or name one of them by its AssetKey"
            )
        return self.specs[0].key

    @property
    def node_def(self) -> OpDefinition | GraphDefinition | None:
        return self.op or self.graph

    @property
    def name(self) -> str:
        """The op's name: the step's key, and the entry in run config."""
        node = self.node_def
        return node.name if node is not None else naming.identifier(self.specs[0].key)

    @property
    def is_executable(self) -> bool:
        return self.node_def is not None

    @property
    def check_specs(self) -> tuple[AssetCheckSpec, ...]:
        return tuple(self.check_specs_by_output_name.values())

    @property
    def check_keys(self) -> AbstractSet[AssetCheckKey]:
        return {spec.key: None for spec in self.check_specs}.keys()

    @property
    def asset_and_check_keys(self) -> AbstractSet[AssetKey | AssetCheckKey]:
        return {*self.keys, *self.check_keys}

    def get_spec_for_check_key(self, key: AssetCheckKey) -> AssetCheckSpec:
        """What is said of one of its checks.

        Raises:
            NotFoundError: it is not one of them.
        """
        for spec in self.check_specs:
            if spec.key == key:
                return spec
        known = [spec.key.to_user_string() for spec in self.check_specs]
        raise NotFoundError("check", key.to_user_string(), known=known, where=repr(self))

    @cached_property
    def output_names_by_key(self) -> Mapping[AssetKey, str]:
        return {key: name for name, key in self.keys_by_output_name.items()}

    @property
    def partitions_def(self) -> PartitionsDefinition | None:
        """What its assets share; None when they are not partitioned, or differ."""
        found = {spec.partitions_def for spec in self.specs}
        return next(iter(found)) if len(found) == 1 else None

    @property
    def group_names_by_key(self) -> Mapping[AssetKey, str]:
        return {spec.key: spec.group for spec in self.specs}

    @property
    def metadata_by_key(self) -> Mapping[AssetKey, Mapping[str, Any]]:
        return {spec.key: spec.metadata for spec in self.specs}

    @property
    def tags_by_key(self) -> Mapping[AssetKey, Mapping[str, str]]:
        return {spec.key: spec.tags for spec in self.specs}

    @property
    def descriptions_by_key(self) -> Mapping[AssetKey, str | None]:
        return {spec.key: spec.description for spec in self.specs}

    @property
    def dependency_keys(self) -> AbstractSet[AssetKey]:
        """All upstreams, loaded or not."""
        return {dep.asset_key for spec in self.specs for dep in spec.deps}

    @property
    def keys_by_input_name(self) -> Mapping[str, AssetKey]:
        """All upstreams by the names of inputs: those that are loaded by their arguments, those in `deps` by their keys."""
        own = self.keys if len(self.keys) > 1 else ()
        upstream = [key for key in self.dependency_keys if key not in own]
        if not self.specs:
            upstream = [key for spec in self.check_specs for key in (spec.asset_key, *(dep.asset_key for dep in spec.additional_deps))]
        loaded = frozenset(self.loaded_by_input_name.values())
        return {**self.loaded_by_input_name, **{naming.input_of(key): key for key in sorted(upstream) if key not in loaded}}

    @property
    def owners_by_key(self) -> Mapping[AssetKey, Sequence[str]]:
        return {spec.key: spec.owners for spec in self.specs}

    @property
    def code_versions_by_key(self) -> Mapping[AssetKey, str | None]:
        return {spec.key: spec.code_version for spec in self.specs}

    @property
    def automation_conditions_by_key(self) -> Mapping[AssetKey, Any]:
        return {spec.key: spec.automation_condition for spec in self.specs if spec.automation_condition is not None}

    @property
    def asset_deps(self) -> Mapping[AssetKey, AbstractSet[AssetKey]]:
        """The upstreams of each of its assets."""
        return {spec.key: frozenset(dep.asset_key for dep in spec.deps) for spec in self.specs}

    @property
    def check_key(self) -> AssetCheckKey:
        """The key of a definition with one check.

        Raises:
            DefinitionError: it has none, or several.
        """
        if len(self.check_keys) != 1:
            raise DefinitionError(f"{self!r} has {len(self.check_keys)} checks", source=self.source, mend="use .check_keys")
        return next(iter(self.check_keys))

    @property
    def has_keys(self) -> bool:
        return bool(self.specs)

    @property
    def required_resource_keys(self) -> AbstractSet[str]:
        """What its ops ask for, IO managers not included."""
        if self.graph is not None:
            return frozenset(key for _, op, _ in self.graph.walk() for key in op.required_resource_keys)
        return self.op.required_resource_keys if self.op is not None else frozenset()

    @property
    def hook_defs(self) -> AbstractSet[Any]:
        return self.op.hook_defs if self.op is not None else frozenset()

    @property
    def execution_type(self) -> AssetExecution:
        return self.execution

    @property
    def is_external(self) -> bool:
        return not self.is_executable

    @property
    def is_materializable(self) -> bool:
        return self.is_executable and self.execution is AssetExecution.MATERIALIZE

    @property
    def is_observable(self) -> bool:
        return self.is_executable and self.execution is AssetExecution.OBSERVE

    @property
    def input_names(self) -> Iterable[str]:
        return self.keys_by_input_name.keys()

    def get_io_manager_key_for_asset_key(self, key: AssetKey) -> str:
        return self.io_manager_key_of(key)

    def get_output_name_for_asset_key(self, key: AssetKey) -> str:
        return self.output_names_by_key[key]

    def get_partition_mapping(self, in_asset_key: AssetKey) -> PartitionMapping | None:
        """Which partitions of an upstream are needed, where it was said."""
        return self.partition_mappings.get(in_asset_key)

    def io_manager_key_of(self, key: AssetKey) -> str:
        """The resource that stores the asset, and loads it downstream."""
        node = self.node_def
        output = self.output_names_by_key.get(key)
        if node is not None and output is not None:
            return node.outs[output].io_manager_key
        return self.specs_by_key[key].io_manager_key or ops.DEFAULT_IO_MANAGER

    def get_asset_spec(self, key: AssetKey | None = None) -> AssetSpec:
        return self.specs_by_key[key or self.key]

    # ---- other versions of it

    def map_asset_specs(self, fn: Callable[[AssetSpec], AssetSpec]) -> AssetsDefinition:
        """The same computation with changed specs; keys may not change."""
        changed = tuple(fn(spec) for spec in self.specs)
        for before, after in zip(self.specs, changed, strict=True):
            if before.key != after.key:
                raise DefinitionError(
                    f"map_asset_specs changed the key {before.key.to_user_string()} to {after.key.to_user_string()}",
                    source=self.source,
                    mend="keep keys as they are",
                )
        moved = {
            spec.key: spec.io_manager_key
            for old, spec in zip(self.specs, changed, strict=True)
            if spec.io_manager_key is not None and spec.io_manager_key != old.io_manager_key
        }
        made = self._copy(specs=changed)
        return made._stored_by(moved) if moved else made

    def _copy(self, **changes: Any) -> AssetsDefinition:
        """A copy with other values; of a SourceAsset, too, whose own constructor takes other arguments."""
        return AssetsDefinition(**{**{item.name: getattr(self, item.name) for item in fields(AssetsDefinition)}, **changes})

    def _stored_by(self, managers: Mapping[AssetKey, str]) -> AssetsDefinition:
        """The same computation, whose outputs go to other IO managers."""
        if self.op is None:
            return self
        outs = {
            name: out.stored_by(managers[key]) if (key := self.keys_by_output_name.get(name)) is not None and key in managers else out
            for name, out in self.op.outs.items()
        }
        return self._copy(op=replace(self.op, outs=outs))

    def with_attributes(
        self,
        *,
        asset_key_replacements: Mapping[AssetKey, AssetKey] | None = None,
        group_names_by_key: Mapping[AssetKey, str] | None = None,
        tags_by_key: Mapping[AssetKey, Mapping[str, str]] | None = None,
        metadata_by_key: Mapping[AssetKey, Mapping[str, Any]] | None = None,
        automation_condition: Any = None,
        freshness_policy: Any = None,
        legacy_freshness_policy: Any = None,
        backfill_policy: BackfillPolicy | None = None,
        hook_defs: Iterable[Any] | None = None,
    ) -> AssetsDefinition:
        """The same computation with other attributes.

        Args:
            asset_key_replacements: old key to new; upstreams are renamed too.
            group_names_by_key, tags_by_key, metadata_by_key: replace those of the assets named.
            automation_condition, freshness_policy: of all assets that have none, or one for each by key.
            backfill_policy, hook_defs: of the whole.
        """

        def of(given: Any, key: AssetKey) -> Any:
            return given.get(key) if isinstance(given, Mapping) else given

        def changed(spec: AssetSpec) -> AssetSpec:
            found: dict[str, Any] = {}
            for name, table in (("group_name", group_names_by_key), ("tags", tags_by_key), ("metadata", metadata_by_key)):
                if table and spec.key in table:
                    found[name] = table[spec.key]
            freshness = freshness_policy if freshness_policy is not None else legacy_freshness_policy
            for name, policy in (("automation_condition", automation_condition), ("freshness_policy", freshness)):
                if of(policy, spec.key) is not None and getattr(spec, name) is None:
                    found[name] = of(policy, spec.key)
            return spec.replace_attributes(**found) if found else spec

        made = self.map_asset_specs(changed)
        if backfill_policy is not None:
            made = made._copy(backfill_policy=backfill_policy)
        if hook_defs:
            made = made.with_hooks(hook_defs)
        return made.with_keys(asset_key_replacements) if asset_key_replacements else made

    def with_hooks(self, hook_defs: Iterable[Any]) -> AssetsDefinition:
        """The same computation with more hooks."""
        if self.op is None:
            raise DefinitionError(f"{self!r} has no op to put hooks on", source=self.source, mend="put them on the ops inside")
        return self._copy(op=replace(self.op, hook_defs=frozenset(self.op.hook_defs) | frozenset(hook_defs)))

    def with_resources(self, resource_defs: Mapping[str, Any]) -> AssetsDefinition:
        """The same computation that brings these resources along, as far as it needs them.

        Raises:
            DefinitionError: it has another resource of its own under one of the keys.
        """
        needed = self.required_resource_keys | {self.io_manager_key_of(key) for key in self.keys}
        if self.op is not None:
            needed |= self.op.io_manager_keys
        brought = {key: value for key, value in resource_defs.items() if key in needed}
        for key, value in brought.items():
            if key in self.resource_defs and self.resource_defs[key] is not value:
                raise DefinitionError(
                    f"with_resources: {self!r} has another resource {key!r} of its own", source=self.source, mend="give it one of the two"
                )
        return self._copy(resource_defs={**self.resource_defs, **brought})

    def to_source_assets(self) -> list[AssetsDefinition]:
        """Each of its assets as one that something else computes, loaded as before."""
        return [self.to_source_asset(spec.key) for spec in self.specs]

    def to_source_asset(self, key: Any = None) -> AssetsDefinition:
        """One of its assets as one that something else computes, loaded as before."""
        wanted = self.key if key is None else naming.asset_key(key, "to_source_asset")
        spec = self.get_asset_spec(wanted).replace_attributes(
            deps=[], io_manager_key=self.io_manager_key_of(wanted), code_version=None, skippable=False
        )
        io_key = spec.io_manager_key
        brought = {name: value for name, value in self.resource_defs.items() if name == io_key}
        return AssetsDefinition(specs=(spec,), execution=AssetExecution.EXTERNAL, resource_defs=brought, source=self.source)

    @staticmethod
    def from_op(op_def: OpDefinition, **options: Any) -> AssetsDefinition:
        """Assets computed by an op: its inputs are upstream assets, its outputs are assets.

        Args:
            op_def: the op.
            keys_by_input_name, keys_by_output_name: by default the names themselves; the only output is named like the op.
            key_prefix: goes before the keys of outputs.
            internal_asset_deps: output to the upstreams that it has, where they are not all of them.
            partitions_def, partition_mappings (by input), group_name, backfill_policy, can_subset, hook_defs: of all.
            group_names_by_output_name, descriptions_by_output_name, metadata_by_output_name, tags_by_output_name,
                automation_conditions_by_output_name: of single outputs.

        Raises:
            DefinitionError: a name is not one of the op's.

        Example:
            >>> from dagwright import op
            >>> @op
            ... def rows(orders) -> int:
            ...     return len(orders)
            >>> AssetsDefinition.from_op(rows, key_prefix="shop").key.path
            ['shop', 'rows']
        """
        # Below us: the body is read with the same classes that `graph_asset` uses.
        return importlib.import_module(_NODE_ASSETS).of_node(op_def, **options)  # type: ignore[no-any-return]

    @staticmethod
    def from_graph(graph_def: GraphDefinition, **options: Any) -> AssetsDefinition:
        """Assets computed by a graph.

        Arguments are those of `from_op`, and `resource_defs`, `owners_by_output_name`, `code_versions_by_output_name`.
        """
        return importlib.import_module(_NODE_ASSETS).of_node(graph_def, **options)  # type: ignore[no-any-return]

    def with_keys(self, renamed: Mapping[AssetKey, AssetKey]) -> AssetsDefinition:
        """The same computation under other keys; upstreams are renamed too. The op keeps its name, and so does run config."""

        def new(key: AssetKey) -> AssetKey:
            return renamed.get(key, key)

        def deps(spec: AssetSpec) -> list[Any]:
            from_spec = [(dep, new(dep.asset_key)) for dep in spec.deps]
            return [dep if dep.asset_key == key else AssetDep(key, partition_mapping=dep.partition_mapping) for dep, key in from_spec]

        specs = tuple(
            spec
            if spec.key not in renamed and not any(dep.asset_key in renamed for dep in spec.deps)
            else spec.replace_attributes(key=new(spec.key), deps=deps(spec))
            for spec in self.specs
        )
        return self._copy(
            specs=specs,
            keys_by_output_name={name: new(key) for name, key in self.keys_by_output_name.items()},
            loaded_by_input_name={name: new(key) for name, key in self.loaded_by_input_name.items()},
            partition_mappings={new(key): mapping for key, mapping in self.partition_mappings.items()},
            internal_deps={new(key): frozenset(map(new, keys)) for key, keys in self.internal_deps.items()},
            check_specs_by_output_name={
                name: spec if spec.asset_key not in renamed else spec.replace_key(AssetCheckKey(new(spec.asset_key), spec.name))
                for name, spec in self.check_specs_by_output_name.items()
            },
        )

    def named_by_key(self) -> AssetsDefinition:
        """The same computation, its op named after its one asset."""
        name = naming.identifier(self.key)
        if self.graph is not None:
            return self._copy(graph=self.graph._copy(name=name))
        return self._copy(op=self.op.renamed(name) if self.op is not None else None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function directly, as a test does; in the body of a graph or job, make a node of the op or graph that computes it."""
        if composition.active() and self.node_def is not None:
            return self.node_def(*args, **kwargs)
        if self.op is None:
            raise DefinitionError(f"{self!r} has no function to call", source=self.source)
        return invocation.direct(self, args, kwargs)

    @property
    def fn(self) -> Callable[..., Any]:
        """The user's function."""
        if self.op is None:
            raise DefinitionError(f"{self!r} has no function", source=self.source)
        return self.op.fn

    def __repr__(self) -> str:
        return f"<assets {', '.join(key.to_user_string() for key in list(self.keys)[:5])}>"


_fixed = AssetsDefinition.__setattr__


def _set(definition: AssetsDefinition, name: str, value: Any) -> None:
    """Fields are fixed; what a function may be given, a name of its own for one, its asset may be given too."""
    if name in {"__name__", "__qualname__", "__doc__", "__module__"}:
        object.__setattr__(definition, name, value)
    else:
        _fixed(definition, name, value)


AssetsDefinition.__setattr__ = _set  # type: ignore[assignment, method-assign]
