"""What JSON can carry, and neither Postgres nor JSON of others can: such values are refused wherever a body is read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from dagwright_shared.model.errors import Problem

_DEEPEST = 100


class UnfitError(ValueError):
    """A body cannot be stored."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(problems[0].message)


def unfit(value: Any, path: str = "", *, depth: int = 0) -> Iterator[Problem]:
    """What of a value cannot be stored, with its place."""
    if depth > _DEEPEST:
        yield Problem(path=path[:200], message=f"the value is nested more than {_DEEPEST} levels deep", expected="less depth")
        return
    match value:
        case dict():
            for key, each in value.items():
                if not _is_plain(key):
                    yield Problem(path=path, message=f"the name {key!r} holds a NUL or half a character, which cannot be stored")
                yield from unfit(each, f"{path}.{key}" if path else str(key), depth=depth + 1)
        case list():
            for number, each in enumerate(value):
                yield from unfit(each, f"{path}[{number}]", depth=depth + 1)
        case str() if not _is_plain(value):
            yield Problem(path=path, message="the text holds a NUL or half a character, which cannot be stored; take it out")
        case float() if not math.isfinite(value):
            yield Problem(path=path, message=f"{value} is not a number that JSON has", expected="a finite number")


def _is_plain(text: Any) -> bool:
    return not isinstance(text, str) or (
        "\x00" not in text and (text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))
    )
