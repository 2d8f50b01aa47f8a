from __future__ import annotations

import time

import pytest

from dagwright.planning.state import Need, Node, Phase, PlanState, may_retry, retry_delay
from dagwright_shared.model.keys import StepKey
from dagwright_shared.model.snapshot import Backoff, Jitter, RetryPolicyData

pytestmark = pytest.mark.unit


def node(key, *needs, any_of=(), **more):
    def read(text):
        step, _, output = text.partition(".")
        return Need(step=StepKey(step), output=output or None)

    return Node(key=StepKey(key), needs=tuple(map(read, needs)), any_of=tuple(tuple(map(read, g)) for g in any_of), **more)


def drain(state, now=0.0):
    taken = []
    while (key := state.take(now)) is not None:
        taken.append(key)
    return taken


def test_steps_become_ready_in_plan_order_once_their_upstream_is_done():
    state = PlanState([node("a"), node("b"), node("c", "a.result", "b.result"), node("d", "c.result")])
    assert drain(state) == ["a", "b"]
    assert state.done("a") == []
    assert drain(state) == []
    state.done("b")
    assert drain(state) == ["c"]
    state.done("c")
    assert drain(state) == ["d"]
    state.done("d")
    assert state.finished
    assert state.in_phase(Phase.DONE) == ("a", "b", "c", "d")


def test_priority_goes_before_plan_order():
    state = PlanState([node("a"), node("b", priority=5)])
    assert drain(state) == ["b", "a"]


def test_failure_skips_everything_downstream_at_once_and_names_the_culprit():
    state = PlanState([node("a"), node("b", "a.result"), node("c", "b.result"), node("other"), node("d", "other", "c")])
    drain(state)
    skips = state.fail("a")
    assert [s.key for s in skips] == ["b", "c", "d"]
    assert skips[0].reason == "upstream step 'a' failed"
    assert skips[1].reason == "upstream step 'a' failed (by way of 'b')"
    assert not state.finished
    state.done("other")
    assert state.finished
    assert state.failed == ("a",)
    assert all(state.skipped_by_failure(k) for k in "bcd")


def test_an_output_that_was_left_out_skips_only_what_needs_it():
    state = PlanState([node("a"), node("left", "a.l"), node("right", "a.r"), node("after", "a"), node("last", "left.result")])
    drain(state)
    skips = state.done("a", {"r"})
    assert [(s.key, s.reason) for s in skips] == [
        ("left", "upstream step 'a' did not produce its output 'l'"),
        ("last", "upstream step 'left' was skipped"),
    ]
    assert drain(state) == ["right", "after"]
    assert not state.skipped_by_failure("left")
    assert not state.produced("a", "l")
    assert state.produced("a", "r")


def test_a_collecting_input_needs_one_of_its_sources():
    state = PlanState([node("a"), node("b", "a.l"), node("c", "a.r"), node("join", any_of=[("b.result", "c.result")])])
    drain(state)
    state.done("a", {"r"})
    assert drain(state) == ["c"]
    state.done("c")
    assert drain(state) == ["join"]
    nothing = PlanState([node("a"), node("b", "a.l"), node("join", any_of=[("b.result",)])])
    drain(nothing)
    assert [s.key for s in nothing.done("a", set())] == ["b", "join"]
    assert nothing.finished


def test_needs_outside_the_plan_are_met():
    state = PlanState([node("b", "earlier.result")])
    assert drain(state) == ["b"]
    assert state.produced("earlier", "result")


def test_retry_waits_for_its_time_and_counts_attempts():
    state = PlanState([node("a"), node("b", "a")])
    assert state.take(0) == "a"
    assert state.attempt("a") == 1
    state.retry("a", due=5.0)
    assert state.next_retry() == 5.0
    assert state.take(4.9) is None
    assert state.take(5.0) == "a"
    assert state.attempt("a") == 2
    state.done("a")
    assert drain(state) == ["b"]


def test_dropping_what_waits_leaves_what_runs():
    state = PlanState([node("a"), node("b", "a"), node("c")])
    assert state.take(0) == "a"
    assert state.drop_waiting() == ("b", "c")
    assert not state.finished
    state.cancel("a")
    assert state.finished
    assert state.in_phase(Phase.CANCELED) == ("a", "b", "c")


def test_growing_adds_steps_behind_done_and_running_ones():
    state = PlanState([node("a"), node("slow")])
    drain(state)
    state.done("a", {"result"})
    assert state.grow([node("m[1]", "a.result"), node("m[2]", "a.result"), node("after", "slow"), node("z", "a.other")])[0].key == "z"
    assert drain(state) == ["m[1]", "m[2]"]
    state.done("slow")
    assert drain(state) == ["after"]
    with pytest.raises(ValueError, match="in the plan already"):
        state.grow([node("a")])


def test_wrong_moves_are_refused():
    state = PlanState([node("a")])
    with pytest.raises(ValueError, match="not in flight"):
        state.done("a")
    with pytest.raises(ValueError, match="cannot be retried"):
        state.retry("a", 1.0)


@pytest.mark.parametrize(
    ("policy", "attempt", "random", "expected"),
    [
        (RetryPolicyData(delay=2), 3, 0.5, 2),
        (RetryPolicyData(delay=2, backoff=Backoff.LINEAR), 3, 0.5, 6),
        (RetryPolicyData(delay=2, backoff=Backoff.EXPONENTIAL), 1, 0.5, 2),
        (RetryPolicyData(delay=2, backoff=Backoff.EXPONENTIAL), 3, 0.5, 14),
        (RetryPolicyData(delay=2, jitter=Jitter.FULL), 1, 0.25, 0.5),
        (RetryPolicyData(delay=2, jitter=Jitter.PLUS_MINUS), 1, 0.0, 0),
        (RetryPolicyData(delay=2, backoff=Backoff.LINEAR, jitter=Jitter.PLUS_MINUS), 2, 0.75, 5),
        (RetryPolicyData(), 1, 0.9, 0),
    ],
)
def test_retry_delay(policy, attempt, random, expected):
    assert retry_delay(policy, attempt, random) == pytest.approx(expected)


def test_may_retry():
    assert not may_retry(None, 1)
    assert may_retry(RetryPolicyData(max_retries=2), 2)
    assert not may_retry(RetryPolicyData(max_retries=2), 3)
    assert may_retry(None, 1, requested=1)
    assert not may_retry(RetryPolicyData(max_retries=9), 2, requested=1)


def test_ten_thousand_steps_take_a_fraction_of_a_second():
    nodes = [node("0")] + [node(str(i), str(i - 1), str(i // 2)) for i in range(1, 10_000)]
    started = time.process_time()
    state = PlanState(nodes)
    while not state.finished:
        state.done(state.take(0.0))
    assert time.process_time() - started < 5, "quadratic planning would take a minute"
