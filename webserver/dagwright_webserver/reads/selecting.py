"""Assets that are picked by the selection language, on the definitions of all locations."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from dagwright_shared.model import selection
from dagwright_shared.model.errors import InvalidRequestError, Problem, nearest
from dagwright_shared.model.keys import AssetKey
from dagwright_webserver.reads.definitions import Definitions

_TITLE = "The selection is not valid"
_NEAREST_AMONG = 5_000


def select(defs: Definitions, text: str) -> AbstractSet[AssetKey]:
    """The assets that a selection such as `group:year+ and not kind:duckdb` picks.

    Raises:
        InvalidRequestError: it cannot be read, which is said with the position; or it names an asset that does not exist.
    """
    chosen = selection.parse(text)
    missing = selection.unknown_keys(chosen, defs.graph)
    if missing:
        known = [key.to_user_string() for key in list(defs.graph.keys())[:_NEAREST_AMONG]]
        problems = []
        for key in missing:
            close = nearest(key.to_user_string(), known)
            message = f"there is no asset {key.to_user_string()!r}" + (f"; did you mean {close!r}?" if close else "")
            problems.append(Problem(path="selection", message=message, value=text, suggestion=close))
        raise InvalidRequestError(_TITLE, problems=problems)
    return selection.resolve(chosen, defs.graph)
