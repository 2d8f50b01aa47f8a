"""Assets: definitions of data, with the functions that compute it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, overload

from dagwright.authoring import naming, ops, signatures
from dagwright.authoring import source as sources
from dagwright.authoring.assets_definition import AssetsDefinition
from dagwright.authoring.executors import ExecutorDefinition
from dagwright.authoring.loaded import Loaded, checks_by_output
from dagwright.authoring.ops import DEFAULT_OUTPUT, Out
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.policies import BackfillPolicy, RetryPolicy
from dagwright.authoring.specs import AssetCheckSpec, AssetIn, AssetSpec, read_deps, read_hooks, read_kinds
from dagwright_shared.model.errors import DefinitionError, SourceRef, nearest
from dagwright_shared.model.keys import AssetKey

__all__ = ["AssetsDefinition", "Loaded", "asset", "checks_by_output", "make_asset"]


P = ParamSpec("P")
R = TypeVar("R")

if TYPE_CHECKING:

    class AssetFunction(AssetsDefinition, Generic[P, R]):
        """An asset as type checkers see it: it is called as its function is, or with a context that holds what is left out."""

        @overload
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
        @overload
        def __call__(self, *args: Any, **kwargs: Any) -> R: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    class _Decorator(Protocol):
        def __call__(self, compute_fn: Callable[P, R], /) -> AssetFunction[P, R]: ...


@overload
def asset(compute_fn: Callable[P, R], /) -> AssetFunction[P, R]: ...
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
    timeout: float | None = ...,
    executor: ExecutorDefinition | str | None = ...,
    step_group: str | None = ...,
    compute_kind: str | None = ...,
    auto_materialize_policy: Any = ...,
    non_argument_deps: Iterable[Any] | None = ...,
) -> _Decorator: ...
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
        timeout: seconds that an attempt may take; a longer one is ended and counts as failed.
        executor: runs its steps in place of the job's: an executor, or the name of one, such as "threads".
        step_group: consecutive steps with this name run in one process, one after another.
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
            close = nearest(option, (*_OF_SPEC, *_OF_OP, *inspect.signature(make_asset).parameters))
            hint = f"; did you mean {close!r}?" if close else ""
            raise TypeError(f"@asset got an unexpected argument {option!r} (at {sources.of_function(fn)}){hint}")
    described = {option: others[option] for option in _OF_SPEC if option in others}
    of_op = {option: others[option] for option in _OF_OP if option in others}
    source = sources.of_function(fn)
    own_key = _key_of(fn, name, key_prefix, key, source)
    what = f"asset {own_key.to_user_string()}"
    if deps is not None and non_argument_deps is not None:
        raise DefinitionError(f"{what} has deps and non_argument_deps", source=source, mend="keep deps=")
    signature = signatures.read(fn, what, source)
    loaded = Loaded.read(signature, ins, what, source)
    spec = AssetSpec(
        own_key,
        deps=loaded.all_deps(read_deps(non_argument_deps if deps is None else deps, what, source), what, source),
        description=description or signatures.doc(fn),
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
        tags=naming.check_run_tags(op_tags, what, source),
        hook_defs=read_hooks(hooks, what, source),
        source=source,
        **of_op,
    )
    return AssetsDefinition(
        specs=(spec,),
        op=op,
        keys_by_output_name={DEFAULT_OUTPUT: own_key},
        loaded_by_input_name=loaded.keys,
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
_OF_OP = ("config_schema", "required_resource_keys", "retry_policy", "pool", "timeout", "executor", "step_group")


def _own_io_manager(key: AssetKey, given: str | None, definition: Any, source: SourceRef | None) -> tuple[str | None, dict[str, Any]]:
    """The key of the IO manager, and the IO manager where the asset brings its own."""
    if definition is None:
        return given, {}
    if given is not None:
        raise DefinitionError(
            f"asset {key.to_user_string()} has both io_manager_key and io_manager_def", source=source, mend="keep one of them"
        )
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
    naming.check_asset_name(called, source)
    return naming.asset_key([*naming.key_prefix(key_prefix), called], "@asset", source)
