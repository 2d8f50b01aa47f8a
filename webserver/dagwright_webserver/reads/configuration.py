"""The settings that the webserver was started with: which, and from where."""

from __future__ import annotations

from typing import Any

from dagwright_shared.runtime import settings as runtime_settings
from dagwright_shared.runtime.settings import Secret, Settings
from dagwright_webserver.reads.resources import MASK, masked
from dagwright_webserver.reads.view import view


@view
class SettingView:
    """A setting."""

    name: str
    """Its name in `dagwright.toml`."""
    variable: str
    """The environment variable that sets it."""
    value: Any
    """What it is; a secret is masked, and null where it is not set."""
    source: str
    """default, file, environment or start: an argument of the command that started the process."""


@view
class ConfigurationView:
    """All settings of the webserver; other processes may have been started with others."""

    items: tuple[SettingView, ...]
    """By name."""
    next_cursor: str | None
    """Always null."""


def read_configuration(settings: Settings) -> ConfigurationView:
    """The settings of this process."""
    sources, defaults = runtime_settings.sources(), Settings()
    found = []
    for name in sorted(Settings.__struct_fields__):
        value = getattr(settings, name)
        changed = value != getattr(defaults, name)
        found.append(
            SettingView(
                name=name,
                variable=f"DAGWRIGHT_{name.upper()}",
                value=_shown(name, value),
                source=sources.get(name, "start" if changed else "default"),
            )
        )
    return ConfigurationView(items=tuple(found), next_cursor=None)


def _shown(name: str, value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case Secret():
            return MASK
        case tuple() | list() | frozenset():
            return [_shown("", each) for each in value]
        case dict():
            return {str(key): _shown(str(key), each) for key, each in value.items()}
        case _:
            return masked("" if name.endswith(("_file", "_path")) else name, str(value))
