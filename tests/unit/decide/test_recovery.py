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


TIMELINES = {
    # each line: seconds since the claim, the status and the tags of a run -> what becomes of it
    "a launch that nobody hears of": """
        29 STARTING launches=1                             -> Leave
        30 STARTING launches=1                             -> Requeue
        30 STARTING launches=3                             -> Fail no worker reported
    """,
    "a run without a limit": """
        999999 STARTED                                     -> Leave
    """,
    "a longest time by the tag": """
        59 STARTED dagwright/max_runtime=60                -> Leave
        60 STARTED dagwright/max_runtime=60                -> Fail ran longer than its limit of 60 s
        60 STARTED dagster/max_runtime=60                  -> Fail ran longer
        60 STARTED dagster/max_runtime=soon                -> Leave
        60 STARTED dagwright/max_runtime=-1                -> Leave
        60 STARTED dagwright/max_runtime=inf               -> Leave
    """,
    "a longest time of the deployment": """
        99 STARTED default=100                             -> Leave
        100 STARTED default=100                            -> Fail limit of 100 s
        100 STARTED default=100 dagwright/max_runtime=200  -> Leave
        100 STARTED default=100 dagwright/max_runtime=0    -> Leave
        100 STARTED default=100 dagwright/max_runtime=x    -> Fail limit of 100 s
    """,
    "a cancel that does not come to an end": """
        59 CANCELING                                       -> Leave
        60 CANCELING                                       -> Cancel did not stop within 60 s
    """,
    "what is over or waits": """
        99 QUEUED default=1                                -> Leave
        99 SUCCESS default=1                               -> Leave
    """,
}


@pytest.mark.parametrize("name", TIMELINES)
def test_what_takes_too_long(name: str) -> None:
    for line in TIMELINES[name].strip().splitlines():
        given, _, expected = line.partition("->")
        seconds, status, *options = given.split()
        values = dict(option.split("=") for option in options)
        default = float(values.pop("default")) if "default" in values else None
        moment = NOW - timedelta(seconds=int(seconds))
        run = a_run(
            status=RunStatus(status),
            launch_attempts=int(values.pop("launches", 1)),
            tags=values,
            claimed_at=moment,
            started_at=moment,
            canceling_at=moment,
        )
        verdict = recovery.overdue(run, recovery.Patience(runtime=default), now=NOW)
        kind, _, words = expected.strip().partition(" ")
        assert type(verdict).__name__ == kind, line
        assert words in getattr(verdict, "reason", ""), line


@pytest.mark.parametrize(
    ("tags", "resumes", "default", "expected"),
    [
        ({}, 0, 0, recovery.Fail),
        ({}, 0, 1, recovery.Resume),
        ({}, 1, 1, recovery.Fail),
        ({"dagwright/max_resumes": "2"}, 1, 0, recovery.Resume),
        ({"dagwright/max_resumes": "0"}, 0, 5, recovery.Fail),
        ({"dagwright/max_resumes": "often"}, 0, 1, recovery.Resume),
    ],
)
def test_a_lost_worker_has_a_successor(tags: dict[str, str], resumes: int, default: int, expected: type) -> None:
    run = a_run(status=RunStatus.STARTED, epoch=1, tags=tags, resumes=resumes)
    assert isinstance(recovery.decide(run, launches=1, now=NOW, max_resumes=default), expected)
