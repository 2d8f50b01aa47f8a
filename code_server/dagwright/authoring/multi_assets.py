"""Several assets computed by one function, and external assets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from dagwright.authoring import naming, ops, signatures
from dagwright.authoring import source as sources
from dagwright.authoring.assets import AssetsDefinition, Loaded, checks_by_output
from dagwright.authoring.executors import ExecutorDefinition
from dagwright.authoring.ops import Out
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.policies import BackfillPolicy, RetryPolicy
from dagwright.authoring.specs import AssetCheckSpec, AssetDep, AssetIn, AssetOut, AssetSpec, read_deps, read_hooks, refuse
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.keys import AssetKey


def multi_asset(
    *,
    outs: Mapping[str, AssetOut] | None = None,
    specs: Sequence[AssetSpec] | None = None,
    name: str | None = None,
    ins: Mapping[str, AssetIn] | None = None,
    deps: Iterable[Any] | None = None,
    description: str | None = None,
    config_schema: Any = None,
    required_resource_keys: AbstractSet[str] | None = None,
    internal_asset_deps: Mapping[str, AbstractSet[AssetKey]] | None = None,
    partitions_def: PartitionsDefinition | None = None,
    backfill_policy: BackfillPolicy | None = None,
    op_tags: Mapping[str, Any] | None = None,
    can_subset: bool = False,
    resource_defs: Mapping[str, Any] | None = None,
    group_name: str | None = None,
    retry_policy: RetryPolicy | None = None,
    code_version: str | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    compute_kind: str | None = None,
    pool: str | None = None,
    hooks: Any = None,
    allow_arbitrary_check_specs: Any = None,
    executor: ExecutorDefinition | str | None = None,
    step_group: str | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    """Turn a function that makes several assets into their definition.

    With `specs`, the function stores them by itself and yields a `MaterializeResult` for each; with `outs`, it returns
    a tuple in their order, or yields an `Output` for each, which IO managers store.

    Args:
        outs: the assets by output name.
        specs: the assets; `outs` and `specs` exclude each other.
        name: of the op; by default the function's.
        can_subset: the function looks at `context.selected_asset_keys` and may make only those.
        internal_asset_deps: with `outs`: the upstreams of single outputs, where they are not all of them.
        group_name, code_version, partitions_def: of all assets that do not say otherwise.
        ins, deps, description, config_schema, required_resource_keys, resource_defs, op_tags, retry_policy, pool,
            backfill_policy, check_specs, compute_kind, executor, step_group: as for `@asset`.

    Raises:
        DefinitionError: names or options do not fit.

    Example:
        >>> from dagwright import AssetSpec, MaterializeResult, multi_asset
        >>> @multi_asset(specs=[AssetSpec("left"), AssetSpec("right")])
        ... def both():
        ...     yield MaterializeResult(asset_key="left")
        ...     yield MaterializeResult(asset_key="right")
        >>> sorted(key.to_user_string() for key in both.keys)
        ['left', 'right']
    """

    described = {"group_name": group_name, "code_version": code_version, "partitions_def": partitions_def}
    of_op = {"config_schema": config_schema, "required_resource_keys": required_resource_keys, "retry_policy": retry_policy, "pool": pool}
    return lambda fn: _make(
        fn,
        name=naming.check_name(name or getattr(fn, "__name__", None), "multi-asset", sources.of_function(fn)),
        wanted=_Wanted(
            outs=outs,
            specs=specs,
            internal=internal_asset_deps or {},
            defaults={**described, "kinds": {compute_kind} if compute_kind else None},
            can_subset=can_subset,
        ),
        ins=ins,
        deps=deps,
        check_specs=check_specs,
        of_op={
            **of_op,
            "executor": executor,
            "step_group": step_group,
            "description": description or signatures.doc(fn),
            "code_version": code_version,
            "tags": op_tags,
            "hook_defs": read_hooks(hooks, "multi_asset", sources.of_caller()),
        },
        of_definition={"resource_defs": dict(resource_defs or {}), "backfill_policy": backfill_policy, "can_subset": can_subset},
        refused={"allow_arbitrary_check_specs": allow_arbitrary_check_specs},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The assets of a multi-asset, as its user declared them."""

    outs: Mapping[str, AssetOut] | None
    specs: Sequence[AssetSpec] | None
    internal: Mapping[str, AbstractSet[AssetKey]]
    defaults: Mapping[str, Any]
    can_subset: bool

    def check(self, what: str, source: SourceRef | None) -> None:
        if (self.outs is None) == (self.specs is None):
            raise DefinitionError(f"{what} needs either outs or specs", source=source, mend="give specs=[AssetSpec(...)] or outs={...}")
        if self.internal and self.specs is not None:
            raise DefinitionError(f"{what} has internal_asset_deps and specs", source=source, mend="say deps= in the specs")
        _check_kinds(self.outs, self.specs, what, source)


