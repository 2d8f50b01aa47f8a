from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagwright_shared.model import selection
from dagwright_shared.model.errors import InvalidRequestError
from dagwright_shared.model.graph import Topology
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.selection_text import to_text
from dagwright_shared.model.snapshot import AssetExecution


@dataclass(frozen=True)
class Facts:
    group: str = "default"
    tags: Mapping[str, str] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    execution: AssetExecution = AssetExecution.MATERIALIZE
    op_name: str | None = None


class Graph:
    def __init__(self, edges: Mapping[str, list[str]], facts: Mapping[str, Facts], checks: Mapping[str, list[str]]) -> None:
        self.topology = Topology({AssetKey.from_user_string(k): [AssetKey.from_user_string(p) for p in ps] for k, ps in edges.items()})
        self._facts, self._checks = facts, checks

    def facts(self, key: AssetKey) -> Facts:
        return self._facts.get(key.to_user_string(), Facts())

    def check_keys(self, key: AssetKey) -> list[AssetCheckKey]:
        return [AssetCheckKey(key, name) for name in self._checks.get(key.to_user_string(), [])]


EXTERNAL = Facts(group="raw", execution=AssetExecution.EXTERNAL)
GRAPH = Graph(
    {"src": [], "raw/a": ["src"], "raw/b": ["src"], "mid": ["raw/a", "raw/b"], "end": ["mid"], "lone": []},
    {
        "src": EXTERNAL,
        "raw/a": Facts(group="raw", tags={"tier": "gold"}, kinds=("duckdb", "python"), owners=("team:data", "x@y.org"), op_name="both"),
        "raw/b": Facts(group="raw", tags={"tier": "silver", "slow": ""}, kinds=("python",), op_name="both"),
        "mid": Facts(group="mid/sub", owners=("team:web",)),
    },
    {"mid": ["fine", "fresh"]},
)


def picked(text: str) -> set[str]:
    return {key.to_user_string() for key in selection.resolve(selection.parse(text), GRAPH)}


EVERYTHING = {"src", "raw/a", "raw/b", "mid", "end", "lone"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", EVERYTHING),
        ("mid", {"mid"}),
        ("raw/a", {"raw/a"}),
        ('"raw/a"', {"raw/a"}),
        ('key:"raw/a"', {"raw/a"}),
        ("key:raw/*", {"raw/a", "raw/b"}),
        ("raw/*", {"raw/a", "raw/b"}),
        ("key_substring:i", {"mid"}),
        ("group:raw", {"src", "raw/a", "raw/b"}),
        ("group:mid/sub", {"mid"}),
        ("kind:duckdb", {"raw/a"}),
        ("kind:pyth*", {"raw/a", "raw/b"}),
        ("tag:tier", {"raw/a", "raw/b"}),
        ("tag:tier=gold", {"raw/a"}),
        ('tag:"tier"="silver"', {"raw/b"}),
        ("owner:team:data", {"raw/a"}),
        ('owner:"x@y.org"', {"raw/a"}),
        ("owner:x@y.org", {"raw/a"}),
        ("+mid", {"mid", "raw/a", "raw/b", "src"}),
        ("1+mid", {"mid", "raw/a", "raw/b"}),
        ("mid+", {"mid", "end"}),
        ("raw/a+1", {"raw/a", "mid"}),
        ("1+mid+1", {"mid", "raw/a", "raw/b", "end"}),
        ("+mid+", {"mid", "raw/a", "raw/b", "src", "end"}),
        ("not raw/*", {"src", "mid", "end", "lone"}),
        ("group:raw and not kind:duckdb", {"src", "raw/b"}),
        ("lone or group:raw and kind:duckdb", {"lone", "raw/a"}),
        ("(lone or group:raw) and kind:duckdb", {"raw/a"}),
        ("roots(*)", {"src", "lone"}),
        ("sinks(*)", {"end", "lone"}),
        ("roots(raw/* or mid)", {"raw/a", "raw/b"}),
        ("+(raw/a)", {"raw/a", "src"}),
        ("NOT lone AND end", {"end"}),
        ("unknown", set()),
        ("roots", set()),
    ],
)
def test_language(text: str, expected: set[str]) -> None:
    assert picked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "*",
        'key:"mid"',
        'key:"raw/*"',
        'group:"raw" or kind:"duckdb"',
        'tag:"tier"="gold" and (not owner:"team:data")',
        'not (group:"raw" or key:"mid")',
        '1+key:"mid" or key:"mid"+2',
        '(key:"raw/a" or key:"lone")+',
        'roots(key:"raw/*" or key:"mid")',
        '(group:"raw" or group:"x" or key:"mid") and kind:"duckdb"',
    ],
)
def test_as_text(text: str) -> None:
    assert to_text(selection.parse(text)) == text


