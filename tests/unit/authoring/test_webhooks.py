"""Webhook sensors: what is signed, what is refused, and how the function is called."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest

import dagwright as dg
from dagwright.execution import evaluate
from dagwright.loading.snapshot import build
from dagwright_shared.model.errors import UserCodeError
from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.snapshot import Overlap
from dagwright_shared.model.ticks import Delivery, Evaluation, SensorQuestion

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BODY = b'{"ref": "main"}'
DIGEST = hmac.digest(b"secret", BODY, hashlib.sha256)


@dg.op
def work() -> None: ...


@dg.job
def deploy():
    work()


def delivery(headers: dict[str, str], body: bytes = BODY) -> Delivery:
    return Delivery(delivery_id=1, external_id="x", headers=headers, body=body, received_at=NOW)


def hook(**options):
    @dg.webhook_sensor(**{"name": "hook", "secret": "secret", "job": deploy, **options})
    def on_request(context: dg.WebhookSensorEvaluationContext):
        return dg.RunRequest(tags={"ref": context.delivery.json["ref"], "from": context.delivery.headers.get("x-from", "nobody")})

    return on_request


def ask(sensor, given: Delivery | None) -> Evaluation:
    definitions = dg.Definitions(jobs=[deploy], sensors=[sensor])
    return evaluate.sensor(definitions, SensorQuestion(name=sensor.name, delivery=given), instance=dg.DagsterInstance.ephemeral())


@pytest.mark.parametrize("signature", [DIGEST.hex(), f"sha256={DIGEST.hex()}", base64.b64encode(DIGEST).decode()])
def test_signatures_that_fit(signature: str) -> None:
    found = ask(hook(), delivery({"x-hub-signature-256": signature, "x-from": "them"}))
    assert found.rejected is None
    assert found.requests[0].tags == {"ref": "main", "from": "them"}


@pytest.mark.parametrize("headers", [{}, {"x-hub-signature-256": ""}, {"x-hub-signature-256": "sha256=00"}, {"x-hub-signature-256": "ü"}])
def test_signatures_that_do_not(headers: dict[str, str]) -> None:
    found = ask(hook(), delivery(headers))
    assert found.rejected is not None
    assert "signature" in found.rejected
    assert found.requests == ()


def test_a_signature_of_another_body() -> None:
    assert ask(hook(), delivery({"x-hub-signature-256": DIGEST.hex()}, b'{"ref": "evil"}')).rejected is not None


@pytest.mark.parametrize(("seconds", "fits"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)])
def test_a_timestamp_is_signed_and_near(seconds: int, fits: bool) -> None:
    sensor = hook(signature_header="X-Signature", timestamp_header="X-Time")
    moment = str(int(NOW.timestamp()) + seconds)
    signed = hmac.digest(b"secret", moment.encode() + b"." + BODY, hashlib.sha256).hex()
    assert (ask(sensor, delivery({"x-signature": signed, "x-time": moment})).rejected is None) == fits
    assert ask(sensor, delivery({"x-signature": DIGEST.hex(), "x-time": moment})).rejected is not None
    assert ask(sensor, delivery({"x-signature": signed, "x-time": "nan"})).rejected is not None
    assert ask(sensor, delivery({"x-signature": signed})).rejected is not None


def test_a_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    sensor, given = hook(secret=dg.EnvVar("HOOK_SECRET")), delivery({"x-hub-signature-256": DIGEST.hex()})
    monkeypatch.setenv("HOOK_SECRET", "secret")
    assert ask(sensor, given).rejected is None
    monkeypatch.delenv("HOOK_SECRET")
    with pytest.raises(UserCodeError, match="HOOK_SECRET is not set"):
        ask(sensor, given)


def test_without_a_secret_everybody_may() -> None:
    assert ask(hook(secret=None), delivery({})).rejected is None


def test_nothing_of_the_secret_is_in_the_snapshot() -> None:
    sensor = hook(secret="very private")
    assert "very private" not in repr(sensor.watched(None)) + repr(sensor)
    assert sensor.watched(None)["webhook"].signed


def test_it_may_wait_for_the_run_of_an_earlier_request() -> None:
    made = build(dg.Definitions(jobs=[deploy], sensors=[hook(overlap="queue")]), LocationName("here"))
    assert [sensor.overlap for sensor in made.sensors] == [Overlap.QUEUE]


def test_it_is_asked_only_when_a_request_comes() -> None:
    assert "when a request comes" in (ask(hook(), None).skip_reason or "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"secret": 7}, "secret is a int"),
        ({"secret": ""}, "secret is empty"),
        ({"overlap": "never"}, "overlap"),
        ({"max_body_bytes": 0}, "max_body_bytes is 0"),
        ({"max_body_bytes": 5 << 20}, "4 MiB at most"),
        ({"max_per_minute": -1}, "max_per_minute is -1"),
        ({"tolerance_seconds": 0}, "tolerance_seconds is 0"),
    ],
)
def test_definitions_that_are_wrong(options: dict[str, object], said: str) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=said):
        hook(**options)
