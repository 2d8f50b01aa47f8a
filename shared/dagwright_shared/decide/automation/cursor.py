"""What an evaluation leaves behind for the next one: small, plain, and valid after definitions have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from dagwright_shared.decide.automation.kept import Kept, from_json, to_json
from dagwright_shared.model.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """What one part of a condition remembers."""

    true: Kept = False
    """The partitions of which it was true (NEWLY_TRUE: of which its operand was)."""
    text: str | None = None
    """A code version."""
    triggered_at: float | None = None
    """SINCE: when its trigger was last true of anything."""
    reset_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Of the condition of one asset or check."""

    fingerprint: str
    """Of the condition. With another one the parts that are still the same keep their state; the others start anew."""
    shape: str
    """What kind of partitions it had: where it changes, everything starts anew."""
    mark: int
    """Updates up to this have been seen."""
    at: datetime
    requested: Kept
    """What this evaluation asked for."""
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    asked: Kept = False
    """What the newest evaluation that asked for something asked for."""
    asked_at: float | None = None
    """When that was, in seconds since the epoch."""
    handled: bool = False
    """Whether the condition itself has taken in what it asked for; to others it is still new."""

    def to_json(self) -> dict[str, Any]:
        nodes = {
            name: {
                key: value
                for key, value in (
                    ("s", to_json(state.true)), ("x", state.text), ("t", state.triggered_at), ("r", state.reset_at)
                )
                if value is not None and value is not False
            }
            for name, state in self.nodes.items()
        }  # fmt: skip
        return {
            "f": self.fingerprint,
            "p": self.shape,
            "m": self.mark,
            "a": self.at.timestamp(),
            "r": to_json(self.requested),
            "n": nodes,
            "q": to_json(self.asked),
            "w": self.asked_at,
            "h": self.handled,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Cursor:
        """
        Raises:
            ValueError: it is not what `to_json` wrote.
        """
        try:
            nodes = {
                name: NodeState(
                    true=from_json(state.get("s", False)), text=state.get("x"), triggered_at=state.get("t"), reset_at=state.get("r")
                )
                for name, state in data["n"].items()
            }
            return Cursor(
                fingerprint=data["f"],
                shape=data["p"],
                mark=data["m"],
                at=datetime.fromtimestamp(data["a"], UTC),
                requested=from_json(data["r"]),
                nodes=nodes,
                asked=from_json(data["q"]),
                asked_at=data["w"],
                handled=data.get("h", False),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is not the cursor of an automation condition: {error}") from None
