"""What each process may be told: `DAGWRIGHT_*` in the environment, or the same names in `dagwright.toml`.

The environment wins. The file is looked for in the working directory, or where `DAGWRIGHT_CONFIG` points; its keys are
the field names below, in lower case.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from dagwright_shared.model.errors import SettingsError, nearest


class Settings(BaseSettings):
    """The settings of all processes; each reads the few that concern it.

    Example:
        `DAGWRIGHT_MAX_CONCURRENT_RUNS=50 dagwright daemon`
    """

    model_config = SettingsConfigDict(env_prefix="DAGWRIGHT_", frozen=True, extra="forbid")

    database_url: SecretStr | None = None
    """`postgresql://user:password@host:port/name`. Unset: `dagwright dev` starts a Postgres of its own."""
    home: Path = Path(".dagwright")
    """Where `dagwright dev` keeps its database, and workers keep stored outputs."""
    host: str = "127.0.0.1"
    """Address that the webserver binds."""
    port: int = Field(default=3004, ge=0, le=65535)
    allow_unauthenticated: bool = False
    """Let the webserver bind another address than loopback although there is no log-in."""
    allowed_hosts: tuple[str, ...] = ()
    """Names, besides loopback ones, under which browsers may reach the webserver."""
    code_server_host: str = "127.0.0.1"
    """Address that a code server binds."""
    code_server_port: int = Field(default=4000, ge=0, le=65535)
    code_server_address: str | None = None
    """`host:port` under which others dial this code server; by default what it binds."""
    code_servers: tuple[str, ...] = ()
    """Addresses of code servers that cannot register themselves."""
    url: str = "http://127.0.0.1:3004"
    """The webserver that the command line talks to."""

    max_concurrent_runs: int = Field(default=25, ge=0)
    """How many runs the queue lets be active at once, over all locations."""
    run_max_retries: int = Field(default=0, ge=0)
    """How often a failed run is tried again when its tags do not say."""
    run_retry_delay_seconds: float = Field(default=0.0, ge=0)
    """Wait before the first such retry; it doubles with each."""
    launch_timeout_seconds: float = Field(default=30.0, gt=0)
    """A claimed run whose worker has not reported by then is launched again, three times in all."""
    lease_seconds: float = Field(default=9.0, ge=3)
    """A code server that has not renewed a run's lease for so long has lost the run."""
    cancel_grace_seconds: float = Field(default=10.0, ge=0)
    """Between asking a run to stop and killing its processes."""
    log_limit_bytes: int = Field(default=10_000_000, ge=0)
    """Cap on the stored standard output, and on standard error, of one step attempt."""
    evaluation_timeout_seconds: float = Field(default=60.0, gt=0)
    """How long a schedule or sensor function may take before it is killed."""
    database_pool_size: int = Field(default=4, ge=1)
    """Connections that each process keeps at most, besides one for notifications."""
    log_level: str = "INFO"
    log_json: bool = False
    """One JSON object a line instead of text."""

    @classmethod
    def settings_customise_sources(  # noqa: PLR0913 - the signature is pydantic's
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = Path(os.environ.get("DAGWRIGHT_CONFIG", "dagwright.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=path)

    @property
    def storage(self) -> Path:
        """Where the default IO manager of workers keeps outputs."""
        return self.home / "storage"


def load(**overrides: Any) -> Settings:
    """Read the settings of this process; arguments, such as command-line options, win over everything.

    Raises:
        SettingsError: a value does not fit, or `dagwright.toml` has an unknown key; the message names each.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(item) for item in error.errors())) from None
    except ValueError as error:  # dagwright.toml is not TOML
        raise SettingsError(f"dagwright.toml cannot be read: {error}") from None


def _sentence(item: Any) -> str:
    name = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        close = nearest(name, Settings.model_fields)
        return f"there is no setting {name!r}" + (f"; did you mean {close!r}?" if close else "")
    return f"setting {name} (DAGWRIGHT_{name.upper()}) is {item['input']!r}: {item['msg']}"


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
