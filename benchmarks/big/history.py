"""A plausible history of runs, written by COPY. All chance comes from one seed."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from psycopg2.extensions import connection as PgConnection

from big.locations import PLACES, Sizes
from big.stories import NULL, WORDS, Recipe, Story, Teller, recipes
from dagwright_shared.model.snapshot import LocationSnapshot

BACKFILL = 200
"""Runs of a backfill."""
_NOW = ("QUEUED",) * 30 + ("STARTED",) * 20 + ("STARTING",) * 5 + ("CANCELING",) * 5
"""How the newest runs stand, the newest first."""
_FINAL = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
_PIECE = 5_000
_COLUMNS = {
    "ticks": "tick_id, instigator_id, scheduled_for, status, started_at, ended_at, skip_reason",
    "runs": (
        "run_id, location, digest, job_name, asset_keys, check_keys, partition, tags, status, trigger_kind, trigger_name, tick_id, "
        "backfill_id, backfill_first, backfill_last, settled, run_key, parent_run_id, root_run_id, retry_number, retried, epoch, "
        "server_id, last_seq, created_at, claimed_at, started_at, ended_at, canceling_at"
    ),
    "run_assets": "asset_id, run_id, partition",
    "steps": (
        "run_id, step_key, ordinal, status, op_name, kind, depends_on, asset_keys, started_at, ended_at, "
        "cpu_seconds, peak_memory_bytes, error"
    ),
    "events": "run_id, seq, time, type, step_key, level, message, asset_id, check_name, partition, data",
}
Texts = Mapping[str, io.StringIO]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a history is written for."""

    snapshots: Sequence[LocationSnapshot]
    digests: Mapping[str, str]
    asset_ids: Mapping[tuple[str, str], int]
    instigators: Mapping[tuple[str, str], int]
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    """Who or what asked for a run."""

    kind: str
    name: str | None = None
    tick_id: int | None = None
    parent: str | None = None
    backfill: tuple[str, int] | None = None
    """Its id, and the ordinal that the run makes."""


