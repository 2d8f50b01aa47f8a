"""Resources: objects that ops use and that are set up once a run."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Hashable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from typing import TYPE_CHECKING, Annotated, Any, Generic, Self, TypeVar, overload

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, field_validator
from pydantic.errors import PydanticUserError

from dagwright.authoring import enum_names
from dagwright.authoring import source as sources
from dagwright.authoring.config import Config, ConfigType, EnvVar, problems_of
from dagwright.authoring.config_values import ConfigProblems
from dagwright.authoring.configured import ConfiguredType
from dagwright.authoring.resource_config import read_env, seen
from dagwright.authoring.resource_setup import SetUpByHand
from dagwright.authoring.scoped_resources import Scoped
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef

T = TypeVar("T")

RESOURCE_MARK = "dagwright_resource"
"""The metadata of `Annotated` that marks a parameter as a resource."""

if TYPE_CHECKING:
    ResourceParam = Annotated[T, RESOURCE_MARK]
    ResourceDependency = Annotated[T, RESOURCE_MARK]
else:
    ResourceParam = Annotated[T, RESOURCE_MARK]
    """Annotate a parameter with `ResourceParam[Client]` to receive the resource of its name, whatever its class."""
    ResourceDependency = Annotated[T, RESOURCE_MARK]
    """Annotate a field of a ConfigurableResource with `ResourceDependency[Client]` to nest a resource of another kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitResourceContext:
    """What a resource knows while it is set up or torn down."""

    resource_config: Any = None
    """Of a `@resource` with `config_schema`."""
    resources: Any = None
    """The resources that it requires, as attributes."""
    log: Any = None
    run: Any = None
    """The run that it is set up for; None outside of runs."""
    instance: Any = None
    resource_key: str | None = None

    @property
    def run_id(self) -> str | None:
        return getattr(self.run, "run_id", None)

    @property
    def dagster_run(self) -> Any:
        return self.run

    def with_config(self, config: Any) -> InitResourceContext:
        return replace(self, resource_config=config)


class ConfigurableResource(Config, SetUpByHand, Generic[T]):
    """Base of resources with typed fields. Fields may be other resources, and `EnvVar`s.

    Override `setup_for_execution` and `teardown_after_execution`, or `yield_for_execution`, to open and close what it
    holds; keep that in private attributes. Override `create_resource` to give ops another object than the resource itself.

    Example:
        >>> class Warehouse(ConfigurableResource):
        ...     path: str
        ...     def table(self, name: str) -> str:
        ...         return f"{self.path}/{name}"
        >>> Warehouse(path="/data").table("flights")
        '/data/flights'
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except PydanticUserError as error:
            raise DefinitionError(
                f"resource {type(self).__name__}: {str(error).splitlines()[0]}",
                source=sources.of_caller(),
                mend="import the types of its fields outside of `if TYPE_CHECKING:`, before the class",
            ) from None
        except ValidationError as error:
            name = type(self).__name__
            raise DefinitionError(
                f"resource {name}: "
                + "; ".join(
                    f"{p.path}: {p.message}" + (f", got {p.value!r}" if p.value is not None else "")
                    for p in problems_of(error, name, type(self))
                ),
                source=sources.of_caller(),
                mend=f"its fields are {', '.join(type(self).model_fields) or 'none'}",
            ) from None

    @field_validator("*", mode="wrap")
    @classmethod
    def _keep_what_is_resolved_later(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        # An environment variable or a nested resource stands for a value that exists only once the run starts.
        if isinstance(value, (EnvVar, ResourceDefinition, ConfigurableResource, PartialResource)):
            return value
        return handler(value)

    @classmethod
    def configure_at_launch(cls, **given: Any) -> PartialResource:
        """A resource whose other fields are given in the run config."""
        return PartialResource(cls, given, sources.of_caller())

    configure_at_runtime = configure_at_launch

    def setup_for_execution(self, context: InitResourceContext) -> None:
        """Called once before the first step that needs it."""

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        """Called after the last step, also after a failure."""

    @contextlib.contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[Any]:
        """Set up, hand out, tear down; override it to do so with a `with` block."""
        self.setup_for_execution(context)
        try:
            yield self
        finally:
            self.teardown_after_execution(context)

    def create_resource(self, context: InitResourceContext) -> Any:  # noqa: ARG002 - for overriding
        """The object that ops receive; by default the resource itself."""
        return self

    def get_resource_context(self) -> Any:
        raise DefinitionError(
            f"{type(self).__name__} has no context of its own",
            source=sources.of_caller(),
            mend="use the context given to setup_for_execution",
        )

    def nested_resources(self) -> dict[str, Any]:
        """Field to the resource that stands in it."""
        values = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in values if is_resource_definition(value)}

    def env_vars(self) -> tuple[EnvVar, ...]:
        """The environment variables that it will read."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value for value in values if isinstance(value, EnvVar))

    def resolved(self, nested: Mapping[str, Any] | None = None, overrides: Mapping[str, Any] | None = None) -> Self:
        """A copy with environment variables read and nested resources set up.

        Args:
            nested: objects for the fields that hold resources.
            overrides: values given in the run config.

        Raises:
            LookupError: an environment variable is not set.
            ConfigProblems: a value does not fit its field.
        """
        changed: dict[str, Any] = enum_names.members_of(overrides or {}, type(self).model_fields)
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name not in changed and isinstance(value, EnvVar):
                changed[name] = value.required()
        if not changed and not nested:
            return self
        kept = {name: getattr(self, name) for name in type(self).model_fields if name not in changed and name not in (nested or {})}
        try:
            made = type(self).model_validate({**kept, **changed}) if not nested else self._with_nested(kept, changed, nested)
        except ValidationError as error:
            raise ConfigProblems(problems_of(error, type(self).__name__, type(self))) from None
        return made

    def _with_nested(self, kept: Mapping[str, Any], changed: Mapping[str, Any], nested: Mapping[str, Any]) -> Self:
        made = type(self).model_validate({**kept, **changed, **{name: getattr(self, name) for name in nested}})
        # What a nested resource provides may be of any class: past validation, into the fresh copy.
        made.__dict__.update(nested)
        return made

    def __hash__(self) -> int:
        return hash((type(self), *(value for name in type(self).model_fields if isinstance(value := getattr(self, name), Hashable))))

    __eq__ = Config.__eq__


