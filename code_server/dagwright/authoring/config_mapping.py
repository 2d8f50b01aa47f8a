"""Config of a graph or job that is worked out from simpler config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, overload

from dagwright.authoring import signatures
from dagwright.authoring import source as sources
from dagwright.authoring.config import ConfigType, RunConfig, config_dict, to_json
from dagwright.authoring.config_values import ConfigProblems
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, Problem, SourceRef, UserCodeError, error_info
from dagwright_shared.model.snapshot import JsonSchema


@dataclass(frozen=True, slots=True, init=False, eq=False)
class ConfigMapping:
    """A function from the config that a launch gives to the config of the ops inside.

    Args:
        config_fn: takes a value of the schema (or a Config class that its argument is annotated with); returns a dict by
            op name, or a RunConfig.
        config_schema: what the launch gives; by default the annotation of the function's argument.

    Example:
        >>> mapping = ConfigMapping(lambda value: {"load": {"config": {"rows": value["rows"]}}}, config_schema={"rows": int})
        >>> mapping.resolve({"rows": 3})
        {'load': {'config': {'rows': 3}}}
    """

    config_fn: Callable[[Any], Any]
    config_type: ConfigType
    source: SourceRef | None

    def __init__(
        self,
        config_fn: Callable[[Any], Any],
        config_schema: Any = None,
        receive_processed_config_values: bool | None = None,  # noqa: ARG002 - values are always the processed ones
    ) -> None:
        source = sources.of_function(config_fn) if callable(config_fn) else sources.of_caller()
        if not callable(config_fn):
            raise DefinitionError(f"ConfigMapping: config_fn is a {type(config_fn).__name__}", source=source, mend="give a function")
        declared = config_schema
        if declared is None:
            hints = [kind for name, kind in signatures._annotations(config_fn).items() if name != "return"]
            declared = hints[0] if hints else dict[str, Any]
        object.__setattr__(self, "config_fn", config_fn)
        object.__setattr__(self, "config_type", ConfigType(declared, getattr(config_fn, "__name__", "mapping")))
        object.__setattr__(self, "source", source)

    @property
    def config_schema(self) -> JsonSchema:
        return self.config_type.json_schema

    def resolve(self, value: Any, path: str = "config") -> dict[str, Any]:
        """The config by op name.

        Raises:
            ConfigProblems: the value does not fit the schema.
            UserCodeError: the function raised.
        """
        parsed = self.config_type.parse(self.config_type.empty if value is None else value, path)
        try:
            made = self.config_fn(parsed)
        except Exception as error:
            raise UserCodeError(error_info(error), f"the config mapping of {path}") from error
        if isinstance(made, RunConfig):
            return config_dict(made)
        if not isinstance(made, Mapping):
            raise ConfigProblems([Problem(path=path, message=f"its config mapping returned a {type(made).__name__}", expected="a dict")])
        return {str(name): to_json(entry) for name, entry in made.items()}

    def resolve_from_unvalidated_config(self, config: Any) -> dict[str, Any]:
        return self.resolve(config)

    def resolve_from_validated_config(self, config: Any) -> dict[str, Any]:
        return self.resolve(config)


@overload
def config_mapping(config_fn: Callable[..., Any], /) -> ConfigMapping: ...
@overload
def config_mapping(
    config_fn: None = ..., *, config_schema: Any = ..., receive_processed_config_values: bool | None = ...
) -> Callable[[Callable[..., Any]], ConfigMapping]: ...
def config_mapping(
    config_fn: Callable[..., Any] | None = None, *, config_schema: Any = None, receive_processed_config_values: bool | None = None
) -> Any:
    """Turn a function into a `ConfigMapping`.

    Example:
        >>> from dagwright import Config, RunConfig, config_mapping
        >>> class Simple(Config):
        ...     rows: int
        >>> @config_mapping
        ... def simple(value: Simple) -> RunConfig:
        ...     return RunConfig(ops={"load": {"config": {"rows": value.rows}}})
        >>> simple.resolve({"rows": 3})
        {'ops': {'load': {'config': {'rows': 3}}}}
    """
    if config_fn is not None:
        return ConfigMapping(config_fn, config_schema, receive_processed_config_values)
    return lambda fn: ConfigMapping(fn, config_schema, receive_processed_config_values)
