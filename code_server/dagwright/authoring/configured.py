"""Definitions with their config fixed, or made from simpler config by a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagwright.authoring import source as sources
from dagwright.authoring.config import ConfigType, to_json
from dagwright.authoring.config_values import ConfigProblems
from dagwright_shared.model.errors import DefinitionError, Problem, UserCodeError, error_info
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.snapshot import JsonSchema


class ConfiguredType(ConfigType):
    """The config type of a configured definition: what is given goes through a function into the type underneath."""

    def __init__(self, inner: ConfigType | None, given: Any, schema: Any = None, owner: str = "configured") -> None:
        self.inner, self.given = inner, given
        declared = schema if schema is not None else dict[str, Any] if callable(given) else None
        self.outer = ConfigType(declared, owner) if declared is not None else None
        self.declared: Any = declared
        self.annotation: Any = self.outer.annotation if self.outer is not None else dict[str, Any]
        self.is_class = inner is not None and inner.is_class

    @property
    def json_schema(self) -> JsonSchema:
        return self.outer.json_schema if self.outer is not None else {"type": "object", "properties": {}, "additionalProperties": False}

    def parse(self, value: JsonValue, path: str = "config") -> Any:
        if self.outer is None:
            if value:
                raise ConfigProblems(
                    [Problem(path=path, message="its config is fixed where it is defined", value=value, expected="nothing")]
                )
            made = self.given
        else:
            try:
                made = self.given(self.outer.parse(self.outer.empty if value is None else value, path))
            except ConfigProblems:
                raise
            except Exception as error:
                raise UserCodeError(error_info(error), f"the config function of {path}") from error
        return self.inner.parse(to_json(made), path) if self.inner is not None else made


def configured(configurable: Any, config_schema: Any = None, **options: Any) -> Callable[[Callable[[Any], Any]], Any]:
    """Turn a function from simpler config to config into a definition that takes the simpler one.

    Args:
        configurable: an op, a graph with a config mapping, a resource, an IO manager, an executor or a logger.
        config_schema: what the function takes.
        name: of the new definition; by default the function's.

    Raises:
        DefinitionError: it cannot be configured.

    Example:
        >>> from dagwright import configured, op
        >>> @op(config_schema={"rows": int})
        ... def load(context):
        ...     return context.op_config["rows"]
        >>> @configured(load, config_schema={"thousands": int})
        ... def load_many(config):
        ...     return {"rows": config["thousands"] * 1000}
        >>> load_many.name
        'load_many'
    """
    if not hasattr(configurable, "configured") or isinstance(configurable, type):
        raise DefinitionError(
            f"configured was given a {type(configurable).__name__}", source=sources.of_caller(), mend="give an op, graph or resource"
        )

    def decorate(fn: Callable[[Any], Any]) -> Any:
        named = {"name": options.get("name") or fn.__name__} if hasattr(configurable, "name") else {}
        others = {key: value for key, value in options.items() if key != "name"}
        return configurable.configured(fn, config_schema=config_schema, **named, **others)

    return decorate
