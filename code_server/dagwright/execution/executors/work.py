"""What an executor is given, and what it tells: the steps that may run, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from dagwright.execution.outcome import Outcome
from dagwright.execution.ports import SlotSource
from dagwright.planning.steps import Path, Step
from dagwright_shared.model.events import LogChunk, Payload, Usage

Group = tuple[str, Path]


class Work(Protocol):
    """The steps of a run for one executor. The run's `Progress` is one; where several executors share a run, each has its own."""

    stopping: bool

    @property
    def slots(self) -> SlotSource | None:
        """Where steps with a pool get its slots; None: they need none, or have them already."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to start, to wait for, or in flight."""

    @property
    def left_to_start(self) -> int:
        """How many steps may still have to be started, now or later; where others decide that, at least how many are known."""

    def take(self) -> Step | None:
        """The next step to start now, if any."""

    def put_back(self, step: Step) -> None:
        """A step that was taken has not been started after all."""

    def attempt(self, step: Step) -> int:
        """The number of the attempt that was taken, from 1 on."""

    def seconds_to_retry(self) -> float | None:
        """How long until a retry is due; None when none waits."""

    def goes_on(self, group: Group) -> bool:
        """Whether a step group has steps that have not come to an end."""

    def began(self, step: Step, pid: int) -> None:
        """The attempt starts."""

    def relay(self, step: Step, payload: Payload) -> None:
        """A running step has something to say."""

    def output(self, chunks: Iterable[LogChunk]) -> None:
        """Steps have printed something."""

    def ended(self, step: Step, outcome: Outcome, usage: Usage) -> None:
        """The attempt is over."""

    def stop(self) -> None:
        """The run is being canceled: start nothing any more."""
