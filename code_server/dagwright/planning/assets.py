"""From picked assets and checks to steps: which op makes which of them, after what, from what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from dagwright.authoring.assets import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.jobs import JobDefinition
from dagwright.authoring.mappings import OwnMapping, PartitionMapping
from dagwright.authoring.ops import DEFAULT_IO_MANAGER, OpDefinition
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.planning import flatten
from dagwright.planning.config import ConfigReader
from dagwright.planning.flatten import Defaults
from dagwright.planning.state import Need
from dagwright.planning.steps import FromAsset, FromMany, FromOutput, PlannedCheck, PlannedOutput, Source, Step
from dagwright_shared.model import partitions as parts
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import Problem, nearest
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, PartitionKey, StepKey
from dagwright_shared.model.partitions import Partitions
from dagwright_shared.model.snapshot import MappingKind

if TYPE_CHECKING:
    from dagwright.authoring.resolution import ResolvedDefinitions


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What the run is to make and to judge."""

    assets: tuple[AssetKey, ...] = ()
    checks: tuple[AssetCheckKey, ...] = ()


def pick(
    resolved: ResolvedDefinitions,
    job: JobDefinition | None,
    asset_keys: Sequence[AssetKey],
    check_keys: Sequence[AssetCheckKey],
    problems: list[Problem],
    *,
    only_checks: bool = False,
) -> Picked:
    """The assets and checks of a run: those asked for, and, unless `only_checks`, the checks of those assets."""
    known: Mapping[AssetKey, Any] = resolved.assets_by_key
    where = "" if job is None else f" in job {job.name!r}"
    allowed = list(known) if job is None else list(job.asset_keys)
    wanted = list(asset_keys) if asset_keys or job is None or check_keys else allowed
    assets: dict[AssetKey, None] = {}
    for key in wanted:
        if key not in known or key not in allowed:
            problems.append(_unknown("asset", key.to_user_string(), (k.to_user_string() for k in allowed), "assets", where))
        elif not known[key].is_executable:
            problems.append(
                Problem(
                    path="assets",
                    message=f"asset {key.to_user_string()} is external: nothing here computes it",
                    value=key.to_user_string(),
                    expected="an asset with a function",
                )
            )
        else:
            assets[key] = None
    all_checks: Mapping[AssetCheckKey, Any] = resolved.checks_by_key
    in_reach = list(all_checks) if job is None else list(job.check_keys)
    checks: dict[AssetCheckKey, None] = dict.fromkeys(key for key in in_reach if key.asset_key in assets and not only_checks)
    if job is not None and not asset_keys and not check_keys and not only_checks:
        checks.update(dict.fromkeys(in_reach))
    for check in check_keys:
        if check not in all_checks or check not in in_reach:
            known_names = (k.to_user_string() for k in in_reach)
            problems.append(_unknown("check", check.to_user_string(), known_names, "checks", where))
        else:
            checks[check] = None
    _whole_multi_assets(known, assets, problems)
    if not assets and not checks and not problems:
        problems.append(Problem(path="assets", message="nothing is picked: name a job, assets or checks", expected="at least one"))
    return Picked(assets=tuple(assets), checks=tuple(checks))


def partitions_of(resolved: ResolvedDefinitions, job: JobDefinition | None, picked: Picked, problems: list[Problem]) -> Partitions | None:
    """The one partitions definition that the picked assets share; those without one run along."""
    if job is not None and job.partitions_def is not None:
        return job.partitions_def.to_model()
    found: dict[Partitions, AssetKey] = {}
    for key in (*picked.assets, *(check.asset_key for check in picked.checks)):
        definition = _partitions(resolved, key)
        if definition is not None:
            found.setdefault(definition, key)
    if len(found) > 1:
        described = "; ".join(f"{key.to_user_string()}: {parts.describe(definition)}" for definition, key in found.items())
        problems.append(
            Problem(
                path="assets",
                message=f"these assets are partitioned differently, so one run cannot cover them: {described}",
                value=[key.to_user_string() for key in found.values()],
                expected="assets of one partitions definition, or several runs",
            )
        )
    return next(iter(found), None)


