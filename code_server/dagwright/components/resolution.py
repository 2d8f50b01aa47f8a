"""What templates in YAML can see, and where in the YAML a value stands."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from dataclasses import field, replace
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.nativetypes import NativeEnvironment

from dagwright.components.errors import ComponentError
from dagwright.components.yaml_files import YamlDocument, YamlPath
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import nearest


class EnvScope:
    """`{{ env.NAME }}` (nothing when it is not set), `{{ env('NAME') }}` (must be set), `{{ env('NAME', 'default') }}`."""

    def __call__(self, key: str, default: Any = ...) -> Any:
        value = os.environ.get(key, default)
        if value is ...:
            raise ComponentError(f"the environment variable {key} is not set", mend=f"set it, or give a default: env('{key}', 'default')")
        return value

    def __getattr__(self, key: str) -> str | None:
        if key.startswith(("jinja", "__")):
            raise AttributeError(key)
        return os.environ.get(key)


class ObjectScope:
    """Some of an object's attributes, for templates."""

    def __init__(self, target: Any, names: frozenset[str]) -> None:
        self._target = target
        self._names = names

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("jinja", "_")) or name not in self._names:
            raise AttributeError(name)
        return getattr(self._target, name)


_DG_NAMES = frozenset(
    {
        "AutomationCondition",
        "FreshnessPolicy",
        "DailyPartitionsDefinition",
        "WeeklyPartitionsDefinition",
        "MonthlyPartitionsDefinition",
        "HourlyPartitionsDefinition",
        "StaticPartitionsDefinition",
        "TimeWindowPartitionsDefinition",
    }
)


@cache
def _basic_scope() -> Mapping[str, Any]:
    import dagwright  # noqa: PLC0415 - its names are loaded as templates use them

    return {
        "env": EnvScope(),
        "dg": ObjectScope(dagwright, _DG_NAMES),
        "datetime": ObjectScope(datetime, frozenset({"datetime", "timedelta"})),
    }


@cache
def _native() -> NativeEnvironment:
    return NativeEnvironment(undefined=jinja2.StrictUndefined)


@cache
def _plain() -> jinja2.Environment:
    return jinja2.Environment(undefined=jinja2.StrictUndefined)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionContext:
    """What a resolver knows: the scope of templates and the place in the YAML.

    Example:
        >>> context = ResolutionContext.default().with_scope(year=2024)
        >>> context.resolve_value({"start": "{{ year }}-01-01", "rows": "{{ [year, 1] }}"})
        {'start': '2024-01-01', 'rows': [2024, 1]}
    """

    scope: Mapping[str, Any]
    path: YamlPath = ()
    document: YamlDocument | None = None
    stash: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def default(document: YamlDocument | None = None) -> ResolutionContext:
        """With the scope that every template has: `env`, `dg` and `datetime`."""
        return ResolutionContext(scope=_basic_scope(), document=document)

    def at_path(self, path_part: str | int) -> ResolutionContext:
        """The context of a value inside of this one."""
        return replace(self, path=(*self.path, path_part))

    def with_scope(self, **additional_scope: Any) -> ResolutionContext:
        """More names for templates."""
        return replace(self, scope={**self.scope, **additional_scope})

    def with_stashed_value(self, key: str, value: Any) -> ResolutionContext:
        """Something to carry along, for resolvers."""
        return replace(self, stash={**self.stash, key: value})

    def with_document(self, document: YamlDocument | None) -> ResolutionContext:
        """For another document, at its beginning."""
        return replace(self, document=document, path=())

    def error(self, message: str, *, mend: str | None = None) -> ComponentError:
        """An error about the value at this place."""
        where = ".".join(str(part) for part in self.path)
        place = self.document.at(self.path) if self.document is not None else None
        return ComponentError(f"{where}: {message}" if where else message, source=place, mend=mend)

    def resolve_value(self, val: Any, as_type: Any = None) -> Any:
        """A value with its templates filled in, also inside of lists and mappings.

        Args:
            val: as YAML gives it.
            as_type: `str` keeps what looks like a number a text.

        Raises:
            ComponentError: a template names something unknown, or raised.
        """
        if isinstance(val, dict):
            return {key: self.at_path(key).resolve_value(item) for key, item in val.items()}
        if isinstance(val, (list, tuple)):
            return type(val)([self.at_path(index).resolve_value(item) for index, item in enumerate(val)])
        if not isinstance(val, str) or not ("{{" in val or "{%" in val):
            return val
        found = self._render(_native(), val)
        if as_type is str and isinstance(found, (int, float)) and not isinstance(found, bool):
            return self._render(_plain(), val)
        return found

    def _render(self, environment: jinja2.Environment, text: str) -> Any:
        try:
            found = environment.from_string(text).render(**self.scope)
            if isinstance(found, jinja2.Undefined):
                found._fail_with_undefined_error()
        except jinja2.UndefinedError as error:
            raise self._unknown(text, str(error.message)) from None
        except jinja2.TemplateSyntaxError as error:
            raise self.error(f"the template {text!r} cannot be read: {error.message}") from None
        except ComponentError as error:
            raise self.error(f"the template {text!r}: {error.message}") from None
        except Exception as error:
            raise self.error(f"the template {text!r} raised {type(error).__name__}: {error}") from error
        return found

    def _unknown(self, text: str, message: str) -> ComponentError:
        name = message.partition("'")[2].partition("'")[0]
        known = ", ".join(sorted(self.scope))
        if " is undefined" in message and name and name not in self.scope:
            close = nearest(name, self.scope)
            mend = f"did you mean {close!r}? There are {known}" if close else f"use one of {known}"
            return self.error(f"the template {text!r} uses {name!r}, which is not known", mend=mend)
        return self.error(f"the template {text!r}: {message}")

    def resolve_source_relative_path(self, value: str) -> Path:
        """A path that is written relative to the YAML file's folder."""
        path = Path(value)
        if self.document is None or path.is_absolute():
            return path
        return (Path(self.document.file).parent / path).resolve()
