"""How a plan grows while it runs: a step that is mapped over a dynamic output becomes one step for each mapping key.

A pattern is a step with a `scope`, its levels. When the step of a level is done, its mapping keys are known, and each
pattern right below it is copied once for each of them; patterns further below keep a `?` in their key. A step that
collects is in the plan from the start, held until the last level that it collects over is known.

Pure, and linear in the steps that are made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from dagwright.planning.state import Need
from dagwright.planning.steps import FromCollected, FromMany, FromOutput, Level, Path, PlannedInput, Single, Source, Step, flat
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import RunId, StepKey

UNKNOWN = "?"


def key_at(pattern: StepKey, path: Path) -> StepKey:
    """The key of a copy: `op[a]`, `op[a][b]`."""
    return StepKey(pattern + "".join(f"[{part}]" for part in path)) if path else pattern


def split_key(key: str) -> tuple[StepKey, Path]:
    """The pattern and the path of a step's key.

    Example:
        >>> split_key("load.one[a][b]")
        ('load.one', ('a', 'b'))
    """
    pattern, bracket, rest = key.partition("[")
    return StepKey(pattern), tuple(rest[:-1].split("][")) if bracket else ()


@dataclass(slots=True)
class Change:
    """What a plan gained, in order."""

    added: list[Step] = field(default_factory=list)
    placeholders: list[tuple[Step, Path]] = field(default_factory=list)
    """Patterns of which a part of the path has become known."""
    gone: list[StepKey] = field(default_factory=list)
    """Placeholders that others have taken the place of."""
    needs: list[tuple[StepKey, Need]] = field(default_factory=list)
    """Held steps that have to wait for one step more."""
    filled: list[Step] = field(default_factory=list)
    """Held steps that now know all that they collect."""


@dataclass(slots=True)
class _Collector:
    step: Step
    open: int = 0
    """Steps of levels that are not done."""


class Growth:
    """The patterns of a plan, and what has been made of them.

    Args:
        steps: of the plan, upstream first.
        chosen: keys of the steps to run; None: all.
        inherited: steps that an earlier run has done.
    """

    def __init__(self, steps: Iterable[Step], chosen: frozenset[StepKey] | None, inherited: Mapping[StepKey, RunId]) -> None:
        self._chosen, self._inherited = chosen, inherited
        self._steps = tuple(steps)
        self._patterns = {step.key: step for step in self._steps if step.scope}
        self._below: dict[Level, list[Step]] = {}
        self._touching: dict[Level, list[tuple[int, Step]]] = {}
        self._levels: dict[StepKey, list[Level]] = {}
        for pattern in self._patterns.values():
            self._below.setdefault(pattern.scope[-1], []).append(pattern)
            for depth, level in enumerate(pattern.scope):
                self._touching.setdefault(level, []).append((depth, pattern))
        for step in self._steps:
            for source in _collected(step):
                for level in source.source.scope:
                    self._touching.setdefault(level, [])
        for level in self._touching:
            self._levels.setdefault(level.step, []).append(level)
        self._keys: dict[tuple[Level, Path], tuple[str, ...]] = {}
        self._waiting: dict[tuple[Level, Path], list[tuple[_Collector, FromCollected]]] = {}
        self._absent: set[StepKey] = set()
        self._earlier = self._read_earlier() if self._patterns or self._touching else {}
        self._done_before: deque[tuple[StepKey, Path]] = deque()

    def start(self) -> Change:
        """The plan as it begins."""
        change = Change()
        for step in self._steps:
            if step.scope:
                change.placeholders.append((step, ()))
            else:
                self._enter(step, change)
        for key in self._levels:
            if key in self._inherited and key not in self._patterns:
                self._done_before.append((key, ()))
        self._catch_up(change)
        return change

    def makes_levels(self, step: Step) -> bool:
        """Whether other steps are mapped over an output of this one."""
        return (step.pattern or step.key) in self._levels

    def landed(self, step: Step, mapping_keys: Mapping[str, Sequence[str]]) -> Change:
        """A step is done; its dynamic outputs have these mapping keys."""
        change = Change()
        for level in self._levels.get(step.pattern or step.key, ()):
            self._expand(level, step.path, tuple(mapping_keys.get(level.output, ())), change)
        self._catch_up(change)
        return change

    def lost(self, step: Step) -> list[StepKey]:
        """A step failed or was skipped: the placeholders that will never become steps."""
        found: dict[StepKey, None] = {}
        for level in self._levels.get(step.pattern or step.key, ()):
            self._waiting.pop((level, step.path), None)
            for _, pattern in self._touching[level]:
                found[placeholder(pattern, step.path)] = None
        return list(found)

    # ---- making steps

    def _expand(self, level: Level, path: Path, keys: tuple[str, ...], change: Change) -> None:
        self._keys[level, path] = keys
        for depth, pattern in self._touching[level]:
            change.gone.append(placeholder(pattern, path))
            if depth + 1 < len(pattern.scope):
                change.placeholders += ((pattern, (*path, key)) for key in keys)
        for key in keys:
            for pattern in self._below.get(level, ()):
                self._make(pattern, (*path, key), change)
        for collector, source in self._waiting.pop((level, path), ()):
            self._advance(collector, source, path, keys, change)

    def _make(self, pattern: Step, path: Path, change: Change) -> None:
        key = key_at(pattern.key, path)
        inherited = key in self._inherited
        if not inherited and self._wanted(pattern, path):
            self._enter(self._at(pattern, path), change)
            return
        if not inherited:
            self._absent.add(key)
        if pattern.key in self._levels:
            self._done_before.append((pattern.key, path))

    def _enter(self, step: Step, change: Change) -> None:
        """Add a step; one that collects has to wait for the levels that it collects over."""
        sources = _collected(step)
        change.added.append(step)
        if not sources:
            return
        collector = _Collector(step)
        for source in sources:
            level = source.source.scope[len(step.path)]
            self._wait(collector, source, level, step.path, change)

    def _wait(self, collector: _Collector, source: FromCollected, level: Level, path: Path, change: Change) -> None:
        self._waiting.setdefault((level, path), []).append((collector, source))
        collector.open += 1
        # Of a step that is not in the plan the need is met: an earlier run did it.
        change.needs.append((collector.step.key, Need(step=key_at(level.step, path))))

    def _advance(self, collector: _Collector, source: FromCollected, path: Path, keys: tuple[str, ...], change: Change) -> None:
        """A level that a step collects over is known: go on to the one inside it."""
        collector.open -= 1
        if len(path) + 1 < len(source.source.scope):
            inner = source.source.scope[len(path) + 1]
            for key in keys:
                self._wait(collector, source, inner, (*path, key), change)
        if collector.open == 0:
            change.filled.append(self._filled(collector.step))

    def _wanted(self, pattern: Step, path: Path) -> bool:
        if self._chosen is None or pattern.key in self._chosen:
            return True
        return any(key in self._chosen for key in (key_at(pattern.key, path), *_placeholders(pattern, path)))

    # ---- from a pattern to a step

    def _at(self, pattern: Step, path: Path) -> Step:
        return replace(
            pattern,
            key=key_at(pattern.key, path),
            inputs=tuple(self._input(planned, path) for planned in pattern.inputs),
            after=tuple(self._need(need, path) for need in pattern.after),
            path=path,
            pattern=pattern.key,
            scope=(),
        )

    def _need(self, need: Need, path: Path) -> Need:
        upstream = self._patterns.get(need.step)
        return need if upstream is None else replace(need, step=key_at(need.step, path[: len(upstream.scope)]))

    def _input(self, planned: PlannedInput, path: Path) -> PlannedInput:
        source: Source = planned.source
        if isinstance(source, FromMany):
            return replace(planned, source=FromMany(sources=tuple(self._single(one, path) for one in source.sources)))
        return replace(planned, source=self._single(source, path))

    def _single(self, source: Single, path: Path) -> Single:
        return self._output(source, path) if isinstance(source, FromOutput) and source.scope else source

    def _output(self, source: FromOutput, path: Path) -> FromOutput:
        depth = len(source.scope)
        dynamic = source.scope[-1] == Level(source.step, source.output)
        key = key_at(source.step, path[: depth - dynamic])
        return FromOutput(
            step=key,
            output=source.output,
            io_manager_key=source.io_manager_key,
            run_id=self._inherited.get(key, source.run_id),
            mapping_key=path[depth - 1] if dynamic else None,
        )

    def _filled(self, step: Step) -> Step:
        inputs = []
        for planned in step.inputs:
            sources: list[Single] = []
            for one in flat(planned.source):
                if isinstance(one, FromCollected):
                    made = (self._output(one.source, path) for path in self._paths(one.source.scope, step.path))
                    sources += (output for output in made if output.step not in self._absent)
                else:
                    sources.append(one)
            inputs.append(replace(planned, source=FromMany(sources=tuple(sources))) if isinstance(planned.source, FromMany) else planned)
        return replace(step, inputs=tuple(inputs))

    def _paths(self, scope: tuple[Level, ...], start: Path) -> list[Path]:
        paths = [start]
        for level in scope[len(start) :]:
            paths = [(*path, key) for path in paths for key in self._keys.get((level, path), ())]
        return paths

    # ---- what an earlier run did

    def _read_earlier(self) -> dict[tuple[Level, Path], dict[str, None]]:
        """Mapping keys of steps that were done before: they are in the keys of the steps that were made of them."""
        found: dict[tuple[Level, Path], dict[str, None]] = {}
        for key in (*self._inherited, *(self._chosen or ())):
            pattern_key, path = split_key(key)
            pattern = self._patterns.get(pattern_key)
            if pattern is None or not path:
                continue
            for depth, (level, part) in enumerate(zip(pattern.scope, path, strict=False)):
                if part == UNKNOWN:
                    break
                found.setdefault((level, path[:depth]), {})[part] = None
        return found

    def _catch_up(self, change: Change) -> None:
        while self._done_before:
            pattern, path = self._done_before.popleft()
            for level in self._levels[pattern]:
                self._expand(level, path, tuple(self._earlier.get((level, path), ())), change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A step for a process that has the plan but not what the plan has gained: what the step has that its pattern has not."""

    key: StepKey
    base: StepKey
    """The step of the plan that it was made from; itself, where it was there from the start."""
    path: Path = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    """By input; those that differ from the base's."""


