"""How long a run will take, by how long earlier runs of the same job and their steps took."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import TopologicalSorter

from dagwright_shared.model.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTimes:
    """How long a step took."""

    step: str
    samples: int
    p50: float
    """Seconds that half of the samples took at most."""
    p90: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """How long a run will take, in seconds."""

    samples: int
    """Earlier runs that it is drawn from."""
    p50: float
    p90: float
    steps: tuple[StepTimes, ...]
    """Those of the run that have been seen, in the order of the job."""
    critical_path: tuple[str, ...]
    """The steps that the run will wait for, one after the other."""
    unknown: tuple[str, ...]
    """Steps that have never succeeded, which count as nothing."""


def predict(
    whole: Sequence[float],
    samples: Mapping[str, Sequence[float]],
    *,
    nodes: Sequence[str],
    edges: Iterable[tuple[str, str]],
    chosen: Collection[str] | None = None,
) -> Prediction | None:
    """What to expect of a run.

    Args:
        whole: seconds that whole runs took.
        samples: seconds that each step took, in those and in partial runs.
        nodes: all steps of the job.
        edges: which of them feeds which.
        chosen: the steps of the run, where it has not all.

    Returns:
        Of all steps, the quantiles of whole runs, which hold the waiting too; of some, or without whole runs, the sum of the
        quantiles along the critical path. None where nothing is known.
    """
    wanted = [node for node in nodes if chosen is None or node in chosen]
    times = {step: _times(step, samples[step]) for step in wanted if samples.get(step)}
    if not times and not (whole and chosen is None):
        return None
    path = _critical_path({step: found.p50 for step, found in times.items()}, nodes, edges)
    if whole and chosen is None:
        count, p50, p90 = len(whole), quantile(whole, 0.5), quantile(whole, 0.9)
    else:
        count = min((times[step].samples for step in path), default=0)
        p50, p90 = sum(times[step].p50 for step in path), sum(times[step].p90 for step in path)
    return Prediction(
        samples=count,
        p50=p50,
        p90=p90,
        steps=tuple(times.values()),
        critical_path=path,
        unknown=tuple(step for step in wanted if step not in times),
    )


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which a part of them lies, interpolated between neighbours."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * part
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _times(step: str, values: Sequence[float]) -> StepTimes:
    return StepTimes(step=step, samples=len(values), p50=quantile(values, 0.5), p90=quantile(values, 0.9))


def _critical_path(seconds: Mapping[str, float], nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The longest way through the graph; steps that take no part pass on what is before them."""
    before: dict[str, list[str]] = {node: [] for node in nodes}
    for upstream, downstream in edges:
        if upstream in before and downstream in before:
            before[downstream].append(upstream)
    longest: dict[str, tuple[float, tuple[str, ...]]] = {}
    for node in TopologicalSorter(before).static_order():
        at, path = max((longest[each] for each in before[node]), key=lambda found: found[0], default=(0.0, ()))
        longest[node] = (at + seconds[node], (*path, node)) if node in seconds else (at, path)
    return max(longest.values(), key=lambda found: found[0], default=(0.0, ()))[1]
