"""How values look: the word, tone and icon of each status, and numbers, sizes and times as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from markdown_it import MarkdownIt

from dagwright_webserver import zones


@dataclass(frozen=True, slots=True)
class Look:
    """A status: a colour, a shape and a word; the shape and the word carry it for those who do not see the colour."""

    tone: str
    """success, failure, running, warning or neutral: a class `t-...` of the style sheet."""
    icon: str
    """A symbol of static/icons.svg."""
    label: str


LOOKS: Mapping[str, Look] = {
    # Runs and steps.
    "QUEUED": Look("neutral", "queued", "Queued"),
    "PENDING": Look("neutral", "missing", "Waiting"),
    "STARTING": Look("running", "starting", "Starting"),
    "STARTED": Look("running", "running", "Running"),
    "RETRYING": Look("warning", "retrying", "Retrying"),
    "SUCCESS": Look("success", "success", "Success"),
    "FAILURE": Look("failure", "failure", "Failed"),
    "CANCELING": Look("warning", "canceling", "Canceling"),
    "CANCELED": Look("neutral", "canceled", "Canceled"),
    "SKIPPED": Look("neutral", "skipped", "Skipped"),
    # Backfills.
    "REQUESTED": Look("neutral", "queued", "Requested"),
    "IN_PROGRESS": Look("running", "running", "In progress"),
    "COMPLETED": Look("success", "success", "Completed"),
    # Assets and their partitions.
    "MATERIALIZING": Look("running", "running", "Materializing"),
    "MATERIALIZED": Look("success", "success", "Materialized"),
    "FAILED": Look("failure", "failure", "Failed"),
    "CHECK_FAILED": Look("warning", "warning", "Check failed"),
    "PARTIAL": Look("success", "partition", "Partly materialized"),
    "MISSING": Look("neutral", "missing", "Missing"),
    "EXTERNAL": Look("neutral", "external", "External"),
    # Checks.
    "PASSED": Look("success", "success", "Passed"),
    "WARN": Look("warning", "warning", "Warning"),
    "ERROR": Look("failure", "failure", "Failed"),
    "NOT_RUN": Look("neutral", "missing", "Not run"),
    # Freshness.
    "PASS": Look("success", "success", "Fresh"),
    "FAIL": Look("failure", "failure", "Not fresh"),
    "UNKNOWN": Look("neutral", "missing", "Freshness unknown"),
    # Locations and processes.
    "loading": Look("running", "running", "Loading"),
    "loaded": Look("success", "success", "Loaded"),
    "error": Look("failure", "failure", "Load error"),
    "alive": Look("success", "success", "Running"),
    "gone": Look("failure", "failure", "No heartbeat"),
    "idle": Look("neutral", "missing", "No leader"),
}
_UNKNOWN = Look("neutral", "missing", "Unknown")
RUN_STATUSES = ("QUEUED", "STARTING", "STARTED", "CANCELING", "SUCCESS", "FAILURE", "CANCELED")
ASSET_STATUSES = ("MATERIALIZED", "MATERIALIZING", "FAILED", "CHECK_FAILED", "MISSING", "EXTERNAL")

TRIGGERS: Mapping[str, str] = {
    "user": "browser", "api": "REST", "cli": "command line", "schedule": "schedule", "sensor": "sensor", "automation": "automation",
    "backfill": "backfill", "retry": "retry",
}  # fmt: skip
"""What asked for a run, in words."""

_EVENT_TONES = {
    "RUN_SUCCEEDED": "success",
    "STEP_SUCCEEDED": "success",
    "ASSET_MATERIALIZED": "success",
    "RUN_FAILED": "failure",
    "STEP_FAILED": "failure",
    "ASSET_FAILED": "failure",
    "STEP_RETRYING": "warning",
    "RUN_CANCELED": "warning",
    "STEP_CANCELED": "warning",
    "RUN_STARTED": "running",
    "STEP_STARTED": "running",
}


def look(status: object) -> Look:
    """The look of a status of any kind."""
    return LOOKS.get(str(status), _UNKNOWN)


def event_tone(kind: str, level: str, data: Mapping[str, object]) -> str:
    """The tone of an event: that of its type, or of how bad it is."""
    if kind in _EVENT_TONES:
        return _EVENT_TONES[kind]
    if kind == "CHECK_EVALUATED" and data.get("passed"):
        return "success"
    return {"WARNING": "warning", "ERROR": "failure", "CRITICAL": "failure"}.get(level, "neutral")


def event_words(kind: str) -> str:
    """`STEP_STARTED` as `Step started`."""
    return kind.replace("_", " ").capitalize()


def duration(seconds: float | None) -> str:
    """A length of time in its two largest units: `0.42 s`, `3 m 05 s`, `2 h 10 m`, `3 d 4 h`."""
    if seconds is None:
        return ""
    if seconds < 0.9995:
        return f"{round(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    whole = round(seconds)
    for unit, name, part, part_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= unit:
            rest = whole % unit // part
            return f"{whole // unit} {name}" + (f" {rest:02d} {part_name}" if rest else "")
    return f"{whole} s"


def delta(seconds: float | None) -> str:
    """How much longer or shorter: `+1.2 s`, `−40 ms`; nothing where it is the same."""
    if seconds is None or abs(seconds) < 0.0005:
        return ""
    return ("+" if seconds > 0 else "\u2212") + duration(abs(seconds))


def hours(count: float) -> str:
    """The length of a window: `15 min`, `6 h`."""
    return f"{count:g} h" if count >= 1 else f"{round(count * 60)} min"


def milliseconds(seconds: float) -> str:
    """A time that is short by nature, always in ms: `3.8 ms`, `46 ms`, `1,204 ms`."""
    value = seconds * 1000
    return f"{value:.1f} ms" if value < 9.95 else f"{value:,.0f} ms"


def moment(text: object) -> datetime | None:
    """A moment that was stored as text; None if it is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def relative(moment: datetime | None, now: datetime | None = None) -> str:
    """A moment as seen from now: `12 s ago`, `in 3 h`. The exact one belongs beside it, on hover."""
    if moment is None:
        return ""
    delta = ((now or datetime.now(UTC)) - moment).total_seconds()
    distance = abs(delta)
    if distance < 1.5:
        return "now"
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        if distance >= size or size == 1:
            text = f"{int(distance // size)} {name}"
            return f"{text} ago" if delta > 0 else f"in {text}"
    return "now"


