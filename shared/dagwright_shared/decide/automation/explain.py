"""Evaluations as small JSON, for those who ask why something was requested, or was not."""

from __future__ import annotations

from typing import Any

from dagwright_shared.decide.automation import kept
from dagwright_shared.decide.automation.moment import Moment
from dagwright_shared.decide.automation.result import Result


def tree(moment: Moment, result: Result, depth: int = 100, above: object = None) -> dict[str, Any]:
    """A result and what it is made of.

    `name` and `label`; `of`, where it is another entity than the one above; `true`, the partitions as ranges of keys (true or false of
    what has none); `count` and `candidates`, how many; `triggered_at` and `reset_at` of a SINCE; `parts`.

    Args:
        depth: how many levels of parts are told.
    """
    definition = moment.graph[result.key].partitions
    found: dict[str, Any] = {
        "name": result.name,
        "true": kept.to_json(kept.keep(definition, result.true, moment.now, moment.dynamic)),
        "count": len(result.true),
        "candidates": len(result.candidates),
    }
    if result.node.condition.label is not None and result.name == result.node.name:
        found["label"] = result.node.condition.label
    if above is not None and result.key != above:
        found["of"] = result.key.to_user_string()
    if result.state is not None:
        for name in ("triggered_at", "reset_at"):
            if getattr(result.state, name) is not None:
                found[name] = getattr(result.state, name)
    if result.children and depth > 0:
        found["parts"] = [tree(moment, child, depth - 1, result.key) for child in result.children]
    return found
