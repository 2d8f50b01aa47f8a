"""What becomes of runs whose lease has lapsed, and when a lapse is believed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.decide.test_queue import NOW, a_run

from dagwright_shared.decide import recovery
from dagwright_shared.model.runs import RunStatus

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("status", "launches", "expected"),
    [
        (RunStatus.STARTING, 1, recovery.Requeue),
        (RunStatus.STARTING, 2, recovery.Requeue),
        (RunStatus.STARTING, 3, recovery.Fail),
        (RunStatus.STARTED, 1, recovery.Fail),
        (RunStatus.CANCELING, 1, recovery.Cancel),
        (RunStatus.QUEUED, 0, recovery.Leave),
        (RunStatus.SUCCESS, 1, recovery.Leave),
        (RunStatus.FAILURE, 1, recovery.Leave),
        (RunStatus.CANCELED, 1, recovery.Leave),
    ],
)
def test_verdicts(status: RunStatus, launches: int, expected: type) -> None:
    assert isinstance(recovery.decide(a_run(status=status, epoch=launches), launches=launches, now=NOW), expected)


def test_a_lost_worker_is_told_with_what_is_known() -> None:
    run = a_run(status=RunStatus.STARTED, epoch=2, server_id="srv-1", last_seq=17, started_at=NOW - timedelta(seconds=90))
    verdict = recovery.decide(run, launches=1, now=NOW, known="the worker was killed by signal 9")
    assert isinstance(verdict, recovery.Fail)
    for part in ("killed by signal 9", "srv-1", "attempt 2", "17 events", "90 s after its start"):
        assert part in verdict.error.message
    assert verdict.error.hint


def test_requeues_wait_longer_each_time() -> None:
    run = a_run(status=RunStatus.STARTING, epoch=1)
    delays = [recovery.decide(run, launches=n, now=NOW) for n in (1, 2)]
    assert [verdict.delay.total_seconds() for verdict in delays if isinstance(verdict, recovery.Requeue)] == [0.5, 1.0]


def test_lapses_are_trusted_after_one_lease_of_answers() -> None:
    seen = recovery.Answering()
    assert not seen.trusts_lapses(100.0, lease_seconds=9)
    for at in range(100, 109):
        seen = seen.answered(float(at), longest_gap=4)
        assert not seen.trusts_lapses(float(at), lease_seconds=9)
    seen = seen.answered(109.0, longest_gap=4)
    assert seen.trusts_lapses(109.0, lease_seconds=9)
    assert not seen.broke().trusts_lapses(200.0, lease_seconds=9)


def test_a_silence_starts_the_wait_again() -> None:
    """A process that was stopped for a minute has not seen the database answer in that minute."""
    seen = recovery.Answering().answered(0.0, longest_gap=4).answered(3.0, longest_gap=4).answered(60.0, longest_gap=4)
    assert not seen.trusts_lapses(61.0, lease_seconds=9)
    assert seen.trusts_lapses(69.0, lease_seconds=9)
