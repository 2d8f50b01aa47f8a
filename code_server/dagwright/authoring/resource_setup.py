"""Resources that are set up by hand: by a test, a script, or an older function that makes one."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

from dagwright_shared.model.errors import InvalidRequestError

_RESOURCES = "dagwright.authoring.resources"


class SetUpByHand:
    """The part of ConfigurableResource that makes a resource ready outside of a run."""

    @contextlib.contextmanager
    def process_config_and_initialize_cm(self) -> Iterator[Any]:
        """The resource as ops get it: environment variables read, set up; torn down after the block."""
        with self._ready(None) as made:
            yield made

    def process_config_and_initialize(self) -> Any:
        """As `process_config_and_initialize_cm`, for a resource that has nothing to tear down.

        Raises:
            InvalidRequestError: it has.

        Example:
            >>> from dagwright import ConfigurableResource
            >>> class Shop(ConfigurableResource):
            ...     url: str
            >>> Shop(url="http://127.0.0.1").process_config_and_initialize().url
            'http://127.0.0.1'
        """
        self._need_no_tear_down("process_config_and_initialize")
        with self.process_config_and_initialize_cm() as made:
            return made

    @classmethod
    @contextlib.contextmanager
    def from_resource_context_cm(cls, context: Any) -> Iterator[Any]:
        """The resource made of a context's config, as an older function with `@resource` gets it; torn down after the block."""
        with cls(**(context.resource_config or {}))._ready(context) as made:
            yield made

    @classmethod
    def from_resource_context(cls, context: Any) -> Any:
        """As `from_resource_context_cm`, for a resource that has nothing to tear down.

        Raises:
            InvalidRequestError: it has.
        """
        cls._need_no_tear_down("from_resource_context")
        with cls.from_resource_context_cm(context) as made:
            return made

    @contextlib.contextmanager
    def _ready(self, context: Any) -> Iterator[Any]:
        resources = importlib.import_module(_RESOURCES)  # it is above us
        with resources.opened({"made": self}, {"made"}, context=context) as found:
            yield found["made"]

    @classmethod
    def _need_no_tear_down(cls, method: str) -> None:
        plain = importlib.import_module(_RESOURCES).ConfigurableResource
        if any(getattr(cls, name) is not getattr(plain, name) for name in ("teardown_after_execution", "yield_for_execution")):
            raise InvalidRequestError(f"{cls.__name__} has something to tear down; use `with ...{method}_cm(...) as it:`")
