"""The small marks of which lists are made, as HTML: icons, statuses, moments, ids. Templates have them among their macros.

A list of fifty rows has some hundreds of them, and as macros they took most of the time of a page.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from html import escape as plain
from urllib.parse import quote, quote_plus

from markupsafe import Markup, escape

from dagwright_webserver import looks, static_files
from dagwright_webserver.drawings import Bar, StripRange, TimelineLane
from dagwright_webserver.reads.partition_heat import HeatCell
from dagwright_webserver.reads.strips import StripTick

_TURNING = frozenset({"running", "starting"})
_NOTHING = Markup('<span class="quiet">–</span>')


@lru_cache(maxsize=512)
def icon(name: str, extra: str = "") -> Markup:
    """A symbol of static/icons.svg."""
    return Markup(f'<svg class="i {escape(extra)}" aria-hidden="true"><use href="{static_files.url("icons.svg")}#{escape(name)}"/></svg>')


@lru_cache(maxsize=1024)
def status(value: object, label: str | None = None) -> Markup:
    """A status with its icon and word, or with words of its own."""
    look = looks.look(value)
    return Markup(f'<span class="status {_tone(look)}">{icon(look.icon)}{escape(label or look.label)}</span>')


@lru_cache(maxsize=1024)
def badge(value: object, label: str | None = None) -> Markup:
    """The same, filled, for heads of pages."""
    look = looks.look(value)
    return Markup(f'<span class="badge {_tone(look)}">{icon(look.icon)}{escape(label or look.label)}</span>')


@lru_cache(maxsize=128)
def mark(value: object) -> Markup:
    """A status by its icon alone."""
    look = looks.look(value)
    word = escape(look.label)
    return Markup(f'<span class="toned {_tone(look)}" title="{word}">{icon(look.icon)}<span class="sr">{word}</span></span>')


def when(moment: datetime | None) -> Markup:
    """How long ago, with the exact moment on hover."""
    if moment is None:
        return _NOTHING
    exact, relative = escape(looks.exact(moment)), looks.relative(moment)
    return Markup(f'<time datetime="{moment.isoformat()}" title="{exact}" data-relative>{relative}</time>')


def copy(text: object, what: str = "Copy") -> Markup:
    """A button that copies a text."""
    said = escape(what)
    icon_html = icon("copy")
    return Markup(
        f'<button type="button" class="copy js-only" data-copy="{escape(text)}" aria-label="{said}" title="{said}">{icon_html}</button>'
    )


def run_id(text: str) -> Markup:
    """The id of a run, shortened, which leads to its page."""
    whole, short = escape(text), escape(looks.short(text))
    return Markup(f'<span class="id"><a href="/runs/{whole}" title="{whole}">{short}</a>{copy(text, "Copy the run id")}</span>')


def asset_link(key: object, css_class: str = "") -> Markup:
    """An asset, which leads to its page."""
    return Markup(f'<a class="{escape(css_class)}" href="/assets/{quote(str(key), safe="/")}">{escape(key)}</a>')


def ticks(strip: Iterable[StripTick], href: str) -> Markup:
    """The newest ticks as a strip, oldest first."""
    where = escape(href)
    marks = [
        f'<a class="t-{looks.look(tick.status).tone}" href="{where}" tabindex="-1" title="{plain(_tick_words(tick))}"></a>'
        for tick in strip
    ]
    if not marks:
        return Markup('<span class="quiet small">no ticks yet</span>')
    return Markup(f'<span class="ticks" role="group" aria-label="{len(marks)} newest ticks">{"".join(marks)}</span>')


def heat(cells: Iterable[HeatCell], address: str, chosen: str | None) -> Markup:
    """Cells of a heat map.

    Args:
        address: of the page without what it looks into.
        chosen: the partition that the page is about.
    """
    return Markup("".join(_heat_cell(cell, address + ("&" if "?" in address else "?"), chosen) for cell in cells))


def strip(pieces: Iterable[StripRange]) -> Markup:
    """Neighbouring partitions as pieces of a strip."""
    return Markup("".join(_piece(each) for each in pieces))


def _piece(piece: StripRange) -> str:
    words = piece.first
    if piece.count > 1:
        words += f" to {piece.last} · {looks.plural(piece.count, 'partition')}"
    title = f"<title>{plain(words)} · {looks.look(piece.status).label}</title>"
    return f'<rect class="{piece.status}" x="{piece.x}%" width="{piece.w}%" height="100%">{title}</rect>'


def bars(lane: TimelineLane) -> Markup:
    """The runs of a lane of the timeline."""
    return Markup("".join(_bar(bar, lane.name) for bar in lane.bars))


def _bar(bar: Bar, lane: str) -> str:
    look = looks.look(bar.status)
    words = [look.label, lane, *([bar.partition] if bar.partition else []), looks.exact(bar.started_at)]
    if bar.seconds is not None:
        words.append(looks.duration(bar.seconds))
    rect = f'<rect class="bar t-{look.tone}" x="{bar.x}%" y="7" width="{bar.w}%" height="16" rx="3"/>'
    return f'<a href="/runs/{bar.run_id}"><title>{plain(" · ".join(words))}</title>{rect}</a>'


def _heat_cell(cell: HeatCell, address: str, chosen: str | None) -> str:
    look, name = looks.look(cell.status), cell.status.lower()
    if cell.count > 1:
        parts = [f"{looks.look(status).label.lower()} {number:,}" for status, number in cell.counts.items() if number]
        words = " · ".join((f"{cell.first} to {cell.last}", looks.plural(cell.count, "partition"), *parts))
        href = f"{address}first={quote_plus(cell.first)}&last={quote_plus(cell.last)}"
    else:
        words, href = f"{cell.first} · {look.label}", f"{address}partition={quote_plus(cell.first)}"
    said = plain(words)
    here = ' aria-current="true"' if cell.count == 1 and cell.first == chosen else ""
    return f'<a class="t-{look.tone} s-{name}" href="{plain(href)}" title="{said}" aria-label="{said}"{here}></a>'


def _tick_words(tick: StripTick) -> str:
    words = looks.look(tick.status).label if tick.status != "SUCCESS" else looks.plural(tick.runs, "run")
    words += f" · {looks.exact(tick.scheduled_for)}"
    if tick.skip_reason:
        words += f" · {tick.skip_reason}"
    if tick.error:
        words += f" · {looks.first_line(tick.error)}"
    return words


def _tone(look: looks.Look) -> str:
    return f"t-{look.tone}{' spin' if look.icon in _TURNING else ''}"
