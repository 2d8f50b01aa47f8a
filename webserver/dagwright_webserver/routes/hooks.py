"""Webhooks: what others send here is stored before it is answered, and handled by the sensor of that name."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from sqlalchemy import Connection
from starlette.datastructures import Headers

from dagwright_shared.model.errors import DagwrightError, NotFoundError
from dagwright_shared.model.snapshot import SensorSnapshot, WebhookSnapshot
from dagwright_shared.model.ticks import Delivery, DeliveryStatus, Instigator, InstigatorKind
from dagwright_shared.store import deliveries, instigators
from dagwright_webserver import code_servers
from dagwright_webserver.deps import Editor, Public, Services, Web, answer, location_of
from dagwright_webserver.errors import problem_response
from dagwright_webserver.reads import deliveries as reads
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.deliveries import DeliveryListView, DeliveryView
from dagwright_webserver.schemas import API, Cursor, Limit, Name, Received, returns

log = logging.getLogger("dagwright.webserver")

router = APIRouter(prefix=f"{API}/hooks", tags=["hooks"])
HookName = Annotated[str, Path(description="Name of the webhook sensor.")]
DeliveryId = Annotated[int, Path(description="Number of the delivery.", ge=1, le=2**63 - 1)]
_PRIVATE = frozenset({"authorization", "proxy-authorization", "cookie"})
_VERIFY_SECONDS = 3.0
_REFUSED_BYTES = 4096
"""What is kept of the body of a request that is refused."""
_ANY_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {"application/json": {"schema": {}}, "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "description": "Whatever the sender has to say, of any content type.",
    }
}


async def _body(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/{name}",
    status_code=202,
    summary="Deliver to a webhook",
    responses=returns(Received, 400, 401, 404, 413, 429, 503, status=202),
    openapi_extra=_ANY_BODY,
)
def deliver(name: HookName, web: Public, request: Request, body: Annotated[bytes, Depends(_body)], location: Name = None) -> Response:
    """Any body up to the sensor's limit, signed as its definition says. 202 means that it is stored and will be handled.

    A request that is sent again (same id, same content) is not stored again: the answer is that of the first, with `duplicate`.
    Where the process that has the secret cannot be asked just now, the signature is checked before the request is handled.
    """
    web.access.silent = True  # deliveries are listed by themselves
    place, _, webhook = web.read_defs(lambda _conn, defs: find_hook(defs, name, location))
    path = request.url.path
    if len(body) > webhook.max_body_bytes:
        detail = f"The body has {len(body)} bytes; this webhook takes {webhook.max_body_bytes}. Raise max_body_bytes= of its sensor."
        return problem_response(413, "too-large", detail, instance=path)
    seconds = web.hook_limits.wait((place, name), webhook.max_per_minute)
    if seconds > 0:
        detail = f"This webhook takes {webhook.max_per_minute} requests a minute; send this one again in {math.ceil(seconds)} s."
        return problem_response(429, "too-many", detail, instance=path, headers={"Retry-After": str(math.ceil(seconds))})
    delivery = _delivery(webhook, request.headers, body)
    refused, verified = _verify(web, place, name, webhook, delivery)
    if refused is None and (problem := _bad_json(request.headers, body)) is not None:
        return problem_response(400, "bad-json", problem, instance=path)

    def store(conn: Connection) -> tuple[int, bool]:
        return deliveries.receive(
            conn,
            instigators.get(conn, InstigatorKind.SENSOR, name, location=place).instigator_id,
            external_id=delivery.external_id,
            fingerprint=_fingerprint(webhook, delivery),
            headers={key: value for key, value in delivery.headers.items() if key not in _PRIVATE},
            body=body if refused is None else body[:_REFUSED_BYTES],
            verified=verified,
            refused=refused,
        )

    delivery_id, new = web.write(store)
    if refused is not None:
        log.warning("webhook refused", extra={"hook": name, "location": place, "delivery": delivery_id, "reason": refused})
        return problem_response(401, "bad-signature", f"The request is refused: {refused}.", instance=path)
    header = location_of(f"hooks/{name}/deliveries/{delivery_id}")
    received = Received(delivery_id=delivery_id, id=delivery.external_id, duplicate=not new, verified=verified, url=header["Location"])
    return answer(received, 202, header)


@router.get("/{name}/deliveries", summary="List what came to a webhook", responses=returns(DeliveryListView, 404, 422, 503))
def list_deliveries(
    name: HookName, web: Services, location: Name = None, status: DeliveryStatus | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """The newest first. They are kept for a week."""
    return answer(
        web.read_defs(
            lambda conn, defs: reads.list_deliveries(
                conn, name, _instigator(conn, defs, name, location).instigator_id, status=status, limit=limit, cursor=cursor
            )
        )
    )


@router.get("/{name}/deliveries/{delivery_id}", summary="Get a delivery", responses=returns(DeliveryView, 404, 503))
def get_delivery(name: HookName, delivery_id: DeliveryId, web: Services, location: Name = None) -> Response:
    """What came, and what became of it."""
    return answer(
        web.read_defs(
            lambda conn, defs: reads.delivery_view(
                name, deliveries.get(conn, _instigator(conn, defs, name, location).instigator_id, delivery_id)
            )
        )
    )


@router.post(
    "/{name}/deliveries/{delivery_id}/replay",
    status_code=202,
    summary="Replay a delivery",
    responses=returns(DeliveryView, 404, 409, 503, status=202),
)
def replay_delivery(name: HookName, delivery_id: DeliveryId, web: Editor, location: Name = None) -> Response:
    """Have the sensor handle it once more, as it came. A run with the same run key is not made again."""
    instigator = web.read_defs(lambda conn, defs: _instigator(conn, defs, name, location))
    web.access.require(instigator.location)
    row = web.write(lambda conn: deliveries.replay(conn, instigator.instigator_id, delivery_id))
    return answer(reads.delivery_view(name, row), 202, location_of(f"hooks/{name}/deliveries/{delivery_id}"))


def find_hook(defs: Definitions, name: str, location: str | None) -> tuple[str, SensorSnapshot, WebhookSnapshot]:
    """The webhook sensor of a name, with its location.

    Raises:
        NotFoundError: there is none.
    """
    known = [each for each, found in defs.sensors.items() if any(sensor.webhook is not None for _, sensor in found)]
    for place, sensor in defs.sensors.get(name, ()):
        if sensor.webhook is not None and location in (None, place):
            return place, sensor, sensor.webhook
    raise NotFoundError("webhook sensor", name, known=known, where=location)


def _instigator(conn: Connection, defs: Definitions, name: str, location: str | None) -> Instigator:
    place, _, _ = find_hook(defs, name, location)
    return instigators.get(conn, InstigatorKind.SENSOR, name, location=place)


def _delivery(webhook: WebhookSnapshot, headers: Headers, body: bytes) -> Delivery:
    plain = {name.lower(): value for name, value in headers.items()}
    given = next((plain[name.lower()] for name in webhook.id_headers if plain.get(name.lower())), None)
    external_id = given[:255] if given is not None else f"sha256:{hashlib.sha256(body).hexdigest()}"
    return Delivery(delivery_id=0, external_id=external_id, headers=plain, body=body, received_at=datetime.now(UTC))


def _fingerprint(webhook: WebhookSnapshot, delivery: Delivery) -> str:
    """Of the signature too: somebody who knows an id, and not the secret, must not keep the true request of that id out."""
    signature = delivery.headers.get(webhook.signature_header.lower(), "")
    parts = (delivery.external_id.encode(), signature.encode(), delivery.body)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _verify(web: Web, location: str, name: str, webhook: WebhookSnapshot, delivery: Delivery) -> tuple[str | None, bool]:
    """Why the request is refused, and whether that could be found out now."""
    if not webhook.signed:
        return None, True
    if not delivery.headers.get(webhook.signature_header.lower()):
        return f"the header {webhook.signature_header} with the signature is missing", True
    try:
        return code_servers.ask(web, location, lambda client: client.verify_delivery(name, delivery, timeout=_VERIFY_SECONDS)), True
    except DagwrightError as error:
        log.warning("webhook not verified yet", extra={"hook": name, "location": location, "error": error.message})
        return None, False


def _bad_json(headers: Mapping[str, str], body: bytes) -> str | None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        return None
    try:
        json.loads(body)
    except ValueError as error:
        return f"The content type is {kind}, and the body is no JSON: {error}."
    return None
