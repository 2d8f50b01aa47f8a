"""Checks of assets: functions that judge data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from dagwright.authoring import naming, ops, signatures
from dagwright.authoring import source as sources
from dagwright.authoring.assets import Loaded
from dagwright.authoring.assets_definition import AssetsDefinition
from dagwright.authoring.executors import ExecutorDefinition
from dagwright.authoring.naming import CoercibleToAsset
from dagwright.authoring.ops import Out
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.policies import RetryPolicy
from dagwright.authoring.signatures import Signature
from dagwright.authoring.specs import AssetCheckSpec, AssetIn, AssetSpec, read_hooks
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.keys import AssetKey


@dataclass(frozen=True, kw_only=True, eq=False)
class AssetChecksDefinition(AssetsDefinition):
    """One or more checks evaluated by one op, and no asset. Made by `@asset_check`."""

    specs: tuple[AssetSpec, ...] = ()

    @property
    def spec(self) -> AssetCheckSpec:
        return self.check_specs[0]

    @property
    def asset_key(self) -> AssetKey:
        return self.spec.asset_key

    def _copy(self, **changes: Any) -> AssetChecksDefinition:
        return replace(self, **changes)

    def __repr__(self) -> str:
        return f"<checks {', '.join(key.to_user_string() for key in self.check_keys)}>"


def asset_check(
    asset: CoercibleToAsset,
    *,
    name: str | None = None,
    description: str | None = None,
    blocking: bool = False,
    additional_ins: Mapping[str, AssetIn] | None = None,
    additional_deps: Iterable[Any] | None = None,
    required_resource_keys: AbstractSet[str] | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    config_schema: Any = None,
    compute_kind: str | None = None,
    op_tags: Mapping[str, Any] | None = None,
    retry_policy: RetryPolicy | None = None,
    metadata: Mapping[str, Any] | None = None,
    automation_condition: Any = None,
    pool: str | None = None,
    partitions_def: PartitionsDefinition | None = None,
    executor: ExecutorDefinition | str | None = None,
    step_group: str | None = None,
) -> Callable[[Callable[..., Any]], AssetChecksDefinition]:
    """Turn a function that returns an `AssetCheckResult` into a check of an asset.

    An argument that is not the context, config, a resource or in `additional_ins` receives the asset's value.

    Args:
        asset: the asset that it judges: a definition, a key, or text.
        name: by default the function's.
        description: by default the docstring.
        blocking: what is downstream of the asset waits for it, and does not run when it fails with severity ERROR.
        additional_ins: other assets that it loads, by argument.
        additional_deps: other assets that it reads by itself.
        required_resource_keys, resource_defs, config_schema, op_tags, retry_policy, pool, executor, step_group: as for
            `@asset`.
        metadata: shown.

    Raises:
        DefinitionError: a name or argument does not fit.

    Example:
        >>> from dagwright import AssetCheckResult, asset_check
        >>> @asset_check(asset="numbers", blocking=True)
        ... def not_empty(numbers) -> AssetCheckResult:
        ...     return AssetCheckResult(passed=len(numbers) > 0)
        >>> not_empty([1]).passed
        True
    """
    if asset is None or (callable(asset) and not hasattr(asset, "key")):
        place = sources.of_caller() if asset is None else sources.of_function(asset)
        raise DefinitionError("@asset_check was given no asset", source=place, mend="write @asset_check(asset=...)")

    def decorate(fn: Callable[..., Any]) -> AssetChecksDefinition:
        source = sources.of_function(fn)
        spec = AssetCheckSpec(
            name or fn.__name__,
            asset=asset,
            description=description or signatures.doc(fn),
            additional_deps=additional_deps,
            blocking=blocking,
            metadata=metadata,
            automation_condition=automation_condition,
            partitions_def=partitions_def,
            source=source,
        )
        what = f"check {spec.key.to_user_string()}"
        signature = signatures.read(fn, what, source)
        return _checks(
            fn,
            signature,
            _loaded(signature, additional_ins or {}, spec.asset_key, what, source),
            {spec.get_python_identifier(): spec},
            what=what,
            name=spec.get_python_identifier(),
            description=spec.description,
            compute_kind=compute_kind,
            op_tags=op_tags,
            resource_defs=resource_defs,
            source=source,
            config_schema=config_schema,
            required_resource_keys=required_resource_keys,
            retry_policy=retry_policy,
            pool=pool,
            executor=executor,
            step_group=step_group,
        )

    return decorate


def multi_asset_check(
    *,
    specs: Sequence[AssetCheckSpec],
    name: str | None = None,
    description: str | None = None,
    can_subset: bool = False,
    ins: Mapping[str, AssetIn] | None = None,
    compute_kind: str | None = None,
    op_tags: Mapping[str, Any] | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    required_resource_keys: AbstractSet[str] | None = None,
    retry_policy: RetryPolicy | None = None,
    config_schema: Any = None,
    pool: str | None = None,
    hooks: Any = None,
    executor: ExecutorDefinition | str | None = None,
    step_group: str | None = None,
) -> Callable[[Callable[..., Any]], AssetChecksDefinition]:
    """Turn a function that yields several `AssetCheckResult`s into checks; arguments as for `@asset_check`.

    Args:
        specs: the checks; a result names its own by `check_name` and `asset_key` where needed.
        can_subset: the function looks at `context.selected_asset_check_keys` and evaluates only those.
        ins: assets that it loads, by argument.
    """

    def decorate(fn: Callable[..., Any]) -> AssetChecksDefinition:
        source = sources.of_function(fn)
        called = naming.check_name(name or fn.__name__, "check", source)
        what = f"checks {called!r}"
        if not specs:
            raise DefinitionError(f"{what} has no specs", source=source, mend="give specs=[AssetCheckSpec(...)]")
        signature = signatures.read(fn, what, source)
        by_output: dict[str, AssetCheckSpec] = {}
        for spec in specs:
            if spec.get_python_identifier() in by_output:
                raise DefinitionError(f"{what} lists the check {spec.key.to_user_string()} twice", source=source, mend="rename one of them")
            by_output[spec.get_python_identifier()] = spec
        return _checks(
            fn,
            signature,
            Loaded.read(signature, ins, what, source),
            by_output,
            what=what,
            name=called,
            description=description or signatures.doc(fn),
            can_subset=can_subset,
            compute_kind=compute_kind,
            op_tags=op_tags,
            resource_defs=resource_defs,
            source=source,
            config_schema=config_schema,
            required_resource_keys=required_resource_keys,
            retry_policy=retry_policy,
            pool=pool,
            hook_defs=read_hooks(hooks, what, source),
            executor=executor,
            step_group=step_group,
        )

    return decorate


def _loaded(signature: Signature, additional_ins: Mapping[str, AssetIn], judged: AssetKey, what: str, source: SourceRef | None) -> Loaded:
    """The assets that a check loads: those of `additional_ins`, and the one that it judges by the argument that is left."""
    own = [p.name for p in signature.inputs if p.name not in additional_ins]
    if len(own) > 1:
        raise DefinitionError(
            f"{what} has the arguments {', '.join(own)}, but only one may be the asset's value",
            source=source,
            mend="name the others in additional_ins=",
        )
    return Loaded.read(signature, {**additional_ins, **{name: AssetIn(judged) for name in own}}, what, source)


def _checks(
    fn: Callable[..., Any],
    signature: Signature,
    loaded: Loaded,
    by_output: Mapping[str, AssetCheckSpec],
    *,
    what: str,
    source: SourceRef | None,
    compute_kind: str | None,
    op_tags: Mapping[str, Any] | None,
    resource_defs: Mapping[str, Any] | None,
    can_subset: bool = False,
    **options: Any,
) -> AssetChecksDefinition:
    """The checks of a function, each an output of its op; `options` are the op's own."""
    op = ops.build(
        fn,
        signature,
        what=what,
        ins=loaded.ins,
        outs={output: Out(ops.Nothing, is_required=not can_subset) for output in by_output},
        tags={**naming.check_run_tags(op_tags, what, source), **({"dagwright/kind": compute_kind} if compute_kind else {})},
        source=source,
        **options,
    )
    return AssetChecksDefinition(
        op=op,
        check_specs_by_output_name=by_output,
        loaded_by_input_name=loaded.keys,
        can_subset=can_subset,
        resource_defs=dict(resource_defs or {}),
        source=source,
    )
