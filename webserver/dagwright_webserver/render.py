"""Pages: templates, the headers that every HTML answer carries, and errors as pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from dagwright_shared.model.access import Grant, Identity, Role
from dagwright_shared.model.json_values import json_safe
from dagwright_webserver import looks, marks, static_files, zones
from dagwright_webserver.access import Access

HERE = Path(__file__).parent
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "HX-Request",
}
SECTIONS = (
    ("Overview", "/", "overview"),
    ("Runs", "/runs", "runs"),
    ("Assets", "/assets", "assets"),
    ("Jobs", "/jobs", "jobs"),
    ("Automation", "/automation", "automation"),
    ("Deployment", "/deployment", "deployment"),
)
ADVICE = {
    401: "Log in, and you come back here.",
    403: "What you may do is on your account page; the message says which role this takes.",
    404: "The address may be mistyped, or what it names is no longer defined. The sections on the left list what there is.",
    422: "Mend the address or go back and choose again; the problems are listed below.",
    503: "Nothing was lost: runs go on and are recorded once the part that is away answers again. Reload this page in a few seconds.",
    500: "This is a fault of the webserver, not of your code. Its log has the details.",
}

_TITLES = {401: "Log in", 403: "Not allowed", 404: "Not found", 422: "This cannot be shown", 503: "Away for a moment"}


def page(request: Request, template: str, /, status: int = 200, **context: Any) -> HTMLResponse:
    """A page, or with `?_part=name` only the part of it that a live refresh asks for.

    A page includes `partials/<name>.html` for each of its parts, and the refresh renders the same file with the same
    context, so the two cannot drift apart.
    """
    part = request.query_params.get("_part")
    name = (
        f"partials/{part}.html"
        if part and part.replace("_", "").isalnum() and (HERE / "templates/partials" / f"{part}.html").is_file()
        else template
    )
    html = _rendered(request, name, **context)
    return HTMLResponse(html, status, headers=HEADERS)


def prefers_page(request: Request) -> bool:
    """Whether an answer is read by a person in a browser: not under /api, and HTML is accepted."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def error_page(request: Request, problem: Mapping[str, Any]) -> HTMLResponse:
    """A problem document as a page that says what to do."""
    status = int(problem.get("status", 500))
    advice = ADVICE.get(status, ADVICE[503] if status >= 501 else ADVICE[422])
    title = _TITLES.get(status, HTTPStatus(status).phrase)
    html = _rendered(request, "error.html", problem=problem, title=title, advice=advice)
    headers = {**HEADERS, "Retry-After": "2"} if status == 503 else HEADERS
    return HTMLResponse(html, status, headers=headers)


def _rendered(request: Request, template: str, /, **context: Any) -> str:
    env = _environment()
    # One set of macros for a page and all that it includes: `{% import %}` makes one anew for each of its files.
    macros = env.get_template("macros.html").make_module({"request": request})
    return env.get_template(template).render(request=request, m=macros, **context)


def templates() -> list[str]:
    """All there are."""
    return _environment().list_templates(["html"])


def prepare(template: str) -> None:
    """Compile a template, which its first page would otherwise do."""
    _environment().get_template(template)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    env.globals.update(
        static=static_files.url,
        sections=SECTIONS,
        look=looks.look,
        marks=marks,
        query=query,
        filters=filters,
        toggled=toggled,
        part_url=part_url,
        who=who,
        zone=zones.name,
    )
    env.globals.update(
        TRIGGERS=looks.TRIGGERS,
        RUN_STATUSES=looks.RUN_STATUSES,
        ASSET_STATUSES=looks.ASSET_STATUSES,
        event_words=looks.event_words,
        event_tone=looks.event_tone,
    )
    env.filters.update(
        duration=looks.duration,
        hours=looks.hours,
        delta=looks.delta,
        tail=looks.tail,
        milliseconds=looks.milliseconds,
        moment=looks.moment,
        relative=looks.relative,
        exact=looks.exact,
        clock=looks.clock,
        wall=lambda moment: f"{zones.here(moment):%Y-%m-%dT%H:%M}",
        size=looks.size,
        number=looks.number,
        short=looks.short,
        plural=looks.plural,
        first_line=looks.first_line,
        capitalize_first=lambda text: text[:1].upper() + text[1:],
        markdown=lambda text: Markup(looks.markdown(text)),
        path=lambda text: quote(str(text), safe="/"),
        segment=lambda text: quote(str(text), safe=""),
        pretty=pretty,
        compact=compact,
        ticked=ticked,
        data=data_block,
        value_text=value_text,
        numbered=lambda values: list(enumerate(values)),
        role=Role,
        axis=asdict,
    )
    return env


def query(request: Request, **changes: object) -> str:
    """The address of the page with some query parameters changed; None takes one away. Paging starts anew."""
    params = [(k, v) for k, v in request.query_params.multi_items() if k not in changes and k not in ("cursor", "_part")]
    params += [(key, str(value)) for key, value in changes.items() if value not in (None, "")]
    return request.url.path + ("?" + urlencode(params) if params else "")


def filters(request: Request) -> str:
    """The filters in the address of the page, as a saved view keeps them."""
    return urlencode([(key, value) for key, value in request.query_params.multi_items() if value and key not in ("cursor", "_part")])


def toggled(request: Request, name: str, value: str) -> str:
    """The address of the page with one value of a parameter that may be given again added, or taken away where it is there."""
    params = [(k, v) for k, v in request.query_params.multi_items() if v and k not in ("cursor", "_part")]
    params = [pair for pair in params if pair != (name, value)] if (name, value) in params else [*params, (name, value)]
    return request.url.path + ("?" + urlencode(params) if params else "")


def part_url(request: Request, part: str) -> str:
    """Where a live refresh fetches one part of the page from."""
    params = [(k, v) for k, v in request.query_params.multi_items() if k != "_part"]
    return request.url.path + "?" + urlencode([*params, ("_part", part)])


def who(request: Request) -> Access:
    """Who asks, for what a page shows and offers them."""
    found = getattr(request.state, "access", None)
    return found if isinstance(found, Access) else Access(identity=Identity(grant=Grant()))


def pretty(value: object) -> str:
    """JSON that people read."""
    return json.dumps(json_safe(value), indent=2, ensure_ascii=False)


def compact(value: object) -> str:
    """JSON in one line."""
    return json.dumps(json_safe(value), ensure_ascii=False)


def data_block(value: object) -> Markup:
    """JSON for a `<script type="application/json">`: inert data, which no content security policy refuses."""
    text = json.dumps(json_safe(value), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def ticked(text: str) -> Markup:
    """A sentence whose commands stand between backticks, with those as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts)))


def value_text(value: object) -> str:
    """A cell of a table of records."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return looks.number(value)
        case _:
            return str(value)