def test_what_the_language_has_no_words_for() -> None:
    assert to_text(selection.Or(selection.All(), selection.Prefix(("a",)))) is None


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ("", 1, "a key"),
        ("group:", 7, "a value"),
        ("colour:red", 1, "key_substring"),
        ("(a or b", 8, "')'"),
        ("a b", 3, "'and', 'or'"),
        ("a and", 6, "a key"),
        ("and a", 1, "a key"),
        ("a &", 3, "a key"),
        ('"open', 1, "a key"),
        ("a++", 3, "'and', 'or'"),
    ],
)
def test_errors_say_where(text: str, where: int, expected: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"at character {where},") as caught:
        selection.parse(text)
    (problem,) = caught.value.problems
    assert problem.path == "selection"
    assert problem.expected is not None
    assert expected in problem.expected


def test_a_key_that_cannot_be_one() -> None:
    with pytest.raises(InvalidRequestError, match="not an asset key"):
        selection.parse("a//b")


def test_nodes_without_text() -> None:
    everything = selection.All()
    assert {k.to_user_string() for k in selection.resolve(everything, GRAPH)} == EVERYTHING - {"src"}
    assert {k.to_user_string() for k in selection.resolve(selection.Sources(selection.Match("raw/*")), GRAPH)} == {"src"}
    assert {k.to_user_string() for k in selection.resolve(selection.Neighbours(selection.Match("raw/a")), GRAPH)} == {"raw/a", "raw/b"}
    assert {k.to_user_string() for k in selection.resolve(selection.Prefix(("raw",)), GRAPH)} == {"raw/a", "raw/b"}
    reach = selection.Reach(selection.parse("mid"), upstream=True, include_self=False)
    assert {k.to_user_string() for k in selection.resolve(reach, GRAPH)} == {"raw/a", "raw/b", "src"}


def test_checks_follow_their_assets() -> None:
    both = {AssetCheckKey(AssetKey("mid"), "fine"), AssetCheckKey(AssetKey("mid"), "fresh")}
    mid = selection.parse("mid")
    one = selection.Checks((AssetCheckKey(AssetKey("mid"), "fine"), AssetCheckKey(AssetKey("mid"), "gone")))
    assert selection.resolve_checks(mid, GRAPH) == both
    assert selection.resolve_checks(selection.parse("raw/*"), GRAPH) == set()
    assert selection.resolve_checks(one, GRAPH) == {AssetCheckKey(AssetKey("mid"), "fine")}
    assert selection.resolve(one, GRAPH) == set()
    assert selection.resolve_checks(selection.Minus(mid, one), GRAPH) == {AssetCheckKey(AssetKey("mid"), "fresh")}
    assert selection.resolve_checks(selection.WithoutChecks(mid), GRAPH) == set()
    assert selection.resolve_checks(selection.ChecksOf(selection.All()), GRAPH) == both
    assert selection.resolve_checks(selection.Or(mid, one), GRAPH) == both
    assert selection.resolve_checks(selection.And(mid, one), GRAPH) == {AssetCheckKey(AssetKey("mid"), "fine")}


def test_unknown_keys_are_those_named_literally() -> None:
    wanted = selection.parse("mid or +gone or nothing_* and not away")
    assert [key.to_user_string() for key in selection.unknown_keys(wanted, GRAPH)] == ["gone", "away"]


@given(st.text(alphabet='ab/*+()"2 :=andortg', max_size=25))
def test_any_text_is_a_selection_or_a_problem(text: str) -> None:
    try:
        found = selection.parse(text)
    except InvalidRequestError:
        return
    selection.resolve(found, GRAPH)