def loader(resolved: ResolvedDefinitions) -> Callable[[AssetKey], FromAsset]:
    """Where an op gets an asset from that its `In(asset_key=...)` names."""
    return lambda key: _from_asset(resolved, key, None, None, {})


def steps(
    resolved: ResolvedDefinitions,
    job: JobDefinition | None,
    picked: Picked,
    covered: tuple[PartitionKey, ...],
    partitions: Partitions | None,
    config: ConfigReader,
) -> list[Step]:
    """The steps that make and judge what was picked, upstream before downstream."""
    return _Builder(resolved, job, picked, covered, config, partitions).build()


def skeleton(definition: Any) -> Step:
    """The step that a definition would be, without config and sources: for calling it directly."""
    if isinstance(definition, OpDefinition):
        return Step(key=StepKey(definition.name), op=definition, outputs=tuple(flatten.output(n, o) for n, o in definition.outs.items()))
    kind = "check" if isinstance(definition, AssetChecksDefinition) else "asset"
    specs = tuple(definition.specs) if kind == "asset" else ()
    partitions = next((spec.partitions_def.to_model() for spec in specs if spec.partitions_def is not None), None)
    return Step(
        key=StepKey(definition.op.name),
        op=definition.op,
        kind=kind,
        outputs=_outputs(definition, {spec.key for spec in specs}),
        checks=_checks(definition, None),
        partitions=partitions,
        assets=definition,
    )


