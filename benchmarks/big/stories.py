"""What a run of a recipe leaves: made once for each recipe and way to end, by the store's own encoding of events.

A story is text with gaps for what differs between runs: id, times and partition.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from big.locations import GROUP, IN_A_JOB
from dagwright_shared.model import events as e
from dagwright_shared.model.errors import ErrorInfo, Frame, error_to_json
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName, StepKey
from dagwright_shared.model.metadata import normalize_metadata
from dagwright_shared.model.snapshot import JobSnapshot, LocationSnapshot
from dagwright_shared.store import event_data

NULL = "\\N"
WORDS = ("read", "wrote", "merged", "checked", "batch", "table", "cache", "file", "index", "customer", "order", "segment", "retry")
_ERROR = ErrorInfo(
    class_name="warehouse.QueryError",
    message='relation "staging.orders" does not exist\nLINE 1: SELECT * FROM staging.orders',
    frames=(Frame(file="/srv/etl/tables.py", line=41, function="load", source="frame = warehouse.query(SQL)"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    key: str
    after: tuple[str, ...] = ()
    asset: AssetKey | None = None
    is_checked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recipe:
    """What is run: a job, or an asset picked freely."""

    location: LocationName
    job: str | None
    steps: tuple[Step, ...]
    partitioned: bool
    schedule: str | None = None
    sensor: str | None = None

    @property
    def assets(self) -> tuple[AssetKey, ...]:
        return tuple(step.asset for step in self.steps if step.asset is not None)


@dataclass(slots=True)
class Story:
    """The rows of a run, oldest first, as text of COPY. Moments are parts of the run, from 0 to 1."""

    steps: list[tuple[str, float | None, float | None, str]] = field(default_factory=list)
    """Text before the times, start, end, text after them."""
    events: list[tuple[float, str, bool, str]] = field(default_factory=list)
    """Moment, text before the partition, whether it has that of the run, text after it."""


def recipes(snapshots: Sequence[LocationSnapshot]) -> tuple[list[Recipe], list[Recipe]]:
    """The jobs, and the assets that no job makes."""
    jobs, singles = [], []
    for snapshot in snapshots:
        scheduled = {each.target.job_name: each.name for each in snapshot.schedules}
        sensed = {target.job_name: each.name for each in snapshot.sensors for target in each.targets}
        jobs += [_of_job(snapshot.location, job, scheduled.get(job.name), sensed.get(job.name)) for job in snapshot.jobs]
        for at, asset in enumerate(snapshot.assets):
            if at % GROUP >= IN_A_JOB and str(asset.op_name).startswith("op_"):
                step = Step(key=str(asset.op_name), asset=asset.key, is_checked=at % 4 == 0)
                singles.append(Recipe(location=snapshot.location, job=None, steps=(step,), partitioned=asset.partitions is not None))
    return jobs, singles


def _of_job(place: LocationName, job: JobSnapshot, schedule: str | None, sensor: str | None) -> Recipe:
    checked = {key.asset_key for key in job.check_keys}
    steps: list[Step] = []
    for node in job.nodes:
        asset = node.asset_keys[0] if node.asset_keys else None
        after = (steps[-1].key,) if steps else ()
        steps.append(Step(key=node.handle, after=after, asset=asset, is_checked=asset in checked))
    partitioned = job.partitions is not None
    return Recipe(location=place, job=job.name, steps=tuple(steps), partitioned=partitioned, schedule=schedule, sensor=sensor)


class Teller:
    """Tells stories, each once."""

    def __init__(self, asset_ids: Mapping[tuple[str, str], int], random: Random, *, events_of_a_run: float) -> None:
        self._asset_ids, self._random, self._length = asset_ids, random, events_of_a_run
        self._known: dict[tuple[Recipe, str], Story] = {}

    def story(self, recipe: Recipe, status: str) -> Story:
        """What a run in this status has left; all steps take the same time."""
        found = self._known.get((recipe, status))
        if found is None:
            found = self._known[recipe, status] = self._make(recipe, status)
        return found

    def _make(self, recipe: Recipe, status: str) -> Story:
        story, count = Story(), len(recipe.steps)
        planned = tuple(
            e.PlannedStep(
                key=StepKey(step.key),
                op_name=step.key,
                kind="asset" if step.asset else "op",
                depends_on=tuple(map(StepKey, step.after)),
                asset_keys=(step.asset,) if step.asset else (),
            )
            for step in recipe.steps
        )
        self._add(story, recipe, 0.0, e.RunStarted(pid=4711, host="worker-1", executor="multiprocess", steps=planned))
        # The last step that begins is the one that the run ends with, or is at.
        last = count - 1 if status == "SUCCESS" else max(0, count - 2)
        for at, step in enumerate(recipe.steps):
            becomes = "SUCCESS" if at < last else "SKIPPED" if at > last else "STARTED" if status == "CANCELING" else status
            self._tell_step(story, recipe, at, step, becomes)
        match status:
            case "SUCCESS":
                self._add(story, recipe, 1.0, e.RunSucceeded())
            case "FAILURE":
                self._add(story, recipe, 1.0, e.RunFailed(failed_steps=(StepKey(recipe.steps[last].key),)))
            case "CANCELED":
                self._add(story, recipe, 1.0, e.RunCanceled(reason="asked for by somebody"))
        return story

    def _tell_step(self, story: Story, recipe: Recipe, at: int, step: Step, status: str) -> None:
        count = len(recipe.steps)
        begin, end = at / count, (at + 1) / count
        kind, assets = ("asset", f"{{{step.asset.to_user_string()}}}") if step.asset else ("op", "{}")
        head = f"{step.key}\t{at}\t{status}\t{step.key}\t{kind}\t{{{','.join(step.after)}}}\t{assets}"
        error = escaped(json.dumps(error_to_json(_ERROR))) if status == "FAILURE" else NULL
        tail = f"{self._random.random() * 4:.3f}\t{self._random.randrange(50, 900) * 1_000_000}\t{error}"
        started, ended = status != "SKIPPED", status not in ("SKIPPED", "STARTED")
        story.steps.append((head, begin if started else None, end if ended else None, tail))
        for place, payload in self._events(recipe, step, status):
            self._add(story, recipe, begin + (end - begin) * place, payload, step.key)

    def _events(self, recipe: Recipe, step: Step, status: str) -> list[tuple[float, e.Payload]]:
        if status == "SKIPPED":
            return [(1.0, e.StepSkipped(reason="an earlier step failed"))]
        random = self._random
        told: list[tuple[float, e.Payload]] = [(0.0, e.StepStarted(attempt=1, pid=4711))]
        needed = 2 + sum(3 + (each.asset is not None) + each.is_checked for each in recipe.steps)
        lines = max(0, round((self._length - needed) / len(recipe.steps)))
        for line in range(lines):
            level = e.LogLevel.WARNING if random.random() < 0.02 else e.LogLevel.INFO
            message = f"{random.choice(WORDS)} {random.randrange(100_000)} rows of {random.choice(WORDS)}"
            told.append(((line + 1) / (lines + 2), e.LogMessage(level=level, message=message)))
        if status == "SUCCESS":
            told.append((1.0, e.OutputStored(output_name="result", io_manager_key="io_manager")))
            if step.asset is not None:
                metadata = normalize_metadata({"rows": random.randrange(1_000_000), "path": f"s3://lake/{step.asset.to_user_string()}"})
                told.append((1.0, e.AssetMaterialized(asset_key=step.asset, data_version="1", metadata=metadata)))
                if step.is_checked:
                    check = AssetCheckKey(step.asset, "not_empty")
                    told.append((1.0, e.CheckEvaluated(check_key=check, passed=random.random() < 0.97)))
            told.append((1.0, e.StepSucceeded(attempt=1, usage=e.Usage(cpu_seconds=1.0, peak_memory_bytes=90_000_000))))
        elif status == "FAILURE":
            told.append((1.0, e.StepFailed(attempt=1, error=_ERROR)))
            if step.asset is not None:
                told.append((1.0, e.AssetFailed(asset_key=step.asset, reason="its step failed")))
        elif status == "CANCELED":
            told.append((1.0, e.StepCanceled(attempt=1)))
        return told

    def _add(self, story: Story, recipe: Recipe, at: float, payload: e.Payload, step: str | None = None) -> None:
        row = event_data.columns(payload)
        asset = self._asset_ids[recipe.location, row.asset_key.to_user_string()] if row.asset_key else NULL
        head = f"{e.EVENT_TYPES[type(payload)]}\t{step or NULL}\t{row.level}\t{escaped(row.message)}\t{asset}\t{row.check_name or NULL}\t"
        story.events.append((at, head, recipe.partitioned and row.asset_key is not None, "\t" + escaped(json.dumps(row.data))))


def escaped(text: str) -> str:
    """As a value of COPY."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
