"""Sensors that an event wakes: behind the commit horizon, once each, in order, and again when they failed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from tests.integration.daemon import rig
from tests.integration.daemon.rig import until

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.event_sensors import EventSensors
from dagwright_daemon.servers import CodeServers
from dagwright_shared.model.errors import ErrorInfo, UserCodeError
from dagwright_shared.model.events import AssetMaterialized, RunEvent
from dagwright_shared.model.keys import AssetKey, new_run_id
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.model.snapshot import SensorKind, SensorSnapshot, TriggerTarget, WebhookSnapshot
from dagwright_shared.model.ticks import DeliveryStatus, Evaluation, InstigatorKind, RunRequestData, SensorQuestion, Tick, TickStatus
from dagwright_shared.store import deliveries, events, instigators

A, B = AssetKey(["a"]), AssetKey(["b"])
TARGETS = (TriggerTarget(job_name="job"),)
HOOK = WebhookSnapshot(signed=True, signature_header="x", id_headers=("i",), max_body_bytes=1000, max_per_minute=60)


def sensor(name: str, kind: SensorKind, **more: object) -> SensorSnapshot:
    return SensorSnapshot(name=name, kind=kind, targets=TARGETS, default_running=True, minimum_interval_seconds=30, **more)  # type: ignore[arg-type]


SENSORS = (
    sensor("on_a", SensorKind.ASSET, asset_keys=(A,)),
    sensor("on_success", SensorKind.RUN_STATUS, run_statuses=(RunStatus.SUCCESS,)),
    sensor("hook", SensorKind.WEBHOOK, webhook=HOOK),
)


@pytest.fixture
def loop(store_engine: Engine, code_server: rig.CodeServer, servers: CodeServers) -> Iterator[EventSensors]:
    backend = code_server.backend
    backend.snapshot_value = replace(backend.snapshot_value, sensors=SENSORS)
    code_server.publish()
    made = EventSensors(store_engine, servers, Catalog(), timeout=60.0)
    made.tick(now())
    until(lambda: len(ended(store_engine, "on_a")) == len(ended(store_engine, "on_success")) == 1)
    backend.asked.clear()
    yield made
    made.loop().release()


def now(seconds: float = 0.0) -> Turn:
    return Turn(now=datetime.now(UTC) + timedelta(seconds=seconds))


def ended(engine: Engine, name: str) -> list[Tick]:
    with engine.connect() as conn:
        known = instigators.get(conn, InstigatorKind.SENSOR, name)
        found = instigators.ticks(conn, instigator_id=known.instigator_id).items
    return [tick for tick in found if tick.status is not TickStatus.STARTED]


def materialize(engine: Engine, key: AssetKey) -> None:
    with engine.begin() as conn:
        events.record(conn, rig.HERE, new_run_id(), RunEvent(seq=1, time=datetime.now(UTC), payload=AssetMaterialized(asset_key=key)))


def receive(engine: Engine, name: str, *, fingerprint: str | None = None) -> int:
    with engine.begin() as conn:
        hook = instigators.get(conn, InstigatorKind.SENSOR, "hook")
        number, _ = deliveries.receive(
            conn, hook.instigator_id, external_id=name, fingerprint=fingerprint or name, headers={}, body=b"{}", verified=True
        )
        return number


def status(engine: Engine, number: int) -> DeliveryStatus:
    with engine.connect() as conn:
        return deliveries.get(conn, instigators.get(conn, InstigatorKind.SENSOR, "hook").instigator_id, number).status


def test_only_what_concerns_it_wakes_a_sensor(store_engine: Engine, code_server: rig.CodeServer, loop: EventSensors) -> None:
    assert loop.tick(now()).done == 0
    materialize(store_engine, B)
    assert loop.tick(now()).done == 0
    materialize(store_engine, A)
    until(lambda: loop.tick(now()).done == 1, what="the horizon to pass the event")
    until(lambda: len(ended(store_engine, "on_a")) == 2)
    assert code_server.backend.asked == ["on_a"]
    assert loop.tick(now()).done == 0


def test_an_event_waits_for_older_transactions(store_engine: Engine, code_server: rig.CodeServer, loop: EventSensors) -> None:
    with store_engine.connect() as older:
        older.execute(text("SELECT pg_current_xact_id()"))
        materialize(store_engine, A)
        outcome = loop.tick(now())
        assert outcome.done == 0
        assert outcome.wake_at, "it looks again soon"
        # The longer it lasts, the less often it looks.
        looks = [min(loop.tick(at := now()).wake_at or ()) - at.now for _ in range(12)]
        assert looks[-1] > timedelta(seconds=0.5)
        older.rollback()
    until(lambda: loop.tick(now()).done == 1, what="the event, once the older transaction has ended")
    until(lambda: len(ended(store_engine, "on_a")) == 2)


@pytest.mark.usefixtures("busy_elsewhere")
def test_an_event_waits_for_no_transaction_of_another_database(store_engine: Engine, loop: EventSensors) -> None:
    materialize(store_engine, A)
    assert loop.tick(now()).done == 1
    until(lambda: len(ended(store_engine, "on_a")) == 2)


def test_one_that_has_more_to_do_is_asked_again(store_engine: Engine, code_server: rig.CodeServer, loop: EventSensors) -> None:
    woken = []
    answers = [Evaluation(cursor="1", more=True, requests=(RunRequestData(),)), Evaluation(cursor="2", requests=(RunRequestData(),))]
    questions: list[SensorQuestion] = []

    def answer(question: SensorQuestion) -> Evaluation:
        questions.append(question)
        return answers.pop(0)

    code_server.backend.sensor = answer
    materialize(store_engine, A)
    turn = replace(now(), wake=lambda: woken.append(1))
    until(lambda: loop.tick(turn).done == 1)
    until(lambda: woken, what="the loop to be woken")
    assert loop.tick(now()).done == 1
    until(lambda: len(ended(store_engine, "on_a")) == 3)
    assert [question.cursor for question in questions] == [None, "1"]


def test_one_that_failed_is_asked_again_after_its_interval(store_engine: Engine, code_server: rig.CodeServer, loop: EventSensors) -> None:
    def fail(_: SensorQuestion) -> Evaluation:
        raise UserCodeError(ErrorInfo(class_name="OSError", message="no such bucket"))

    code_server.backend.sensor = fail
    materialize(store_engine, A)
    until(lambda: loop.tick(now()).done == 1)
    until(lambda: len(ended(store_engine, "on_a")) == 2)
    assert ended(store_engine, "on_a")[0].status is TickStatus.FAILURE
    assert loop.tick(now()).done == 0
    code_server.backend.sensor = lambda _: Evaluation(cursor="1", requests=(RunRequestData(),))
    until(lambda: loop.tick(now(31)).done == 1)
    until(lambda: len(ended(store_engine, "on_a")) == 3)
    assert ended(store_engine, "on_a")[0].status is TickStatus.SUCCESS


def test_one_that_is_off_catches_up_when_it_is_on(store_engine: Engine, code_server: rig.CodeServer, loop: EventSensors) -> None:
    with store_engine.begin() as conn:
        known = instigators.get(conn, InstigatorKind.SENSOR, "on_a").instigator_id
        instigators.set_switch(conn, known, on=False)
    materialize(store_engine, A)
    until(lambda: (loop.tick(now()), loop._seen)[1] is not None)
    assert loop.tick(now()).done == 0
    with store_engine.begin() as conn:
        instigators.set_switch(conn, known, on=True)
    until(lambda: loop.tick(now()).done == 1)


def test_deliveries_one_after_the_other(store_engine: Engine, code_server: rig.CodeServer, loop: EventSensors) -> None:
    seen = []

    def answer(question: SensorQuestion) -> Evaluation:
        assert question.delivery is not None
        seen.append(question.delivery.external_id)
        if question.delivery.external_id == "bad":
            raise UserCodeError(ErrorInfo(class_name="KeyError", message="ref"))
        return Evaluation(rejected="forged" if question.delivery.external_id == "forged" else None, requests=())

    code_server.backend.sensor = answer
    numbers = {name: receive(store_engine, name) for name in ("one", "bad", "forged")}
    again = receive(store_engine, "one", fingerprint="other content")
    assert receive(store_engine, "one") == numbers["one"], "the same request again is the same delivery"

    def handled() -> bool:
        loop.tick(now())
        return all(status(store_engine, number) is not DeliveryStatus.RECEIVED for number in (*numbers.values(), again))

    until(handled)
    assert seen == ["one", "bad", "forged"]
    assert [status(store_engine, numbers[name]) for name in ("one", "bad", "forged")] == [
        DeliveryStatus.HANDLED,
        DeliveryStatus.FAILED,
        DeliveryStatus.REJECTED,
    ]
    assert status(store_engine, again) is DeliveryStatus.DUPLICATE


def test_a_cursor_that_was_set_meanwhile_stays(store_engine: Engine, code_server: rig.CodeServer, loop: EventSensors) -> None:
    def answer(_: SensorQuestion) -> Evaluation:
        with store_engine.begin() as conn:
            instigators.set_cursor(conn, instigators.get(conn, InstigatorKind.SENSOR, "on_a").instigator_id, "by hand")
        return Evaluation(cursor="by itself", requests=(RunRequestData(),))

    code_server.backend.sensor = answer
    materialize(store_engine, A)
    until(lambda: loop.tick(now()).done == 1)
    until(lambda: len(ended(store_engine, "on_a")) == 2)
    with store_engine.connect() as conn:
        assert instigators.get(conn, InstigatorKind.SENSOR, "on_a").cursor == "by hand"


def test_events_wake_it_only_while_there_is_a_sensor(code_server: rig.CodeServer, loop: EventSensors) -> None:
    heeds = loop.loop().heeds
    assert heeds("run_status")
    backend = code_server.backend
    backend.become(replace(backend.snapshot_value, sensors=()))
    code_server.publish()
    loop.tick(now())
    assert not heeds("run_status")
    assert heeds("instigators")
