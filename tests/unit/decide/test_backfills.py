"""Backfills as text timelines: `run result -> runs asked for then`; a run is its assets, and the places of its partitions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from dagwright_shared.decide import backfills
from dagwright_shared.decide.backfills import Ended
from dagwright_shared.decide.requests import Definitions
from dagwright_shared.model import subsets
from dagwright_shared.model.backfills import (
    JOB,
    LIVE,
    TRANSITIONS,
    Backfill,
    BackfillStatus,
    NewBackfill,
    PartProgress,
    Progress,
    Target,
    left,
    sources,
)
from dagwright_shared.model.keys import AssetKey, Digest, LocationName, new_run_id
from dagwright_shared.model.partitions import MultiPartitions, Partitions, StaticPartitions, TimeWindowPartitions
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.model.snapshot import (
    AssetDepSnapshot,
    AssetSnapshot,
    BackfillPolicyData,
    JobSnapshot,
    LocationSnapshot,
    MappingKind,
    PartitionMappingData,
)
from dagwright_shared.model.subsets import EMPTY, Subset, of_ordinals

NOW = datetime(2024, 1, 29, tzinfo=UTC)
DAYS = TimeWindowPartitions(cron="0 0 * * *", format="%Y-%m-%d", start=datetime(2024, 1, 1, tzinfo=UTC))
WEEKS = TimeWindowPartitions(cron="0 0 * * 1", format="%Y-%m-%d", start=datetime(2024, 1, 1, tzinfo=UTC))
GRID = MultiPartitions(dimensions=(("a", StaticPartitions(keys=("x", "y"))), ("b", StaticPartitions(keys=("1", "2", "3")))))
BEFORE = PartitionMappingData(kind=MappingKind.TIME_WINDOW, start_offset=-1, end_offset=-1)
SINGLE, TWO = BackfillPolicyData(max_partitions_per_run=None), BackfillPolicyData(max_partitions_per_run=2)


def asset(
    name: str,
    *deps: str | AssetDepSnapshot,
    of: Partitions | None = DAYS,
    policy: BackfillPolicyData | None = None,
    op: str | None = None,
) -> AssetSnapshot:
    found = tuple(AssetDepSnapshot(key=AssetKey(dep)) if isinstance(dep, str) else dep for dep in deps)
    return AssetSnapshot(key=AssetKey(name), op_name=op or name, deps=found, partitions=of, backfill=policy)


def on_yesterday(name: str) -> AssetDepSnapshot:
    return AssetDepSnapshot(key=AssetKey(name), mapping=BEFORE)


def definitions(*assets: AssetSnapshot, jobs: tuple[JobSnapshot, ...] = ()) -> Definitions:
    snapshot = LocationSnapshot(location=LocationName("here"), dagwright_version="1", python_version="3", assets=assets, jobs=jobs)
    return Definitions.of(Digest("d"), snapshot)


class Story:
    """A backfill that is told how its runs end."""

    def __init__(self, known: Definitions, parts: Mapping[str, Subset], job_name: str | None = None, limit: int = 100) -> None:
        self.known, self.target, self.job_name, self.limit = known, Target(as_of=NOW, parts=parts), job_name, limit
        self.progress = Progress()
        self.open: dict[str, tuple[tuple[str, ...], Subset]] = {}
        self.cut = False

    def step(self) -> str:
        made = backfills.next_step(self.target, self.progress, self.known, job_name=self.job_name, limit=self.limit)
        self.progress, self.cut = made.progress, made.cut
        said = []
        for run in made.runs:
            places = str(run.first) if run.first == run.last else f"{run.first}-{run.last}"
            name = f"{'+'.join(run.names) or 'job'}@{places}"
            assert name not in self.open
            self.open[name] = run.names, subsets.of_range(run.first, run.last + 1)
            said.append(name)
        return " ".join(said)

    def end(self, name: str, how: str, made: str) -> None:
        names, ordinals = self.open[name]
        status = {"ok": RunStatus.SUCCESS, "fails": RunStatus.FAILURE, "retried": RunStatus.FAILURE, "canceled": RunStatus.CANCELED}[how]
        if how != "retried":
            del self.open[name]
        kept = {each.split("@")[0]: of_ordinals(map(int, each.split("@")[1].split(","))) for each in made.split()}
        ended = Ended(names=names, ordinals=ordinals, status=status, runs=1, made=kept, retried=how == "retried")
        self.progress = backfills.settle(self.progress, [ended])

    def tell(self, timeline: str) -> None:
        for line in filter(None, map(str.strip, timeline.splitlines())):
            if line.startswith("end "):
                assert str(backfills.ended_as(self.target, self.progress)) == line.removeprefix("end "), line
                continue
            assert backfills.ended_as(self.target, self.progress) is None, line
            before, _, expected = (part.strip() for part in line.partition("->"))
            for name, how, made in re.findall(r"(\S+@\S+) (ok|fails|retried|canceled)(?: \(made ([^)]*)\))?", before):
                self.end(name, how, made)
            assert self.step() == expected, line


def days(*places: int) -> Subset:
    return of_ordinals(places)


CHAIN = definitions(asset("a"), asset("b", "a"), asset("c", "b"))
WEEKLY = definitions(asset("day"), asset("week", "day", of=WEEKS))
ALL = PartitionMappingData(kind=MappingKind.ALL)
TIMELINES = {
    "one run makes all of both, whichever partitions read which": (
        definitions(asset("a", policy=SINGLE), asset("b", AssetDepSnapshot(key=AssetKey("a"), mapping=ALL), policy=SINGLE)),
        {"a": days(0, 1, 2), "b": days(0, 1, 2)},
        """
        -> a+b@0-2
        a+b@0-2 ok ->
        end COMPLETED
        """,
    ),
    "what reads other partitions waits where one run does not make all of both": (
        definitions(asset("a", policy=TWO), asset("b", AssetDepSnapshot(key=AssetKey("a"), mapping=ALL), policy=TWO)),
        {"a": days(0, 1, 2), "b": days(0, 1, 2)},
        """
        -> a@0-1 a@2
        a@0-1 ok ->
        a@2 ok -> b@0-1 b@2
        """,
    ),
    "and where there is a gap, or not the same is to be made": (
        definitions(
            asset("a", policy=SINGLE),
            asset("b", AssetDepSnapshot(key=AssetKey("a"), mapping=ALL), policy=SINGLE),
            asset("c", AssetDepSnapshot(key=AssetKey("b"), mapping=ALL), policy=SINGLE),
        ),
        {"a": days(0, 2), "b": days(0, 2), "c": days(0)},
        """
        -> a@0 a@2
        a@0 ok, a@2 ok -> b@0 b@2
        b@0 ok, b@2 ok -> c@0
        """,
    ),
    "a range waits for what is made in another run, when something else holds a part of it back": (
        definitions(asset("r", policy=SINGLE), asset("x"), asset("a", "r", of=DAYS, policy=TWO), asset("b", "a", "x", policy=TWO)),
        {"r": days(0, 1), "x": days(0, 1), "a": days(0, 1), "b": days(0, 1)},
        """
        -> x@0 x@1 r@0-1
        x@0 ok ->
        r@0-1 ok -> a@0-1
        x@1 ok ->
        a@0-1 ok -> b@0-1
        """,
    ),
    "same partitions go together, a run for each": (
        CHAIN,
        {"a": days(0, 1), "b": days(0, 1), "c": days(0, 1)},
        """
        -> a+b+c@0 a+b+c@1
        a+b+c@0 ok ->
        a+b+c@1 ok ->
        end COMPLETED
        """,
    ),
    "a partition that is only in one asset's target has a run of its own": (
        CHAIN,
        {"a": days(0, 1), "b": days(1, 2)},
        """
        -> a@0 a+b@1 b@2
        a@0 ok a+b@1 ok b@2 ok ->
        end COMPLETED
        """,
    ),
    "a week waits for its days": (
        WEEKLY,
        {"day": days(*range(7, 16)), "week": days(1, 2)},
        """
        -> day@7 day@8 day@9 day@10 day@11 day@12 day@13 day@14 day@15
        day@7 ok day@8 ok day@9 ok day@10 ok day@11 ok day@12 ok ->
        day@14 ok day@15 ok -> week@2
        day@13 ok -> week@1
        week@2 ok week@1 ok ->
        end COMPLETED
        """,
    ),
    "downstream of what failed is not asked for": (
        WEEKLY,
        {"day": days(7, 14), "week": days(1, 2)},
        """
        -> day@7 day@14
        day@7 fails ->
        day@14 ok -> week@2
        week@2 ok ->
        end FAILED
        """,
    ),
    "what a failed run made counts": (
        definitions(asset("a"), asset("b", "a"), asset("c", "a", of=None)),
        {"a": days(0), "b": days(0), "c": days(0)},
        """
        -> a+b@0
        a+b@0 fails (made a@0) -> c@0
        c@0 ok ->
        end FAILED
        """,
    ),
    "a retry is waited for": (
        CHAIN,
        {"a": days(0), "b": days(0)},
        """
        -> a+b@0
        a+b@0 retried (made a@0) ->
        a+b@0 ok ->
        end COMPLETED
        """,
    ),
    "a run that somebody cancels takes its downstream with it": (
        WEEKLY,
        {"day": days(7), "week": days(1)},
        """
        -> day@7
        day@7 canceled ->
        end FAILED
        """,
    ),
    "unpartitioned first and last": (
        definitions(asset("start", of=None), asset("a", "start"), asset("total", "a", of=None)),
        {"start": days(0), "a": days(3, 4), "total": days(0)},
        """
        -> start@0
        start@0 ok -> a@3 a@4
        a@4 ok ->
        a@3 ok -> total@0
        total@0 ok ->
        end COMPLETED
        """,
    ),
    "an upstream that is not selected is not waited for": (
        CHAIN,
        {"a": days(0), "c": days(0)},
        """
        -> a+c@0
        a+c@0 ok ->
        end COMPLETED
        """,
    ),
    "one run for all": (
        definitions(asset("a", policy=SINGLE), asset("b", "a", policy=SINGLE)),
        {"a": days(0, 1, 2, 5), "b": days(0, 1, 2, 5)},
        """
        -> a+b@0-2 a+b@5
        a+b@0-2 ok a+b@5 ok ->
        end COMPLETED
        """,
    ),
    "runs of two": (
        definitions(asset("a", policy=TWO)),
        {"a": days(0, 1, 2, 3, 4)},
        """
        -> a@0-1 a@2-3 a@4
        a@0-1 fails (made a@0) a@2-3 ok a@4 ok ->
        end FAILED
        """,
    ),
    "of different policies, one after the other": (
        definitions(asset("a"), asset("b", "a", policy=SINGLE)),
        {"a": days(0, 1), "b": days(0, 1)},
        """
        -> a@0 a@1
        a@0 ok -> b@0
        a@1 ok -> b@1
        b@0 ok b@1 ok ->
        end COMPLETED
        """,
    ),
    "ranges of different partitions are not made together": (
        definitions(asset("a", policy=SINGLE), asset("b", "a", policy=SINGLE)),
        {"a": days(0, 1, 2), "b": days(1, 2)},
        """
        -> a@0-2
        a@0-2 ok -> b@1-2
        b@1-2 ok ->
        end COMPLETED
        """,
    ),
    "an asset that reads its own yesterday goes day by day": (
        definitions(asset("a", on_yesterday("a"))),
        {"a": days(3, 4, 5, 9)},
        """
        -> a@3 a@9
        a@3 ok -> a@4
        a@4 fails ->
        a@9 ok ->
        end FAILED
        """,
    ),
    "or in runs of two": (
        definitions(asset("a", on_yesterday("a"), policy=TWO)),
        {"a": days(3, 4, 5)},
        """
        -> a@3-4
        a@3-4 ok -> a@5
        a@5 ok ->
        end COMPLETED
        """,
    ),
    "or in one": (
        definitions(asset("a", on_yesterday("a"), policy=SINGLE)),
        {"a": days(3, 4, 5)},
        """
        -> a@3-5
        a@3-5 ok ->
        end COMPLETED
        """,
    ),
    "assets of one op wait for the upstreams of all": (
        definitions(asset("x", of=None), asset("a", op="both"), asset("b", "x", op="both")),
        {"x": days(0), "a": days(0, 1), "b": days(0, 1)},
        """
        -> x@0
        x@0 ok -> a+b@0 a+b@1
        a+b@0 ok a+b@1 ok ->
        end COMPLETED
        """,
    ),
    "of several dimensions a range is of the last one": (
        definitions(asset("a", of=GRID, policy=SINGLE)),
        {"a": days(1, 2, 3, 4, 5)},
        """
        -> a@1-2 a@3-5
        a@1-2 ok a@3-5 ok ->
        end COMPLETED
        """,
    ),
}


@pytest.mark.parametrize("name", TIMELINES)
def test_timeline(name: str) -> None:
    known, parts, timeline = TIMELINES[name]
    Story(known, parts).tell(timeline)


def test_a_job_has_a_run_for_each_partition() -> None:
    job = JobSnapshot(name="report", partitions=DAYS)
    story = Story(definitions(jobs=(job,)), {JOB: days(1, 2, 3)}, job_name="report")
    story.tell(
        """
        -> job@1 job@2 job@3
        job@1 ok job@2 fails ->
        job@3 ok ->
        end FAILED
        """
    )
    assert left(story.target, story.progress) == {JOB: days(2)}


def elsewhere(*assets: AssetSnapshot) -> Definitions:
    snapshot = LocationSnapshot(location=LocationName("there"), dagwright_version="1", python_version="3", assets=assets)
    return Definitions.of(Digest("e"), snapshot)


@pytest.mark.parametrize("policy", [None, SINGLE])
def test_what_another_location_makes_is_a_run_of_its_own_after_what_it_reads(policy: BackfillPolicyData | None) -> None:
    there = elsewhere(asset("b", "a", policy=policy), asset("twin", policy=policy), asset("x", op="both"))
    here = definitions(asset("a", policy=policy), asset("c", "b", policy=policy), asset("b"), asset("y", op="both"))
    known = here.joined(dict.fromkeys(("b", "twin", "x", "gone"), there))
    assert "gone" not in known.assets
    days = subsets.of_range(0, 2)
    story = Story(known, dict.fromkeys(("a", "b", "c", "twin"), days))
    if policy is None:
        assert set(story.step().split()) == {"a@0", "a@1", "twin@0", "twin@1"}
        story.end("a@1", "ok", "")
        assert story.step() == "b@1"
        story.end("b@1", "ok", "")
        assert story.step() == "c@1"
    else:
        assert set(story.step().split()) == {"a@0-1", "twin@0-1"}
        story.end("a@0-1", "ok", "")
        assert story.step() == "b@0-1"
    assert [[one.key.to_user_string() for one in unit] for unit in backfills.units(["x", "y"], known)] == [["x"], ["y"]]


def test_runs_are_of_the_location_that_makes_their_assets() -> None:
    known = definitions(asset("a")).joined({"b": elsewhere(asset("b"))})
    target = Target(as_of=NOW, parts=dict.fromkeys(("a", "b"), subsets.of_range(0, 1)))
    new = NewBackfill(backfill_id="f", location=LocationName("here"), digest=Digest("d"), target=target)
    fields = {name: getattr(new, name) for name in NewBackfill.__slots__}
    backfill = Backfill(
        **fields, status=BackfillStatus.REQUESTED, progress=Progress(), attempt=1, error=None, created_at=NOW, ended_at=None
    )
    planned = backfills.next_step(target, Progress(), known, job_name=None, limit=10).runs
    made = backfills.new_runs(backfill, planned, known, make_id=new_run_id)
    assert {(run.location, run.digest, run.asset_keys, run.partition) for run in made} == {
        ("here", "d", (AssetKey("a"),), ("2024-01-01",)),
        ("there", "e", (AssetKey("b"),), ("2024-01-01",)),
    }
    assert len({run.run_key for run in made}) == 2


def test_a_step_asks_for_so_many_runs_and_says_that_there_are_more() -> None:
    story = Story(CHAIN, {"a": days(0, 1, 2), "b": days(0, 1, 2)}, limit=2)
    assert story.step() == "a+b@0 a+b@1"
    assert story.cut
    assert story.step() == "a+b@2"
    assert not story.cut


def test_what_was_not_asked_for_is_canceled() -> None:
    story = Story(WEEKLY, {"day": days(7, 8), "week": days(1)})
    story.step()
    story.end("day@7", "ok", "")
    story.progress = backfills.cancel_rest(story.target, story.progress)
    story.end("day@8", "canceled", "")
    assert story.progress.part("week").canceled == days(1)
    assert story.progress.part("day") == PartProgress(enqueued=days(7, 8), succeeded=days(7), canceled=days(8))
    assert left(story.target, story.progress) == {"day": days(8), "week": days(1)}


def test_new_definitions_must_fit() -> None:
    target = Target(as_of=NOW, parts={"a": days(0)})
    assert backfills.changed(target, None, CHAIN, definitions(asset("a"), asset("z"))) is None
    assert backfills.changed(target, None, CHAIN, definitions(asset("z"))) == "asset 'a' is no longer defined"
    assert backfills.changed(target, None, CHAIN, definitions(asset("a", of=WEEKS))) == "the partitions of asset 'a' were defined anew"
    job = definitions(jobs=(JobSnapshot(name="j", partitions=DAYS),))
    assert backfills.changed(target, "j", job, definitions()) == "job 'j' is no longer defined"
    renewed = definitions(jobs=(JobSnapshot(name="j", partitions=WEEKS),))
    assert backfills.changed(target, "j", job, renewed) == "the partitions of job 'j' were defined anew"


def test_a_million_partitions_are_a_few_bytes() -> None:
    million = subsets.of_range(0, 1_000_000)
    target = Target(as_of=NOW, parts={"a": million, "b": million}, dynamic={"people": ("anna",)})
    half = PartProgress(enqueued=million, succeeded=of_ordinals(range(0, 4000, 2)), failed=days(1))
    progress = Progress(parts={"a": half}, open_runs=5)
    assert Target.from_bytes(target.to_bytes()) == target
    assert Progress.from_bytes(progress.to_bytes()) == progress
    assert Progress.from_bytes(b"") == Progress()
    assert len(target.to_bytes()) < 200
    assert len(progress.to_bytes()) < 1000
    assert Progress().part("a").in_progress == EMPTY


def test_transitions() -> None:
    assert {status for status, targets in TRANSITIONS.items() if targets & LIVE} >= LIVE - {BackfillStatus.CANCELING}
    assert sources(BackfillStatus.REQUESTED) == {BackfillStatus.CANCELED, BackfillStatus.FAILED}
    assert not TRANSITIONS[BackfillStatus.COMPLETED]
