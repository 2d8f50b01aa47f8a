"""Calls to the webserver's REST API, with its errors made readable."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click
import httpx

from dagwright_shared.model.errors import DagwrightError, UnavailableError

_FINAL = frozenset({"SUCCESS", "FAILURE", "CANCELED"})


class RestError(DagwrightError):
    """The webserver refused a request."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        """
        Args:
            problem: the problem+json body (RFC 9457): `title`, `detail`, and `problems` with a path each.
        """
        self.status, self.problem = status, problem
        detail, items = str(problem.get("detail") or problem.get("title") or f"HTTP {status}"), list(problem.get("problems") or ())
        if len(items) == 1:
            # A single problem is in the detail as well; here it has a line of its own.
            detail = detail.removesuffix(f": {items[0].get('path')}: {items[0].get('message')}")
        lines = [detail, *(f"  {_problem_line(item)}" for item in items)]
        super().__init__("\n".join(lines))


def _problem_line(item: Mapping[str, Any]) -> str:
    line = f"{item.get('path') or 'request'}: {item.get('message', 'is wrong')}"
    if item.get("expected") and str(item["expected"]) not in line:
        line += f" (expected {item['expected']})"
    if item.get("value") is not None and json.dumps(item["value"]) not in line:
        line += f"; got {json.dumps(item['value'])}"
    if item.get("suggestion") and str(item["suggestion"]) not in line:
        line += f"; did you mean {item['suggestion']!r}?"
    return line


class Client:
    """One connection to the webserver of a deployment."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """
        Args:
            url: such as `http://127.0.0.1:3004`.
            token: an API token, where the deployment has a log-in.
        """
        self.url = url.rstrip("/")
        # A proxy of the environment is not meant for a deployment on this machine or network.
        headers = {"Accept": "application/json", "User-Agent": "dagwright-cli", "X-Dagwright-Client": "cli"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(base_url=self.url, timeout=httpx.Timeout(30.0, connect=5.0), headers=headers, trust_env=False)

    def get(self, path: str, **parameters: Any) -> Any:
        return self._call("GET", path, params={name: value for name, value in parameters.items() if value is not None})

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._call("POST", path, json=body)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._call("PUT", path, json=body)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def items(self, path: str, limit: int, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The first `limit` items of a list, page by page."""
        cursor: str | None = None
        while limit > 0:
            page = self.get(path, limit=min(limit, 100), cursor=cursor, **parameters)
            yield from page["items"]
            limit -= len(page["items"])
            cursor = page.get("next_cursor")
            if cursor is None or not page["items"]:
                return

    def close(self) -> None:
        self._http.close()

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            response = self._http.request(method, f"/api/v1{path}", **arguments)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnavailableError(
                f"no dagwright webserver answers at {self.url} ({error}); "
                "start one with `dagwright dev -f FILE`, or name it by --url or DAGWRIGHT_URL"
            ) from None
        if response.is_success:
            return response.json() if response.content else None
        try:
            problem = response.json()
        except ValueError:
            problem = None
        if not isinstance(problem, dict):
            problem = {"detail": f"{self.url} answered HTTP {response.status_code} to {method} {path}; is it a dagwright webserver?"}
        if response.status_code == 401:
            problem = {"detail": f"{problem.get('detail')} Set DAGWRIGHT_TOKEN to one that your account page there makes."}
        raise RestError(response.status_code, problem)


def is_final(run: Mapping[str, Any]) -> bool:
    return run["status"] in _FINAL


def url_option(command: Any) -> Any:
    """`--url`: which deployment to talk to."""
    return click.option(
        "--url", envvar="DAGWRIGHT_URL", metavar="URL", help="Webserver to talk to [DAGWRIGHT_URL; default: that of `dagwright dev` here]"
    )(command)


def json_option(command: Any) -> Any:
    """`--json`: print what the API answered."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def connect(url: str | None) -> Client:
    """The deployment that an option, the environment, a setting or a running `dagwright dev` names, in this order."""
    from dagwright_shared.runtime import settings

    secret = settings.load().token
    token = None if secret is None else secret.get_secret_value()
    if url:
        return Client(url, token)
    from dagwright.cli.running import running_url

    return Client(running_url(), token)
