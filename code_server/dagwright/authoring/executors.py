"""Which executor runs a job's steps, as data; `execution` does the running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagwright_shared.model.errors import DefinitionError, nearest


@dataclass(frozen=True, slots=True)
class ExecutorDefinition:
    """An executor, with its settings: one of `in_process_executor`, `multiprocess_executor`, `threads_executor`,
    `asyncio_executor` and `dask_executor`, `.configured(...)` where needed.

    Example:
        >>> multiprocess_executor.configured({"max_concurrent": 4}).config["max_concurrent"]
        4
    """

    name: str
    options: tuple[str, ...] = ()
    """Names of the settings that it knows."""
    config: Mapping[str, Any] = field(default_factory=dict)
    base: str | None = None
    """The executor that this one configures, where it has a name of its own."""

    @property
    def kind(self) -> str:
        """Which executor it is, whatever it is called."""
        return self.base or self.name

    def configured(self, config: Mapping[str, Any], name: str | None = None) -> ExecutorDefinition:
        """The same executor with settings.

        Raises:
            DefinitionError: a setting is unknown.
        """
        for key in config:
            if key not in self.options:
                close = nearest(key, self.options)
                raise DefinitionError(
                    f"{self.kind}_executor has no setting {key!r}",
                    mend=f"did you mean {close!r}?" if close else f"it knows {', '.join(self.options) or 'none'}",
                )
        return ExecutorDefinition(name or self.name, self.options, {**self.config, **config}, self.kind)


in_process_executor = ExecutorDefinition("in_process", ("retries",))
"""Runs the steps one after another in the run's own process."""

_CONCURRENT = ("max_concurrent", "retries", "tag_concurrency_limits", "cancel_grace_seconds")

multiprocess_executor = ExecutorDefinition("multiprocess", (*_CONCURRENT, "start_method"))
"""Runs each step in a process of its own, several at once. `max_concurrent`: how many; by default one for each core."""

threads_executor = ExecutorDefinition("threads", _CONCURRENT)
"""Runs each step in a thread of the run's process, up to 1,000 at once: for steps that mostly wait for something else.

A step that is stopped, or runs past its time-out, gets an exception at its next line of Python; one that hangs in a native call
is given up after `cancel_grace_seconds`, and its thread is left behind.
"""

asyncio_executor = ExecutorDefinition("asyncio", (*_CONCURRENT, "max_threads"))
"""Runs `async def` steps concurrently on one event loop, up to 1,000 at once, and other steps in up to `max_threads` threads."""

dask_executor = ExecutorDefinition(
    "dask",
    (
        *_CONCURRENT,
        "address",
        "n_workers",
        "threads_per_worker",
        "worker_resources",
        "connect_timeout_seconds",
        "worker_failures",
    ),
)
"""Runs steps on a Dask cluster (`pip install dagwright[dask]`): the one at `address`, or one that is started for the run.

The workers import the location's code themselves, so it must be installed where they run. A step's tag `dagwright/dask_resources`
(such as `{"GPU": 1}` as JSON) says what a worker must offer.
"""
