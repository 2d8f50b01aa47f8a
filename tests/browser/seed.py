"""Fill a store with a location that looks like work: assets, jobs, schedules, and runs in every status, with their events.

Everything goes through the store's own functions, so that pages show what a real deployment would have written; only
the times of creation are moved into the past afterwards. Run it by hand for a look:
`python -m tests.browser.seed postgresql://...`.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, text

from dagwright_shared.model import events as e
from dagwright_shared.model.errors import ErrorInfo, Frame
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName, RunId, StepKey, new_run_id
from dagwright_shared.model.metadata import (
    MetadataValue,
    TableColumn,
    TableColumnConstraints,
    TableColumnDep,
    TableColumnLineage,
    TableRecord,
    TableSchema,
    normalize_metadata,
)
from dagwright_shared.model.runs import NewRun, Trigger, TriggerKind
from dagwright_shared.model.snapshot import LocationSnapshot, LocationState, LocationStatus
from dagwright_shared.model.ticks import InstigatorKind, TickStatus
from dagwright_shared.store import engine as store_engine
from dagwright_shared.store import event_partitions, events, instigators, leases, locations, runs, schema
from dagwright_shared.wire.snapshot import digest_of, encode_snapshot
from tests.browser.shop import LOCATION, shop

Steps = Sequence[tuple[str, tuple[str, ...], float]]
"""Step key, the steps it waits for, seconds that it takes."""

FAILURE = ErrorInfo(
    class_name="psycopg2.errors.UndefinedColumn",
    message='column "discount_pct" does not exist\nLINE 3:   sum(amount * (1 - discount_pct)) AS revenue\n                          ^',
    frames=(
        Frame(file="/srv/shop/shop/marts.py", line=48, function="revenue_by_country", source="frame = warehouse.query(REVENUE_SQL)"),
        Frame(file="/srv/shop/shop/warehouse.py", line=21, function="query", source="cursor.execute(sql)"),
    ),
    cause=ErrorInfo(
        class_name="shop.warehouse.SchemaDriftError",
        message="orders lost the column discount_pct in release 41",
        frames=(
            Frame(file="/srv/shop/shop/warehouse.py", line=35, function="check_schema", source="raise SchemaDriftError(table, missing)"),
        ),
    ),
)


def fill(engine: Engine) -> dict[str, str]:
    """Seed an empty store. Returns ids of runs by a word for each: success, failure, running, queued, long, canceled."""
    schema.upgrade(engine)
    now = datetime.now(UTC)
    snapshot = shop()
    with engine.begin() as conn:
        event_partitions.ensure(conn, now - timedelta(days=31))
        event_partitions.ensure(conn, now)
        _publish(conn, snapshot)
        _services(conn, now)
    digest = digest_of(encode_snapshot(snapshot))
    scribe = _Scribe(engine, digest, now)
    scribe.history()
    ids = scribe.notable()
    _ticks(engine, now)
    return ids


def _publish(conn: Connection, snapshot: LocationSnapshot) -> None:
    payload = encode_snapshot(snapshot)
    locations.publish_snapshot(conn, location=snapshot.location, digest=digest_of(payload), payload=payload, snapshot=snapshot)
    status = LocationStatus(
        location=snapshot.location,
        server_id="shop-7f3a91c2",
        state=LocationState.LOADED,
        digest=digest_of(payload),
        code_version="2026.11.3",
        load_seconds=0.84,
    )
    locations.register_server(conn, status, address="127.0.0.1:4000")


def break_location(engine: Engine) -> None:
    """A second location whose file does not load."""
    error = ErrorInfo(
        class_name="ImportError",
        message="cannot import name 'LinearModel' from 'forecasting.models'",
        frames=(
            Frame(file="/srv/forecasting/definitions.py", line=4, function="<module>", source="from forecasting.models import LinearModel"),
        ),
        hint="install or rename what the line imports; the file is loaded again as soon as it is saved",
    )
    status = LocationStatus(location=LocationName("forecasting"), server_id="forecasting-19bd", state=LocationState.ERROR, error=error)
    with engine.begin() as conn:
        locations.register_server(conn, status, address="127.0.0.1:4001")


def _services(conn: Connection, now: datetime) -> None:
    loops = ("locations", "queue", "schedules", "sensors", "recovery", "retention")
    reports = {name: {"rounds": 4_812 + n, "last_seconds": 0.004 * (n + 1)} for n, name in enumerate(loops)}
    leases.heartbeat_daemon(
        conn, daemon_id="daemon-5d21c0aa", host="orchestrator-1", pid=4127, started_at=now - timedelta(hours=31), loops=reports
    )
    leases.acquire(conn, loops, "daemon-5d21c0aa", 3600.0)


class _Scribe:
    """Writes runs as workers do."""

    def __init__(self, engine: Engine, digest: str, now: datetime) -> None:
        self.engine, self.digest, self.now = engine, digest, now

    def history(self) -> None:
        """Daily partitions of a month, hourly runs of the day, and a few failures among them."""
        for back in range(26, 0, -1):
            day = (self.now - timedelta(days=back)).strftime("%Y-%m-%d")
            at = self.now - timedelta(days=back - 1, hours=2, minutes=back % 7)
            if back in (9, 14, 15):
                continue
            self.daily(day, at, fails=back in (4, 17))
        for hour in range(11, 0, -1):
            self.ops("refresh_exchange_rates", self.now - timedelta(hours=hour, minutes=3), fails=hour == 6)

    def daily(self, day: str, at: datetime, *, fails: bool = False) -> str:
        steps: Steps = (
            ("raw__orders", (), 6.2),
            ("raw__customers", (), 3.1),
            ("staging__orders_clean", ("raw__orders",), 4.4),
            ("marts__revenue_by_country", ("staging__orders_clean", "raw__customers"), 7.9),
            ("marts__basket_size", ("staging__orders_clean",), 2.2),
        )
        keys = [AssetKey(key.split("__")) for key, _, _ in steps]
        new = self._new(
            job_name="daily_sales",
            asset_keys=tuple(keys),
            partition=(day,),
            trigger=Trigger(kind=TriggerKind.SCHEDULE, name="daily_sales_schedule"),
        )
        bad = "marts__revenue_by_country" if fails else None
        return self.write(new, at, steps, failing=bad, materialize=lambda key: _metadata(key, day))

    def ops(self, job: str, at: datetime, *, fails: bool = False) -> str:
        steps: Steps = (("fetch_rates", (), 1.4), ("validate_rates", ("fetch_rates",), 0.3), ("store_rates", ("validate_rates",), 0.6))
        new = self._new(job_name=job, trigger=Trigger(kind=TriggerKind.SCHEDULE, name="hourly_rates"), tags={"team": "finance"})
        return self.write(
            new, at, steps, failing="validate_rates" if fails else None, retrying="fetch_rates" if at.minute % 3 == 0 else None
        )

    def notable(self) -> dict[str, str]:
        """The runs that tests and screenshots open."""
        yesterday = (self.now - timedelta(days=1)).strftime("%Y-%m-%d")
        ids = {
            "success": self.daily((self.now - timedelta(days=2)).strftime("%Y-%m-%d"), self.now - timedelta(hours=3)),
            "failure": self.daily(yesterday, self.now - timedelta(minutes=48), fails=True),
            "retried": self.write(
                self._new(job_name="refresh_exchange_rates", trigger=Trigger(kind=TriggerKind.USER)),
                self.now - timedelta(minutes=31),
                (("fetch_rates", (), 1.4), ("validate_rates", ("fetch_rates",), 0.3), ("store_rates", ("validate_rates",), 0.6)),
                retrying="fetch_rates",
            ),
            "long": self.long(),
        }
        ids["running"] = self.write(
            self._new(
                job_name="daily_sales",
                asset_keys=(AssetKey(["raw", "orders"]), AssetKey(["raw", "customers"])),
                partition=(yesterday,),
                trigger=Trigger(kind=TriggerKind.USER),
            ),
            self.now - timedelta(seconds=42),
            (("raw__orders", (), 11.0), ("raw__customers", (), 300.0)),
            unfinished=True,
            materialize=lambda key: _metadata(key, yesterday),
        )
        waiting = self._new(
            job_name="daily_sales",
            asset_keys=(AssetKey(["marts", "basket_size"]),),
            partition=(yesterday,),
            priority=5,
            tags={"team": "sales", "reason": "late orders"},
        )
        canceled = self._new(asset_keys=(AssetKey(["marts", "customer_lifetime_value"]),), trigger=Trigger(kind=TriggerKind.CLI))
        with self.engine.begin() as conn:
            runs.enqueue(conn, [waiting, canceled])
            runs.request_cancel(conn, canceled.run_id)
        return {**ids, "queued": waiting.run_id, "canceled": canceled.run_id}

    def long(self) -> str:
        """A run with thousands of events and a hundred steps."""
        steps = tuple((f"transform_segment[{n:03d}]", ("plan_segments",) if n else (), 0.8 + n % 9 * 0.35) for n in range(1, 90))
        new = self._new(job_name="rebuild_segments", tags={"dagwright/priority": "2"})
        return self.write(new, self.now - timedelta(hours=5), (("plan_segments", (), 0.4), *steps), chatter=40)

    def _new(self, **fields: object) -> NewRun:
        made = NewRun(run_id=new_run_id(), location=LOCATION, digest=self.digest)  # type: ignore[arg-type]
        return dataclasses.replace(made, **fields)  # type: ignore[arg-type]

    def write(
        self,
        new: NewRun,
        at: datetime,
        steps: Steps,
        *,
        failing: str | None = None,
        retrying: str | None = None,
        unfinished: bool = False,
        chatter: int = 2,
        materialize: Callable[[AssetKey], dict[str, object]] | None = None,
    ) -> str:
        """Enqueue a run, claim it, and tell all that its worker would have told."""
        with self.engine.begin() as conn:
            runs.enqueue(conn, [new])
            claimed = next(run for run in runs.claim(conn, limit=50, lease_seconds=86_400) if run.run_id == new.run_id)
        story = _Story(new, at, steps, {key.to_user_string() for key in new.asset_keys})
        story.tell(failing, retrying, chatter, materialize, until=self.now if unfinished else None)
        with self.engine.begin() as conn:
            batch = e.EventBatch(run_id=RunId(new.run_id), epoch=claimed.epoch, events=tuple(story.events), chunks=tuple(story.chunks))
            events.append(conn, [batch])
            conn.execute(
                text("UPDATE runs SET created_at = :created, claimed_at = :claimed WHERE run_id = CAST(:id AS uuid)"),
                {"created": at - timedelta(milliseconds=1240), "claimed": at - timedelta(milliseconds=210), "id": new.run_id},
            )
        return new.run_id


class _Story:
    """The events of one run, in time."""

    def __init__(self, new: NewRun, at: datetime, steps: Steps, assets: set[str]) -> None:
        self.new, self.at, self.steps, self.assets = new, at, steps, assets
        self.events: list[e.RunEvent] = []
        self.chunks: list[e.LogChunk] = []

    def add(self, moment: datetime, payload: e.Payload, step: str | None = None) -> None:
        self.events.append(e.RunEvent(seq=0, time=moment, step_key=StepKey(step) if step else None, payload=payload))

    def tell(
        self,
        failing: str | None,
        retrying: str | None,
        chatter: int,
        materialize: Callable[[AssetKey], dict[str, object]] | None,
        until: datetime | None,
    ) -> None:
        planned = tuple(
            e.PlannedStep(
                key=StepKey(key),
                op_name=key.split("[")[0],
                kind="asset" if key.replace("__", "/") in self.assets else "op",
                depends_on=tuple(StepKey(each) for each in needs),
                asset_keys=self._asset(key),
            )
            for key, needs, _ in self.steps
        )
        self.add(self.at, e.RunStarted(pid=5120, host="worker-3", executor="multiprocess", steps=planned))
        ends: dict[str, datetime] = {}
        lost: set[str] = set()
        for key, needs, seconds in self.steps:
            start = max(
                [
                    self.at + timedelta(milliseconds=60 + 14 * len(ends) % 400),
                    *(ends[each] + timedelta(milliseconds=9) for each in needs if each in ends),
                ]
            )
            if any(each in lost for each in needs):
                lost.add(key)
                ends[key] = start
                self.add(start, e.StepSkipped(reason=f"{needs[0]} did not succeed"), key)
                continue
            ends[key] = self._step(
                key, start, seconds, fails=key == failing, retries=key == retrying, chatter=chatter, materialize=materialize, until=until
            )
            if key == failing:
                lost.add(key)
        finish = max(ends.values()) + timedelta(milliseconds=20)
        if until is None:
            self.add(finish, e.RunFailed(failed_steps=tuple(StepKey(key) for key in lost if key == failing)) if lost else e.RunSucceeded())
        self.events = [
            dataclasses.replace(event, seq=n)
            for n, event in enumerate(sorted(self.events, key=lambda each: each.time), 1)
            if until is None or event.time <= until
        ]

    def _asset(self, key: str) -> tuple[AssetKey, ...]:
        name = key.replace("__", "/")
        return (AssetKey.from_user_string(name),) if name in self.assets else ()

    def _step(
        self,
        key: str,
        start: datetime,
        seconds: float,
        *,
        fails: bool,
        retries: bool,
        chatter: int,
        materialize: Callable[[AssetKey], dict[str, object]] | None,
        until: datetime | None,
    ) -> datetime:
        usage = e.Usage(cpu_seconds=seconds * 0.7, peak_memory_bytes=int(110e6 + seconds * 9e6))
        attempt = 1
        if retries:
            late = ErrorInfo(
                class_name="TimeoutError",
                message="rates.example.com did not answer within 2 s",
                frames=(
                    Frame(file="/srv/shop/shop/rates.py", line=17, function="fetch_rates", source="return client.get(URL, timeout=2)"),
                ),
            )
            self.add(start, e.StepStarted(attempt=1, pid=5130), key)
            self.add(start + timedelta(seconds=2), e.StepRetrying(attempt=1, error=late, delay_seconds=1.0, usage=usage), key)
            start, attempt = start + timedelta(seconds=3), 2
        end = start + timedelta(seconds=seconds)
        self.add(start, e.StepStarted(attempt=attempt, pid=5131), key)
        self._talk(key, start, seconds, chatter, attempt)
        if until is not None and end > until:
            return end
        if fails:
            self.add(end, e.StepFailed(attempt=attempt, error=FAILURE, usage=usage), key)
            for asset in self._asset(key):
                self.add(end, e.AssetFailed(asset_key=asset, partition=self.new.partition, reason="its step failed"), key)
            return end
        for asset in self._asset(key):
            metadata = normalize_metadata(materialize(asset) if materialize else {})
            self.add(
                end - timedelta(milliseconds=3),
                e.AssetMaterialized(asset_key=asset, partition=self.new.partition, metadata=metadata, code_version="3"),
                key,
            )
            for check, passed, severity, words in _checks(asset, self.new.partition):
                result = e.CheckEvaluated(
                    check_key=AssetCheckKey(asset, check), passed=passed, severity=severity, partition=self.new.partition, description=words
                )
                self.add(end - timedelta(milliseconds=2), result, key)
        self.add(end, e.StepSucceeded(attempt=attempt, usage=usage), key)
        return end

    def _talk(self, key: str, start: datetime, seconds: float, chatter: int, attempt: int) -> None:
        for n in range(chatter):
            moment = start + timedelta(seconds=seconds * (n + 1) / (chatter + 2))
            level = e.LogLevel.WARNING if n % 13 == 12 else e.LogLevel.DEBUG if n % 5 == 4 else e.LogLevel.INFO
            self.add(moment, e.LogMessage(level=level, message=f"batch {n + 1} of {chatter}: {1_950 + n * 37:,} rows read"), key)
        lines = "".join(
            f"{(start + timedelta(seconds=n)).strftime('%H:%M:%S')} {key}: chunk {n} loaded, {n * 8_431:,} rows so far\n" for n in range(40)
        )
        self.chunks.append(e.LogChunk(step_key=StepKey(key), attempt=attempt, stream=e.LogStream.STDOUT, offset=0, data=lines.encode()))
        self.chunks.append(
            e.LogChunk(
                step_key=StepKey(key),
                attempt=attempt,
                stream=e.LogStream.STDERR,
                offset=0,
                data=b"FutureWarning: the default of observed=False will change\n",
            )
        )


def _checks(asset: AssetKey, partition: tuple[str, ...]) -> list[tuple[str, bool, e.Severity, str]]:
    match asset.to_user_string():
        case "raw/orders":
            return [("has_rows", True, e.Severity.ERROR, "8,412 rows"), ("ids_are_unique", True, e.Severity.ERROR, "no id twice")]
        case "staging/orders_clean":
            return [("no_negative_amounts", False, e.Severity.WARN, "3 of 8,398 orders have a negative amount")]
        case _:
            return []


def _metadata(asset: AssetKey, day: str) -> dict[str, object]:
    n = datetime.strptime(day, "%Y-%m-%d").toordinal()  # noqa: DTZ007 - a date, not a moment
    rows = int(8_000 + 1_400 * math.sin(n / 3.1) + n % 7 * 260)
    match asset.to_user_string():
        case "raw/orders":
            return {"rows": rows, "bytes": rows * 213, "source": MetadataValue.url("https://shop.example.com/exports/orders"), "day": day}
        case "staging/orders_clean":
            return {
                "rows": rows - 14,
                "dropped": 14 + n % 5,
                "null share": round(0.012 + (n % 9) / 900, 5),
                **_table(
                    {"id": ["raw/orders.id"], "country": ["raw/customers.country"], "amount": ["raw/orders.amount", "raw/orders.tax"]}
                ),
            }
        case "marts/revenue_by_country":
            countries = ("Germany", "France", "Spain", "Italy", "Poland")
            total = rows * 41.7
            cells = [
                {"country": name, "orders": rows // (k + 2), "revenue": round(total / (k + 2.1), 2)} for k, name in enumerate(countries)
            ]
            markdown = "| country | revenue |\n|---|---:|\n" + "".join(f"| {c['country']} | {c['revenue']:,.0f} € |\n" for c in cells)
            columns = TableSchema(
                [TableColumn("country", "text"), TableColumn("orders", "int"), TableColumn("revenue", "float", "in euros")]
            )
            return {
                "revenue": round(total, 2),
                "countries": 5,
                "average order": round(41.7 + n % 11 / 4, 2),
                "top countries": MetadataValue.md(markdown),
                "preview": MetadataValue.table([TableRecord(c) for c in cells], columns),
                "schema": MetadataValue.table_schema(columns),
                "columns": _lineage({"country": ["staging/orders_clean.country"], "revenue": ["staging/orders_clean.amount"]}),
                "warehouse": MetadataValue.path(f"/warehouse/marts/revenue/{day}.parquet"),
                "query plan": MetadataValue.json({"scan": "orders_clean", "rows": rows, "join": ["customers"]}),
            }
        case "marts/basket_size":
            return {"mean": round(2.3 + math.sin(n / 4) / 3, 3), "p95": 7 + n % 3}
        case _:
            return {"rows": 41_200 + n % 40}


def _table(sources: Mapping[str, Sequence[str]]) -> dict[str, MetadataValue]:
    schema = TableSchema([TableColumn(name, "text", constraints=TableColumnConstraints(nullable=name != "id")) for name in sources])
    return {"schema": MetadataValue.table_schema(schema), "columns": _lineage(sources)}


def _lineage(sources: Mapping[str, Sequence[str]]) -> MetadataValue:
    """Column to what it is made of, each as `asset.column`."""
    split = {name: [each.rsplit(".", 1) for each in found] for name, found in sources.items()}
    deps = {name: [TableColumnDep(AssetKey.from_user_string(key), column) for key, column in found] for name, found in split.items()}
    return MetadataValue.column_lineage(TableColumnLineage(deps))


def _ticks(engine: Engine, now: datetime) -> None:
    broken = ErrorInfo(
        class_name="ConnectionRefusedError",
        message="[Errno 111] sftp.partner.example refused the connection",
        frames=(Frame(file="/srv/shop/shop/sensors.py", line=12, function="new_partner_files", source="with sftp() as client:"),),
    )
    with engine.begin() as conn:
        for each in instigators.list(conn):
            if each.kind is InstigatorKind.SCHEDULE:
                instigators.set_switch(conn, each.instigator_id, on=each.name != "weekly_report")
                step, count = (timedelta(hours=1), 24) if each.name == "hourly_rates" else (timedelta(days=1), 26)
                for back in range(count, 0, -1):
                    _tick(conn, each.instigator_id, now - step * back, TickStatus.SUCCESS)
            else:
                instigators.set_switch(conn, each.instigator_id, on=True)
                for back in range(28, 0, -1):
                    at = now - timedelta(seconds=60 * back)
                    if back in (7, 8):
                        _tick(conn, each.instigator_id, at, TickStatus.FAILURE, error=broken)
                    elif back % 9 == 0:
                        _tick(conn, each.instigator_id, at, TickStatus.SUCCESS)
                    else:
                        _tick(conn, each.instigator_id, at, TickStatus.SKIPPED, skip="no new file since orders_2026-11-22.csv")


def _tick(
    conn: Connection, instigator_id: int, at: datetime, status: TickStatus, *, skip: str | None = None, error: ErrorInfo | None = None
) -> None:
    tick = instigators.start_tick(conn, instigator_id, at)
    if tick is not None:
        instigators.finish_tick(conn, tick, status, skip_reason=skip, error=error, logs=("looked at 3 folders",) if skip else ())
        conn.execute(
            text("UPDATE ticks SET started_at = :at, ended_at = :until WHERE tick_id = :id"),
            {"at": at, "until": at + timedelta(milliseconds=38), "id": tick},
        )


if __name__ == "__main__":
    made = store_engine.create(sys.argv[1], name="seed")
    for word, run_id in fill(made).items():
        sys.stdout.write(f"{word} {run_id}\n")
    if "--broken" in sys.argv:
        break_location(made)
