"""What each process may be told: `DAGWRIGHT_*` in the environment, or the same names in `dagwright.toml`.

The environment wins. The file is looked for in the working directory, or where `DAGWRIGHT_CONFIG` points; its keys are
the field names below, in lower case.
"""

from __future__ import annotations

import json
import os
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from dagwright_shared.model.channels import ChannelSecurity
from dagwright_shared.model.errors import InvalidRequestError, SettingsError, nearest
from dagwright_shared.model.limits import Limits
from dagwright_shared.model.runs import RetryStrategy
from dagwright_shared.model.snapshot import Backoff, Jitter
from dagwright_shared.runtime.addresses import is_loopback

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(ge=0)]
Days = Annotated[float, Meta(gt=0)]


class Secret(str):
    """Text that shows itself only to who asks for it by `get_secret_value`."""

    __slots__ = ()

    def get_secret_value(self) -> str:
        return str.__str__(self)

    def __repr__(self) -> str:
        return "Secret('**********')"

    __str__ = __repr__


class Auth(StrEnum):
    """How people log in."""

    NONE = "none"
    """Not at all: everybody may do everything."""
    LOCAL = "local"
    """By a name and a password that dagwright keeps."""
    OIDC = "oidc"
    """By an OpenID Connect provider; users with a password may still use that."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of all processes; each reads the few that concern it.

    Example:
        `DAGWRIGHT_MAX_CONCURRENT_RUNS=50 dagwright daemon`
    """

    database_url: Secret | None = None
    """`postgresql://user:password@host:port/name`. Unset: `dagwright dev` starts a Postgres of its own."""
    home: Path = Path(".dagwright")
    """Where `dagwright dev` keeps its database, and workers keep stored outputs."""
    host: str = "127.0.0.1"
    """Address that the webserver binds."""
    port: Port = 3004
    auth: Auth = Auth.NONE
    """How people log in: `none`, `local` (users and passwords of dagwright) or `oidc` (OpenID Connect)."""
    allow_unauthenticated: bool = False
    """Let the webserver bind another address than loopback although there is no log-in."""
    allowed_hosts: tuple[str, ...] = ()
    """Names, besides loopback ones, under which browsers may reach the webserver."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks (`10.0.0.0/8`) of proxies before the webserver, whose `X-Forwarded-For` and `-Proto` are believed: limits of
    log-in, sessions and the audit log then have the address of the browser."""
    public_url: str | None = None
    """Address under which browsers reach the webserver, such as `https://dagwright.example.com`; https makes cookies secure."""
    session_hours: Annotated[float, Meta(gt=0)] = 168.0
    """After so long a session ends and one logs in again."""
    session_idle_hours: Annotated[float, Meta(gt=0)] = 24.0
    """The same after so long without a request."""
    oidc_issuer: str | None = None
    """URL of the OpenID provider, where `/.well-known/openid-configuration` is found."""
    oidc_client_id: str | None = None
    """What the provider calls this deployment."""
    oidc_client_secret: Secret | None = None
    """What proves it there; unset: a public client, by PKCE alone."""
    oidc_scopes: str = "openid profile email"
    """What is asked of the provider, with spaces between."""
    oidc_name_claim: str = "email"
    """Claim that becomes the name of the user."""
    oidc_groups_claim: str = "groups"
    """Claim with the groups, or roles, of a user; dots go into objects: `realm_access.roles`."""
    oidc_roles: dict[str, str] = {}
    """Role of each group: `viewer`, `launcher`, `editor`, `admin`, or with a location `editor@flights`; the highest counts."""
    oidc_default_role: str | None = None
    """Role of who is in none of these groups; unset: they cannot log in."""
    oidc_allowed_domains: tuple[str, ...] = ()
    """Domains of the e-mail addresses of who may log in; unset: any."""
    code_server_host: str = "127.0.0.1"
    """Address that a code server binds."""
    code_server_port: Port = 4000
    code_server_address: str | None = None
    """`host:port` under which others dial this code server; by default what it binds."""
    code_servers: tuple[str, ...] = ()
    """Addresses of code servers that cannot register themselves."""
    code_server_token: Secret | None = None
    """What the webserver and the daemon send to code servers, and these demand; the same for all of them."""
    code_server_tls_cert: Path | None = None
    """Certificate (PEM) of this process: of a code server, or for mutual TLS of who calls it."""
    code_server_tls_key: Path | None = None
    """Its private key."""
    code_server_tls_ca: Path | None = None
    """Authority (PEM) that signed the certificate of the other side; a code server that has it demands one of its callers."""
    code_server_allow_unauthenticated: bool = False
    """Let a code server bind another address than loopback although it cannot tell who calls."""
    url: str | None = None
    """The webserver that the command line talks to; unset: the one that `dagwright dev` runs here, else loopback."""
    token: Secret | None = None
    """API token that the command line sends."""

    max_concurrent_runs: Annotated[int, Meta(ge=0)] = 25
    """How many runs the queue lets be active at once, over all locations."""
    reserved_runs: Annotated[int, Meta(ge=0)] | None = None
    """Places of these that runs of backfills and automation leave to others; unset: a fifth, at least one."""
    tag_concurrency_limits: tuple[dict[str, Any], ...] = ()
    """How many runs with a tag may be active at once: `{key, value, limit}`, as in Dagster's `run_queue`."""
    location_limits: dict[str, int] = {}
    """How many runs of a location may be active at once, by its name."""
    default_pool_slots: Annotated[int, Meta(ge=0)] | None = None
    """Slots of a pool that has none set; unset: any number of steps at once."""
    pool_granularity: str = "step"
    """Whether slots of pools are claimed by each `step` (Dagster's `op`), or by a whole `run` when it leaves the queue."""
    run_max_retries: Annotated[int, Meta(ge=0)] = 0
    """How often a failed run is tried again when its tags do not say."""
    run_retry_strategy: RetryStrategy = RetryStrategy.FROM_FAILURE
    """Whether a retry keeps the steps that succeeded (FROM_FAILURE) or starts over (ALL_STEPS)."""
    run_retry_delay_seconds: Seconds = 0.0
    """Wait before the first retry of a run."""
    run_retry_backoff: Backoff | None = Backoff.EXPONENTIAL
    """How that wait grows: EXPONENTIAL doubles it with each retry, LINEAR adds it once more."""
    run_retry_jitter: Jitter | None = None
    """Spreads retries: FULL waits a random part of the time, PLUS_MINUS up to the first wait more or less."""
    run_retry_on_step_failure: bool = True
    """Whether runs are retried whose steps failed, and not only those whose worker was lost."""
    run_max_resumes: Annotated[int, Meta(ge=0)] = 0
    """How often a run whose worker was lost goes on with a new one, from what is done, when its tag does not say."""
    max_runtime_seconds: Annotated[float, Meta(gt=0)] | None = None
    """How long a run may take when its tag `dagwright/max_runtime` does not say; unset: any time."""
    cancel_timeout_seconds: Annotated[float, Meta(gt=0)] = 60.0
    """A run that has not ended so long after being asked to stop is given up, and ends as canceled."""
    launch_timeout_seconds: Annotated[float, Meta(gt=0)] = 30.0
    """A claimed run whose worker has not reported by then is launched again, three times in all."""
    lease_seconds: Annotated[float, Meta(ge=3)] = 9.0
    """A code server that has not renewed a run's lease for so long has lost the run."""
    cancel_grace_seconds: Seconds = 10.0
    """Between asking a run to stop and killing its processes."""
    log_limit_bytes: Annotated[int, Meta(ge=0)] = 10_000_000
    """Cap on the stored standard output, and on standard error, of one step attempt."""
    retention_noise_days: Days | None = 30.0
    """How long log lines below WARNING, messages of dagwright itself, and loads and stores of values are kept; unset (null): for ever."""
    retention_observations_days: Days | None = 90.0
    """How long observations of assets are kept; the newest of each partition stays."""
    retention_materializations_days: Days | None = None
    """The same for materializations, their failures, checks and freshness."""
    retention_runs_days: Days | None = None
    """How long runs are kept after their end, with their steps, events and output; those that made what an asset holds now stay."""
    retention_logs_days: Days | None = 90.0
    """How long the captured output of steps is kept after the end of their run."""
    retention_skipped_ticks_days: Days | None = 7.0
    """How long ticks of schedules and sensors are kept that asked for nothing."""
    retention_succeeded_ticks_days: Days | None = 180.0
    """The same for ticks that asked for runs."""
    retention_failed_ticks_days: Days | None = 180.0
    """The same for ticks that failed."""
    retention_audit_days: Days | None = 400.0
    """How long the audit log is kept."""
    evaluation_timeout_seconds: Annotated[float, Meta(gt=0)] = 60.0
    """How long a schedule or sensor function may take before it is killed."""
    evaluation_memory_bytes: Annotated[int, Meta(ge=0)] = 4 << 30
    """Address space that a process which evaluates schedules and sensors may take beyond what the loaded code has; 0: no limit."""
    database_pool_size: Annotated[int, Meta(ge=1)] = 4
    """Connections that each process keeps at most, besides one for notifications."""
    log_level: str = "INFO"
    log_json: bool = False
    """One JSON object a line instead of text."""

    @property
    def limits(self) -> Limits:
        """What may run at once, until it is changed while the deployment runs.

        Raises:
            SettingsError: a value does not fit.
        """
        given = {name: getattr(self, name) for name in Limits().to_json()}
        try:
            return Limits().changed(given)
        except InvalidRequestError as error:
            first = error.problems[0]
            raise SettingsError(f"setting {first.path} is {first.value!r}: {first.message}") from None

    @property
    def retention_days(self) -> dict[str, float | None]:
        """For how long each kind of history is kept, by its name; None: for ever."""
        prefix, suffix = "retention_", "_days"
        names = [name for name in self.__struct_fields__ if name.startswith(prefix)]
        return {name.removeprefix(prefix).removesuffix(suffix): getattr(self, name) for name in names}

    @property
    def storage(self) -> Path:
        """Where the default IO manager of workers keeps outputs."""
        return self.home / "storage"


