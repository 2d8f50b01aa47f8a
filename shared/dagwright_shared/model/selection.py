"""The selection language: which assets, and which of their checks.

    *                       every asset
    raw/flights             the asset of that key; `raw/*` and `*_daily` match as in a shell
    group:raw  kind:duckdb  tag:tier=gold  tag:tier  owner:team:data  key:"raw/flights"
    +x   x+   2+x   x+1     with everything upstream or downstream, or only so many steps
    roots(x)   sinks(x)     those of x that depend on, or feed, nothing else in x
    not x   x and y   x or y   (x)

`not` binds tighter than `and`, which binds tighter than `or`. Values with other characters go in double quotes.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol, TypeAlias, assert_never

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_shared.model.graph import Topology
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.snapshot import AssetExecution


@dataclass(frozen=True, slots=True)
class All:
    """Every asset that is computed here; with `external`, also those that are not."""

    external: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    keys: tuple[AssetKey, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """Keys, in their `a/b` form, that match a shell pattern."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Prefix:
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """`name` is group, kind, owner or tag; a tag's value may be None for any."""

    name: str
    value: str | None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """What the child selects, and what is up- or downstream of it."""

    child: Selection
    upstream: bool
    depth: int | None = None
    include_self: bool = True


@dataclass(frozen=True, slots=True)
class Ends:
    """Those of the child without parents (`roots`) or without children in it."""

    child: Selection
    roots: bool


@dataclass(frozen=True, slots=True)
class Sources:
    """External assets that the child directly depends on."""

    child: Selection


