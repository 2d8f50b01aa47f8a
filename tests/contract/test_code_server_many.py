"""Many questions in one call: answered by few processes, and none of them waits for one that hangs or dies."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from tests.contract.code_server import CodeServer, until
from tests.contract.test_code_server import NOON

from dagwright_shared.model.errors import DagwrightError, DeadlineError, NotFoundError, UserCodeError
from dagwright_shared.model.snapshot import LocationState
from dagwright_shared.model.ticks import Delivery, Evaluation, Question, ScheduleQuestion, SensorQuestion

pytestmark = [pytest.mark.contract, pytest.mark.xdist_group("code-server-many")]


def asked(server: CodeServer, questions: list[Question], timeout: float = 20.0) -> tuple[list[Evaluation | DagwrightError], list[float]]:
    """The answers in the order of the questions, and when each came."""
    found: dict[int, Evaluation | DagwrightError] = {}
    moments: dict[int, float] = {}
    began = time.monotonic()
    for answers in server.client.evaluate(questions, timeout=timeout):
        for index, answer in answers:
            assert index not in found, "each question is answered once"
            found[index], moments[index] = answer, time.monotonic() - began
    assert sorted(found) == list(range(len(questions)))
    return [found[index] for index in range(len(questions))], [moments[index] for index in range(len(questions))]


def test_schedules_and_sensors_together(server: CodeServer) -> None:
    questions: list[Question] = [ScheduleQuestion(name="morning", scheduled_for=NOON), SensorQuestion(name="counts")]
    answers, _ = asked(server, questions * 20)
    schedules, sensors = answers[0::2], answers[1::2]
    assert all(isinstance(one, Evaluation) and len(one.requests) == 1 for one in schedules)
    assert all(isinstance(one, Evaluation) and one.cursor == "1" for one in sensors)


def test_none_at_all(server: CodeServer) -> None:
    assert asked(server, []) == ([], [])


def test_one_that_hangs_keeps_nobody(server: CodeServer) -> None:
    good: Question = SensorQuestion(name="counts")
    bad: list[Question] = [ScheduleQuestion(name="hangs", scheduled_for=NOON), ScheduleQuestion(name="leaves", scheduled_for=NOON)]
    bad += [SensorQuestion(name="breaks"), SensorQuestion(name="exits"), SensorQuestion(name="count")]
    answers, moments = asked(server, [good, *bad, *[good] * 30], timeout=8.0)
    hung, left, broke, exited, unknown = answers[1:6]
    assert isinstance(hung, DeadlineError)
    assert "its process was killed" in hung.message
    assert isinstance(left, UserCodeError)
    assert "exited with code 3" in left.info.message
    assert isinstance(broke, UserCodeError)
    assert broke.info.class_name == "ZeroDivisionError"
    assert isinstance(exited, UserCodeError)
    assert exited.info.class_name == "SystemExit"
    assert isinstance(unknown, NotFoundError)
    assert all(isinstance(one, Evaluation) for one in [answers[0], *answers[6:]])
    assert max(moments[6:]) < moments[1], "those behind it were answered before it was killed"


def test_what_one_prints_is_not_another_s(server: CodeServer) -> None:
    talks, quiet = ScheduleQuestion(name="talks", scheduled_for=NOON), ScheduleQuestion(name="morning", scheduled_for=NOON)
    answers, _ = asked(server, [talks, quiet, talks, quiet])
    for index, answer in enumerate(answers):
        assert isinstance(answer, Evaluation)
        assert any("line 0 of" in line for line in answer.logs) == (index % 2 == 0)


def process(server: CodeServer) -> int:
    """The one that answers now."""
    (answer,), _ = asked(server, [SensorQuestion(name="tells_process")])
    assert isinstance(answer, Evaluation)
    return int(answer.skip_reason or "0")


def test_a_process_that_has_answered_answers_the_next_call(server: CodeServer) -> None:
    first = process(server)
    assert process(server) == first

    os.kill(first, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{first}").exists(), "the end of a process")
    second = process(server)
    assert second != first, "one that has died is replaced"

    (died,), _ = asked(server, [ScheduleQuestion(name="leaves", scheduled_for=NOON)])
    assert isinstance(died, UserCodeError), "it is told of the question that it died of, of no other"
    third = process(server)
    assert third != second


def test_a_reload_ends_the_process_that_waits(server: CodeServer) -> None:
    first = process(server)
    assert server.client.reload().state is LocationState.LOADED
    until(lambda: not Path(f"/proc/{first}").exists(), "the end of a process that has the old code")
    assert process(server) != first


def test_a_sensor_that_takes_no_webhooks(server: CodeServer) -> None:
    delivery = Delivery(delivery_id=0, external_id="x", headers={}, body=b"", received_at=NOON)
    with pytest.raises(NotFoundError):
        server.client.verify_delivery("counts", delivery, timeout=20)
