"""Webhook sensors: functions that are called with each request that others send to an address of the deployment."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from dagwright.authoring import source as sources
from dagwright.authoring.config import EnvVar
from dagwright.authoring.instance import Instance
from dagwright.authoring.sensors import DefaultSensorStatus, SensorDefinition, SensorEvaluationContext
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.snapshot import Overlap, SensorKind, WebhookSnapshot
from dagwright_shared.model.ticks import Delivery

SIGNATURE_HEADER = "X-Hub-Signature-256"
ID_HEADERS = ("X-GitHub-Delivery", "X-Gitlab-Event-UUID", "Webhook-Id", "Idempotency-Key", "X-Request-Id")
_MAX_BODY = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """A request to a webhook, as its sensor sees it."""

    delivery_id: str
    """As the sender named it, or the hash of its body."""
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes
    received_at: datetime

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode(errors="replace")

    @property
    def json(self) -> Any:
        """The body as JSON; raises ValueError when it is none."""
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class WebhookSensorEvaluationContext(SensorEvaluationContext):
    """What the function of a webhook sensor knows."""

    delivery: WebhookDelivery


class WebhookSensorDefinition(SensorDefinition):
    """A sensor that is called with each request to its address. See `@webhook_sensor`."""

    secret: str | EnvVar | None
    signature_header: str
    timestamp_header: str | None
    tolerance_seconds: float
    webhook: WebhookSnapshot

    def __init__(
        self,
        *,
        webhook_fn: Callable[..., Any],
        secret: str | EnvVar | None,
        signature_header: str = SIGNATURE_HEADER,
        timestamp_header: str | None = None,
        tolerance_seconds: float = 300.0,
        id_header: str | None = None,
        max_body_bytes: int = _MAX_BODY,
        max_per_minute: int = 600,
        default_status: DefaultSensorStatus = DefaultSensorStatus.RUNNING,
        **options: Any,
    ) -> None:
        source = sources.of_function(webhook_fn) or sources.of_caller()
        what = f"webhook sensor {options.get('name') or getattr(webhook_fn, '__name__', '')!r}"
        if secret is not None and (not isinstance(secret, str) or not secret):
            found = "empty" if secret == "" else f"a {type(secret).__name__}"
            raise DefinitionError(f"{what}: secret is {found}", source=source, mend='give EnvVar("NAME_OF_THE_SECRET")')
        for name, number in (
            ("max_body_bytes", max_body_bytes),
            ("max_per_minute", max_per_minute),
            ("tolerance_seconds", tolerance_seconds),
        ):
            if not isinstance(number, int | float) or number <= 0:
                raise DefinitionError(f"{what}: {name} is {number!r}", source=source, mend="give a number above zero")
        if max_body_bytes > 4 * _MAX_BODY:
            raise DefinitionError(f"{what}: max_body_bytes is {max_body_bytes}", source=source, mend="the webserver takes 4 MiB at most")
        values = {
            "secret": secret,
            "signature_header": signature_header.lower(),
            "timestamp_header": timestamp_header.lower() if timestamp_header else None,
            "tolerance_seconds": float(tolerance_seconds),
            "webhook": WebhookSnapshot(
                signed=secret is not None,
                signature_header=signature_header,
                id_headers=(id_header,) if id_header else ID_HEADERS,
                max_body_bytes=max_body_bytes,
                max_per_minute=max_per_minute,
            ),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        super().__init__(evaluation_fn=webhook_fn, kind=SensorKind.WEBHOOK, default_status=default_status, source=source, **options)

    def refusal(self, delivery: Delivery, now: datetime) -> str | None:
        """Why a request is not taken; None when it is signed as it must be.

        Raises:
            LookupError: the environment does not have the secret.
        """
        if self.secret is None:
            return None
        given = delivery.headers.get(self.signature_header)
        if not given:
            return f"the header {self.signature_header} with the signature is missing"
        signed = delivery.body
        if self.timestamp_header is not None:
            moment = delivery.headers.get(self.timestamp_header, "")
            try:
                age = abs(now.timestamp() - float(moment))
            except ValueError:
                return f"the header {self.timestamp_header} is not a number of seconds since 1970"
            if not age <= self.tolerance_seconds:
                return f"the request is of another time: {self.timestamp_header} is more than {self.tolerance_seconds:g} s off"
            signed = moment.encode() + b"." + signed
        secret = self.secret.required() if isinstance(self.secret, EnvVar) else self.secret
        digest = hmac.digest(str.__str__(secret).encode(), signed, hashlib.sha256)
        # As hexadecimal digits, with or without the name of the hash before them, or in base64.
        accepted = [digest.hex(), f"sha256={digest.hex()}", base64.b64encode(digest).decode()]
        fits = [hmac.compare_digest(given.strip().encode(), one.encode()) for one in accepted]
        return None if any(fits) else "the signature does not fit the body; is the secret the same on both sides?"

    def with_delivery(self, context: SensorEvaluationContext, delivery: Delivery) -> WebhookSensorEvaluationContext:
        """The context for one request."""
        given = {part.name: getattr(context, part.name) for part in fields(SensorEvaluationContext)}
        seen = WebhookDelivery(
            delivery_id=delivery.external_id, headers=delivery.headers, body=delivery.body, received_at=delivery.received_at
        )
        return WebhookSensorEvaluationContext(**given, delivery=seen)

    def watched(self, graph: Any) -> dict[str, Any]:
        del graph
        return {"webhook": self.webhook}


def webhook_sensor(
    *,
    secret: str | EnvVar | None,
    name: str | None = None,
    signature_header: str = SIGNATURE_HEADER,
    timestamp_header: str | None = None,
    tolerance_seconds: float = 300.0,
    id_header: str | None = None,
    max_body_bytes: int = _MAX_BODY,
    max_per_minute: int = 600,
    job: Any = None,
    jobs: Sequence[Any] | None = None,
    job_name: str | None = None,
    target: Any = None,
    asset_selection: Any = None,
    description: str | None = None,
    default_status: DefaultSensorStatus = DefaultSensorStatus.RUNNING,
    required_resource_keys: set[str] | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    overlap: str | Overlap = Overlap.ALLOW,
) -> Callable[[Callable[..., Any]], WebhookSensorDefinition]:
    """Turn a function into a sensor that is called with each request to `POST /api/v1/hooks/<name>`.

    A request is stored before it is answered with 202, once for each id of its sender, and can be replayed. The function returns what any
    sensor's may: RunRequests, a SkipReason, a SensorResult, or None.

    Args:
        secret: signs the requests: HMAC-SHA256 of the body, in hexadecimal digits (with or without `sha256=` before them) or base64.
            An `EnvVar` is read where the code runs, and nowhere else. None takes requests of anybody.
        signature_header: the header with the signature; that of GitHub by default.
        timestamp_header: a header with seconds since 1970. When given, what is signed is `<timestamp>.<body>`.
        tolerance_seconds: how far that time may be from ours.
        id_header: the header with the sender's id of the delivery; by default those of GitHub, GitLab, Standard Webhooks and such.
        max_body_bytes: larger requests are refused; 1 MiB by default, 4 MiB at most.
        max_per_minute: more requests than that are refused, by each webserver.
        job, jobs, job_name, target, asset_selection: what it may launch.
        name, description, default_status, required_resource_keys, tags, metadata, overlap: as for other sensors; it runs by default.

    Raises:
        DefinitionError: an argument is not valid.

    Example:
        >>> from dagwright import EnvVar, RunRequest, webhook_sensor
        >>> @webhook_sensor(secret=EnvVar("GITHUB_SECRET"), job_name="deploy")
        ... def github(context):
        ...     if context.delivery.headers.get("x-github-event") == "push":
        ...         return RunRequest(run_key=context.delivery.json["after"])
        >>> github.name
        'github'
    """
    options = {
        "name": name,
        "secret": secret,
        "signature_header": signature_header,
        "timestamp_header": timestamp_header,
        "tolerance_seconds": tolerance_seconds,
        "id_header": id_header,
        "max_body_bytes": max_body_bytes,
        "max_per_minute": max_per_minute,
        "job": job,
        "jobs": jobs,
        "job_name": job_name,
        "target": target,
        "asset_selection": asset_selection,
        "description": description,
        "default_status": default_status,
        "required_resource_keys": required_resource_keys,
        "tags": tags,
        "metadata": metadata,
        "overlap": overlap,
    }
    return lambda fn: WebhookSensorDefinition(webhook_fn=fn, **options)


def build_webhook_sensor_context(
    body: bytes | str | Mapping[str, Any] | Sequence[Any] = b"",
    headers: Mapping[str, str] | None = None,
    delivery_id: str = "test",
    instance: Any = None,
    resources: Mapping[str, Any] | None = None,
) -> WebhookSensorEvaluationContext:
    """A context for calling the function of a webhook sensor in a test.

    Args:
        body: of the request; what is neither bytes nor text is written as JSON.
        headers: of the request, in any case.
        delivery_id: as the sender would name it.
        instance: the deployment; by default an empty one in memory.
        resources: objects by key.
    """
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    seen = WebhookDelivery(
        delivery_id=delivery_id,
        headers={name.lower(): value for name, value in (headers or {}).items()},
        body=raw,
        received_at=datetime.now(UTC),
    )
    return WebhookSensorEvaluationContext(
        delivery=seen, instance=Instance.ephemeral() if instance is None else instance, resource_values=dict(resources or {})
    )
