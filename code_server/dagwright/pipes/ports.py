"""The two channels of a session: how the context gets to the external process, and how its messages come back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
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
