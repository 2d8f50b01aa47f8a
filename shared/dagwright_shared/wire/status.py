"""Errors over gRPC: a status code that any client understands, and our `ErrorDetail` packed into its `google.rpc.Status`.

    InvalidRequestError                INVALID_ARGUMENT     with its problems
    NotFoundError                      NOT_FOUND
    ConflictError, DefinitionError     FAILED_PRECONDITION  repeating the call does not help until something else has changed
    FencedError                        ABORTED
    UnavailableError                   UNAVAILABLE
    DeadlineError                      DEADLINE_EXCEEDED
    UserCodeError                      UNKNOWN              not our fault, and no other code says that; with the ErrorInfo
    anything else                      INTERNAL

The detail decides which error the caller raises; the code alone does where there is none.
"""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # the stubs of protobuf hide it
from grpc_status import rpc_status

from dagwright_api.v1 import errors_pb2 as pb
from dagwright_shared.model.errors import (
    ConflictError,
    DagwrightError,
    DeadlineError,
    DefinitionError,
    FencedError,
    InvalidRequestError,
    NotFoundError,
    UnavailableError,
    UserCodeError,
)
from dagwright_shared.wire.errors import decode_detail, encode_detail
from dagwright_shared.wire.values import printable

_CODES: tuple[tuple[type[DagwrightError], grpc.StatusCode], ...] = (
    # A subclass comes before its base.
    (DeadlineError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (UnavailableError, grpc.StatusCode.UNAVAILABLE),
    (InvalidRequestError, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFoundError, grpc.StatusCode.NOT_FOUND),
    (ConflictError, grpc.StatusCode.FAILED_PRECONDITION),
    (DefinitionError, grpc.StatusCode.FAILED_PRECONDITION),
    (FencedError, grpc.StatusCode.ABORTED),
    (UserCodeError, grpc.StatusCode.UNKNOWN),
)
# A status travels in trailing metadata, for which gRPC allows 16 KB unless both sides ask for more.
METADATA_OPTIONS = (("grpc.max_metadata_size", 1 << 20), ("grpc.absolute_max_metadata_size", 2 << 20))
_MAX_DETAIL_BYTES, _MAX_MESSAGE = 512 * 1024, 4_000


def to_status(error: BaseException) -> grpc.Status:
    """The status that a server aborts a call with."""
    known = error if isinstance(error, DagwrightError) else _internal(error)
    code = next((code for kind, code in _CODES if isinstance(known, kind)), grpc.StatusCode.INTERNAL)
    try:
        detail = encode_detail(known)
    except (UnicodeEncodeError, TypeError, ValueError):
        detail = pb.ErrorDetail(kind=pb.ERROR_KIND_INTERNAL, message=printable(known.message))
    packed = AnyMessage()
    packed.Pack(_fit(detail))
    message = detail.message[:_MAX_MESSAGE]
    return rpc_status.to_status(Status(code=code.value[0], message=message, details=[packed]))


def from_rpc_error(error: grpc.RpcError, where: str) -> DagwrightError:
    """The error that a client raises for a failed call.

    Args:
        where: the server, in words, for failures that it did not answer itself.
    """
    detail = _detail(error)
    if detail is not None:
        return decode_detail(detail)
    code, text = (error.code(), error.details() or "") if isinstance(error, grpc.Call) else (grpc.StatusCode.UNKNOWN, str(error))
    match code:
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineError(f"{where} did not answer in time")
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return UnavailableError(f"{where} does not answer ({text}); check that it runs and that the address is right")
        case grpc.StatusCode.UNAUTHENTICATED:
            # Not the error of who asked us: nobody here can help them but an operator.
            return UnavailableError(f"{where} refuses this process; DAGWRIGHT_CODE_SERVER_TOKEN must be the same for all services")
        case grpc.StatusCode.UNIMPLEMENTED:
            return DagwrightError(f"{where} does not know this call; it needs a newer dagwright, or it is no code server ({text})")
        case grpc.StatusCode.INVALID_ARGUMENT:
            return InvalidRequestError(text)
        case grpc.StatusCode.FAILED_PRECONDITION:
            return ConflictError(text)
        case grpc.StatusCode.ABORTED:
            return FencedError(text)
        case _:
            return DagwrightError(f"{where} failed: {code.name} {text}")


def _internal(error: BaseException) -> DagwrightError:
    return DagwrightError(f"A fault in the code server: {type(error).__name__}: {error}. Its log has the traceback")


def _detail(error: grpc.RpcError) -> pb.ErrorDetail | None:
    try:
        status: Any = rpc_status.from_call(error) if isinstance(error, grpc.Call) else None
    except (ValueError, DecodeError):
        return None
    for packed in status.details if status is not None else ():
        detail = pb.ErrorDetail()
        if packed.Unpack(detail):
            return detail
    return None


def _fit(detail: pb.ErrorDetail) -> pb.ErrorDetail:
    """Leave out what is least useful from a detail that is too large for metadata."""
    if detail.ByteSize() <= _MAX_DETAIL_BYTES:
        return detail
    small = pb.ErrorDetail(kind=detail.kind, message=detail.message[:_MAX_MESSAGE], missing=detail.missing)
    small.problems.extend(
        pb.Problem(path=problem.path[:_MAX_MESSAGE], message=problem.message[:_MAX_MESSAGE]) for problem in detail.problems[:50]
    )
    if detail.HasField("error"):
        small.error.class_name, small.error.message = detail.error.class_name, detail.error.message[:_MAX_MESSAGE]
        small.error.frames.extend(
            pb.Frame(file=frame.file[:_MAX_MESSAGE], line=frame.line, function=frame.function[:_MAX_MESSAGE])
            for frame in detail.error.frames[-20:]
        )
    return small
