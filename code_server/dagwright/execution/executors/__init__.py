"""Ways to run the steps of a plan: each takes the run's progress to its end."""

from __future__ import annotations

from typing import Protocol

from dagwright.execution.executors.work import Work
from dagwright.execution.scope import RunScope


class Executor(Protocol):
    """Runs steps as they become ready until the progress is finished or the run is canceled.

    It returns when nothing of it is left running, and raises only for faults of dagwright itself.
    """

    @property
    def name(self) -> str:
        """As the run's page shows it."""

    def run(self, scope: RunScope, progress: Work) -> None: ...
