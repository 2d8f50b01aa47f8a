"""Loggers of runs: what `context.log` and managed loggers write goes to them, beside the run's events."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, overload

from dagwright.authoring import source as sources
from dagwright.authoring.config import ConfigType
from dagwright.authoring.config_schema import Field
from dagwright.authoring.configured import ConfiguredType
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.snapshot import JsonSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class InitLoggerContext:
    """What a logger knows while it is made."""

    logger_config: Any = None
    logger_def: Any = None
    job_def: Any = None
    run_id: str | None = None


def build_init_logger_context(logger_config: Any = None, job_def: Any = None) -> InitLoggerContext:
    """A context for making a logger in a test."""
    return InitLoggerContext(logger_config=logger_config, job_def=job_def)


@dataclass(frozen=True, slots=True, init=False, eq=False)
class LoggerDefinition:
    """A logger made by a function.

    Args:
        logger_fn: takes an InitLoggerContext; returns a `logging.Logger`.
        config_schema: what `context.logger_config` must look like; given in run config as `{"loggers": {key: {"config": ...}}}`.
        description: for people.

    Example:
        >>> import logging
        >>> quiet = LoggerDefinition(lambda context: logging.getLogger("quiet"))
        >>> quiet(build_init_logger_context()).name
        'quiet'
    """

    logger_fn: Callable[[Any], logging.Logger]
    config_type: ConfigType | None
    description: str | None
    source: SourceRef | None

    def __init__(
        self, logger_fn: Callable[[Any], logging.Logger], config_schema: Any = None, description: str | None = None, **_: Any
    ) -> None:
        if not callable(logger_fn):
            raise DefinitionError(
                f"LoggerDefinition: logger_fn is a {type(logger_fn).__name__}", source=sources.of_caller(), mend="give a function"
            )
        kind = None
        if config_schema is not None:
            kind = config_schema if isinstance(config_schema, ConfigType) else ConfigType(config_schema, "logger")
        values = {
            "logger_fn": logger_fn,
            "config_type": kind,
            "description": description or (logger_fn.__doc__ or "").strip() or None,
            "source": sources.of_function(logger_fn),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def config_schema(self) -> JsonSchema | None:
        return self.config_type.json_schema if self.config_type is not None else None

    def configured(self, config_or_config_fn: Any, config_schema: Any = None, description: str | None = None) -> LoggerDefinition:
        """The same logger with its config fixed, or made from simpler config by a function."""
        made = ConfiguredType(self.config_type, config_or_config_fn, config_schema)
        return LoggerDefinition(self.logger_fn, made, description or self.description)

    def make(self, config: Any, context: InitLoggerContext, path: str = "loggers") -> logging.Logger:
        """The logger for a run.

        Raises:
            ConfigProblems: the config does not fit.
        """
        kind = self.config_type
        parsed = config if kind is None else kind.parse(kind.empty if config is None else config, path)
        return self.logger_fn(replace(context, logger_config=parsed, logger_def=self))

    def __call__(self, context: Any = None) -> logging.Logger:
        """Make the logger directly, as a test does."""
        given = context if isinstance(context, InitLoggerContext) else InitLoggerContext()
        return self.make(given.logger_config, given)


@overload
def logger(config_schema: Callable[[Any], logging.Logger], /) -> LoggerDefinition: ...
@overload
def logger(config_schema: Any = ..., description: str | None = ...) -> Callable[[Callable[[Any], logging.Logger]], LoggerDefinition]: ...
def logger(config_schema: Any = None, description: str | None = None) -> Any:
    """Turn a function that returns a `logging.Logger` into a logger of runs.

    Example:
        >>> import logging
        >>> from dagwright import logger
        >>> @logger(config_schema={"name": str})
        ... def named(context):
        ...     return logging.getLogger(context.logger_config["name"])
        >>> named.configured({"name": "audit"})().name
        'audit'
    """
    if callable(config_schema) and not isinstance(config_schema, type):
        return LoggerDefinition(config_schema)
    return lambda fn: LoggerDefinition(fn, config_schema, description)


_SCHEMA = {
    "log_level": Field(str, default_value="INFO", description="The lowest level that is shown."),
    "name": Field(str, default_value="dagwright", description="Shown with each line."),
}


class JsonLogFormatter(logging.Formatter):
    """A line of JSON for each record, as `json_console_logger` writes them: `time`, `level`, `logger`, `message`.

    Example:
        >>> JsonLogFormatter().format(logging.makeLogRecord({"created": 0.0, "levelname": "INFO", "name": "here", "msg": "hello"}))
        '{"time": 0.0, "level": "INFO", "logger": "here", "message": "hello"}'
    """

    def format(self, record: logging.LogRecord) -> str:
        shown = {"time": record.created, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        return json.dumps(shown)


class _Colored(logging.Formatter):
    _COLOURS: Mapping[int, str] = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "1;31"}

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        colour = self._COLOURS.get(record.levelno)
        return f"\033[{colour}m{text}\033[0m" if colour is not None else text


def _console(formatter: logging.Formatter) -> Callable[[InitLoggerContext], logging.Logger]:
    def make(context: InitLoggerContext) -> logging.Logger:
        level = str(context.logger_config["log_level"]).upper()
        if level not in logging.getLevelNamesMapping():
            raise ValueError(f"{level!r} is not a log level; use one of DEBUG, INFO, WARNING, ERROR, CRITICAL")
        made = logging.Logger(context.logger_config["name"], level)
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(formatter)
        made.addHandler(handler)
        return made

    return make


colored_console_logger = LoggerDefinition(
    _console(_Colored("%(asctime)s - %(name)s - %(levelname)s - %(message)s")), _SCHEMA, "Lines on standard error, coloured by level."
)
"""Writes lines on standard error, coloured by level."""

json_console_logger = LoggerDefinition(_console(JsonLogFormatter()), _SCHEMA, "Lines of JSON on standard error.")
"""Writes lines of JSON on standard error."""


def default_loggers() -> dict[str, LoggerDefinition]:
    """The loggers of jobs that have none: none but the console's."""
    return {"console": colored_console_logger}


def read_loggers(given: Mapping[str, Any] | None, what: str, source: SourceRef | None) -> dict[str, LoggerDefinition]:
    """Loggers by key, if they are loggers."""
    for key, value in (given or {}).items():
        if not isinstance(value, LoggerDefinition):
            raise DefinitionError(
                f"{what}: the logger {key!r} is a {type(value).__name__}", source=source, mend="give a function decorated with @logger"
            )
    return dict(given or {})
