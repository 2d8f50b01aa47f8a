"""Errors as data, also for a pipe: `error_to_bytes` and `error_from_bytes`. What gRPC does with them is in `status`."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from dagwright_api.v1 import errors_pb2 as pb
from dagwright_shared.model.errors import (
    ConflictError,
    DagwrightError,
    DeadlineError,
    DefinitionError,
    ErrorInfo,
    FencedError,
    Frame,
    InvalidRequestError,
    NotFoundError,
    Problem,
    SettingsError,
    UnavailableError,
    UserCodeError,
    error_info,
)
from dagwright_shared.model.json_values import json_safe
from dagwright_shared.wire.values import (
    decode_source,
    decode_struct,
    decode_value,
    encode_source,
    encode_struct,
    encode_value,
    optional,
    reading,
)

_KINDS: tuple[tuple[type[DagwrightError], pb.ErrorKind.ValueType], ...] = (
    # A subclass comes before its base.
    (DeadlineError, pb.ERROR_KIND_DEADLINE),
    (UnavailableError, pb.ERROR_KIND_UNAVAILABLE),
    (DefinitionError, pb.ERROR_KIND_DEFINITION),
    (InvalidRequestError, pb.ERROR_KIND_INVALID_REQUEST),
    (NotFoundError, pb.ERROR_KIND_NOT_FOUND),
    (ConflictError, pb.ERROR_KIND_CONFLICT),
    (FencedError, pb.ERROR_KIND_FENCED),
    (UserCodeError, pb.ERROR_KIND_USER_CODE),
    (SettingsError, pb.ERROR_KIND_SETTINGS),
)
_CLASSES = {number: kind for kind, number in _KINDS}


def encode_error(info: ErrorInfo) -> pb.ErrorInfo:
    return pb.ErrorInfo(
        class_name=info.class_name,
        message=info.message,
        frames=[pb.Frame(file=f.file, line=f.line, function=f.function, source=f.source) for f in info.frames],
        cause=encode_error(info.cause) if info.cause else None,
        hint=info.hint,
        metadata=encode_struct(info.metadata) if info.metadata else None,
    )


def decode_error(message: pb.ErrorInfo) -> ErrorInfo:
    return ErrorInfo(
        class_name=message.class_name,
        message=message.message,
        frames=tuple(Frame(file=f.file, line=f.line, function=f.function, source=optional(f, "source")) for f in message.frames),
        cause=decode_error(message.cause) if message.HasField("cause") else None,
        hint=optional(message, "hint"),
        metadata=decode_struct(message.metadata),
    )


def encode_problem(problem: Problem) -> pb.Problem:
    try:
        given = encode_value(problem.value)
    except TypeError:
        # It may be anything that Python code can pass, and is only shown: text stands in for what JSON lacks.
        given = encode_value(json_safe(problem.value))
    return pb.Problem(
        path=problem.path,
        message=problem.message,
        value=given,
        expected=problem.expected,
        suggestion=problem.suggestion,
    )


def decode_problem(message: pb.Problem) -> Problem:
    return Problem(
        path=message.path,
        message=message.message,
        value=decode_value(message.value),
        expected=optional(message, "expected"),
        suggestion=optional(message, "suggestion"),
    )


def encode_detail(error: DagwrightError) -> pb.ErrorDetail:
    kind = next((number for cls, number in _KINDS if isinstance(error, cls)), pb.ERROR_KIND_INTERNAL)
    detail = pb.ErrorDetail(kind=kind, message=error.message)
    match error:
        case InvalidRequestError():
            detail.problems.extend(encode_problem(problem) for problem in error.problems)
        case UserCodeError():
            detail.MergeFrom(pb.ErrorDetail(error=encode_error(error.info), doing=error.doing))
        case NotFoundError():
            detail.missing.MergeFrom(pb.MissingThing(kind=error.kind, name=error.name, suggestion=error.suggestion))
        case DefinitionError():
            detail.MergeFrom(pb.ErrorDetail(source=encode_source(error.source), mend=error.mend))
        case _:
            pass
    return detail


def decode_detail(detail: pb.ErrorDetail) -> DagwrightError:
    """The error to raise; a kind that this version does not know is a plain DagwrightError with its message."""
    kind = _CLASSES.get(detail.kind, DagwrightError)
    error: DagwrightError
    if kind is InvalidRequestError:
        return InvalidRequestError(detail.message, problems=map(decode_problem, detail.problems))
    if kind is UserCodeError:
        return UserCodeError(decode_error(detail.error), optional(detail, "doing"))
    if kind is NotFoundError:
        missing = NotFoundError(detail.missing.kind, detail.missing.name)
        missing.suggestion = optional(detail.missing, "suggestion")
        error = missing
    elif kind is DefinitionError:
        definition = DefinitionError()
        definition.source = decode_source(detail.source) if detail.HasField("source") else None
        definition.mend = optional(detail, "mend")
        error = definition
    else:
        error = kind()
    # The sender's words, in which where and mend are told already.
    error.args = (detail.message,)
    return error


def error_to_bytes(error: BaseException) -> bytes:
    """An error for a pipe out of a process that runs user code: any exception outside our tree counts as user code's."""
    known = error if isinstance(error, DagwrightError) else UserCodeError(error_info(error))
    try:
        return encode_detail(known).SerializeToString()
    except (UnicodeEncodeError, TypeError, ValueError):
        # Lone surrogates, or Failure metadata without a JSON form: the text must still arrive.
        plain = known.message.encode(errors="replace").decode()
        return encode_detail(UserCodeError(ErrorInfo(class_name=type(known).__name__, message=plain))).SerializeToString()


def error_from_bytes(data: bytes) -> DagwrightError:
    """The error that `error_to_bytes` wrote, to be raised here."""
    with reading("an error"):
        try:
            return decode_detail(pb.ErrorDetail.FromString(data))
        except DecodeError as error:
            return DagwrightError(f"An error arrived damaged: {error}")
