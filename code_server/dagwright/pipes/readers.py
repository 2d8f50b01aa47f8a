"""Ways to take in the messages of the external process while it runs."""

from __future__ import annotations

import contextvars
import json
import os
import tempfile
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from dagwright.pipes.messages import PipesMessageHandler
from dagwright.pipes.ports import PipesLaunchedData, PipesLogReader, PipesMessageReader
from dagwright.pipes.protocol import COMPOSITE_WRITERS, PipesError, PipesParams

_LOOK_SECONDS = 0.05
"""How long a message lies in a file before it is seen."""


class PipesFileMessageReader(PipesMessageReader):
    """Messages are lines that the external process appends to a file.

    Args:
        path: both processes can reach it; what it holds before the session is discarded.
        include_stdio_in_messages: ask the process to send what it prints as messages, for one whose output is not seen here.
        cleanup_file: remove the file when the session ends.
    """

    def __init__(self, path: str, include_stdio_in_messages: bool = False, cleanup_file: bool = False) -> None:  # noqa: FBT001, FBT002 - Dagster's
        self._path = os.fspath(path)
        self._include_stdio = include_stdio_in_messages
        self._cleanup = cleanup_file

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        Path(self._path).write_bytes(b"")
        tail = _Tail(self._path, handler)
        params = {"path": self._path, "include_stdio_in_messages": self._include_stdio}
        try:
            with _reading(f"pipes {self._path}", handler, tail.follow):
                yield params
        finally:
            if self._cleanup:
                with suppress(FileNotFoundError):
                    Path(self._path).unlink()

    def no_messages_debug_text(self) -> str:
        return f"Messages were expected in the file {self._path}."


class PipesTempFileMessageReader(PipesMessageReader):
    """Messages are lines that the external process appends to a temporary file.

    Args:
        include_stdio_in_messages: as for PipesFileMessageReader.
    """

    def __init__(self, include_stdio_in_messages: bool = False) -> None:  # noqa: FBT001, FBT002 - Dagster's
        self._include_stdio = include_stdio_in_messages

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        with tempfile.TemporaryDirectory(prefix="dagwright-pipes-") as folder:
            path = str(Path(folder) / "messages")
            with PipesFileMessageReader(path, include_stdio_in_messages=self._include_stdio).read_messages(handler) as params:
                yield params

    def no_messages_debug_text(self) -> str:
        return "Messages were expected in a temporary file."


class PipesBlobStoreMessageReader(PipesMessageReader):
    """Messages are numbered objects, each with many lines, that the external process uploads to a store.

    Subclasses say where: `get_params` yields what the other side's writer needs, `download_messages_chunk` fetches one.

    Args:
        interval: seconds between two looks.
        log_readers: take in what the process prints; each is started when there is something for it to read.
    """

    def __init__(self, interval: float = 10, log_readers: Sequence[PipesLogReader] | None = None) -> None:
        if interval <= 0:
            raise ValueError(f"{type(self).__name__}: interval is {interval}; give seconds above 0")
        self.interval = interval
        self.log_readers = list(log_readers or ())
        self._opened: Mapping[str, Any] = {}

    def on_opened(self, opened_payload: Any) -> None:
        self._opened = opened_payload

    @abstractmethod
    def get_params(self) -> AbstractContextManager[PipesParams]:
        """Yield the parameters for the message writer of the external process."""

    @abstractmethod
    def download_messages_chunk(self, index: int, params: PipesParams) -> str | None:
        """The lines of the chunk with this number, from 1 on; None while it is not there."""

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        with self.get_params() as params:

            def follow(ended: threading.Event) -> None:
                index = 1
                while True:
                    last_look = ended.is_set()
                    while (chunk := self.download_messages_chunk(index, params)) is not None:
                        for line in chunk.split("\n"):
                            handler.handle_line(line)
                        index += 1
                    self._start_log_readers({**params, **self._opened}, ended)
                    if last_look:
                        return
                    ended.wait(self.interval)

            try:
                with _reading(type(self).__name__, handler, follow):
                    yield params
            finally:
                for reader in self.log_readers:
                    if reader.is_running():
                        reader.stop()

    def _start_log_readers(self, params: PipesParams, ended: threading.Event) -> None:
        for reader in self.log_readers:
            if not reader.is_running() and reader.target_is_readable(params):
                reader.start(params, ended)

    def no_messages_debug_text(self) -> str:
        return f"Messages were expected as numbered objects, looked for every {self.interval} seconds by {type(self).__name__}."


