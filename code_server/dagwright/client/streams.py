"""Server-Sent Events, as they come in lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec


class StreamEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a stream."""

    event: str
    """Its type, such as `event`, `run` or `change`."""
    id: str | None
    """A reconnection goes on after it."""
    data: Any
    """What it tells, as JSON."""
    raw: bytes
    """The same, as it came."""


def parse(lines: Iterable[str]) -> Iterator[StreamEvent]:
    """The events of a response; comments, such as `: still here`, are passed over."""
    kind, number = "message", None
    data: list[str] = []
    for line in lines:
        if line == "":
            if data:
                raw = "\n".join(data).encode()
                yield StreamEvent(event=kind, id=number, data=msgspec.json.decode(raw), raw=raw)
            kind, number, data = "message", None, []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "event":
                kind = value
            case "id":
                number = value
            case "data":
                data.append(value)
