"""The arguments of an asset or check function that are upstream assets, and the checks that it evaluates by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from dagwright.authoring import ops, signatures
from dagwright.authoring.ops import In
from dagwright.authoring.specs import AssetCheckSpec, AssetDep, AssetIn
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.keys import AssetKey


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

    def all_deps(self, order_only: Iterable[AssetDep], what: str, source: SourceRef | None) -> tuple[AssetDep, ...]:
        """The loaded assets and those of `deps=` together."""
        from_arguments = [
            AssetDep(key, partition_mapping=self.declared[name].partition_mapping if name in self.declared else None)
            for name, key in self.keys.items()
        ]
        known = {dep.asset_key for dep in from_arguments}
        for dep in order_only:
            if dep.asset_key in known:
                raise DefinitionError(
                    f"{what} depends on {dep.asset_key.to_user_string()} both by an argument and by deps=",
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
                f"{what}: the check {spec.name!r} is of the asset {spec.asset_key.to_user_string()}, which this function does not compute",
                source=source,
                mend="use @asset_check for it",
            )
        if spec.get_python_identifier() in found:
            raise DefinitionError(f"{what} has two checks named {spec.name!r}", source=source, mend="rename one of them")
        found[spec.get_python_identifier()] = spec
    return found