def pack(step: Step) -> Packed:
    """The step as plain data."""
    sources = {
        planned.name: planned.source
        for planned in step.inputs
        if not planned.nothing and (step.pattern is not None or isinstance(planned.source, FromMany)) and _plain(planned.source)
    }
    return Packed(key=step.key, base=step.pattern or step.key, path=step.path, sources=sources)


def unpack(packed: Packed, plan: Mapping[StepKey, Step]) -> Step:
    """The step that was packed; `plan` has its base."""
    base = plan[packed.base]
    if packed.base == packed.key and not packed.sources:
        return base
    inputs = tuple(replace(p, source=packed.sources.get(p.name, p.source)) for p in base.inputs)
    pattern = packed.base if packed.path else None
    return replace(base, key=packed.key, inputs=inputs, path=packed.path, pattern=pattern, scope=())


def _plain(source: Source) -> bool:
    return any(isinstance(one, FromOutput) for one in flat(source)) or (isinstance(source, FromMany) and not source.sources)


def placeholder(pattern: Step, path: Path) -> StepKey:
    """The key of a pattern of whose path this part is known."""
    return key_at(pattern.key, (*path, *(UNKNOWN for _ in range(len(pattern.scope) - len(path)))))


def _placeholders(pattern: Step, path: Path) -> Iterable[StepKey]:
    return (placeholder(pattern, path[:depth]) for depth in range(len(path)))


def _collected(step: Step) -> list[FromCollected]:
    return [source for planned in step.inputs for source in flat(planned.source) if isinstance(source, FromCollected)]
