"""Which steps of a job of ops are wanted: `["load", "*report", "clean+"]`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from dagwright.planning.steps import Step, upstream
from dagwright_shared.model.errors import Problem, SubsetError, nearest
from dagwright_shared.model.keys import StepKey

_QUERY = re.compile(r"^(\*|\++)?([^*+]+?)(\*|\++)?$")


def select(steps: Sequence[Step], queries: Collection[str]) -> frozenset[StepKey]:
    """The keys of the steps that some of the queries name.

    Args:
        queries: each a step or a graph in the job; `*name` with all that is upstream of it, `name*` downstream, and `+name`,
            `name++` as many levels as there are plus signs.

    Raises:
        SubsetError: a query names nothing in the job.
    """
    before = {step.key: frozenset(upstream(step)) for step in steps}
    after = {key: frozenset(other for other, needs in before.items() if key in needs) for key in before}
    found: set[StepKey] = set()
    problems: list[Problem] = []
    for query in queries:
        parts = _QUERY.match(query.strip())
        name = parts[2] if parts is not None else query
        named = {key for key in before if key == name or key.startswith(f"{name}.")}
        if parts is None or not named:
            close = nearest(name, list(before))
            hint = f"; did you mean {close!r}?" if close else ""
            problems.append(Problem(path="op_selection", message=f"the job has no op {name!r}{hint}", value=query, suggestion=close))
            continue
        found |= named | _reached(named, before, parts[1]) | _reached(named, after, parts[3])
    if problems:
        raise SubsetError("; ".join(problem.message for problem in problems), problems=problems)
    return frozenset(found)


def _reached(start: Collection[StepKey], edges: Mapping[StepKey, Collection[StepKey]], sign: str | None) -> set[StepKey]:
    levels = 0 if sign is None else len(edges) if sign == "*" else len(sign)
    found, border = set(start), set(start)
    for _ in range(levels):
        border = {other for key in border for other in edges.get(key, ())} - found
        if not border:
            break
        found |= border
    return found