ConfigurableResourceFactory = ConfigurableResource


class PartialResource:
    """A ConfigurableResource whose remaining fields come with the run config."""

    def __init__(self, cls: type[ConfigurableResource[Any]], given: Mapping[str, Any], source: SourceRef | None) -> None:
        self.resource_class, self.given, self.source = cls, dict(given), source

    @property
    def config_type(self) -> ConfigType:
        return ConfigType(self.resource_class)

    def missing(self, config: Mapping[str, Any]) -> list[str]:
        """Fields that have to be given and are not."""
        fields = self.resource_class.model_fields.items()
        return [name for name, info in fields if info.is_required() and name not in config and name not in self.given]

    def complete(self, config: Mapping[str, Any]) -> ConfigurableResource[Any]:
        return self.resource_class(**{**self.given, **enum_names.members_of(config, self.resource_class.model_fields)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, init=False)
class ResourceDefinition:
    """A resource made by a function. See `@resource`.

    Args:
        resource_fn: makes it; takes an InitResourceContext, or nothing.
        config_schema: what `context.resource_config` must look like.
        description: shown.
        required_resource_keys: resources that it needs itself.
        version: accepted; nothing here depends on it.
    """

    resource_fn: Callable[..., Any]
    """Takes an InitResourceContext (or nothing); returns the object, or yields it once."""
    config_type: ConfigType | None = None
    config: Any = None
    """As set by `.configured`; None means that it comes with the run."""
    required_resource_keys: AbstractSet[str] = frozenset()
    description: str | None = None
    takes_context: bool = True
    source: SourceRef | None = None

    def __init__(
        self,
        resource_fn: Callable[..., Any],
        config_schema: Any = None,
        description: str | None = None,
        required_resource_keys: AbstractSet[str] | None = None,
        version: str | None = None,  # noqa: ARG002 - nothing here depends on it
        *,
        config_type: ConfigType | None = None,
        config: Any = None,
        takes_context: bool | None = None,
        source: SourceRef | None = None,
    ) -> None:
        if config_type is None and config_schema is not None:
            config_type = ConfigType(config_schema, getattr(resource_fn, "__name__", "resource"))
        values = {
            "resource_fn": resource_fn,
            "config_type": config_type,
            "config": config,
            "required_resource_keys": frozenset(required_resource_keys or ()),
            "description": description,
            "takes_context": _takes_context(resource_fn) if takes_context is None else takes_context,
            "source": source,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @staticmethod
    def hardcoded_resource(value: Any, description: str | None = None) -> ResourceDefinition:
        """A resource that is a given object."""
        return ResourceDefinition(resource_fn=lambda: value, takes_context=False, description=description, source=sources.of_caller())

    @staticmethod
    def none_resource(description: str | None = None) -> ResourceDefinition:
        """A resource that is None."""
        return ResourceDefinition.hardcoded_resource(None, description)

    @staticmethod
    def string_resource(description: str | None = None) -> ResourceDefinition:
        """A resource that is the text given in config."""
        return ResourceDefinition(
            resource_fn=lambda context: context.resource_config, config_type=ConfigType(str, "string_resource"), description=description
        )

    @staticmethod
    def mock_resource(description: str | None = None) -> ResourceDefinition:
        """A resource that accepts any call and any attribute, for tests."""
        from unittest import mock  # noqa: PLC0415 - as slow to import as all of this package, and for tests only

        return ResourceDefinition(resource_fn=mock.MagicMock, takes_context=False, description=description, source=sources.of_caller())

    def configured(self, config_or_config_fn: Any, config_schema: Any = None, description: str | None = None) -> Self:
        """The same resource with its config fixed, or made from simpler config by a function."""
        said = description or self.description
        if not callable(config_or_config_fn):
            return replace(self, config=config_or_config_fn, description=said)
        return replace(self, config_type=ConfiguredType(self.config_type, config_or_config_fn, config_schema), description=said)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make the object directly, as a test does."""
        return self.resource_fn(*args, **kwargs)


@overload
def resource(resource_fn: Callable[..., Any], /) -> ResourceDefinition: ...
@overload
def resource(
    config_schema: Any = ...,
    description: str | None = ...,
    required_resource_keys: AbstractSet[str] | None = ...,
) -> Callable[[Callable[..., Any]], ResourceDefinition]: ...
def resource(
    config_schema: Any = None,
    description: str | None = None,
    required_resource_keys: AbstractSet[str] | None = None,
) -> Any:
    """Turn a function into a resource: it returns the object, or yields it once and cleans up after.

    Args:
        config_schema: what `context.resource_config` must look like.
        description: by default the docstring.
        required_resource_keys: other resources, in `context.resources`.

    Example:
        >>> from dagwright import resource
        >>> @resource(config_schema={"path": str})
        ... def warehouse(context):
        ...     return open(context.resource_config["path"])
    """
    if callable(config_schema) and not isinstance(config_schema, type):
        return _resource_of(config_schema, ResourceDefinition)
    return lambda fn: _resource_of(fn, ResourceDefinition, config_schema, description, required_resource_keys)


def _resource_of(
    fn: Callable[..., Any],
    cls: type[Any],
    config_schema: Any = None,
    description: str | None = None,
    required_resource_keys: AbstractSet[str] | None = None,
) -> Any:
    return cls(
        resource_fn=fn,
        config_type=None if config_schema is None else ConfigType(config_schema, getattr(fn, "__name__", "resource")),
        required_resource_keys=frozenset(required_resource_keys or ()),
        description=description or (fn.__doc__ or "").strip() or None,
        takes_context=_takes_context(fn),
        source=sources.of_function(fn),
    )


def _takes_context(fn: Callable[..., Any]) -> bool:
    code = getattr(inspect.unwrap(fn), "__code__", None)  # of a `@contextmanager`, the generator below it
    return code is None or code.co_argcount > 0 or bool(code.co_flags & inspect.CO_VARARGS)


def make_values_resource(**kwargs: Any) -> ResourceDefinition:
    """A resource that holds values given in config: `make_values_resource(rows=int)`, then `context.resources.x["rows"]`.

    Example:
        >>> limits = make_values_resource(rows=int).configured({"rows": 3})
        >>> with opened({"limits": limits}, {"limits"}) as found:
        ...     found["limits"]
        {'rows': 3}
    """
    return ResourceDefinition(
        resource_fn=lambda context: context.resource_config,
        config_type=ConfigType(kwargs or dict, "values"),
        description="Values given in config.",
        source=sources.of_caller(),
    )


def is_resource_definition(value: object) -> bool:
    """Whether a value is set up before it is used, rather than used as it is."""
    return isinstance(value, (ConfigurableResource, ResourceDefinition, PartialResource))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    values: dict[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def opened(
    definitions: Mapping[str, Any],
    keys: AbstractSet[str],
    *,
    config: Mapping[str, Any] | None = None,
    context: InitResourceContext | None = None,
) -> Iterator[dict[str, Any]]:
    """Set resources up, those that they depend on first; tear them down in reverse order at the end.

    Args:
        definitions: resource definitions and bare objects, by key.
        keys: which ones are wanted.
        config: the run config's `resources`, `{key: {"config": ...}}`.
        context: what `setup_for_execution` receives.

    Raises:
        LookupError: a key is not defined, or an environment variable is not set.
        ConfigProblems: a value does not fit.
    """
    base = context or InitResourceContext()
    with contextlib.ExitStack() as stack:
        opener = Opener(definitions, config or {}, base, stack)
        yield {key: opener.open_key(key) for key in sorted(keys)}


class Opener:
    """Sets resources up on demand, each once, on a stack that tears them down in reverse order."""

    def __init__(
        self, definitions: Mapping[str, Any], config: Mapping[str, Any], context: InitResourceContext, stack: contextlib.ExitStack
    ) -> None:
        self.definitions, self.config, self.context, self.stack = definitions, config, context, stack
        self.by_key: dict[str, Any] = {}
        self.by_identity: dict[int, tuple[Any, Any]] = {}
        self.configs: dict[str, Any] = {}
        """What the objects were made of, by key."""
        self.opening: list[str] = []

    def open_key(self, key: str) -> Any:
        if key in self.by_key:
            return self.by_key[key]
        if key not in self.definitions:
            raise LookupError(f"no resource is defined under the key {key!r}; the keys are {', '.join(sorted(self.definitions)) or 'none'}")
        if key in self.opening:
            raise DefinitionError(
                f"resources require each other: {' -> '.join((*self.opening, key))}", source=sources.of_caller(), mend="break the cycle"
            )
        self.opening.append(key)
        entry = self.config.get(key) or {}
        given = entry.get("config") if isinstance(entry, Mapping) else None
        self.by_key[key] = self.open(self.definitions[key], key, given)
        self.opening.pop()
        return self.by_key[key]

    def open(self, definition: Any, key: str | None, given: Any = None) -> Any:
        if not is_resource_definition(definition):
            return definition
        if given is None and id(definition) in self.by_identity:
            made, config = self.by_identity[id(definition)]
        else:
            made, config = self._make(definition, replace(self.context, resource_key=key), key, given)
        if given is None:
            self.by_identity[id(definition)] = (made, config)
        if key is not None:
            self.configs[key] = config
        return made

    def _make(self, definition: Any, context: InitResourceContext, key: str | None, given: Any) -> tuple[Any, Any]:
        """The object, and the config that it was made of."""
        if isinstance(definition, ResourceDefinition):
            return self._call(definition, context, key, given)
        whole = definition.complete(given or {}) if isinstance(definition, PartialResource) else definition
        overrides = {} if isinstance(definition, PartialResource) else given
        nested = {name: self._nested(inner) for name, inner in whole.nested_resources().items()}
        ready = whole.resolved(nested, overrides)
        entered = self.stack.enter_context(ready.yield_for_execution(context))
        made = entered.create_resource(context) if isinstance(entered, ConfigurableResource) else entered
        return made, seen(ready, without=nested)

    def _nested(self, definition: Any) -> Any:
        """A resource inside another; the one that run config completes under its own key is the same one here."""
        key = self._key_of(definition)
        return self.open_key(key) if key is not None and isinstance(definition, PartialResource) else self.open(definition, key)

    def _key_of(self, definition: Any) -> str | None:
        return next((key for key, value in self.definitions.items() if value is definition), None)

    def _call(self, definition: ResourceDefinition, context: InitResourceContext, key: str | None, given: Any) -> tuple[Any, Any]:
        required = {name: self.open_key(name) for name in sorted(definition.required_resource_keys)}
        raw = definition.config if given is None else given
        parsed = raw
        if definition.config_type is not None:
            parsed = definition.config_type.parse(read_env(definition.config_type.empty if raw is None else raw), f"resources.{key}.config")
        full = replace(context, resource_config=parsed, resources=Scoped(required))
        returned = definition.resource_fn(full) if definition.takes_context else definition.resource_fn()
        if isinstance(returned, contextlib.AbstractContextManager) and hasattr(returned, "gen"):
            returned = self.stack.enter_context(returned)
        elif isinstance(returned, Iterator) and hasattr(returned, "gi_frame"):
            returned = self.stack.enter_context(contextlib.contextmanager(lambda: returned)())
        return returned, parsed


def config_of(definition: ConfigurableResource[Any]) -> dict[str, Any]:
    """The fields of a resource as data: environment variables by name, nested resources left out."""
    result: dict[str, Any] = {}
    for name in type(definition).model_fields:
        value = getattr(definition, name)
        if isinstance(value, EnvVar):
            result[name] = {"env": value.env_var_name}
        elif not is_resource_definition(value):
            result[name] = value if not isinstance(value, BaseModel) else value.model_dump(mode="json")
    return result
