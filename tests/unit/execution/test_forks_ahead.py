"""Processes that are forked before their steps are known."""

from __future__ import annotations

import os

import pytest

from dagwright.authoring.jobs import job
from dagwright.authoring.ops import op
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright_shared.model.runs import RunStatus
from tests.unit.execution.running import run

pytestmark = pytest.mark.unit


def test_every_step_has_a_process_of_its_own_and_no_more_are_forked():
    @op
    def says_where() -> int:
        return os.getpid()

    @op
    def collects(pids: list[int]) -> None:
        assert len({*pids, os.getpid()}) == 12

    @job
    def many():
        collects([says_where.alias(f"says_{number}")() for number in range(11)])

    forks = []
    os.register_at_fork(after_in_parent=lambda: forks.append(None))
    assert run(many, executor=MultiprocessExecutor(2)).status is RunStatus.SUCCESS
    assert len(forks) == 12
