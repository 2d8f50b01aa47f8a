"""Errors as answers: RFC 9457 problem+json for every failure, and never a stack trace."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import sqlalchemy.exc
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from dagwright_shared.model.access import AuditResult
from dagwright_shared.model.errors import (
    ChangedError,
    ConflictError,
    DagwrightError,
    DeadlineError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    Problem,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
    UserCodeError,
    error_to_json,
    nearest,
)
from dagwright_shared.model.json_values import json_safe
from dagwright_shared.store import audit
from dagwright_webserver import methods
from dagwright_webserver.access import CHANGING, Access
from dagwright_webserver.fitness import UnfitError

log = logging.getLogger("dagwright.webserver")

MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = "2"
_DATABASE_AWAY = "The database does not answer. Nothing was changed; try again in a few seconds."


def problem_response(
    status: int,
    kind: str,
    detail: str,
    *,
    instance: str,
    problems: Iterable[Problem] = (),
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document.

    Args:
        kind: ends the `type`, such as `not-found`; programs can rely on it.
        detail: what is wrong with this very request, and what to do.
    """
    body = {
        "type": f"urn:dagwright:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
        "problems": [problem_to_json(problem) for problem in problems],
        **(extra or {}),
    }
    content = json.dumps(json_safe(body), ensure_ascii=False, allow_nan=False).encode("utf-8", errors="replace")
    return Response(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def problem_to_json(problem: Problem) -> dict[str, Any]:
    return {
        "path": problem.path,
        "message": problem.message,
        "value": problem.value,
        "expected": problem.expected,
        "suggestion": problem.suggestion,
    }


def install(app: FastAPI) -> None:
    """Translate every error that a handler may raise."""
    app.add_exception_handler(DagwrightError, _from_dagwright)
    app.add_exception_handler(RequestValidationError, _from_validation)
    app.add_exception_handler(HTTPException, _from_http)
    app.add_exception_handler(sqlalchemy.exc.SQLAlchemyError, _from_database)


def unexpected(instance: str, request_id: str) -> Response:
    """What a caller is told of a fault of ours; the log has the rest."""
    detail = f"Something went wrong inside the webserver. Its log says more, under request id {request_id}."
    return problem_response(500, "internal", detail, instance=instance, extra={"request_id": request_id})


def database_away(instance: str) -> Response:
    """What a caller is told while Postgres does not answer."""
    return problem_response(503, "database-away", _DATABASE_AWAY, instance=instance, headers={"Retry-After": _RETRY_SECONDS})


def _from_dagwright(request: Request, error: Exception) -> Response:
    instance = request.url.path
    if isinstance(error, ForbiddenError) and request.method in CHANGING:
        tell_of_refusal(request)
    match error:
        case NotFoundError():
            return problem_response(404, "not-found", error.message, instance=instance, extra={"suggestion": error.suggestion})
        case UnauthenticatedError():
            return problem_response(401, "unauthenticated", error.message, instance=instance, headers={"WWW-Authenticate": "Bearer"})
        case ForbiddenError():
            extra = {"needed_role": error.needed, "location": error.location}
            return problem_response(403, "forbidden", error.message, instance=instance, extra=extra)
        case TooManyRequestsError():
            headers = {"Retry-After": str(error.seconds)}
            return problem_response(429, "too-many", error.message, instance=instance, headers=headers)
        case InvalidRequestError():
            return problem_response(422, "invalid-request", _sentence(error), instance=instance, problems=error.problems)
        case ChangedError():
            return problem_response(412, "changed", error.message, instance=instance, headers={"ETag": error.etag})
        case ConflictError():
            return problem_response(409, "conflict", error.message, instance=instance)
        case DeadlineError():
            return problem_response(504, "deadline", error.message, instance=instance)
        case UnavailableError():
            return problem_response(503, "unavailable", error.message, instance=instance, headers={"Retry-After": _RETRY_SECONDS})
        case UserCodeError():
            return problem_response(502, "user-code", error.message, instance=instance, extra={"error": error_to_json(error.info)})
        case _:
            raise error


def tell_of_refusal(request: Request) -> None:
    """To the audit log, in a transaction of its own: that of the change is gone."""
    asked: Access | None = getattr(request.state, "access", None)
    if asked is not None:
        with request.app.state.web.engine.begin() as conn:
            audit.record(conn, asked.entry(AuditResult.REFUSED))


def _sentence(error: InvalidRequestError) -> str:
    if len(error.problems) == 1:
        return f"{error.message}: {error.problems[0].path}: {error.problems[0].message}"
    return error.message


def _from_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    names = _known_fields(request)
    problems = [problem for item in error.errors() for problem in _validation_problems(item, names)]
    wrong_type = any(item["type"] == "model_attributes_type" and isinstance(item.get("input"), bytes) for item in error.errors())
    if wrong_type:
        detail = "Send the body as JSON, with the header Content-Type: application/json."
        return problem_response(415, "media-type", detail, instance=request.url.path)
    detail = f"The request is not valid: {problems[0].path}: {problems[0].message}" if len(problems) == 1 else "The request is not valid"
    return problem_response(422, "invalid-request", detail, instance=request.url.path, problems=problems)


def _known_fields(request: Request) -> Sequence[str]:
    """Names of the fields of the body of a route, to find the nearest one to a mistyped name."""
    field = getattr(request.scope.get("route"), "body_field", None)
    annotation = getattr(getattr(field, "field_info", None), "annotation", None)
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    return [name for each in candidates for name in getattr(each, "model_fields", {})]


def _validation_problems(item: Mapping[str, Any], names: Sequence[str]) -> Iterable[Problem]:
    unfit = (item.get("ctx") or {}).get("error")
    return unfit.problems if isinstance(unfit, UnfitError) else [_validation_problem(item, names)]


def _validation_problem(item: Mapping[str, Any], names: Sequence[str]) -> Problem:
    where, *rest = item["loc"] or ("body",)
    context = item.get("ctx") or {}
    if item["type"] == "json_invalid":
        position = rest[0] if rest else 0
        return Problem(path="body", message=f"the body is not JSON: {context.get('error', item['msg'])} at character {position}")
    path = _dotted([part for part in rest if not str(part).startswith("<")]) or str(where)  # the form of a union is no place
    if item["type"] == "enum":
        return _choice(path, item)
    if item["type"] == "extra_forbidden":
        name = str(rest[-1])
        close = nearest(name, names)
        message = f"there is no field {name!r}" + (f"; did you mean {close!r}?" if close else f"; the fields are {', '.join(names)}")
        return Problem(path=path, message=message, value=item.get("input"), suggestion=close)
    expected = context.get("expected") or item["type"].removesuffix("_type").removesuffix("_parsing").replace("_", " ")
    message = str(item["msg"]).removeprefix("Value error, ")
    given = item.get("input") if item["type"] != "missing" else None
    if isinstance(given, bytes):
        given = given[:200].decode(errors="replace")
    return Problem(path=path, message=message[:1].lower() + message[1:], value=given, expected=str(expected))


def _choice(path: str, item: Mapping[str, Any]) -> Problem:
    """One of some words; a second name of a member is not a second word."""
    expected = item["ctx"]["expected"].replace(" or ", ", ")
    words = list(dict.fromkeys(word.strip("'") for word in expected.split(", ")))
    given = item.get("input")
    close = None
    if isinstance(given, str):
        close = next((word for word in words if word.lower() == given.lower()), None) or nearest(given, words)
    message = f"it is one of {', '.join(words)}" + (f"; did you mean {close!r}?" if close else "")
    return Problem(path=path, message=message, value=given, expected=", ".join(words), suggestion=close)


def _dotted(parts: Sequence[Any]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


_HTTP_KINDS = {400: "bad-request", 403: "forbidden", 404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "media-type"}


def _from_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail, path = str(error.detail), request.url.path
    if error.status_code == 404 and detail == "Not Found":
        detail = f"There is nothing at {path}; /openapi.json lists what there is."
    headers = error.headers
    if error.status_code == 405:
        headers = {"Allow": methods.allowed(request)}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        detail = f"{request.method} is not possible at {path}, only {headers['Allow']}; /openapi.json lists what is."
    if error.status_code == 400 and detail == "There was an error parsing the body":
        detail = "The body cannot be read: it is not JSON in UTF-8, or it is nested too deeply."
    kind = _HTTP_KINDS.get(error.status_code, "http")
    return problem_response(error.status_code, kind, detail, instance=path, headers=headers)


def is_away(error: BaseException) -> bool:
    """Whether a database error says that Postgres cannot be reached just now."""
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return True
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        return error.connection_invalidated or isinstance(error, sqlalchemy.exc.InterfaceError) or _is_connection_failure(error)
    return False


def _is_connection_failure(error: sqlalchemy.exc.DBAPIError) -> bool:
    if not isinstance(error, sqlalchemy.exc.OperationalError):
        return False
    code = getattr(error.orig, "pgcode", None)
    # No code: the connection could not be made. 57P0x: the server shuts down, crashed or starts; 53300: too many connections.
    return code is None or code.startswith("57P0") or code == "53300" or code.startswith("08")


def _from_database(request: Request, error: Exception) -> Response:
    if is_away(error):
        log.warning("database away", extra={"path": request.url.path, "error": str(getattr(error, "orig", error)).strip()[:200]})
        return database_away(request.url.path)
    if getattr(getattr(error, "orig", None), "pgcode", None) == "57014":
        detail = "The question takes the database too long; narrow it by a filter or a smaller limit."
        return problem_response(503, "too-slow", detail, instance=request.url.path, headers={"Retry-After": _RETRY_SECONDS})
    if getattr(getattr(error, "orig", None), "pgcode", None) == "42P01":
        detail = "The database has no dagwright schema yet, or an older one. Run `dagwright db upgrade`."
        return problem_response(503, "schema-missing", detail, instance=request.url.path, headers={"Retry-After": _RETRY_SECONDS})
    raise error
