"""Assets: definitions of data, with the functions that compute it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, overload

from dagwright.authoring import composition, invocation, naming, ops, signatures
from dagwright.authoring import source as sources
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.mappings import PartitionMapping
from dagwright.authoring.ops import DEFAULT_OUTPUT, In, OpDefinition, Out
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.policies import BackfillPolicy, RetryPolicy
from dagwright.authoring.specs import AssetCheckSpec, AssetDep, AssetIn, AssetSpec, read_deps, read_hooks, read_kinds
from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.metadata import Metadata
from dagwright_shared.model.snapshot import AssetExecution


@dataclass(frozen=True, kw_only=True, eq=False)
class AssetsDefinition:
    """One or more assets computed together by one op (or graph), or external ones that nothing here computes."""

    specs: tuple[AssetSpec, ...]
    op: OpDefinition | None = None
    graph: GraphDefinition | None = None
    """In place of an op."""
    keys_by_output_name: Mapping[str, AssetKey] = field(default_factory=dict)
    keys_by_input_name: Mapping[str, AssetKey] = field(default_factory=dict)
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
    def check_keys(self) -> tuple[AssetCheckKey, ...]:
        return tuple(spec.key for spec in self.check_specs)

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
    def metadata_by_key(self) -> Mapping[AssetKey, Metadata]:
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

    def io_manager_key_of(self, key: AssetKey) -> str:
        """The resource that stores the asset, and loads it downstream."""
        spec = self.specs_by_key[key]
        if self.op is not None:
            return self.op.outs[self.output_names_by_key[key]].io_manager_key
        return spec.io_manager_key or ops.DEFAULT_IO_MANAGER

    def get_asset_spec(self, key: AssetKey | None = None) -> AssetSpec:
        return self.specs_by_key[key or self.key]

    # ---- other versions of it

    def map_asset_specs(self, fn: Callable[[AssetSpec], AssetSpec]) -> AssetsDefinition:
        """The same computation with changed specs; keys may not change."""
        changed = tuple(fn(spec) for spec in self.specs)
        for before, after in zip(self.specs, changed, strict=True):
            if before.key != after.key:
                raise DefinitionError(
                    f"map_asset_specs changed the key {before.key} to {after.key}", source=self.source, mend="keep keys as they are"
                )
        return replace(self, specs=changed)

    def with_keys(self, renamed: Mapping[AssetKey, AssetKey]) -> AssetsDefinition:
        """The same computation under other keys; upstreams are renamed too."""

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
        op = self.op
        if op is not None and len(self.specs) == 1 and op.name == naming.identifier(self.specs[0].key):
            op = op.renamed(naming.identifier(specs[0].key))
        return replace(
            self,
            specs=specs,
            op=op,
            keys_by_output_name={name: new(key) for name, key in self.keys_by_output_name.items()},
            keys_by_input_name={name: new(key) for name, key in self.keys_by_input_name.items()},
            partition_mappings={new(key): mapping for key, mapping in self.partition_mappings.items()},
            internal_deps={new(key): frozenset(map(new, keys)) for key, keys in self.internal_deps.items()},
            check_specs_by_output_name={
                name: spec if spec.asset_key not in renamed else _moved(spec, new(spec.asset_key))
                for name, spec in self.check_specs_by_output_name.items()
            },
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function directly, as a test does."""
        if self.op is None:
            raise DefinitionError(f"{self!r} has no function to call", source=self.source)
        if composition.active():
            raise DefinitionError(
                f"asset {self.name!r} was called in a graph body",
                source=self.source,
                mend="depend on it by an argument or deps= of an asset",
            )
        return invocation.direct(self, args, kwargs)

    @property
    def fn(self) -> Callable[..., Any]:
        """The user's function."""
        if self.op is None:
            raise DefinitionError(f"{self!r} has no function", source=self.source)
        return self.op.fn

    def __repr__(self) -> str:
        return f"<assets {', '.join(str(key) for key in list(self.keys)[:5])}>"


def _moved(spec: AssetCheckSpec, key: AssetKey) -> AssetCheckSpec:
    return AssetCheckSpec(
        spec.name,
        asset=key,
        description=spec.description,
        additional_deps=spec.additional_deps,
        blocking=spec.blocking,
        metadata=spec.metadata,
        partitions_def=spec.partitions_def,
        source=spec.source,
    )


