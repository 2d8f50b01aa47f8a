from __future__ import annotations

import pytest

from dagwright_shared.decide.prediction import predict, quantile

NODES = ("load", "clean", "report", "archive")
EDGES = (("load", "clean"), ("clean", "report"), ("load", "archive"))
SAMPLES = {"load": [2.0, 4.0], "clean": [10.0], "report": [1.0, 1.0, 1.0], "archive": [5.0]}


def test_quantiles_lie_between_neighbours() -> None:
    assert quantile([3.0], 0.9) == 3.0
    assert quantile([4.0, 2.0], 0.5) == 3.0
    assert quantile([float(n) for n in range(11)], 0.9) == pytest.approx(9.0)


def test_whole_runs_speak_for_a_whole_run() -> None:
    found = predict([20.0, 30.0, 40.0], SAMPLES, nodes=NODES, edges=EDGES)
    assert found is not None
    assert (found.samples, found.p50) == (3, 30.0)
    assert found.p90 == pytest.approx(38.0)
    assert found.critical_path == ("load", "clean", "report")
    assert [step.step for step in found.steps] == list(NODES)


def test_some_steps_are_summed_along_the_critical_path() -> None:
    """A step that is left out takes no time, and those after it still come after those before it."""
    found = predict([20.0], SAMPLES, nodes=NODES, edges=EDGES, chosen={"load", "report", "archive"})
    assert found is not None
    assert found.critical_path == ("load", "archive")
    assert (found.p50, found.samples) == (3.0 + 5.0, 1)
    assert found.p90 == pytest.approx(3.8 + 5.0)
    without = predict([], SAMPLES, nodes=NODES, edges=EDGES, chosen={"load", "report"})
    assert without is not None
    assert without.critical_path == ("load", "report")


def test_what_was_never_seen_is_said() -> None:
    found = predict([], {"load": [2.0]}, nodes=NODES, edges=EDGES)
    assert found is not None
    assert found.unknown == ("clean", "report", "archive")
    assert found.p50 == 2.0
    assert predict([], {}, nodes=NODES, edges=EDGES) is None
    assert predict([9.0], {}, nodes=NODES, edges=EDGES, chosen={"load"}) is None
    assert predict([], {"gone": [1.0]}, nodes=NODES, edges=EDGES) is None