def _make(
    fn: Callable[..., Any],
    *,
    name: str,
    wanted: _Wanted,
    ins: Mapping[str, AssetIn] | None,
    deps: Iterable[Any] | None,
    check_specs: Sequence[AssetCheckSpec] | None,
    of_op: Mapping[str, Any],
    of_definition: Mapping[str, Any],
    refused: Mapping[str, Any],
) -> AssetsDefinition:
    source = sources.of_function(fn)
    what = f"multi-asset {name!r}"
    refuse(what, source, **refused)
    wanted.check(what, source)
    signature = signatures.read(fn, what, source)
    loaded = Loaded.read(signature, ins, what, source)
    shared = loaded.all_deps(read_deps(deps, what, source), what, source)
    if wanted.specs is not None:
        made, outputs = _from_specs(wanted, wanted.specs, shared, what, source)
    else:
        made, outputs = _from_outs(wanted, wanted.outs or {}, shared, signature, what, source)
    checks = checks_by_output(check_specs, set(made), what, source)
    op = ops.build(
        fn,
        signature,
        what=what,
        name=name,
        ins=loaded.ins,
        outs={
            **{output: out for output, (_, out) in outputs.items()},
            **{output: Out(ops.Nothing, is_required=False) for output in checks},
        },
        source=source,
        **{**of_op, "tags": naming.check_run_tags(of_op["tags"], what, source)},
    )
    return AssetsDefinition(
        specs=tuple(made.values()),
        op=op,
        keys_by_output_name={output: key for output, (key, _) in outputs.items()},
        loaded_by_input_name=loaded.keys,
        partition_mappings={dep.asset_key: dep.partition_mapping for spec in made.values() for dep in spec.deps if dep.partition_mapping},
        check_specs_by_output_name=checks,
        source=source,
        **of_definition,
    )


def _from_specs(
    wanted: _Wanted, specs: Sequence[AssetSpec], shared: tuple[AssetDep, ...], what: str, source: SourceRef | None
) -> tuple[dict[AssetKey, AssetSpec], dict[str, tuple[AssetKey, Out]]]:
    # A dependency on one of its own assets orders them inside; nothing is loaded for it.
    own = {spec.key for spec in specs}
    made = {spec.key: _complete(spec, shared, wanted.defaults, own, what, source) for spec in _unique(specs, what, source)}
    outputs = {}
    for key, spec in made.items():
        # The function stores them by itself: it is done when it ends, unless it may leave some out and says which.
        required = not (spec.skippable or wanted.can_subset)
        outputs[naming.identifier(key)] = (
            key,
            Out(ops.Nothing, spec.description, required, spec.io_manager_key, spec.metadata, spec.code_version),
        )
    return made, outputs


def _check_kinds(outs: Mapping[str, AssetOut] | None, specs: Sequence[AssetSpec] | None, what: str, source: SourceRef | None) -> None:
    for spec in specs or ():
        if not isinstance(spec, AssetSpec):
            raise DefinitionError(f"{what}: specs has a {type(spec).__name__}", source=source, mend="give AssetSpecs")
    for output, out in (outs or {}).items():
        if not isinstance(out, AssetOut):
            raise DefinitionError(f"{what}: outs[{output!r}] is a {type(out).__name__}", source=source, mend="give an AssetOut")


def _out_key(name: str, out: AssetOut) -> AssetKey:
    return out.key or AssetKey((*out.key_prefix, name))


def _unique(specs: Sequence[AssetSpec], what: str, source: SourceRef | None) -> Sequence[AssetSpec]:
    seen: set[AssetKey] = set()
    for spec in specs:
        if spec.key in seen:
            raise DefinitionError(
                f"{what} lists the asset {spec.key.to_user_string()} twice", source=source, mend="give each asset its own key"
            )
        seen.add(spec.key)
    return specs


def _complete(
    spec: AssetSpec,
    shared: tuple[AssetDep, ...],
    defaults: Mapping[str, Any],
    own: AbstractSet[AssetKey],
    what: str,
    source: SourceRef | None,
) -> AssetSpec:
    known = {dep.asset_key for dep in spec.deps}
    # Upstreams of the function are those of every asset that does not name its own.
    inherited = [dep for dep in shared if dep.asset_key not in known and dep.asset_key not in own] if not spec.deps else []
    for option in ("group_name", "partitions_def"):
        if defaults[option] is not None and getattr(spec, option) not in (None, defaults[option]):
            raise DefinitionError(
                f"{what}: {option} is given both for all and for the asset {spec.key.to_user_string()}",
                source=source,
                mend="keep one of them",
            )
    return spec.replace_attributes(
        deps=[*spec.deps, *inherited],
        group_name=spec.group_name or defaults["group_name"],
        code_version=spec.code_version or defaults["code_version"],
        partitions_def=spec.partitions_def or defaults["partitions_def"],
        kinds=spec.kinds or defaults["kinds"],
        source=source,
    )


def _from_outs(
    wanted: _Wanted,
    outs: Mapping[str, AssetOut],
    shared: tuple[AssetDep, ...],
    signature: signatures.Signature,
    what: str,
    source: SourceRef | None,
) -> tuple[dict[AssetKey, AssetSpec], dict[str, tuple[AssetKey, Out]]]:
    made: dict[AssetKey, AssetSpec] = {}
    outputs: dict[str, tuple[AssetKey, Out]] = {}
    for unknown in set(wanted.internal) - set(outs):
        raise DefinitionError(
            f"{what}: internal_asset_deps names the output {unknown!r}", source=source, mend=f"use one of {', '.join(outs)}"
        )
    types = ops._infer_outs(signature, {output: Out(out.dagster_type) for output, out in outs.items()})
    for output, out in outs.items():
        key = _out_key(naming.check_name(output, "output", source), out)
        if key in made:
            raise DefinitionError(
                f"{what} has two outputs for the asset {key.to_user_string()}", source=source, mend="give each asset its own key"
            )
        by_key = {dep.asset_key: dep for dep in shared}
        inside = wanted.internal.get(output)
        upstreams = shared if inside is None else [by_key.get(k) or AssetDep(k) for k in sorted(inside)]
        attributes = {**{k: v for k, v in wanted.defaults.items() if v is not None}, **out.attributes}
        spec = AssetSpec(key, deps=upstreams, skippable=not out.is_required, source=source, **attributes)
        made[key] = spec
        required = out.is_required and not wanted.can_subset
        outputs[output] = (
            key,
            Out(types[output].dagster_type, spec.description, required, out.io_manager_key, spec.metadata, spec.code_version),
        )
    return made, outputs