@overload
def asset(compute_fn: Callable[..., Any], /) -> AssetsDefinition: ...
@overload
def asset(
    *,
    name: str | None = ...,
    key_prefix: str | Sequence[str] | None = ...,
    ins: Mapping[str, AssetIn] | None = ...,
    deps: Iterable[Any] | None = ...,
    metadata: Mapping[str, Any] | None = ...,
    tags: Mapping[str, str] | None = ...,
    description: str | None = ...,
    config_schema: Any = ...,
    required_resource_keys: AbstractSet[str] | None = ...,
    resource_defs: Mapping[str, Any] | None = ...,
    hooks: Any = ...,
    io_manager_def: Any = ...,
    io_manager_key: str | None = ...,
    dagster_type: Any = ...,
    partitions_def: PartitionsDefinition | None = ...,
    op_tags: Mapping[str, Any] | None = ...,
    group_name: str | None = ...,
    output_required: bool = ...,
    automation_condition: Any = ...,
    freshness_policy: Any = ...,
    backfill_policy: BackfillPolicy | None = ...,
    retry_policy: RetryPolicy | None = ...,
    code_version: str | None = ...,
    key: Any = ...,
    check_specs: Sequence[AssetCheckSpec] | None = ...,
    owners: Sequence[str] | None = ...,
    kinds: AbstractSet[str] | None = ...,
    pool: str | None = ...,
    compute_kind: str | None = ...,
    auto_materialize_policy: Any = ...,
) -> Callable[[Callable[..., Any]], AssetsDefinition]: ...
def asset(compute_fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Turn a function into an asset: data with a key, computed from the assets that its arguments name.

    Its first parameter may be a context; `config` receives its config; parameters typed as a resource receive it; all
    others are upstream assets, loaded by their IO managers. What it returns is stored by its own IO manager; return a
    `MaterializeResult` (or annotate `-> None`) if the function stores the data by itself.

    Args:
        name: last component of the key; by default the function's name.
        key_prefix: components before it.
        key: the whole key, in place of name and key_prefix.
        ins: what argument names do not say of upstream assets.
        deps: upstream assets that are not loaded.
        metadata, tags, description, group_name, owners, kinds: shown, and used by selections; the description is by
            default the docstring.
        config_schema: what `context.op_config` must look like, where the function has no `config` argument.
        required_resource_keys: keys of `context.resources`.
        resource_defs, io_manager_def: resources that the asset brings along.
        io_manager_key: resource that stores it; `io_manager` by default.
        dagster_type: Python type of the value; by default the return annotation.
        partitions_def: which partitions it has; a run then covers one.
        op_tags: tags of the step, read by executors.
        output_required: False lets the function return without storing anything.
        backfill_policy: how many partitions a backfill's run covers.
        retry_policy: when to try again after an exception.
        code_version: changes when the function's meaning does.
        check_specs: checks that the function itself evaluates.
        pool: limits how many steps of that pool run at once.
        compute_kind: one kind; `kinds` is the newer form.

    Raises:
        DefinitionError: a name, option or argument does not fit; names the asset, file and line.

    Example:
        >>> @asset
        ... def numbers() -> list[int]:
        ...     return [1, 2, 3]
        >>> @asset(group_name="report")
        ... def total(numbers: list[int]) -> int:
        ...     return sum(numbers)
        >>> total([1, 2])
        3
    """
    if compute_fn is not None:
        return make_asset(compute_fn)
    return lambda fn: make_asset(fn, **options)


def make_asset(
    fn: Callable[..., Any],
    *,
    name: str | None = None,
    key_prefix: str | Sequence[str] | None = None,
    key: Any = None,
    ins: Mapping[str, AssetIn] | None = None,
    deps: Iterable[Any] | None = None,
    partitions_def: PartitionsDefinition | None = None,
    description: str | None = None,
    compute_kind: str | None = None,
    kinds: AbstractSet[str] | None = None,
    io_manager_key: str | None = None,
    io_manager_def: Any = None,
    resource_defs: Mapping[str, Any] | None = None,
    dagster_type: Any = None,
    output_required: bool = True,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    backfill_policy: BackfillPolicy | None = None,
    op_tags: Mapping[str, Any] | None = None,
    hooks: Any = None,
    non_argument_deps: Iterable[Any] | None = None,
    **others: Any,
) -> AssetsDefinition:
    """The work of `@asset`. `others` are options that go to the AssetSpec or the op as they are."""
    for option in others:
        if option not in (*_OF_SPEC, *_OF_OP):
            raise TypeError(f"@asset got an unexpected argument {option!r}")
    described = {option: others[option] for option in _OF_SPEC if option in others}
    of_op = {option: others[option] for option in _OF_OP if option in others}
    source = sources.of_function(fn)
    own_key = _key_of(fn, name, key_prefix, key, source)
    what = f"asset {own_key}"
    if deps is not None and non_argument_deps is not None:
        raise DefinitionError(f"{what} has deps and non_argument_deps", source=source, mend="keep deps=")
    signature = signatures.read(fn, what, source)
    loaded = Loaded.read(signature, ins, what, source)
    spec = AssetSpec(
        own_key,
        deps=loaded.all_deps(read_deps(non_argument_deps if deps is None else deps, what, source), what, source),
        description=description or ops.doc(fn),
        partitions_def=partitions_def,
        kinds=read_kinds(kinds, what, source) | ({compute_kind} if compute_kind else set()),
        source=source,
        **described,
    )
    io_key, brought = _own_io_manager(own_key, io_manager_key, io_manager_def, source)
    out = Out(dagster_type, spec.description, output_required, io_key, spec.metadata, spec.code_version).typed(ops.value_type(signature))
    checks = checks_by_output(check_specs, {own_key}, what, source)
    op = ops.build(
        fn,
        signature,
        what=what,
        name=naming.identifier(own_key),
        ins=loaded.ins,
        outs={DEFAULT_OUTPUT: out, **{output: Out(ops.Nothing, is_required=False) for output in checks}},
        description=spec.description,
        code_version=spec.code_version,
        tags=naming.check_op_tags(op_tags, what, source),
        hook_defs=read_hooks(hooks, what, source),
        source=source,
        **of_op,
    )
    return AssetsDefinition(
        specs=(spec,),
        op=op,
        keys_by_output_name={DEFAULT_OUTPUT: own_key},
        keys_by_input_name=loaded.keys,
        partition_mappings={dep.asset_key: dep.partition_mapping for dep in spec.deps if dep.partition_mapping is not None},
        check_specs_by_output_name=checks,
        resource_defs={**(resource_defs or {}), **brought},
        backfill_policy=backfill_policy,
        source=source,
    )


_OF_SPEC = (
    "metadata",
    "tags",
    "group_name",
    "code_version",
    "owners",
    "automation_condition",
    "freshness_policy",
    "auto_materialize_policy",
    "legacy_freshness_policy",
)
_OF_OP = ("config_schema", "required_resource_keys", "retry_policy", "pool")


def _own_io_manager(key: AssetKey, given: str | None, definition: Any, source: SourceRef | None) -> tuple[str | None, dict[str, Any]]:
    """The key of the IO manager, and the IO manager where the asset brings its own."""
    if definition is None:
        return given, {}
    if given is not None:
        raise DefinitionError(f"asset {key} has both io_manager_key and io_manager_def", source=source, mend="keep one of them")
    own = naming.identifier(key, "io_manager")
    return own, {own: definition}


def _key_of(fn: Any, name: str | None, key_prefix: Any, key: Any, source: SourceRef | None) -> AssetKey:
    if key is not None:
        if name is not None or key_prefix is not None:
            raise DefinitionError(f"asset {key!r} has key= and name= or key_prefix=", source=source, mend="keep key=, or the other two")
        return naming.asset_key(key, "@asset", source)
    if not callable(fn):
        raise DefinitionError(f"@asset decorates a {type(fn).__name__}, not a function", source=source, mend="put the decorator on a `def`")
    called = name if name is not None else getattr(fn, "__name__", type(fn).__name__)
    naming.check_name(called, "asset", source)
    return naming.asset_key([*naming.key_prefix(key_prefix), called], "@asset", source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The arguments of an asset or check function that are upstream assets."""

    ins: Mapping[str, In]
    keys: Mapping[str, AssetKey]
    declared: Mapping[str, AssetIn]

    @staticmethod
    def read(signature: signatures.Signature, declared: Mapping[str, AssetIn] | None, what: str, source: SourceRef | None) -> Loaded:
        declared = dict(declared or {})
        for name, given in declared.items():
            if not isinstance(given, AssetIn):
                raise DefinitionError(f"{what}: ins[{name!r}] is a {type(given).__name__}", source=source, mend="give an AssetIn")
        typed = {
            name: In(given.dagster_type, metadata=given.metadata, input_manager_key=given.input_manager_key)
            for name, given in declared.items()
        }
        ins = ops.infer_ins(signature, typed, what, source)
        keys = {}
        for name in ins:
            said = declared.get(name)
            keys[name] = (said.key if said else None) or AssetKey((*(said.key_prefix if said else ()), name))
        return Loaded(ins=ins, keys=keys, declared=declared)

    def all_deps(self, order_only: Iterable[Any], what: str, source: SourceRef | None) -> tuple[Any, ...]:
        """The loaded assets and those of `deps=` together."""
        from_arguments = [
            AssetDep(key, partition_mapping=self.declared[name].partition_mapping if name in self.declared else None)
            for name, key in self.keys.items()
        ]
        known = {dep.asset_key for dep in from_arguments}
        for dep in order_only:
            if dep.asset_key in known:
                raise DefinitionError(
                    f"{what} depends on {dep.asset_key} both by an argument and by deps=",
                    source=source,
                    mend="keep the argument if the value is needed, else deps=",
                )
        return (*{dep.asset_key: dep for dep in from_arguments}.values(), *order_only)


def checks_by_output(
    specs: Sequence[AssetCheckSpec] | None, keys: AbstractSet[AssetKey], what: str, source: SourceRef | None
) -> dict[str, AssetCheckSpec]:
    """Check specs of an asset function, by the output that carries the verdict."""
    found: dict[str, AssetCheckSpec] = {}
    for spec in specs or ():
        if not isinstance(spec, AssetCheckSpec):
            raise DefinitionError(f"{what}: check_specs has a {type(spec).__name__}", source=source, mend="give AssetCheckSpecs")
        if spec.asset_key not in keys:
            raise DefinitionError(
                f"{what}: the check {spec.name!r} is of the asset {spec.asset_key}, which this function does not compute",
                source=source,
                mend="use @asset_check for it",
            )
        if spec.get_python_identifier() in found:
            raise DefinitionError(f"{what} has two checks named {spec.name!r}", source=source, mend="rename one of them")
        found[spec.get_python_identifier()] = spec
    return found
