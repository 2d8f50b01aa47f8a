"""Which steps of a run are meant: `load`, `*report`, `+clean`, `load+`, `2+clean`, several of them after commas."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from dagwright_shared.model.errors import InvalidRequestError, Problem, nearest
from dagwright_webserver.reads.steps import StepView

_TERM = re.compile(r"(?:(?P<up>\d*)\+)?(?P<name>[^+\s]+)(?:\+(?P<down>\d*))?")


def select(steps: Sequence[StepView], text: str) -> frozenset[str]:
    """The keys of the steps that a selection picks.

    Args:
        text: names, or patterns with `*`; the name of an op also stands for the steps that it was mapped to (`clean` for `clean[3]`). With
            `+` before or after, all that is up- or downstream as well, and with a number beside the `+` so many levels.

    Raises:
        InvalidRequestError: a name is no step.
    """
    before = {step.step_key: frozenset(step.depends_on) for step in steps}
    after: dict[str, set[str]] = {key: set() for key in before}
    for key, needs in before.items():
        for need in needs & after.keys():
            after[need].add(key)
    found: set[str] = set()
    for term in re.split(r"[,\s]+", text.strip()):
        parts = _TERM.fullmatch(term)
        named = _named(before, parts["name"]) if parts else set()
        if parts is None or not named:
            name = parts["name"] if parts else term
            close = nearest(name, before)
            message = f"the run has no step {name!r}" + (f"; did you mean {close!r}?" if close else "")
            problem = Problem(path="steps", message=message, value=text, suggestion=close)
            raise InvalidRequestError("The selection is not valid", problems=[problem])
        found |= named | _reached(named, before, parts["up"]) | _reached(named, after, parts["down"])
    return frozenset(found)


def _named(keys: Collection[str], name: str) -> set[str]:
    pattern = re.compile(".*".join(map(re.escape, name.split("*"))))
    return {key for key in keys if pattern.fullmatch(key) or key.startswith((f"{name}[", f"{name}."))}


def _reached(start: Collection[str], edges: Mapping[str, Collection[str]], levels: str | None) -> set[str]:
    if levels is None:
        return set()
    found, border = set(start), set(start)
    for _ in range(int(levels or len(edges))):
        border = {other for key in border for other in edges.get(key, ())} - found
        if not border:
            break
        found |= border
    return found
