"""Ops: functions with declared inputs, outputs, config and resources."""

from __future__ import annotations

import typing
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from typing import Any, get_args, get_origin, overload

from dagwright.authoring import composition, executors, invocation, naming, signatures, value_types
from dagwright.authoring import source as sources
from dagwright.authoring.config import ConfigType
from dagwright.authoring.configured import ConfiguredType
from dagwright.authoring.executors import ExecutorDefinition
from dagwright.authoring.op_views import DecoratedFunction, NamedPorts
from dagwright.authoring.policies import RetryPolicy, pool_of
from dagwright.authoring.results import NO_VALUE, DynamicOutput, MaterializeResult, ObserveResult, Output
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.snapshot import JsonSchema

DEFAULT_OUTPUT = "result"
DEFAULT_IO_MANAGER = "io_manager"


class Nothing:
    """The type of an input or output that carries order only, no value."""


@dataclass(frozen=True, slots=True, init=False)
class In:
    """An input of an op.

    Args:
        dagster_type: Python type of the value, or `Nothing` for order only; by default the argument's annotation.
        description: for people.
        default_value: used when nothing is connected.
        metadata: for the IO manager that loads it.
        asset_key: load this asset when nothing is connected.
        input_manager_key: resource that loads it, in place of the upstream output's IO manager.
    """

    dagster_type: Any
    description: str | None
    default_value: Any
    metadata: Mapping[str, Any]
    asset_key: AssetKey | None
    input_manager_key: str | None

    def __init__(
        self,
        dagster_type: Any = None,
        description: str | None = None,
        default_value: Any = NO_VALUE,
        metadata: Mapping[str, Any] | None = None,
        asset_key: Any = None,
        input_manager_key: str | None = None,
    ) -> None:
        values = {
            "dagster_type": dagster_type,
            "description": description,
            "default_value": default_value,
            "metadata": dict(metadata or {}),
            "asset_key": None if asset_key is None else naming.asset_key(asset_key, "In(asset_key=)"),
            "input_manager_key": input_manager_key,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def has_default(self) -> bool:
        return self.default_value is not NO_VALUE

    @property
    def is_nothing(self) -> bool:
        return self.dagster_type is Nothing

    def typed(self, annotation: Any) -> In:
        """The same input with a type read from an annotation, where none was given."""
        if self.dagster_type is not None or annotation is signatures.EMPTY:
            return self
        return self._with(dagster_type=annotation)

    def _with(self, **changes: Any) -> In:
        values = {name: changes.get(name, getattr(self, name)) for name in self.__slots__}
        return In(**values)


@dataclass(frozen=True, slots=True, init=False)
class Out:
    """An output of an op.

    Args:
        dagster_type: Python type of the value, or `Nothing`; by default the return annotation.
        description: for people.
        is_required: False lets the op finish without it; what depends on it is then skipped.
        io_manager_key: resource that stores it.
        metadata: for the IO manager that stores it.
        code_version: of the code behind this output.
    """

    dagster_type: Any
    description: str | None
    is_required: bool
    io_manager_key: str
    metadata: Mapping[str, Any]
    code_version: str | None

    is_dynamic: typing.ClassVar[bool] = False

    def __init__(
        self,
        dagster_type: Any = None,
        description: str | None = None,
        is_required: bool = True,
        io_manager_key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        code_version: str | None = None,
    ) -> None:
        values = {
            "dagster_type": dagster_type,
            "description": description,
            "is_required": is_required,
            "io_manager_key": io_manager_key or DEFAULT_IO_MANAGER,
            "metadata": dict(metadata or {}),
            "code_version": code_version,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def is_nothing(self) -> bool:
        return self.dagster_type is Nothing

    def typed(self, annotation: Any) -> Out:
        """The same output with a type read from the return annotation, where none was given."""
        if self.dagster_type is not None or annotation is signatures.EMPTY:
            return self
        values = {name: getattr(self, name) for name in Out.__slots__}
        return type(self)(**{**values, "dagster_type": annotation})

    def observing(self) -> Out:
        """The same output of a function that only looks: nothing is stored."""
        values = {name: getattr(self, name) for name in Out.__slots__}
        return Out(**{**values, "dagster_type": Nothing, "is_required": False})

    def stored_by(self, io_manager_key: str) -> Out:
        """The same output, stored by another IO manager."""
        values = {name: getattr(self, name) for name in Out.__slots__}
        return type(self)(**{**values, "io_manager_key": io_manager_key})


class DynamicOut(Out):
    """An output of many values: the op yields a `DynamicOutput` for each, and `.map` copies what is downstream."""

    __slots__ = ()

    is_dynamic: typing.ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpDefinition(NamedPorts):
    """An op. Made by `@op`; call it in a `@graph` or `@job` body to compose it, elsewhere to run its function."""

    name: str
    fn: Callable[..., Any]
    ins: Mapping[str, In]
    outs: Mapping[str, Out]
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    retry_policy: RetryPolicy | None = None
    pool: str | None = None
    timeout: float | None = None
    """Seconds that an attempt may take."""
    executor: ExecutorDefinition | None = None
    """Runs its steps in place of the job's."""
    step_group: str | None = None
    """Steps of one group run in one process, one after another."""
    code_version: str | None = None
    config_type: ConfigType | None = None
    """What `config` must look like; None when the op takes none."""
    config_param: str | None = None
    """The argument that receives it; None with `config_schema=`, which is read from the context."""
    resource_params: Mapping[str, str] = field(default_factory=dict)
    """Argument to resource key."""
    required_resource_keys: AbstractSet[str] = frozenset()
    """All keys that it needs, those of `resource_params` included, IO managers not."""
    context_param: str | None = None
    takes_any: bool = False
    """Whether the function has `**kwargs`, so that inputs declared in `ins` need no parameter."""
    is_generator: bool = False
    is_async: bool = False
    hook_defs: AbstractSet[Any] = frozenset()
    """What to call when a step of it succeeds or fails."""
    source: SourceRef | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "pool", pool_of(self.pool, self.tags, f"op {self.name!r}", self.source))

    @property
    def config_schema(self) -> JsonSchema | None:
        return self.config_type.json_schema if self.config_type is not None else None

    @property
    def compute_fn(self) -> DecoratedFunction:
        return DecoratedFunction(self.fn)

    @property
    def io_manager_keys(self) -> frozenset[str]:
        """Resources that store its outputs or load its inputs."""
        stored = {out.io_manager_key for out in self.outs.values() if not out.is_nothing}
        return frozenset(stored | {i.input_manager_key for i in self.ins.values() if i.input_manager_key})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if composition.active():
            return composition.invoke(composition.Node(definition=self, name=self.name), args, kwargs)
        return invocation.direct(self, args, kwargs)

    def alias(self, name: str) -> composition.PendingNode:
        """This op under another name, to be called in a graph body."""
        return composition.PendingNode(composition.Node(definition=self, name=self.name)).alias(name)

    def tag(self, tags: Mapping[str, str] | None) -> composition.PendingNode:
        """This op with more tags, to be called in a graph body."""
        return composition.PendingNode(composition.Node(definition=self, name=self.name)).tag(tags)

    def with_retry_policy(self, retry_policy: RetryPolicy) -> composition.PendingNode:
        """This op with another retry policy, to be called in a graph body."""
        return composition.PendingNode(composition.Node(definition=self, name=self.name)).with_retry_policy(retry_policy)

    def with_hooks(self, hook_defs: Iterable[Any]) -> composition.PendingNode:
        """This op with more hooks, to be called in a graph body."""
        return composition.PendingNode(composition.Node(definition=self, name=self.name)).with_hooks(hook_defs)

    def configured(
        self, config_or_config_fn: Any, name: str | None = None, config_schema: Any = None, description: str | None = None
    ) -> OpDefinition:
        """The same op with its config fixed, or made from simpler config by a function.

        Args:
            config_or_config_fn: the config; or a function of what the launch gives.
            name: of the new op.
            config_schema: what the function takes.

        Raises:
            DefinitionError: the op takes no config.
        """
        if self.config_type is None and not callable(config_or_config_fn):
            raise DefinitionError(f"op {self.name!r} takes no config to fix", source=self.source, mend="give it config_schema=")
        made = ConfiguredType(self.config_type, config_or_config_fn, config_schema, name or self.name)
        return replace(
            self,
            name=naming.check_name(name or self.name, "op", self.source),
            config_type=made,
            description=description or self.description,
        )

    def renamed(self, name: str) -> OpDefinition:
        return replace(self, name=name)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


@overload
def op(compute_fn: Callable[..., Any], /) -> OpDefinition: ...
@overload
def op(
    *,
    name: str | None = ...,
    description: str | None = ...,
    ins: Mapping[str, In] | None = ...,
    out: Out | Mapping[str, Out] | None = ...,
    config_schema: Any = ...,
    required_resource_keys: AbstractSet[str] | None = ...,
    tags: Mapping[str, Any] | None = ...,
    version: str | None = ...,
    retry_policy: RetryPolicy | None = ...,
    code_version: str | None = ...,
    pool: str | None = ...,
    timeout: float | None = ...,
    executor: ExecutorDefinition | str | None = ...,
    step_group: str | None = ...,
) -> Callable[[Callable[..., Any]], OpDefinition]: ...
def op(compute_fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Turn a function into an op: a node of jobs and graphs.

    Its first parameter may be a context; `config` receives its config; parameters typed as a resource receive it; all
    others are inputs.

    Args:
        name: by default the function's.
        description: by default the docstring.
        ins: declarations of inputs, by argument name.
        out: one `Out`, or several by name; then return a tuple in that order, or yield `Output`s.
        config_schema: what `context.op_config` must look like, where the function has no `config` argument.
        required_resource_keys: keys of `context.resources`.
        tags: shown, and read by executors.
        retry_policy: when to try again after an exception.
        code_version: changes when the function's meaning does.
        pool: limits how many steps of that pool run at once.
        timeout: seconds that an attempt may take; a longer one is ended and counts as failed. Where it is absent, the tag
            `dagwright/timeout` says it.
        executor: runs its steps in place of the job's: an executor, or the name of one, such as "threads"; the tag `dagwright/executor`
            says it for one call.
        step_group: consecutive steps with this name run in one process, one after another; the tag `dagwright/step_group` says it for
            one call.

    Raises:
        DefinitionError: a name, input or output does not fit the function.

    Example:
        >>> @op
        ... def double(number: int) -> int:
        ...     return number * 2
        >>> double(4)
        8
    """
    if compute_fn is not None:
        return make_op(compute_fn)
    return lambda fn: make_op(fn, **options)


def make_op(
    fn: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    ins: Mapping[str, In] | None = None,
    out: Out | Mapping[str, Out] | None = None,
    config_schema: Any = None,
    required_resource_keys: AbstractSet[str] | None = None,
    tags: Mapping[str, Any] | None = None,
    version: str | None = None,
    retry_policy: RetryPolicy | None = None,
    code_version: str | None = None,
    pool: str | None = None,
    timeout: float | None = None,
    executor: ExecutorDefinition | str | None = None,
    step_group: str | None = None,
) -> OpDefinition:
    """The work of `@op`."""
    source = sources.of_function(fn)
    called = naming.check_name(name or getattr(fn, "__name__", None), "op", source)
    what = f"op {called!r}"
    signature = signatures.read(fn, what, source)
    return build(
        fn,
        signature,
        name=called,
        what=what,
        ins=infer_ins(signature, ins or {}, what, source),
        outs=_infer_outs(signature, out),
        description=description or signatures.doc(fn),
        config_schema=config_schema,
        required_resource_keys=required_resource_keys,
        tags=naming.check_run_tags(tags, what, source),
        retry_policy=retry_policy,
        code_version=code_version or version,
        pool=pool,
        timeout=timeout,
        executor=executor,
        step_group=step_group,
        source=source,
    )


def build(
    fn: Callable[..., Any],
    signature: signatures.Signature,
    *,
    what: str,
    config_schema: Any = None,
    required_resource_keys: AbstractSet[str] | None = None,
    retry_policy: RetryPolicy | None = None,
    timeout: float | None = None,
    executor: ExecutorDefinition | str | None = None,
    step_group: str | None = None,
    source: SourceRef | None = None,
    **fields: Any,
) -> OpDefinition:
    """An op of a function whose signature, inputs and outputs are known. Shared by ops, assets and checks."""
    if retry_policy is not None and not isinstance(retry_policy, RetryPolicy):
        raise DefinitionError(f"{what}: retry_policy is a {type(retry_policy).__name__}", source=source, mend="give a RetryPolicy")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < float("inf")):
        raise DefinitionError(f"{what}: timeout is {timeout!r}", source=source, mend="give seconds, such as timeout=30")
    if config_schema is not None and signature.config_param is not None:
        raise DefinitionError(f"{what} has both a `config` argument and config_schema=", source=source, mend="keep one of them")
    keys = required_resource_keys or frozenset()
    if isinstance(keys, str) or not all(isinstance(key, str) for key in keys):
        raise DefinitionError(f"{what}: required_resource_keys is {keys!r}", source=source, mend='give a set of names: {"db"}')
    declared = config_schema if config_schema is not None else signature.config_annotation
    config = None if declared is signatures.EMPTY else ConfigType(declared, fields["name"])
    return OpDefinition(
        fn=fn,
        config_type=config,
        config_param=signature.config_param,
        resource_params=signature.resource_params,
        required_resource_keys=frozenset(keys) | frozenset(signature.resource_params.values()) | _of_types(fields),
        context_param=signature.context_param,
        takes_any=signature.takes_any,
        is_generator=signature.is_generator,
        is_async=signature.is_async,
        retry_policy=retry_policy,
        timeout=float(timeout) if timeout is not None else None,
        executor=executors.of_step(executor, what, source),
        step_group=naming.check_group(step_group, f"step_group= of {what}", source),
        source=source,
        **fields,
    )


def _of_types(ports: Mapping[str, Any]) -> frozenset[str]:
    """Resources that the types of inputs and outputs need for their checks and loaders."""
    types = (value_types.own_type(port.dagster_type) for port in (*ports["ins"].values(), *ports["outs"].values()))
    return frozenset(key for each in types if each is not None for key in each.required_resource_keys)


def infer_ins(signature: signatures.Signature, declared: Mapping[str, In], what: str, source: SourceRef | None) -> dict[str, In]:
    """Inputs from parameters, completed by declarations."""
    found: dict[str, In] = {}
    for parameter in signature.inputs:
        naming.check_input_name(parameter.name, what, source)
        given = declared.get(parameter.name)
        if given is not None and given.is_nothing:
            raise DefinitionError(
                f"{what} has the argument `{parameter.name}` for an input that is In(Nothing) and brings no value",
                source=source,
                mend="leave the argument out, or give the input a type",
            )
        if given is None:
            default = NO_VALUE if parameter.default is signatures.EMPTY else parameter.default
            found[parameter.name] = In(default_value=default).typed(parameter.annotation)
        else:
            default = given.default_value if given.has_default or parameter.default is signatures.EMPTY else parameter.default
            found[parameter.name] = given._with(default_value=default).typed(parameter.annotation)
    for name, given in declared.items():
        if name in found:
            continue
        if not given.is_nothing and not signature.takes_any:
            raise DefinitionError(
                f"{what} declares the input {name!r}, but the function has no such argument",
                source=source,
                mend=f"add the argument `{name}`, or declare it as In(Nothing)",
            )
        found[naming.check_input_name(name, what, source)] = given
    return found


def _infer_outs(signature: signatures.Signature, declared: Out | Mapping[str, Out] | None) -> dict[str, Out]:
    returns = value_type(signature)
    if declared is None:
        dynamic = _is_dynamic(signature.returns)
        return {DEFAULT_OUTPUT: (DynamicOut() if dynamic else Out()).typed(returns)}
    if isinstance(declared, Out):
        return {DEFAULT_OUTPUT: declared.typed(returns)}
    parts = get_args(returns) if get_origin(returns) is tuple else ()
    if len(parts) != len(declared):
        parts = (signatures.EMPTY,) * len(declared)
    return {
        naming.check_name(name, "output"): (out if out is not None else Out()).typed(part)
        for (name, out), part in zip(declared.items(), parts, strict=True)
    }


_GENERATORS = (Iterator, Generator, Iterable, AsyncIterator, AsyncGenerator)


def value_type(signature: signatures.Signature) -> Any:
    """The type of the value that a function returns: `Output[int]` is an int, None is `Nothing`, a result object is anything."""
    returns = signature.returns
    if signature.is_generator and get_origin(returns) in _GENERATORS:
        return signatures.EMPTY
    if returns is None or returns is type(None):
        return Nothing
    if isinstance(returns, str):
        return signatures.EMPTY
    bare = get_origin(returns) or returns
    if bare in (Output, DynamicOutput, MaterializeResult, ObserveResult):
        args = get_args(returns)
        return args[0] if args else signatures.EMPTY
    return returns


def _is_dynamic(returns: Any) -> bool:
    return any((get_origin(part) or part) is DynamicOutput for part in (returns, *get_args(returns)))