class _Builder:
    """Puts the steps of one run together."""

    def __init__(
        self,
        resolved: ResolvedDefinitions,
        job: JobDefinition | None,
        picked: Picked,
        covered: tuple[PartitionKey, ...],
        config: ConfigReader,
        partitions: Partitions | None,
    ) -> None:
        self._resolved, self._job, self._picked, self._config = resolved, job, picked, config
        self._covered, self._partitions = covered, partitions
        self._assets = frozenset(picked.assets)
        self._hooks = frozenset(job.hook_defs) if job is not None else frozenset()
        self._checks = frozenset(picked.checks)
        self._made: dict[AssetKey, FromOutput] = {}
        self._gates: dict[AssetKey, list[Need]] = {}

    def build(self) -> list[Step]:
        result: list[Step] = []
        names = []
        for definition in self._in_order():
            names.append(definition.op.name if definition.op is not None else definition.name)
            if isinstance(definition, AssetChecksDefinition):
                result.append(self._check(definition))
            elif any(key in self._assets for key in definition.keys):
                result += self._asset(definition)
            else:
                self._check_without_asset(definition)
        # Config for assets that were not picked this time is fine: a job's own config covers all of them.
        every = {d.name for d in self._resolved.assets_by_key.values() if d.is_executable}
        every |= {d.op.name for d in self._resolved.checks_by_key.values() if d.op is not None}
        self._config.done([*names, *sorted(every - set(names))])
        return result

    def _in_order(self) -> list[Any]:
        assets, checks = self._resolved.assets_by_key, self._resolved.checks_by_key
        wanted: dict[int, Any] = {}
        for key in self._picked.assets:
            wanted.setdefault(id(assets[key]), assets[key])
        for check in self._picked.checks:
            wanted.setdefault(id(checks[check]), checks[check])
        maker = {key: id(assets[key]) for key in self._picked.assets}
        gates: dict[AssetKey, list[int]] = {}
        for check in self._picked.checks:
            definition = checks[check]
            if isinstance(definition, AssetChecksDefinition) and _spec_of(definition, check).blocking:
                gates.setdefault(check.asset_key, []).append(id(definition))
        sorter: TopologicalSorter[int] = TopologicalSorter()
        for number, definition in wanted.items():
            upstream = [maker[key] for key in self._upstream(definition) if key in maker]
            judged = {check.asset_key for check in definition.check_keys} if isinstance(definition, AssetChecksDefinition) else set()
            upstream += [gate for key in self._upstream(definition) if key not in judged for gate in gates.get(key, ())]
            sorter.add(number, *(other for other in upstream if other != number))
        position = {number: place for place, number in enumerate(wanted)}
        try:
            sorter.prepare()
        except CycleError as error:
            names = " -> ".join(wanted[number].name for number in error.args[1])
            self._config.problem(
                "",
                f"the steps wait for each other: {names}. "
                "Assets of one function are made together; split the multi-asset, or pick fewer of them",
            )
            return []
        ordered: list[Any] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=position.__getitem__)
            ordered += (wanted[number] for number in ready)
            sorter.done(*ready)
        return ordered

    def _upstream(self, definition: Any) -> list[AssetKey]:
        """Assets that the step depends on, its own left out."""
        if not isinstance(definition, AssetChecksDefinition):
            found = [dep.asset_key for spec in definition.specs if spec.key in self._assets for dep in spec.deps]
            found += definition.loaded_by_input_name.values()
            return [key for key in dict.fromkeys(found) if key not in definition.keys]
        found = list(definition.loaded_by_input_name.values())
        for spec in definition.check_specs_by_output_name.values():
            found += [spec.asset_key, *(dep.asset_key for dep in spec.additional_deps)]
        return list(dict.fromkeys(found))

    def _asset(self, definition: AssetsDefinition) -> list[Step]:
        selected = {key for key in definition.keys if key in self._assets}
        partitions = next((p for key in definition.keys if key in selected and (p := _partitions(self._resolved, key)) is not None), None)
        loaded = self._sources(definition.loaded_by_input_name, definition)
        after, others = self._order(self._upstream(definition), loaded, definition, frozenset())
        defaults = Defaults(
            retry_policy=self._job.op_retry_policy if self._job is not None else None,
            partition_keys=self._covered if partitions is not None else (),
            partitions=partitions,
            kind="asset",
            assets=definition,
            hooks=self._hooks,
        )
        if definition.graph is not None:
            return self._graph_asset(definition, definition.graph, selected, loaded, defaults, after)
        assert definition.op is not None
        step = flatten.op_step(
            definition.op,
            StepKey(definition.op.name),
            loaded,
            self._config.node(definition.op.name),
            defaults,
            after=after,
            retry=definition.op.retry_policy or defaults.retry_policy,
        )
        step = replace(step, outputs=_outputs(definition, selected), checks=_checks(definition, self._checks), order_only_assets=others)
        self._note(step)
        return [step]

    def _graph_asset(
        self,
        definition: AssetsDefinition,
        graph: GraphDefinition,
        selected: set[AssetKey],
        loaded: Mapping[str, Source],
        defaults: Defaults,
        after: tuple[Need, ...],
    ) -> list[Step]:
        flat = flatten.flatten(
            graph,
            config=self._config.node(graph.name).of_graph(graph),
            defaults=defaults,
            prefix=f"{graph.name}.",
            given=loaded,
            order=after,
        )
        by_output: dict[tuple[StepKey, str], AssetKey] = {}
        for name, key in definition.keys_by_output_name.items():
            made = flat.outputs[name]
            by_output[made.step, made.output] = key
        verdicts = {
            (flat.outputs[name].step, flat.outputs[name].output): spec for name, spec in definition.check_specs_by_output_name.items()
        }
        result = []
        for step in flat.steps:
            checks = tuple(
                PlannedCheck(key=spec.key, blocking=spec.blocking, output_name=output.name, selected=spec.key in self._checks)
                for output in step.outputs
                if (spec := verdicts.get((step.key, output.name))) is not None
            )
            outputs = tuple(
                output
                if (asset := by_output.get((step.key, output.name))) is None
                else _asset_output(definition, asset, output, asset in selected)
                for output in step.outputs
                if (step.key, output.name) not in verdicts
            )
            kind = "asset" if any(o.asset_key for o in outputs) else "check" if checks and not outputs else "op"
            # What is an asset is stored as one, also for the steps of the same graph that read it.
            inputs = tuple(replace(each, source=self._inside(each.source, by_output)) for each in step.inputs)
            result.append(replace(step, inputs=inputs, outputs=outputs, checks=checks, kind=kind))
            self._note(result[-1])
            self._gate(result[-1])
        return result

    def _inside(self, source: Source, by_output: Mapping[tuple[StepKey, str], AssetKey]) -> Source:
        if isinstance(source, FromMany):
            return replace(source, sources=tuple(self._inside(one, by_output) for one in source.sources))  # type: ignore[misc]
        if not isinstance(source, FromOutput):
            return source
        key = by_output.get((source.step, source.output))
        if key is None or key not in self._made:
            return source
        return _from_asset(self._resolved, key, self._made[key], None, self._made)

    def _check(self, definition: Any) -> Step:
        loaded = self._sources(definition.loaded_by_input_name, definition)
        judged = frozenset(check.asset_key for check in definition.check_keys)
        after, others = self._order(self._upstream(definition), loaded, definition, judged)
        partitions = next((p for key in judged if (p := _partitions(self._resolved, key)) is not None), None)
        defaults = Defaults(
            partition_keys=self._covered if partitions is not None and partitions == self._partitions else (),
            partitions=partitions,
            kind="check",
            assets=definition,
            hooks=self._hooks,
        )
        step = flatten.op_step(
            definition.op,
            StepKey(definition.op.name),
            loaded,
            self._config.node(definition.op.name),
            defaults,
            after=after,
            retry=definition.op.retry_policy,
        )
        step = replace(step, outputs=(), checks=_checks(definition, self._checks), order_only_assets=others)
        self._gate(step)
        return step

    def _gate(self, step: Step) -> None:
        """What is downstream of the assets that a step judges waits for its blocking checks."""
        for check in step.checks:
            if check.blocking and check.selected:
                self._gates.setdefault(check.key.asset_key, []).append(Need(step=step.key))

    def _check_without_asset(self, definition: AssetsDefinition) -> None:
        for spec in definition.check_specs:
            if spec.key in self._checks:
                self._config.problem(
                    "",
                    f"the check {spec.key.to_user_string()} is evaluated by the function of its asset; "
                    f"pick the asset {spec.asset_key.to_user_string()} too",
                )

    def _note(self, step: Step) -> None:
        for output in step.outputs:
            if output.asset_key is not None and output.selected:
                self._made[output.asset_key] = FromOutput(step=step.key, output=output.name, io_manager_key=output.io_manager_key)

    def _sources(self, inputs: Mapping[str, AssetKey], definition: Any) -> dict[str, Source]:
        return {name: self._source(key, definition) for name, key in inputs.items()}

    def _source(self, key: AssetKey, definition: Any) -> FromAsset:
        return _from_asset(self._resolved, key, self._made.get(key), definition, self._made)

    def _order(
        self, upstream: Iterable[AssetKey], loaded: Mapping[str, Source], definition: Any, judged: frozenset[AssetKey]
    ) -> tuple[tuple[Need, ...], tuple[FromAsset, ...]]:
        """What must have happened before, and the assets that are not loaded."""
        values = {source.asset_key for source in loaded.values() if isinstance(source, FromAsset)}
        after: dict[Need, None] = {}
        others = []
        for key in upstream:
            made = self._made.get(key)
            if made is not None and key not in values:
                after[Need(step=made.step, output=made.output)] = None
            if key not in judged:
                after.update(dict.fromkeys(self._gates.get(key, ())))
            if key not in values and key in self._resolved.assets_by_key:
                others.append(self._source(key, definition))
        return tuple(after), tuple(others)