class Historian:
    """Writes runs, oldest first, with their steps, events, assets and ticks."""

    def __init__(self, deployment: Deployment, sizes: Sizes) -> None:
        self._deployment, self._sizes, self._random = deployment, sizes, Random(sizes.seed)
        self._jobs, self._singles = recipes(deployment.snapshots)
        self._teller = Teller(deployment.asset_ids, self._random, events_of_a_run=sizes.events / max(1, sizes.runs))
        self._gap = timedelta(days=sizes.days) / max(1, sizes.runs)
        self._failed: dict[str, str] = {}
        self.ticks = self.events = self.backfill_runs = 0
        self.long_run: str | None = None

    def write(self, connection: PgConnection) -> Iterator[int]:
        """Yields how many runs there are, after each piece."""
        for first in range(0, self._sizes.runs, _PIECE):
            texts = {name: io.StringIO() for name in _COLUMNS}
            last = min(first + _PIECE, self._sizes.runs)
            for number in range(first, last):
                self._run(number, texts)
            with connection.cursor() as cursor:
                for name, columns in _COLUMNS.items():
                    texts[name].seek(0)
                    cursor.copy_expert(f"COPY {name} ({columns}) FROM STDIN", texts[name])
            connection.commit()
            yield last

    def _run(self, number: int, texts: Texts) -> None:
        random, newer = self._random, self._sizes.runs - 1 - number
        is_long = newer == len(_NOW) and self._sizes.long_run > 0
        status = "SUCCESS" if is_long else _NOW[newer] if newer < len(_NOW) else _outcome(random)
        recipe = self._jobs[int(random.random() ** 2 * len(self._jobs))] if random.random() < 0.65 else random.choice(self._singles)
        created = self._deployment.until - (newer + random.random() * 0.9) * self._gap
        started, seconds = created + timedelta(seconds=0.2 + random.random() * 2), 2 + random.random() ** 3 * 1800
        partition = "{}"
        if recipe.partitioned:
            back = 1 + int(random.random() ** 4 * self._sizes.days)
            partition = f"{{{created - timedelta(days=back):%Y-%m-%d}}}"
        run_id, cause = _run_id(created, random), self._cause(recipe, created, texts["ticks"])
        last_seq = 0
        if status not in ("QUEUED", "STARTING"):
            last_seq = self._tell(run_id, self._teller.story(recipe, status), started, seconds, partition, texts)
        if is_long:
            last_seq, self.long_run = self._tell_long(run_id, last_seq, started + timedelta(seconds=seconds), texts["events"]), run_id
        if status == "FAILURE" and recipe.job:
            self._failed[recipe.job] = run_id
        self.events += last_seq
        ended = started + timedelta(seconds=seconds) if status in _FINAL else None
        claimed = None if status == "QUEUED" else created + timedelta(seconds=0.1)
        began = None if status in ("QUEUED", "STARTING") else started
        canceling = started if status == "CANCELING" else None
        values = (
            *(
                run_id,
                recipe.location,
                self._deployment.digests[recipe.location],
                recipe.job,
                _list([key.to_user_string() for key in recipe.assets]),
            ),
            *(
                _list([f"{step.asset.to_user_string()}:not_empty" for step in recipe.steps if step.is_checked]),
                partition,
                _tags(random),
                status,
            ),
            *(cause.kind, cause.name, cause.tick_id),
            *((cause.backfill[0], cause.backfill[1], cause.backfill[1], True) if cause.backfill else (None, None, None, False)),
            *(f"key-{number}" if cause.kind == "sensor" else None, cause.parent, cause.parent, 1 if cause.parent else 0, True),
            *(0 if claimed is None else 1, None if claimed is None else "server-1", last_seq, created, claimed, began, ended, canceling),
        )
        texts["runs"].write("\t".join([NULL if value is None else str(value) for value in values]) + "\n")
        for key in recipe.assets:
            texts["run_assets"].write(f"{self._deployment.asset_ids[recipe.location, key.to_user_string()]}\t{run_id}\t{partition}\n")

    def _tell(self, run_id: str, story: Story, started: datetime, seconds: float, partition: str, texts: Texts) -> int:
        """Steps and events; returns the number of the newest event."""
        for head, begin, end, tail in story.steps:
            times = (NULL if at is None else started + timedelta(seconds=seconds * at) for at in (begin, end))
            texts["steps"].write(f"{run_id}\t{head}\t{next(times)}\t{next(times)}\t{tail}\n")
        write = texts["events"].write
        for seq, (at, head, partitioned, tail) in enumerate(story.events, 1):
            moment = started + timedelta(seconds=seconds * at)
            write(f"{run_id}\t{seq}\t{moment}\t{head}{partition if partitioned else '{}'}{tail}\n")
        return len(story.events)

    def _tell_long(self, run_id: str, last_seq: int, ended: datetime, events: io.StringIO) -> int:
        """One run that has said very much."""
        for seq in range(last_seq + 1, self._sizes.long_run + 1):
            level = 40 if seq % 5_000 == 0 else 30 if seq % 500 == 0 else 20
            message = f"line {seq}: {WORDS[seq % len(WORDS)]} {seq * 7919 % 100_000} rows"
            moment = ended + timedelta(milliseconds=seq)
            events.write(f"{run_id}\t{seq}\t{moment}\tLOG_MESSAGE\tchatty\t{level}\t{message}\t{NULL}\t{NULL}\t{{}}\t{{}}\n")
        return max(last_seq, self._sizes.long_run)

    def _cause(self, recipe: Recipe, created: datetime, ticks: io.StringIO) -> _Cause:
        chance, place = self._random.random(), recipe.location
        if recipe.sensor:
            self._tick(ticks, place, recipe.sensor, created - timedelta(microseconds=1), "FAILURE" if chance < 0.02 else "SKIPPED")
        if recipe.job and recipe.job in self._failed and chance > 0.97:
            return _Cause(kind="retry", parent=self._failed.pop(recipe.job))
        for kind, name in (("schedule", recipe.schedule), ("sensor", recipe.sensor)):
            if name and chance < 0.9:
                return _Cause(kind=kind, name=name, tick_id=self._tick(ticks, place, name, created, "SUCCESS"))
        if recipe.job is None and chance < 0.6:
            return _Cause(kind="automation", name=f"{place}_automation")
        if recipe.partitioned and chance < 0.9:
            number, ordinal = divmod(self.backfill_runs, BACKFILL)
            self.backfill_runs += 1
            return _Cause(kind="backfill", backfill=(backfill_id(number), ordinal))
        return _Cause(kind=self._random.choice(("user", "api", "cli")))

    def _tick(self, ticks: io.StringIO, place: str, name: str, at: datetime, status: str) -> int:
        self.ticks += 1
        skipped = "nothing new" if status == "SKIPPED" else NULL
        instigator, ended = self._deployment.instigators[place, name], at + timedelta(seconds=0.05)
        ticks.write(f"{self.ticks}\t{instigator}\t{at}\t{status}\t{at}\t{ended}\t{skipped}\n")
        return self.ticks


def backfill_id(number: int) -> str:
    return f"01900000-0000-7000-8000-{number:012d}"


def _outcome(random: Random) -> str:
    chance = random.random()
    return "SUCCESS" if chance < 0.94 else "FAILURE" if chance < 0.985 else "CANCELED"


def _tags(random: Random) -> str:
    tags: dict[str, str] = {"team": PLACES[random.randrange(len(PLACES))], "customer": f"c{random.randrange(2_000)}"}
    if random.random() < 0.1:
        tags["env"] = random.choice(("staging", "production"))
    return json.dumps(tags)


def _list(values: Sequence[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _run_id(at: datetime, random: Random) -> str:
    """A UUID of version 7, as the store makes them."""
    millis = int(at.timestamp() * 1000)
    return str(uuid.UUID(int=(millis << 80) | (0x7 << 76) | (random.getrandbits(12) << 64) | (0b10 << 62) | random.getrandbits(62)))
