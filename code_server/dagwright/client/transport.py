"""HTTP as the client needs it: addresses, retries, answers as structures, problems as exceptions."""

from __future__ import annotations

import enum
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import UnionType
from typing import Any, Final, TypeAlias, TypeVar, get_args
from urllib.parse import quote

import httpx
import msgspec

from dagwright.client import streams
from dagwright.client.errors import ApiError, UnreachableError, made_of
from dagwright.client.streams import StreamEvent

T = TypeVar("T")


class _Left(enum.Enum):
    OUT = "left out"

    def __repr__(self) -> str:
        return "LEFT_OUT"


LEFT_OUT: Final = _Left.OUT
"""Of a change: this field stays as it is; None would be a value of it."""
Left: TypeAlias = _Left

_AGAIN = frozenset({429, 503})
_LONGEST_WAIT = 30.0
"""Seconds; an answer that asks for more is handed to the caller."""
_IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
_KEY = "Idempotency-Key"
_STREAM_TIMEOUT = httpx.Timeout(5.0, read=60.0)
"""A stream says that it is still there every 15 seconds."""


def part(value: object) -> str:
    """One part of an address."""
    text = quote(str(value), safe="")
    return text.replace(".", "%2E") if text in {".", ".."} else text


def way(value: str) -> str:
    """A name whose slashes are slashes of the address, such as the key of an asset."""
    return "/".join(part(each) for each in value.split("/"))


class Transport:
    """The connections to one webserver. Threads may share it."""

    def __init__(self, url: str, *, token: str | None, timeout: float, retries: int, headers: Mapping[str, str]) -> None:
        self.url = url.rstrip("/")
        authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._retries = retries
        # A proxy of the environment is not meant for a deployment on this machine or network.
        self._http = httpx.Client(
            base_url=self.url,
            timeout=httpx.Timeout(timeout, connect=5.0),
            headers={"Accept": "application/json", **headers, **authorization},
            trust_env=False,
            verify=not self.url.startswith("http://"),  # certificates take a while to load, and plain HTTP has none
        )

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, kind: type[T] | None, **arguments: Any) -> T:
        """One call whose answer is of one type; as `call_any` otherwise."""
        answer: T = self.call_any(method, path, kind, **arguments)
        return answer

    def call_any(
        self,
        method: str,
        path: str,
        kind: Any,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: Any = None,
        optional: Mapping[str, Any] | None = None,
    ) -> Any:
        """One call.

        Args:
            kind: what a good answer is made into; None: nothing is answered.
            body: the fields as they are; one that is LEFT_OUT is not sent. Or anything else to send.
            optional: fields of which those that are None are not sent.

        Raises:
            ApiError: the webserver refuses, or does not answer; of the class of its cause.
        """
        given = {name: value for name, value in (headers or {}).items() if value is not None}
        content: bytes | str | None = None
        if isinstance(body, bytes | str):
            content = body
        elif body is not None or optional is not None:
            content = _json(body, optional)
            given["Content-Type"] = "application/json"
        if headers is not None and _KEY in headers:
            # A key of our own makes it safe to send again what may have arrived.
            given.setdefault(_KEY, str(uuid.uuid4()))
        is_safe = method in _IDEMPOTENT or _KEY in given
        response = self._send(method, path, is_safe=is_safe, params=_query(query), headers=given, content=content)
        return self._decoded(response, kind)

    def text(self, path: str, *, query: Mapping[str, Any] | None = None) -> str:
        """An answer that is text."""
        return self._send("GET", path, is_safe=True, params=_query(query), headers={"Accept": "text/plain"}).text

    def stream(self, path: str, *, query: Mapping[str, Any] | None = None) -> Iterator[StreamEvent]:
        """Server-Sent Events. A connection that breaks is made again, and goes on after the last event.

        Raises:
            ApiError: the webserver refuses, or is away for longer than the retries last.
        """
        last_id, failures = "", 0
        while True:
            headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
            try:
                with self._http.stream("GET", path, params=_query(query), headers=headers, timeout=_STREAM_TIMEOUT) as response:
                    if response.status_code == 204:
                        return
                    if not response.is_success:
                        response.read()
                        raise self._error(response)
                    for event in streams.parse(response.iter_lines()):
                        last_id, failures = event.id or last_id, 0
                        yield event
                        if event.event == "end":
                            return
            except httpx.TransportError as error:
                failures += 1
                if failures > self._retries:
                    raise self._unreachable(error) from None
            time.sleep(_pause(failures))

    def _send(self, method: str, path: str, *, is_safe: bool, **arguments: Any) -> httpx.Response:
        attempt = 0
        while True:
            try:
                response = self._http.request(method, path, **arguments)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                arrived = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if attempt >= self._retries or (arrived and not is_safe) or isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
                    raise self._unreachable(error) from None
                pause = _pause(attempt)
            else:
                if response.is_success:
                    return response
                failure = self._error(response)
                again = response.status_code in _AGAIN and (is_safe or response.status_code == 429)
                pause = failure.retry_after if failure.retry_after is not None else _pause(attempt)
                if not again or attempt >= self._retries or pause > _LONGEST_WAIT:
                    raise failure
            time.sleep(pause)
            attempt += 1

    def _unreachable(self, error: Exception) -> UnreachableError:
        detail = (
            f"no dagwright webserver answers at {self.url} ({error}); "
            "start one with `dagwright dev -f FILE`, or name it by --url or DAGWRIGHT_URL"
        )
        return UnreachableError(0, {"detail": detail})

    def _error(self, response: httpx.Response) -> ApiError:
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            asked = f"{response.request.method} {response.request.url.path}"
            document = {"detail": f"{self.url} answered HTTP {response.status_code} to {asked}; is it a dagwright webserver?"}
        if response.status_code == 401:
            document["detail"] = f"{document.get('detail')} Set DAGWRIGHT_TOKEN to one that your account page there makes."
        seconds = response.headers.get("retry-after", "")
        return made_of(response.status_code, document, retry_after=float(seconds) if seconds.isdigit() else None)

    def _decoded(self, response: httpx.Response, kind: Any) -> Any:
        if kind is None:
            return None
        # Of several structures the first one that fits.
        kinds = get_args(kind) if isinstance(kind, UnionType) and type(None) not in get_args(kind) else (kind,)
        problem: Exception | None = None
        for each in kinds:
            try:
                return msgspec.json.decode(response.content, type=each)
            except msgspec.DecodeError as error:
                problem = error
        path = response.request.url.path
        raise ApiError(
            response.status_code, {"detail": f"{self.url} answered {path} in a form that this version does not know: {problem}"}
        ) from problem


def _pause(attempt: int) -> float:
    """Seconds before the next attempt: 0.2, 0.4, 0.8 ..."""
    return min(5.0, 0.2 * float(2**attempt))


def _json(body: Any, optional: Mapping[str, Any] | None) -> bytes:
    if isinstance(body, Mapping) or optional is not None:
        body = {name: value for name, value in (body or {}).items() if value is not LEFT_OUT}
        body |= {name: value for name, value in (optional or {}).items() if value is not None}
    return msgspec.json.encode(body, enc_hook=_plain)


def _plain(value: Any) -> Any:
    """Mappings and sequences of other kinds than JSON's own."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value)


def _query(given: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: _text(value) for name, value in (given or {}).items() if value is not None}


def _text(value: Any) -> Any:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
        case str() | int() | float():
            return value
        case _:
            return [_text(each) for each in value]