def _from_asset(
    resolved: ResolvedDefinitions, key: AssetKey, made: FromOutput | None, reader: Any, _all: Mapping[AssetKey, FromOutput]
) -> FromAsset:
    definition = resolved.assets_by_key.get(key)
    mapping = getattr(reader, "partition_mappings", {}).get(key) or _mapping_in_deps(reader, key)
    if definition is None:
        return FromAsset(asset_key=key, io_manager_key=DEFAULT_IO_MANAGER, made_here=made)
    return FromAsset(
        asset_key=key,
        io_manager_key=definition.io_manager_key_of(key),
        partitions=_partitions(resolved, key),
        mapping=mapping.to_model() if mapping is not None else None,
        own_mapping=_own_mapping(mapping, definition.specs_by_key[key].partitions_def, reader),
        made_here=made,
        metadata=definition.specs_by_key[key].metadata,
    )


def _own_mapping(mapping: PartitionMapping | None, upstream: PartitionsDefinition | None, reader: Any) -> OwnMapping | None:
    if mapping is None or upstream is None or mapping.to_model().kind is not MappingKind.CUSTOM:
        return None
    below = [spec.partitions_def for spec in getattr(reader, "specs", None) or () if spec.partitions_def is not None]
    return OwnMapping(mapping, upstream, below[0] if below else None)


