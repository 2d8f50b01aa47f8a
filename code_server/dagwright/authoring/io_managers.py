"""IO managers: where outputs are kept and inputs come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from dagwright.authoring.resources import ConfigurableResource, ResourceDefinition, _resource_of
from dagwright_shared.model.dataclass import dataclass

if TYPE_CHECKING:
    # The contexts belong to execution, which is above; user classes get the real ones.
    InputContext = Any
    OutputContext = Any


class InputManager(ABC):
    """Loads inputs."""

    @abstractmethod
    def load_input(self, context: InputContext) -> Any:
        """The value for the input that `context` describes; for several partitions, a dict by partition key."""


class IOManager(InputManager):
    """Stores outputs and loads them again, in whatever process the next step runs.

    Example:
        >>> class Memory(IOManager):
        ...     def __init__(self):
        ...         self.kept = {}
        ...     def handle_output(self, context, obj):
        ...         self.kept[tuple(context.get_identifier())] = obj
        ...     def load_input(self, context):
        ...         return self.kept[tuple(context.get_identifier())]
    """

    @abstractmethod
    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Store what an op returned."""


class ConfigurableIOManager(ConfigurableResource[Any], IOManager):
    """An IO manager with typed fields, as ConfigurableResource."""


class ConfigurableIOManagerFactory(ConfigurableResource[Any]):
    """A resource with typed fields whose `create_io_manager` makes the IO manager."""

    def create_io_manager(self, context: Any) -> IOManager:
        raise NotImplementedError(f"{type(self).__name__} must define create_io_manager")

    def create_resource(self, context: Any) -> IOManager:
        return self.create_io_manager(context)


class ConfigurableLegacyIOManagerAdapter(ConfigurableIOManagerFactory):
    """A resource with typed fields around an IO manager that is written as a plain class.

    Example:
        >>> class Kept(IOManager):
        ...     def __init__(self, folder):
        ...         self.folder = folder
        ...     def handle_output(self, context, obj): ...
        ...     def load_input(self, context): ...
        >>> class KeptAdapter(ConfigurableLegacyIOManagerAdapter):
        ...     folder: str
        ...     @property
        ...     def wrapped_io_manager(self):
        ...         return Kept(self.folder)
        >>> KeptAdapter(folder="here").create_io_manager(None).folder
        'here'
    """

    @property
    def wrapped_io_manager(self) -> IOManager:
        """The IO manager, made of the fields."""
        raise NotImplementedError(f"{type(self).__name__} must define wrapped_io_manager")

    def create_io_manager(self, context: Any) -> IOManager:  # noqa: ARG002 - the fields are all that it is made of
        return self.wrapped_io_manager


class IOManagerDefinition(ResourceDefinition):
    """An IO manager made by a function. See `@io_manager`."""

    __slots__ = ()

    @staticmethod
    def hardcoded_io_manager(value: IOManager, description: str | None = None) -> IOManagerDefinition:
        """A given IO manager."""
        return IOManagerDefinition(resource_fn=lambda: value, takes_context=False, description=description)


@overload
def io_manager(resource_fn: Callable[..., Any], /) -> IOManagerDefinition: ...
@overload
def io_manager(
    config_schema: Any = ...,
    description: str | None = ...,
    output_config_schema: Any = ...,
    input_config_schema: Any = ...,
    required_resource_keys: AbstractSet[str] | None = ...,
) -> Callable[[Callable[..., Any]], IOManagerDefinition]: ...
def io_manager(
    config_schema: Any = None,
    description: str | None = None,
    output_config_schema: Any = None,
    input_config_schema: Any = None,
    required_resource_keys: AbstractSet[str] | None = None,
) -> Any:
    """Turn a function that returns an IOManager into a resource that can be named as `io_manager_key`.

    Args:
        config_schema: what `context.resource_config` must look like.
        required_resource_keys: other resources, in `context.resources`.
    """
    if output_config_schema is not None or input_config_schema is not None:
        raise TypeError("io_manager: output_config_schema and input_config_schema are not supported; use metadata of the output or input")
    if callable(config_schema) and not isinstance(config_schema, type):
        return _resource_of(config_schema, IOManagerDefinition)
    return lambda fn: _resource_of(fn, IOManagerDefinition, config_schema, description, required_resource_keys)


class InputManagerDefinition(ResourceDefinition):
    """An input manager that is a function of the input's context. See `@input_manager`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _FunctionInputManager(InputManager):
    fn: Callable[..., Any]
    resource_config: Any
    takes_context: bool

    def load_input(self, context: InputContext) -> Any:
        if not self.takes_context:
            return self.fn()
        return self.fn(replace(context, resource_config=self.resource_config))


@overload
def input_manager(input_fn: Callable[..., Any], /) -> InputManagerDefinition: ...
@overload
def input_manager(
    config_schema: Any = ...,
    description: str | None = ...,
    input_config_schema: Any = ...,
    required_resource_keys: AbstractSet[str] | None = ...,
    version: str | None = ...,
) -> Callable[[Callable[..., Any]], InputManagerDefinition]: ...
def input_manager(
    config_schema: Any = None,
    description: str | None = None,
    input_config_schema: Any = None,
    required_resource_keys: AbstractSet[str] | None = None,
    version: str | None = None,  # noqa: ARG001 - nothing depends on it
) -> Any:
    """Turn a function of an InputContext that loads a value into a resource that can be named as `input_manager_key`.

    Args:
        config_schema: what `context.resource_config` must look like.
        required_resource_keys: other resources, in `context.resources`.

    Example:
        >>> @input_manager
        ... def fixed(context):
        ...     return 99
        >>> fixed.takes_context
        True
    """
    if input_config_schema is not None:
        raise TypeError("input_manager: input_config_schema is not supported; use metadata of the input")
    if callable(config_schema) and not isinstance(config_schema, type):
        return _input_manager_of(config_schema, None, None, None)
    return lambda fn: _input_manager_of(fn, config_schema, description, required_resource_keys)


def _input_manager_of(
    fn: Callable[..., Any], config_schema: Any, description: str | None, required: AbstractSet[str] | None
) -> InputManagerDefinition:
    plain: InputManagerDefinition = _resource_of(fn, InputManagerDefinition, config_schema, description, required)

    def make(context: Any) -> InputManager:
        return _FunctionInputManager(fn, context.resource_config, plain.takes_context)

    return replace(plain, resource_fn=make, takes_context=True)
