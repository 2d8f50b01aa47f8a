"""`context.log` and loggers managed for user code: their records become events of the run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar

from dagwright_shared.model.errors import error_info
from dagwright_shared.model.events import LogLevel, LogMessage, Payload

Emit = Callable[[Payload], None]

_current: ContextVar[Emit | None] = ContextVar("dagwright_emit", default=None)
_MAX_MESSAGE = 100_000


class EventLogger(logging.Logger):
    """A logger outside the tree of `logging`, whose records go to the events of a step."""

    def __init__(self, emit: Emit, name: str = "dagwright") -> None:
        super().__init__(name, logging.DEBUG)
        self.propagate = False
        self._emit_event = emit

    def handle(self, record: logging.LogRecord) -> None:
        if self.filter(record):
            self._emit_event(message_of(record))
        for handler in self.handlers:  # those that user code has added
            if record.levelno >= handler.level:
                handler.handle(record)


class _CurrentStepHandler(logging.Handler):
    """Sends records to the step that runs now, and does nothing outside of one."""

    def emit(self, record: logging.LogRecord) -> None:
        send = _current.get()
        if send is not None:
            send(message_of(record))


def get_dagster_logger(name: str | None = None) -> logging.Logger:
    """A logger for code that has no context at hand: inside a step its records become events of the run.

    Args:
        name: shown with each line.

    Example:
        >>> get_dagster_logger().name
        'dagwright.user'
    """
    logger = logging.getLogger(f"dagwright.user.{name}" if name else "dagwright.user")
    root = logging.getLogger("dagwright.user")
    if not any(isinstance(handler, _CurrentStepHandler) for handler in root.handlers):
        root.addHandler(_CurrentStepHandler())
        root.setLevel(logging.DEBUG)
    return logger


def message_of(record: logging.LogRecord) -> LogMessage:
    """A log record as an event."""
    try:
        text = record.getMessage()
    except Exception as error:  # noqa: BLE001 - arguments that do not fit the format must not fail the step
        text = f"{record.msg!r} (its arguments do not fit: {error})"
    raised = record.exc_info[1] if record.exc_info else None
    level = max((known for known in LogLevel if known <= record.levelno), default=LogLevel.DEBUG)
    return LogMessage(
        level=level, message=text[:_MAX_MESSAGE], logger=record.name, error=error_info(raised) if raised is not None else None
    )


def enter(emit: Emit | None) -> Callable[[], None]:
    """Make `emit` the place for managed loggers in this context; call the result to undo it."""
    token = _current.set(emit)
    return lambda: _current.reset(token)
