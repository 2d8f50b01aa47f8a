"""Making the value of an input from run config, for inputs that nothing feeds."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

from dagwright.authoring import source as sources
from dagwright.authoring.config import ConfigType
from dagwright_shared.model.errors import DefinitionError


class TypeLoader(ABC):
    """Says what config an input of a type takes, and makes the value of it. See `@dagster_type_loader`."""

    @property
    @abstractmethod
    def schema_type(self) -> Any:
        """What the config looks like: anything that `config_schema=` of an op takes."""

    def construct_from_config_value(self, context: Any, config_value: Any) -> Any:
        """The value, of config that fits.

        Args:
            context: of the step that needs the value; it has the resources of `required_resource_keys`.
        """
        del context
        return config_value

    def required_resource_keys(self) -> AbstractSet[str]:
        """Resources that making a value needs."""
        return frozenset()

    def config_type(self) -> ConfigType:
        """The schema, ready to check config with."""
        return ConfigType(self.schema_type, type(self).__name__)


class FunctionTypeLoader(TypeLoader):
    """A loader that is a function. Made by `@dagster_type_loader`."""

    def __init__(self, fn: Callable[[Any, Any], Any], config_schema: Any, required_resource_keys: AbstractSet[str]) -> None:
        self.fn, self._schema, self._resources = fn, config_schema, required_resource_keys

    @property
    def schema_type(self) -> Any:
        return self._schema

    def construct_from_config_value(self, context: Any, config_value: Any) -> Any:
        return self.fn(context, config_value)

    def required_resource_keys(self) -> AbstractSet[str]:
        return self._resources


def dagster_type_loader(
    config_schema: Any, required_resource_keys: AbstractSet[str] | None = None
) -> Callable[[Callable[[Any, Any], Any]], FunctionTypeLoader]:
    """Turn a function of a context and config into a loader: give it to a type as `loader=`.

    An input of that type which nothing feeds then takes its value from run config: `{"ops": {"read": {"inputs": {"table": ...}}}}`.

    Args:
        config_schema: what the config looks like.
        required_resource_keys: resources that the function finds in `context.resources`.

    Raises:
        DefinitionError: the function does not take two arguments.

    Example:
        >>> @dagster_type_loader({"path": str})
        ... def read_lines(context, config):
        ...     return open(config["path"]).readlines()
        >>> read_lines.schema_type
        {'path': <class 'str'>}
    """

    def decorate(fn: Callable[[Any, Any], Any]) -> FunctionTypeLoader:
        try:
            inspect.signature(fn).bind(None, None)
        except TypeError:
            raise DefinitionError(
                f"the loader {getattr(fn, '__name__', fn)!r} takes other arguments",
                source=sources.of_function(fn),
                mend="let it take two: a context, and the config",
            ) from None
        return FunctionTypeLoader(fn, config_schema, frozenset(required_resource_keys or ()))

    return decorate
