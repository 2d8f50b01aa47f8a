"""What a run remembers of what it has made, for processes that it forks."""

from __future__ import annotations

import pytest

from dagwright.execution.ports import NO_HISTORY
from dagwright.execution.scope import RunHistory
from dagwright_shared.model.events import AssetMaterialized, AssetObserved
from dagwright_shared.model.keys import AssetKey

pytestmark = pytest.mark.unit


def made(name: str, version: str | None) -> AssetMaterialized:
    return AssetMaterialized(asset_key=AssetKey(name), data_version=version)


def test_a_process_catches_up_on_the_newest_of_each_asset():
    history = RunHistory(NO_HISTORY)
    for version in range(3):
        history.note(made("a", f"a{version}"), "run")
    mark = history.mark
    history.note(made("b", "b0"), "run")
    history.note(made("a", "a3"), "run")
    assert [payload.data_version for payload, _ in history.since(mark)] == ["b0", "a3"]
    assert history.since(history.mark) == []
    known = history.latest(AssetKey("a"))
    assert known is not None
    assert known.data_version == "a3"


def test_what_is_said_again_and_again_takes_no_more_memory():
    history = RunHistory(NO_HISTORY)
    for number in range(1000):
        history.note(made("a", str(number)), "run")
        history.note(AssetObserved(asset_key=AssetKey("b")), "run")  # without a version: nobody asks for it
    assert [payload.data_version for payload, _ in history.since(0)] == ["999"]
