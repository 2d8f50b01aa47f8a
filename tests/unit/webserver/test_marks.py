"""Marks of lists: what they say, and that nothing of users becomes markup."""

from __future__ import annotations

from datetime import UTC, datetime

from dagwright_webserver import drawings, marks, zones
from dagwright_webserver.drawings import Bar, StripRange, TimelineLane
from dagwright_webserver.reads.definitions import pg_array
from dagwright_webserver.reads.partition_heat import CellStatus, HeatCell
from dagwright_webserver.reads.partition_status import PartitionStatus, PartitionStretch, PartitionsView
from dagwright_webserver.reads.strips import StripTick

NOON = datetime(2024, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script>'


def test_nothing_of_users_becomes_markup() -> None:
    cell = HeatCell(first=HOSTILE, last=HOSTILE, count=2, counts={"FAILED": 1}, status=CellStatus.FAILED)
    single = HeatCell(first=HOSTILE, last=HOSTILE, count=1, counts={}, status=CellStatus.MISSING)
    bar = Bar(run_id="r", status="SUCCESS", partition=HOSTILE, started_at=NOON, seconds=1.0, x=0, w=1)
    made = [
        marks.asset_link(HOSTILE, HOSTILE),
        marks.run_id(HOSTILE),
        marks.copy(HOSTILE, HOSTILE),
        marks.status("FAILED", HOSTILE),
        marks.badge("FAILED", HOSTILE),
        marks.heat([cell, single], f"/assets/a?x={HOSTILE}", None),
        marks.bars(TimelineLane(HOSTILE, None, None, (bar,), ())),
        marks.strip([StripRange(0, 1, "FAILED", HOSTILE, HOSTILE, 2)]),
        marks.ticks([StripTick("FAILURE", NOON, 0, HOSTILE, f"E: {HOSTILE}")], HOSTILE),
    ]
    for html in made:
        assert "<script" not in html
        assert '">"' not in html


def test_a_tick_says_what_became_of_it() -> None:
    strip = [StripTick("SUCCESS", NOON, 2, None, None), StripTick("FAILURE", NOON, 0, None, "ValueError: first\nsecond")]
    html = marks.ticks(strip, "#ticks")
    assert 'title="2 runs · 2024-05-01 12:00:00.123 UTC"' in html
    assert "Failed · 2024-05-01 12:00:00.123 UTC · ValueError: first" in html
    assert "second" not in html
    assert marks.ticks([], "#ticks") == '<span class="quiet small">no ticks yet</span>'


def test_a_cell_leads_to_what_it_stands_for() -> None:
    cell = HeatCell(first="a b", last="c", count=3, counts={"MATERIALIZED": 2}, status=CellStatus.PARTIAL)
    html = marks.heat([cell], "/assets/a?tab=partitions", None)
    assert 'href="/assets/a?tab=partitions&amp;first=a+b&amp;last=c"' in html
    assert 'title="a b to c · 3 partitions · materialized 2"' in html
    chosen = HeatCell(first="k", last="k", count=1, counts={}, status=CellStatus.MISSING)
    assert 'href="/assets/a?partition=k"' in (html := marks.heat([chosen], "/assets/a", "k"))
    assert 'aria-current="true"' in html


def test_a_strip_of_very_many_ranges_has_as_many_pieces_as_a_screen_shows() -> None:
    statuses = (PartitionStatus.MATERIALIZED, PartitionStatus.MISSING)
    stretches = [PartitionStretch(first=str(n), last=str(n), count=1, status=statuses[n % 2]) for n in range(1999)]
    stretches[0] = PartitionStretch(first="0", last="0", count=1, status=PartitionStatus.FAILED)
    pieces = drawings.strip(_view(stretches))
    assert len(pieces) <= 400
    assert sum(piece.count for piece in pieces) == 1999
    assert pieces[0].status == "FAILED"
    assert {piece.status for piece in pieces[1:-1]} == {"PARTIAL"}
    assert (pieces[0].first, pieces[-1].last) == ("0", "1998")
    assert [piece.status for piece in drawings.strip(_view(stretches[:3]))] == ["FAILED", "MISSING", "MATERIALIZED"]


def _view(stretches: list[PartitionStretch]) -> PartitionsView:
    total = sum(each.count for each in stretches)
    return PartitionsView(
        description="", dimensions=(), axes=(), total=total, counts={}, ranges=tuple(stretches), cut=False, newest=(), newest_statuses=()
    )


def test_arrays_for_postgres() -> None:
    assert pg_array([1, 20]) == "{1,20}"
    assert pg_array(['a"b', "c\\d", "e,f", "NULL"]) == '{"a\\"b","c\\\\d","e,f","NULL"}'
    assert pg_array([]) == "{}"


def test_all_zones_are_known() -> None:
    assert "Europe/Berlin" in zones.known()
    assert list(zones.known()) == sorted(zones.known())
