"""The resources of a process that runs steps: set up when the first step needs them, torn down at the end in reverse order."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from dagwright.authoring.resources import InitResourceContext, Opener
from dagwright.authoring.scoped_resources import Scoped
from dagwright.execution.cancellation import Cancellation, RunInterrupted
from dagwright.execution.identity import RunInfo
from dagwright.execution.io_managers import FilesystemIOManager
from dagwright.execution.logs import EventLogger
from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.model.events import Payload

DEFAULT_IO_MANAGER = "io_manager"


class ResourceError(DagwrightError):
    """A resource could not be set up."""


class Available:
    """The resources that one step may use, IO managers included."""

    def __init__(self, values: Mapping[str, Any], later: Callable[[str], Any], configs: Mapping[str, Any]) -> None:
        self._values, self._later, self._configs = values, later, configs

    def get(self, key: str) -> Any:
        """A resource by its key; one that nobody foresaw is set up now."""
        return self._values[key] if key in self._values else self._later(key)

    def config(self, key: str) -> Any:
        """What a resource was made of; None for a bare object."""
        self.get(key)
        return self._configs.get(key)

    def only(self, keys: AbstractSet[str]) -> Scoped:
        """As `context.resources` gives them: those that the op asks for."""
        return Scoped({key: self._values[key] for key in sorted(keys)})


class ResourceSet:
    """Sets resources up once for all steps of this process."""

    def __init__(self, definitions: Mapping[str, Any], config: Mapping[str, Any], run: RunInfo | None, instance: Any) -> None:
        self._definitions = definitions
        self._emit: Callable[[Payload], None] | None = None
        self._stack = contextlib.ExitStack()
        self._lock = threading.RLock()
        context = InitResourceContext(run=run, instance=instance, log=EventLogger(self._tell))
        with_default = {DEFAULT_IO_MANAGER: FilesystemIOManager(), **definitions}
        self._opener = Opener(with_default, config, context, self._stack)

    def _tell(self, payload: Payload) -> None:
        if self._emit is not None:
            self._emit(payload)

    def need(self, keys: Iterable[str], emit: Callable[[Payload], None]) -> Available:
        """Set up what is not yet; what a resource logs goes to the step that caused it.

        Raises:
            ResourceError: one could not be; says which, and why.
        """
        with self._lock:  # steps may share the process
            self._emit = emit
            return Available({key: self._open(key) for key in sorted(keys)}, self._open, self._opener.configs)

    def _open(self, key: str) -> Any:
        try:
            with self._lock:
                return self._opener.open_key(key)
        except Exception as error:
            raise ResourceError(f"the resource {key!r} could not be set up: {error}") from error

    def close(self, cancellation: Cancellation) -> list[BaseException]:
        """Tear all of them down, the last first. Returns what was raised; a request to stop does not cut it short."""
        try:
            with cancellation.shielded():
                self._stack.close()
        except RunInterrupted:
            return []
        except BaseException as error:  # noqa: BLE001 - a teardown of user code must not take the run with it
            return [error]
        return []
