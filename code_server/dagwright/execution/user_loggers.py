"""The loggers that users define: they receive what the steps of a run log, beside the run's events."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from dagwright.authoring.loggers import InitLoggerContext, LoggerDefinition
from dagwright_shared.model.events import LogMessage


class UserLoggers:
    """The loggers of one run in this process, made when the first record comes."""

    def __init__(self, definitions: Mapping[str, LoggerDefinition], config: Any, run_id: str | None) -> None:
        self._definitions, self._config, self._run_id = definitions, config if isinstance(config, Mapping) else {}, run_id

    @cached_property
    def _made(self) -> list[logging.Logger]:
        context = InitLoggerContext(run_id=self._run_id)
        made = []
        for key, definition in self._definitions.items():
            entry = self._config.get(key)
            # Those that the run's config names; where it names none, those that need no config.
            if self._config and entry is None:
                continue
            if entry is None and definition.config_type is not None and not definition.config_type.has_defaults:
                continue
            given = entry.get("config") if isinstance(entry, Mapping) else None
            made.append(definition.make(given, context, f"config.loggers.{key}.config"))
        return made

    def send(self, message: LogMessage) -> None:
        """Hand a record to each of them; a logger that breaks breaks the step, with its own traceback."""
        if not self._definitions:
            return
        level = int(message.level)
        record = logging.LogRecord(message.logger or "dagwright", level, "", 0, message.message, None, None)
        record.run_id = self._run_id
        for target in self._made:
            if target.isEnabledFor(level):
                target.handle(record)