@dataclass(frozen=True, slots=True)
class Computed:
    """Those of the child that a run can materialize."""

    child: Selection


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The child, and all that the same multi-assets produce."""

    child: Selection


@dataclass(frozen=True, slots=True)
class And:
    left: Selection
    right: Selection


@dataclass(frozen=True, slots=True)
class Or:
    left: Selection
    right: Selection


@dataclass(frozen=True, slots=True)
class Minus:
    left: Selection
    right: Selection


@dataclass(frozen=True, slots=True)
class Checks:
    """Only these checks, and no asset."""

    keys: tuple[AssetCheckKey, ...]


@dataclass(frozen=True, slots=True)
class ChecksOf:
    """The checks of what the child selects, and no asset."""

    child: Selection


@dataclass(frozen=True, slots=True)
class WithoutChecks:
    child: Selection


Selection: TypeAlias = (
    All
    | Keys
    | Match
    | Prefix
    | Attribute
    | Reach
    | Ends
    | Sources
    | Computed
    | Neighbours
    | And
    | Or
    | Minus
    | Checks
    | ChecksOf
    | WithoutChecks
)


class Facts(Protocol):
    """What a selection looks at; an AssetSnapshot has it."""

    @property
    def group(self) -> str: ...
    @property
    def tags(self) -> Mapping[str, str]: ...
    @property
    def kinds(self) -> Collection[str]: ...
    @property
    def owners(self) -> Collection[str]: ...
    @property
    def execution(self) -> AssetExecution: ...
    @property
    def op_name(self) -> str | None: ...


class Selectable(Protocol):
    """A graph that selections can be resolved on; an AssetGraph is one."""

    @property
    def topology(self) -> Topology: ...
    def facts(self, key: AssetKey) -> Facts: ...
    def check_keys(self, key: AssetKey) -> Iterable[AssetCheckKey]: ...


def resolve(selection: Selection, graph: Selectable) -> frozenset[AssetKey]:  # noqa: C901, PLR0912 - one case for each kind
    """The keys that a selection picks; keys that do not exist are left out (see `unknown_keys`)."""
    keys = graph.topology.keys()
    match selection:
        case All():
            return frozenset(key for key in keys if selection.external or _computed(graph, key))
        case Keys():
            return frozenset(selection.keys).intersection(keys)
        case Match():
            fits = re.compile(fnmatch.translate(selection.pattern)).match
            return frozenset(key for key in keys if fits(key.to_user_string()))
        case Prefix():
            return frozenset(key for key in keys if key.has_prefix(selection.path))
        case Attribute():
            return frozenset(key for key in keys if _has(graph.facts(key), selection))
        case Reach():
            start = resolve(selection.child, graph)
            step = graph.topology.upstream if selection.upstream else graph.topology.downstream
            found = step(start, selection.depth)
            return found if selection.include_self else found - start
        case Ends():
            inside = resolve(selection.child, graph)
            step_of = graph.topology.parents if selection.roots else graph.topology.children
            return frozenset(key for key in inside if inside.isdisjoint(step_of(key)))
        case Sources():
            above = {parent for key in resolve(selection.child, graph) for parent in graph.topology.parents(key)}
            return frozenset(key for key in above if not _computed(graph, key))
        case Computed():
            return frozenset(key for key in resolve(selection.child, graph) if _computed(graph, key))
        case Neighbours():
            inside = resolve(selection.child, graph)
            ops = {graph.facts(key).op_name for key in inside} - {None}
            return inside | frozenset(key for key in keys if graph.facts(key).op_name in ops)
        case And():
            return resolve(selection.left, graph) & resolve(selection.right, graph)
        case Or():
            return resolve(selection.left, graph) | resolve(selection.right, graph)
        case Minus():
            return resolve(selection.left, graph) - resolve(selection.right, graph)
        case Checks() | ChecksOf():
            return frozenset()
        case WithoutChecks():
            return resolve(selection.child, graph)
        case _:
            assert_never(selection)


def resolve_checks(selection: Selection, graph: Selectable) -> frozenset[AssetCheckKey]:
    """The checks that a selection picks: those of its assets, unless it says otherwise."""
    match selection:
        case Checks():
            return frozenset(key for key in selection.keys if key in set(graph.check_keys(key.asset_key)))
        case ChecksOf():
            return _checks_of(resolve(selection.child, graph), graph)
        case WithoutChecks():
            return frozenset()
        case And():
            return resolve_checks(selection.left, graph) & resolve_checks(selection.right, graph)
        case Or():
            return resolve_checks(selection.left, graph) | resolve_checks(selection.right, graph)
        case Minus():
            return resolve_checks(selection.left, graph) - resolve_checks(selection.right, graph)
        case _:
            return _checks_of(resolve(selection, graph), graph)


def unknown_keys(selection: Selection, graph: Selectable) -> tuple[AssetKey, ...]:
    """Keys that a selection names literally and that do not exist."""
    known = graph.topology.keys()
    return tuple(dict.fromkeys(key for key in _named(selection) if key not in known))


def _named(selection: Any) -> Iterable[AssetKey]:
    if isinstance(selection, Keys):
        yield from selection.keys
    for part in ("child", "left", "right"):
        if hasattr(selection, part):
            yield from _named(getattr(selection, part))


def _computed(graph: Selectable, key: AssetKey) -> bool:
    return graph.facts(key).execution is not AssetExecution.EXTERNAL


def _checks_of(keys: Iterable[AssetKey], graph: Selectable) -> frozenset[AssetCheckKey]:
    return frozenset(check for key in keys for check in graph.check_keys(key))


def _has(facts: Facts, wanted: Attribute) -> bool:
    match wanted.name:
        case "group":
            return _fits(facts.group, wanted.value)
        case "kind":
            return any(_fits(kind, wanted.value) for kind in facts.kinds)
        case "owner":
            return any(_fits(owner, wanted.value) for owner in facts.owners)
        case _:
            return wanted.key in facts.tags and (wanted.value is None or _fits(facts.tags[wanted.key], wanted.value))


def _fits(value: str, pattern: str | None) -> bool:
    return pattern is not None and (value == pattern or fnmatch.fnmatchcase(value, pattern))


# ---- reading text

ATTRIBUTES = ("key", "key_substring", "group", "tag", "owner", "kind")
_TOKEN = re.compile(r'\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z0-9_./*?@-]+)|(?P<sign>[()+:=,]))')


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


@lru_cache(maxsize=1024)
def parse(text: str) -> Selection:
    """Read a selection.

    Raises:
        InvalidRequestError: it is not one; the problem says where and what was expected.

    Example:
        >>> parse("+raw/flights")
        Reach(child=Keys(keys=(AssetKey(['raw', 'flights']),)), upstream=True, depth=None, include_self=True)
    """
    reader = _Reader(text)
    selection = reader.alternatives()
    reader.end()
    return selection


class _Reader:
    """Recursive descent: or > and > not > reach > atom."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens()
        self.place = 0

    def _tokens(self) -> list[_Token]:
        found, at = [], 0
        stripped = self.text.rstrip()
        while at < len(stripped):
            token = _TOKEN.match(stripped, at)
            if token is None or token.lastgroup is None:
                blanks = len(stripped) - at - len(stripped[at:].lstrip())
                raise self.problem(at + blanks, "a key, an attribute such as group:name, '(' or 'not'")
            value = token.group(token.lastgroup)
            found.append(_Token(token.lastgroup, value, token.start(token.lastgroup), token.end()))
            at = token.end()
        return found

    def problem(self, at: int, expected: str) -> InvalidRequestError:
        rest = self.text[at:].strip()
        found = f"{rest[:20]!r}" if rest else "the end"
        message = f"selection {self.text!r}: expected {expected} at character {at + 1}, found {found}"
        return InvalidRequestError(message, problems=[Problem(path="selection", message=message, value=self.text, expected=expected)])

    def peek(self, ahead: int = 0) -> _Token | None:
        return self.tokens[self.place + ahead] if self.place + ahead < len(self.tokens) else None

    def take(self, *texts: str) -> _Token | None:
        token = self.peek()
        if token is None or token.kind == "quoted" or token.text.lower() not in texts:
            return None
        self.place += 1
        return token

    def here(self) -> int:
        token = self.peek()
        return token.start if token else len(self.text)

    def end(self) -> None:
        if self.peek() is not None:
            raise self.problem(self.here(), "'and', 'or' or the end")

    def alternatives(self) -> Selection:
        left = self.conjunction()
        while self.take("or"):
            left = Or(left, self.conjunction())
        return left

    def conjunction(self) -> Selection:
        left = self.negation()
        while self.take("and"):
            left = And(left, self.negation())
        return left

    def negation(self) -> Selection:
        if self.take("not"):
            return Minus(All(external=True), self.negation())
        return self.reach()

    def reach(self) -> Selection:
        before = self.peek()
        up: int | None = None
        goes_up = False
        following = self.peek(1)
        if (
            before
            and before.kind == "word"
            and before.text.isdigit()
            and following
            and following.text == "+"
            and following.start == before.end
        ):
            up, goes_up = int(before.text), True
            self.place += 2
        elif self.take("+"):
            goes_up = True
        child = self.atom()
        selection: Selection = child
        if goes_up:
            selection = Reach(child, upstream=True, depth=up)
        plus = self.take("+")
        if plus:
            depth = self.peek()
            down: int | None = None
            if depth and depth.kind == "word" and depth.text.isdigit() and depth.start == plus.end:
                down = int(depth.text)
                self.place += 1
            below = Reach(child, upstream=False, depth=down)
            selection = Or(selection, below) if goes_up else below
        return selection

    def atom(self) -> Selection:
        start = self.here()
        if self.take("("):
            inner = self.alternatives()
            if not self.take(")"):
                raise self.problem(self.here(), "')'")
            return inner
        token = self.peek()
        if token is None or token.kind == "sign" or (token.kind == "word" and token.text.lower() in ("and", "or", "not")):
            raise self.problem(start, "a key, an attribute such as group:name, '(' or 'not'")
        self.place += 1
        following = self.peek()
        if token.kind == "word" and following is not None and following.kind == "sign":
            if following.text == ":":
                return self.attribute(token)
            if following.text == "(" and token.text in ("roots", "sinks"):
                return Ends(self.atom(), roots=token.text == "roots")
        return _key_selection(_plain(token))

    def attribute(self, name: _Token) -> Selection:
        if name.text not in ATTRIBUTES:
            raise self.problem(name.start, f"one of {', '.join(ATTRIBUTES)} before ':'")
        self.take(":")
        value = self.value()
        match name.text:
            case "key":
                return _key_selection(value)
            case "key_substring":
                return Match(f"*{value}*")
            case "tag":
                return Attribute("tag", self.value() if self.take("=") else None, value)
            case _:
                return Attribute(name.text, value)

    def value(self) -> str:
        token = self.peek()
        if token is None or token.kind == "sign":
            raise self.problem(self.here(), "a value; put other characters in double quotes")
        self.place += 1
        text = _plain(token)
        # owner:team:data - a colon inside a value needs no quotes.
        while (sign := self.peek()) and sign.text == ":" and (more := self.peek(1)) and more.kind != "sign":
            self.place += 2
            text = f"{text}:{_plain(more)}"
        return text


def _plain(token: _Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1]) if token.kind == "quoted" else token.text


def _key_selection(text: str) -> Selection:
    if text == "*":
        return All(external=True)
    if "*" in text or "?" in text:
        return Match(text)
    try:
        return Keys((AssetKey.from_user_string(text),))
    except ValueError as error:
        raise InvalidRequestError(str(error), problems=[Problem(path="selection", message=str(error), value=text)]) from None