_OBJECTS = frozenset({"location_limits", "oidc_roles"})
_SECRETS = frozenset({"database_url", "oidc_client_secret", "code_server_token", "token"})


def load(**overrides: Any) -> Settings:
    """Read the settings of this process; arguments, such as command-line options, win over everything.

    Raises:
        SettingsError: a value does not fit, or `dagwright.toml` has an unknown key; the message names each.
    """
    # msgspec and not pydantic, which would cost 20 MB and a tenth of a second in services that use it for nothing else.
    values = _from_file() | _from_environment() | {name: value for name, value in overrides.items() if value is not None}
    unknown = next((name for name in values if name not in Settings.__struct_fields__), None)
    if unknown is not None:
        close = nearest(unknown, Settings.__struct_fields__)
        raise SettingsError(f"there is no setting {unknown!r}" + (f"; did you mean {close!r}?" if close else ""))
    try:
        made = msgspec.convert(values, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        problem, _, name = str(error).partition(" - at `$.")
        name = name.rstrip("`").split("[")[0]
        given = "***" if name in _SECRETS else repr(values.get(name))
        raise SettingsError(f"setting {name} (DAGWRIGHT_{name.upper()}) is {given}: {problem[:1].lower()}{problem[1:]}") from None
    _ = made.limits  # which raises when they do not fit
    return made


def sources() -> dict[str, str]:
    """Where this process finds settings: name to `file` or `environment`; those that are left out have their default."""
    return dict.fromkeys(_from_file(), "file") | dict.fromkeys(_from_environment(), "environment")


def _decode(kind: type, value: Any) -> Any:
    return kind(value)  # Path and Secret are made from text


def _from_file() -> dict[str, Any]:
    path = Path(os.environ.get("DAGWRIGHT_CONFIG", "dagwright.toml"))
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        if "DAGWRIGHT_CONFIG" in os.environ:
            raise SettingsError(f"DAGWRIGHT_CONFIG names {path}, which does not exist") from None
        return {}
    except (OSError, ValueError) as error:  # not readable, not UTF-8, not TOML
        raise SettingsError(f"{path} cannot be read: {error}") from None


def _from_environment() -> dict[str, Any]:
    found: dict[str, Any] = {}
    defaults = dict(zip(Settings.__struct_fields__, Settings.__struct_defaults__, strict=True))
    for name, default in defaults.items():
        text = os.environ.get(f"DAGWRIGHT_{name.upper()}")
        if text is not None:
            found[name] = _listed(name, text) if default == () or name in _OBJECTS else text
    return found


def _listed(name: str, text: str) -> Any:
    """A list of words is written with commas (DAGWRIGHT_ALLOWED_HOSTS=one.example,two.example), anything else as JSON."""
    if not text.lstrip().startswith(("[", "{")):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return json.loads(text)
    except ValueError as error:
        raise SettingsError(f"setting {name} (DAGWRIGHT_{name.upper()}) is not JSON: {error}") from None


def require_database_url(settings: Settings) -> str:
    """The URL of the database, for a process that does not start one.

    Raises:
        SettingsError: none is configured.
    """
    if settings.database_url is None:
        raise SettingsError(
            "no database is configured: set DAGWRIGHT_DATABASE_URL=postgresql://user:password@host:5432/name "
            "(or database_url in dagwright.toml); `dagwright dev` starts one of its own"
        )
    return settings.database_url.get_secret_value()


def channel_security(settings: Settings) -> ChannelSecurity:
    """What this process has to talk to code servers, or to be one.

    Raises:
        SettingsError: a file cannot be read, or one of certificate and key is missing.
    """
    if (settings.code_server_tls_cert is None) != (settings.code_server_tls_key is None):
        raise SettingsError("settings code_server_tls_cert and code_server_tls_key go together: a certificate needs its private key")
    token = settings.code_server_token
    return ChannelSecurity(
        token=None if token is None else token.get_secret_value(),
        ca=_pem("code_server_tls_ca", settings.code_server_tls_ca),
        cert=_pem("code_server_tls_cert", settings.code_server_tls_cert),
        key=_pem("code_server_tls_key", settings.code_server_tls_key),
    )


def check_code_server(settings: Settings, security: ChannelSecurity) -> None:
    """Refuse to let everybody on a network run code.

    Raises:
        SettingsError: the host is not loopback, and neither a token nor certificates tell callers apart.
    """
    if security.tells_callers_apart or settings.code_server_allow_unauthenticated or is_loopback(settings.code_server_host):
        return
    raise SettingsError(
        f"refusing to bind {settings.code_server_host}: a code server runs what it is told, and could not tell who calls. "
        "Set DAGWRIGHT_CODE_SERVER_TOKEN to one secret here, in the webserver and in the daemon; or mutual TLS by --tls-cert, --tls-key "
        "and --tls-ca; or DAGWRIGHT_CODE_SERVER_ALLOW_UNAUTHENTICATED=1 where only the other services reach this network"
    )


def _pem(name: str, path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"setting {name} (DAGWRIGHT_{name.upper()}) names {path}, which cannot be read: {error.strerror}") from None
