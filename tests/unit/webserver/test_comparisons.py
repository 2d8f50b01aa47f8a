"""Where two values differ."""

from __future__ import annotations

from dagwright_webserver.reads.comparisons import differences


def told(base: object, run: object) -> list[tuple[str, object, object, str]]:
    return [(each.path, each.base, each.run, each.kind) for each in differences(base, run)]


def test_the_same_is_nothing() -> None:
    assert told({"a": {"b": [1, 2]}}, {"a": {"b": [1, 2]}}) == []


def test_each_place_by_its_path() -> None:
    base = {"ops": {"load": {"config": {"limit": 1, "old": None}}}, "gone": {"x": 1}}
    run = {"ops": {"load": {"config": {"limit": 2, "new": [1]}}}}
    assert told(base, run) == [
        ("gone", {"x": 1}, None, "removed"),
        ("ops.load.config.limit", 1, 2, "changed"),
        ("ops.load.config.new", None, [1], "added"),
        ("ops.load.config.old", None, None, "removed"),
    ]


def test_types_count() -> None:
    assert told({"a": 1}, {"a": True}) == [("a", 1, True, "changed")]
    assert told({"a": {}}, {"a": None}) == [("a", {}, None, "changed")]
    assert told([1, {"a": 1}], [1, {"a": 2}]) == [("", [1, {"a": 1}], [1, {"a": 2}], "changed")]
