"""Errors, and exceptions of user code as data.

    DagwrightError
    |-- DefinitionError (ValueError)         what a user wrote does not make a location
    |-- InvalidRequestError (ValueError)     a request does not fit the definitions; carries Problems
    |   `-- SubsetError                      it picks ops, assets or checks that are not there
    |-- NotFoundError (LookupError)          no such run, asset, job, schedule, location ...
    |-- ConflictError                        the thing is in a state that does not allow this
    |   `-- ChangedError                     somebody else has changed it meanwhile
    |-- UnavailableError (ConnectionError)   a code server or the database does not answer
    |   `-- DeadlineError (TimeoutError)     ... or not in time
    |-- FencedError                          a newer attempt owns the run; this one must stop
    |-- UnauthenticatedError                 nobody has logged in, or what was sent is no longer valid
    |-- ForbiddenError                       who asks may not do this
    |-- TooManyRequestsError                 too many have come; wait
    |-- UserCodeError                        user code raised; carries ErrorInfo
    `-- SettingsError (ValueError)           the process cannot start as configured

The default message of a class is its docstring.
"""

from __future__ import annotations

import difflib
import linecache
import math
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from dagwright_shared.model.dataclass import dataclass


class DagwrightError(Exception):
    """Something went wrong in dagwright."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    @property
    def message(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRef:
    """Where in the user's code a thing is defined."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class DefinitionError(DagwrightError, ValueError):
    """The definitions do not make a location."""

    def __init__(self, message: str | None = None, *, source: SourceRef | None = None, mend: str | None = None) -> None:
        """
        Args:
            message: what is wrong, naming the object.
            source: where the object is defined.
            mend: what to change, as an imperative sentence.
        """
        self.source = source
        self.mend = mend
        text = message or (type(self).__doc__ or "").strip()
        if source is not None:
            text = f"{text} (defined at {source})"
        if mend:
            text = f"{text}. To mend: {mend}"
        super().__init__(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a request, at one place in it."""

    path: str
    """Where: dotted, such as `config.ops.load.config.limit`."""
    message: str
    value: Any = None
    """What was given there, as JSON."""
    expected: str | None = None
    suggestion: str | None = None
    """The nearest name that would have been right."""


class InvalidRequestError(DagwrightError, ValueError):
    """The request does not fit the definitions."""

    def __init__(self, message: str | None = None, *, problems: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)


class SubsetError(InvalidRequestError):
    """What is picked is not there."""


class NotFoundError(DagwrightError, LookupError):
    """No such thing."""

    def __init__(self, kind: str, name: str, *, known: Iterable[str] = (), where: str | None = None) -> None:
        """
        Args:
            kind: the noun, such as `job`.
            name: what was asked for.
            known: the names that exist, to find the nearest one.
            where: the location, when only one was searched.
        """
        self.kind, self.name = kind, name
        self.suggestion = nearest(name, known)
        text = f"There is no {kind} {name!r}" + (f" in {where}" if where else "")
        super().__init__(text + (f"; did you mean {self.suggestion!r}?" if self.suggestion else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild_not_found, (self.kind, self.name, self.suggestion, self.message))


def _rebuild_not_found(kind: str, name: str, suggestion: str | None, message: str) -> NotFoundError:
    error = NotFoundError(kind, name)
    error.suggestion, error.args = suggestion, (message,)
    return error


class ConflictError(DagwrightError):
    """The thing is in a state that does not allow this."""


class ChangedError(ConflictError):
    """Somebody else has changed it meanwhile."""

    def __init__(self, message: str | None = None, *, etag: str) -> None:
        """
        Args:
            etag: entity tag of the thing as it is now.
        """
        self.etag = etag
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild_changed, (self.message, self.etag))


def _rebuild_changed(message: str, etag: str) -> ChangedError:
    return ChangedError(message, etag=etag)


class UnavailableError(DagwrightError, ConnectionError):
    """A service does not answer."""


class DeadlineError(UnavailableError, TimeoutError):
    """A service did not answer in time."""


class FencedError(DagwrightError):
    """A newer attempt owns this run; this one must stop and its events are refused."""


class UnauthenticatedError(DagwrightError):
    """Log in, or send an API token: Authorization: Bearer dgw_..."""


class ForbiddenError(DagwrightError):
    """Who asks may not do this."""

    def __init__(self, message: str | None = None, *, needed: str | None = None, location: str | None = None) -> None:
        """
        Args:
            needed: the role that it takes.
            location: the code location at which it takes it; None: over the whole deployment.
        """
        self.needed, self.location = needed, location
        super().__init__(message)


class TooManyRequestsError(DagwrightError):
    """Too many of these requests came; wait."""

    def __init__(self, message: str | None = None, *, seconds: float) -> None:
        """
        Args:
            seconds: how long to wait.
        """
        self.seconds = math.ceil(seconds)
        super().__init__(message)


class SettingsError(DagwrightError, ValueError):
    """The process cannot start as configured."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to a mistyped one, or None when nothing is close; a name that begins with it is closer than others."""
    matches = difflib.get_close_matches(name, list(known), cutoff=0.6)
    return next((match for match in matches if match.startswith(name)), matches[0] if matches else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One line of a traceback."""

    file: str
    line: int
    function: str
    source: str | None = None
    """The text of the line, where it could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """An exception as data: it can be stored, sent and shown, but not raised again."""

    class_name: str
    message: str
    frames: tuple[Frame, ...] = ()
    """Outermost first; frames inside dagwright and its libraries are left out when user frames exist."""
    cause: ErrorInfo | None = None
    """What `raise ... from` or an exception in a handler points at."""
    hint: str | None = None
    """What to do about it, where we know."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Metadata of a `Failure`, as `metadata.to_json` writes it."""

    @property
    def cls_name(self) -> str:
        """The class's name, as Dagster spells the field."""
        return self.class_name

    @property
    def stack(self) -> tuple[str, ...]:
        """The frames as text, as Dagster has them."""
        return tuple(
            f'  File "{frame.file}", line {frame.line}, in {frame.function}\n' + (f"    {frame.source}\n" if frame.source else "")
            for frame in self.frames
        )

    def __str__(self) -> str:
        return f"{self.class_name}: {self.message}" if self.message else self.class_name

    def render(self) -> str:
        """The whole chain as text, in the order of Python's own tracebacks."""
        parts = []
        if self.cause is not None:
            parts.append(self.cause.render() + "\n\nThe above led to:\n")
        for frame in self.frames:
            parts.append(f'  File "{frame.file}", line {frame.line}, in {frame.function}')
            if frame.source:
                parts.append(f"    {frame.source}")
        parts.append(str(self))
        return "\n".join(parts)

    def to_string(self) -> str:
        """`render`, as Dagster spells it: what run failure sensors put into their messages."""
        return self.render()


class UserCodeError(DagwrightError):
    """User code raised."""

    def __init__(self, info: ErrorInfo, doing: str | None = None) -> None:
        self.info = info
        self.doing = doing
        super().__init__(f"{doing}: {info}" if doing else str(info))


_OWN_PACKAGES = ("/dagwright/", "/dagwright_shared/", "/dagwright_daemon/", "/dagwright_webserver/", "/dagwright_api/")
_MACHINERY = ("<frozen ", "/importlib/", "/contextlib.py", "/runpy.py")
_MAX_FRAMES, _MAX_CHAIN, _MAX_MESSAGE = 50, 8, 20_000


def error_info(error: BaseException, *, hint: str | None = None, depth: int = 0, place: Frame | None = None) -> ErrorInfo:
    """Turn any exception into data: class, message, user frames and the chain of causes.

    `place` is where the definition is that the error is of: shown where no user code was running, as when what it returned is refused.

    Messages are cut at 20,000 characters, tracebacks at 50 frames and chains at 8 links.
    """
    frames = []
    for summary in traceback.extract_tb(error.__traceback__):
        line = summary.lineno or 0
        source = linecache.getline(summary.filename, line).strip() or None
        frames.append(Frame(file=summary.filename, line=line, function=summary.name, source=source))
    if isinstance(error, SyntaxError) and error.filename:
        frames.append(Frame(file=error.filename, line=error.lineno or 0, function="<module>", source=error.text and error.text.strip()))
    theirs = [f for f in frames if not any(mark in f.file for mark in (*_OWN_PACKAGES, *_MACHINERY))]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a user's __str__ may itself raise
        message = "<the exception's own __str__ raised>"
    return ErrorInfo(
        class_name=name,
        message=message[:_MAX_MESSAGE],
        frames=tuple((theirs or ([place] if place is not None else frames))[-_MAX_FRAMES:]),
        cause=error_info(cause, depth=depth + 1) if cause is not None and depth < _MAX_CHAIN else None,
        hint=hint or getattr(error, "mend", None),
    )


def error_to_json(info: ErrorInfo) -> dict[str, Any]:
    """The form that the store and REST use."""
    return {
        "class_name": info.class_name,
        "message": info.message,
        "frames": [{"file": f.file, "line": f.line, "function": f.function, "source": f.source} for f in info.frames],
        "cause": error_to_json(info.cause) if info.cause else None,
        "hint": info.hint,
        "metadata": dict(info.metadata),
    }


def error_from_json(data: Mapping[str, Any]) -> ErrorInfo:
    return ErrorInfo(
        class_name=data["class_name"],
        message=data["message"],
        frames=tuple(Frame(**frame) for frame in data.get("frames", ())),
        cause=error_from_json(data["cause"]) if data.get("cause") else None,
        hint=data.get("hint"),
        metadata=data.get("metadata") or {},
    )