def exact(moment: datetime | None) -> str:
    """A moment to the millisecond, in the time zone of who asks."""
    if moment is None:
        return ""
    local = zones.here(moment)
    return f"{local.isoformat(' ', 'milliseconds')[:23]} {local.tzname()}"


def clock(moment: datetime) -> str:
    """The time of day to the millisecond, in the time zone of who asks, for tables of events."""
    local = zones.here(moment)
    return local.isoformat(timespec="milliseconds")[11:23]


def size(count: int | None) -> str:
    """Bytes in the unit that fits: `512 B`, `1.4 MB`."""
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return ""


def number(value: object) -> str:
    """A number with thin thousands; floats with as many digits as tell something."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1e6 else f"{value:,.6g}"


def short(text: str, keep: int = 8) -> str:
    """The last characters of an id of version 7, where the randomness is; its beginning is the time and nearly the same in all."""
    return text if len(text) <= keep else text[-keep:]


def tail(path: str, parts: int = 2) -> str:
    """The end of a long path, which tells files apart: `…/nyc/yearly.py:38`."""
    found = path.split("/")
    return path if len(found) <= parts + 1 else "…/" + "/".join(found[-parts:])


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 run`, `2 runs`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


_markdown = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").enable("strikethrough")
# An image would make the page fetch from wherever user code points; links are enough.
_markdown.disable("image")


def markdown(text: str | None) -> str:
    """User Markdown as HTML. Raw HTML is shown as text and `javascript:` links are not made (markdown-it's own rule)."""
    tokens = _markdown.parse(text or "")
    for token in tokens:
        # The pages' policy refuses style attributes, and markdown-it aligns columns by them.
        if "style" in token.attrs:
            token.attrs = {"class": "num"} if "right" in str(token.attrs["style"]) else {}
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("rel", "noopener nofollow")
    return str(_markdown.renderer.render(tokens, _markdown.options, {}))


def first_line(text: str | None) -> str:
    """The first sentence or line of a description, for tables."""
    return (text or "").strip().split("\n", 1)[0]