def _mapping_in_deps(reader: Any, key: AssetKey) -> Any:
    specs = getattr(reader, "specs", None) or ()
    for spec in specs:
        for dep in getattr(spec, "deps", None) or getattr(spec, "additional_deps", None) or ():
            if dep.asset_key == key and dep.partition_mapping is not None:
                return dep.partition_mapping
    return None


def _partitions(resolved: ResolvedDefinitions, key: AssetKey) -> Partitions | None:
    definition = resolved.assets_by_key.get(key)
    spec = definition.specs_by_key.get(key) if definition is not None else None
    return spec.partitions_def.to_model() if spec is not None and spec.partitions_def is not None else None


def _outputs(definition: Any, selected: set[AssetKey]) -> tuple[PlannedOutput, ...]:
    """The outputs of the op that are not verdicts of checks."""
    found = []
    for name, out in definition.op.outs.items():
        if name in definition.check_specs_by_output_name:
            continue
        plain = flatten.output(name, out)
        key = definition.keys_by_output_name.get(name)
        found.append(plain if key is None else _asset_output(definition, key, plain, key in selected))
    return tuple(found)


def _asset_output(definition: AssetsDefinition, key: AssetKey, plain: PlannedOutput, selected: bool) -> PlannedOutput:  # noqa: FBT001
    spec = definition.specs_by_key[key]
    return replace(
        plain,
        asset_key=key,
        partitions=spec.partitions_def.to_model() if spec.partitions_def is not None else None,
        metadata=spec.metadata or plain.metadata,
        code_version=spec.code_version or plain.code_version,
        selected=selected,
    )


def _checks(definition: Any, selected: frozenset[AssetCheckKey] | None) -> tuple[PlannedCheck, ...]:
    return tuple(
        PlannedCheck(key=spec.key, blocking=spec.blocking, output_name=name, selected=selected is None or spec.key in selected)
        for name, spec in definition.check_specs_by_output_name.items()
    )


def _spec_of(definition: Any, key: AssetCheckKey) -> Any:
    return next(spec for spec in definition.check_specs_by_output_name.values() if spec.key == key)


def _whole_multi_assets(known: Mapping[AssetKey, Any], assets: Mapping[AssetKey, None], problems: list[Problem]) -> None:
    seen: set[int] = set()
    for key in assets:
        definition = known[key]
        if id(definition) in seen or definition.can_subset:
            continue
        seen.add(id(definition))
        left = [other for other in definition.keys if other not in assets]
        if left:
            problems.append(
                Problem(
                    path="assets",
                    message=f"asset {key.to_user_string()} is made together with others by {definition.name!r}, which cannot leave any out",
                    value=key.to_user_string(),
                    expected=f"also {', '.join(other.to_user_string() for other in left)}, or can_subset=True in its definition",
                )
            )


def _unknown(kind: str, name: str, known: Iterable[str], path: str, where: str) -> Problem:
    close = nearest(name, known)
    message = f"there is no {kind} {name!r}{where}" + (f"; did you mean {close!r}?" if close else "")
    return Problem(path=path, message=message, value=name, suggestion=close)
