"""Which executor runs a job's steps, as data; `execution` does the running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagwright_shared.model.errors import DefinitionError, nearest


@dataclass(frozen=True, slots=True)
class ExecutorDefinition:
    """An executor, with its settings. Use `in_process_executor` or `multiprocess_executor`, `.configured(...)` where needed.

    Example:
        >>> multiprocess_executor.configured({"max_concurrent": 4}).config["max_concurrent"]
        4
    """

    name: str
    options: tuple[str, ...] = ()
    """Names of the settings that it knows."""
    config: Mapping[str, Any] = field(default_factory=dict)

    def configured(self, config: Mapping[str, Any], name: str | None = None) -> ExecutorDefinition:
        """The same executor with settings.

        Raises:
            DefinitionError: a setting is unknown.
        """
        for key in config:
            if key not in self.options:
                close = nearest(key, self.options)
                raise DefinitionError(
                    f"{self.name}_executor has no setting {key!r}",
                    mend=f"did you mean {close!r}?" if close else f"it knows {', '.join(self.options) or 'none'}",
                )
        return ExecutorDefinition(name or self.name, self.options, {**self.config, **config})


in_process_executor = ExecutorDefinition("in_process", ("retries",))
"""Runs the steps one after another in the run's own process."""

multiprocess_executor = ExecutorDefinition("multiprocess", ("max_concurrent", "retries", "tag_concurrency_limits", "start_method"))
"""Runs each step in a process of its own, several at once. `max_concurrent`: how many; by default one for each core."""
