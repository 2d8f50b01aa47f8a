"""Views are compiled once, whoever asks first."""

from __future__ import annotations

import sys
import threading

import pytest

from dagwright_webserver.reads import view
from dagwright_webserver.reads.run_list import RunListView
from dagwright_webserver.reads.runs import RunView


def test_many_threads_ask_for_a_view_that_nobody_has_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "_adapters", {})
    found: list[object] = []
    barrier = threading.Barrier(12)

    def ask(kind: type) -> None:
        barrier.wait()
        found.append(view.adapter(kind))

    threads = [threading.Thread(target=ask, args=((RunView, RunListView)[n % 2],)) for n in range(12)]
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(switch)
    assert len(found) == 12
    assert len({id(each) for each in found}) == 2
