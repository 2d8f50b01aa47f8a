"""Ways to hand the context to the external process."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dagwright.pipes.ports import PipesContextInjector
from dagwright.pipes.protocol import PipesParams


class PipesEnvContextInjector(PipesContextInjector):
    """The context itself is in the parameters: for processes that share no file system with the step.

    Example:
        >>> with PipesEnvContextInjector().inject_context({"run_id": "r"}) as params:
        ...     params
        {'data': {'run_id': 'r'}}
    """

    @contextmanager
    def inject_context(self, context_data: Any) -> Iterator[PipesParams]:
        yield {"data": context_data}

    def no_messages_debug_text(self) -> str:
        return "The context was given in the process's environment."


class PipesFileContextInjector(PipesContextInjector):
    """The context is a JSON file at a fixed path, removed when the session ends.

    Args:
        path: both processes can reach it.
    """

    def __init__(self, path: str) -> None:
        self._path = os.fspath(path)

    @contextmanager
    def inject_context(self, context_data: Any) -> Iterator[PipesParams]:
        Path(self._path).write_text(json.dumps(context_data), encoding="utf-8")
        try:
            yield {"path": self._path}
        finally:
            with suppress(FileNotFoundError):
                Path(self._path).unlink()

    def no_messages_debug_text(self) -> str:
        return f"The context was given in the file {self._path}."


class PipesTempFileContextInjector(PipesContextInjector):
    """The context is a temporary JSON file.

    Example:
        >>> import json, pathlib
        >>> with PipesTempFileContextInjector().inject_context({"run_id": "r"}) as params:
        ...     json.loads(pathlib.Path(params["path"]).read_text())
        {'run_id': 'r'}
    """

    @contextmanager
    def inject_context(self, context_data: Any) -> Iterator[PipesParams]:
        with (
            tempfile.TemporaryDirectory(prefix="dagwright-pipes-") as folder,
            PipesFileContextInjector(os.path.join(folder, "context")).inject_context(context_data) as params,  # noqa: PTH118 - text
        ):
            yield params

    def no_messages_debug_text(self) -> str:
        return "The context was given in a temporary file."
