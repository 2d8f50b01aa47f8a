"""The two channels of a session: how the context gets to the external process, and how its messages come back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from threading import Event
from typing import TYPE_CHECKING, Any, TypedDict

from dagwright.pipes.protocol import PipesExtras, PipesParams

if TYPE_CHECKING:
    from dagwright.pipes.messages import PipesMessageHandler


class PipesLaunchedData(TypedDict):
    """What the side that launches knows of the external process once it has started."""

    extras: PipesExtras


class PipesContextInjector(ABC):
    """Puts the context where the external process can load it.

    Example:
        >>> import contextlib, dagwright as dg
        >>> class Inline(dg.PipesContextInjector):
        ...     @contextlib.contextmanager
        ...     def inject_context(self, context_data):
        ...         yield {"data": context_data}
        ...     def no_messages_debug_text(self):
        ...         return "The context was given in an environment variable."
        >>> with Inline().inject_context({"run_id": "r"}) as params:
        ...     params
        {'data': {'run_id': 'r'}}
    """

    @abstractmethod
    def inject_context(self, context_data: Any) -> AbstractContextManager[PipesParams]:
        """Write the context, yield the parameters by which the other side finds it, and clean up."""

    @abstractmethod
    def no_messages_debug_text(self) -> str:
        """How the context was to be found, for the message about a process that never reported."""


class PipesLogReader(ABC):
    """Takes in what an external process prints, from where it is kept; a PipesBlobStoreMessageReader starts and stops it.

    Example:
        >>> import dagwright as dg
        >>> class Printed(dg.PipesLogReader):
        ...     def start(self, params, is_session_closed): ...
        ...     def stop(self): ...
        ...     def is_running(self):
        ...         return False
        ...     def target_is_readable(self, params):
        ...         return "log_file" in params.get("extras", {})
        >>> Printed().target_is_readable({"extras": {"log_file": "a.txt"}})
        True
    """

    @abstractmethod
    def target_is_readable(self, params: PipesParams) -> bool:
        """Whether there is something to read yet. `params` are those of the message reader, and what the process said with its hello."""

    @abstractmethod
    def start(self, params: PipesParams, is_session_closed: Event) -> None:
        """Begin to read, usually in a thread, until `is_session_closed` is set."""

    @abstractmethod
    def stop(self) -> None:
        """Read the rest and end."""

    @abstractmethod
    def is_running(self) -> bool:
        """Whether it has been started and not stopped."""


class PipesMessageReader(ABC):
    """Takes in the messages of an external process while it runs, usually in a thread.

    Example:
        >>> import contextlib, dagwright as dg
        >>> class Fixed(dg.PipesMessageReader):
        ...     @contextlib.contextmanager
        ...     def read_messages(self, handler):
        ...         yield {"path": "/tmp/messages"}
        ...         handler.handle_message({"method": "opened", "params": {}})
        ...     def no_messages_debug_text(self):
        ...         return "Messages were expected in /tmp/messages."
        >>> isinstance(Fixed(), dg.PipesMessageReader)
        True
    """

    @property
    def expected_writer_count(self) -> int:
        """How many processes open a session of their own; their messages are complete when each has closed it."""
        return 1

    @abstractmethod
    def read_messages(self, handler: PipesMessageHandler) -> AbstractContextManager[PipesParams]:
        """Begin to give messages to `handler`, yield the parameters for the other side's writer; at the end, take in the rest."""

    def on_opened(self, opened_payload: Any) -> None:  # noqa: B027 - a hook that may be left out
        """The external process has said hello, with these extras of its message writer."""

    def on_launched(self, launched_payload: PipesLaunchedData) -> None:  # noqa: B027 - likewise
        """The session was told of the process by `PipesSession.report_launched`."""

    @abstractmethod
    def no_messages_debug_text(self) -> str:
        """Where messages were expected, for the message about a process that never reported."""
