"""The quicker dataclass does what the one of the standard library does."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, replace
from typing import Any

import pytest

from dagwright_shared.model.dataclass import dataclass


def classes(decorator: Any) -> dict[str, Any]:
    """The same classes by a decorator."""

    @decorator(frozen=True, slots=True, kw_only=True)
    class Frozen:
        """With defaults of each sort."""

        name: str
        tags: dict[str, str] = field(default_factory=dict, hash=False)
        size: int = 3
        secret: str = field(default="", repr=False, compare=False)

    @decorator(frozen=True, slots=True)
    class Checked:
        low: int
        high: int = 9
        width: int = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "width", self.high - self.low)

    @decorator(slots=True)
    class Changing:
        items: list[int] = field(default_factory=list)

    @decorator(frozen=True, slots=True, eq=False)
    class ByIdentity:
        value: int

    @decorator(frozen=True)
    class Same:  # noqa: PLW1641 - the decorator adds it
        value: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Same)

        def __repr__(self) -> str:
            return "own"

    @decorator(frozen=True, slots=True)
    class Empty:
        pass

    return {made.__name__: made for made in (Frozen, Checked, Changing, ByIdentity, Same, Empty)}


OURS, THEIRS = classes(dataclass), classes(dataclasses.dataclass)


@dataclass(frozen=True, slots=True)
class Kept:
    """At the top of a module, so that it can be pickled."""

    value: int
    next: Kept | None = None


def outcome(action: Callable[[], object]) -> object:
    """What an action answers, or which error it ends with."""
    try:
        return action()
    except (TypeError, AttributeError) as error:  # FrozenInstanceError is one
        return type(error), str(error)


def change(instance: Any, name: str) -> None:
    setattr(instance, name, 1)


def delete(instance: Any, name: str) -> None:
    delattr(instance, name)


@pytest.mark.parametrize(
    "action",
    [
        lambda made: made["Frozen"](name="a"),
        lambda made: made["Frozen"](name="a", tags={"k": "v"}, size=0, secret="s"),
        lambda made: made["Frozen"]("a"),
        lambda made: made["Frozen"](),
        lambda made: made["Frozen"](name="a", other=1),
        lambda made: made["Frozen"](name="a").tags is made["Frozen"](name="a").tags,
        lambda made: made["Frozen"](name="a", secret="s") == made["Frozen"](name="a"),
        lambda made: made["Frozen"](name="a") == made["Frozen"](name="b"),
        lambda made: hash(made["Frozen"](name="a", tags={})),
        lambda made: hash(made["Frozen"](name="a", tags={"k": "v"})) == hash(made["Frozen"](name="a")),
        lambda made: replace(made["Frozen"](name="a"), size=7),
        lambda made: change(made["Frozen"](name="a"), "name"),
        lambda made: delete(made["Frozen"](name="a"), "name"),
        lambda made: dataclasses.asdict(made["Frozen"](name="a")),
        lambda made: copy.deepcopy(made["Frozen"](name="a", tags={"k": "v"})),
        lambda made: str(inspect.signature(made["Checked"].__init__)),
        lambda made: made["Checked"](1),
        lambda made: made["Checked"](1, 2) == made["Checked"](1, 2),
        lambda made: made["Checked"].__match_args__,
        lambda made: made["Changing"](),
        lambda made: made["Changing"]().items is made["Changing"]().items,
        lambda made: hash(made["Changing"]()),
        lambda made: change(made["Changing"](), "items"),
        lambda made: change(made["Changing"](), "unknown"),
        lambda made: made["ByIdentity"](1) == made["ByIdentity"](1),
        lambda made: len({value := made["ByIdentity"](1), value}),
        lambda made: made["Same"](1) == made["Same"](2),
        lambda made: made["Same"](1),
        lambda made: hash(made["Same"](1)) == hash(made["Same"](1)),
        lambda made: made["Empty"]() == made["Empty"](),
        lambda made: made["Empty"]() == made["Same"](1),
        lambda made: made["Empty"](),
        lambda made: [each.name for each in fields(made["Frozen"])],
    ],
)
def test_the_same_as_the_standard_library(action: Callable[[dict[str, Any]], object]) -> None:
    ours, theirs = outcome(lambda: action(OURS)), outcome(lambda: action(THEIRS))
    assert repr(ours) == repr(theirs)


def test_pickle_and_copy_keep_what_cannot_be_changed() -> None:
    kept = Kept(1, Kept(2))
    assert pickle.loads(pickle.dumps(kept)) == kept == copy.copy(kept) == copy.deepcopy(kept)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'value'"):
        change(pickle.loads(pickle.dumps(kept)), "value")


def test_a_subclass_adds_fields_and_may_not_change_those_of_its_base() -> None:
    @dataclass(frozen=True, slots=True)
    class Longer(Kept):
        more: str = ""

    assert repr(Longer(1, more="m")).endswith("Longer(value=1, next=None, more='m')")
    assert Longer(1) != Kept(1)
    for name in ("value", "more"):
        with pytest.raises(FrozenInstanceError):
            change(Longer(1), name)


def test_a_value_that_contains_itself_is_shown() -> None:
    @dataclass(slots=True)
    class Ring:
        inside: Any = None

    ring = Ring()
    ring.inside = ring
    assert repr(ring).endswith("Ring(inside=...)")