class PipesCompositeMessageReader(PipesMessageReader):
    """Messages of several processes, each with a reader of its own; one step starts them all.

    `session.get_per_writer_bootstrap_env_vars()` gives the environment of each, in the order of the readers.

    Args:
        readers: one for each process.

    Raises:
        PipesError: there are none, or one of them reads several processes itself.

    Example:
        >>> reader = PipesCompositeMessageReader([PipesTempFileMessageReader(), PipesTempFileMessageReader()])
        >>> reader.expected_writer_count
        2
    """

    def __init__(self, readers: Sequence[PipesMessageReader]) -> None:
        if not readers:
            raise PipesError("PipesCompositeMessageReader was given no readers; give one for each process")
        for reader in readers:
            if reader.expected_writer_count != 1:
                raise PipesError(
                    f"PipesCompositeMessageReader was given a {type(reader).__name__} that reads {reader.expected_writer_count} processes; "
                    "give readers of one process each"
                )
        self._readers = tuple(readers)

    @property
    def expected_writer_count(self) -> int:
        return len(self._readers)

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        with ExitStack() as stack:
            params = [stack.enter_context(reader.read_messages(_OfOneWriter(handler, reader))) for reader in self._readers]
            yield {COMPOSITE_WRITERS: params}

    def on_launched(self, launched_payload: PipesLaunchedData) -> None:
        for reader in self._readers:
            reader.on_launched(launched_payload)

    def no_messages_debug_text(self) -> str:
        return " ".join(f"[process {number}] {reader.no_messages_debug_text()}" for number, reader in enumerate(self._readers, 1))


class _OfOneWriter(PipesMessageHandler):
    """Hands messages on to the session's handler, and tells the reader of their process when that says hello."""

    def __init__(self, handler: PipesMessageHandler, reader: PipesMessageReader) -> None:
        super().__init__(handler._context, reader)
        self._whole = handler

    def handle_message(self, message: Mapping[str, Any]) -> None:
        self._whole.handle_message(message)
        if message.get("method") == "opened":
            self._reader.on_opened(message.get("params") or {})

    def handle_line(self, line: str) -> None:
        try:
            message = json.loads(line) if line.strip() else None
        except ValueError:
            message = None
        if isinstance(message, dict):
            self.handle_message(message)
        else:
            self._whole.handle_line(line)

    def report_problem(self, text: str) -> None:
        self._whole.report_problem(text)

    def report_pipes_framework_exception(self, origin: str, exc_info: Any) -> None:
        self._whole.report_pipes_framework_exception(origin, exc_info)


class _Tail:
    """Follows a file that another process appends to."""

    def __init__(self, path: str, handler: PipesMessageHandler) -> None:
        self._path = path
        self._handler = handler
        self._rest = b""

    def follow(self, ended: threading.Event) -> None:
        with Path(self._path).open("rb") as file:
            while True:
                last_look = ended.is_set()  # before reading: what was written before the end is read after it
                self._read(file)
                if last_look:
                    break
                ended.wait(_LOOK_SECONDS)
        self._line(self._rest)

    def _read(self, file: IO[bytes]) -> None:
        while data := file.read(1 << 20):
            *whole, self._rest = (self._rest + data).split(b"\n")
            for line in whole:
                self._line(line)

    def _line(self, line: bytes) -> None:
        self._handler.handle_line(line.decode("utf-8", errors="replace"))


@contextmanager
def _reading(name: str, handler: PipesMessageHandler, follow: Callable[[threading.Event], None]) -> Iterator[None]:
    """A thread that reads while the block runs; when it ends, the thread reads the rest."""
    ended = threading.Event()

    def run() -> None:
        try:
            follow(ended)
        except Exception as error:  # noqa: BLE001 - told as an event of the run; the step goes on
            handler.report_pipes_framework_exception(f"the message reader ({name})", error)

    # What the process sends as its output belongs to the step that is printing here.
    inherited = contextvars.copy_context()
    thread = threading.Thread(target=inherited.run, args=(run,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
