"""Where values go between steps: pickles in files (the default), or memory."""

from __future__ import annotations

import hashlib
import itertools
import os
import pickle
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dagwright.authoring.config import ConfigType
from dagwright.authoring.config_schema import Field
from dagwright.authoring.io_managers import ConfigurableIOManager, IOManager, IOManagerDefinition
from dagwright.execution.io_contexts import InputContext, OutputContext
from dagwright.execution.places import path_of
from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.model.keys import PartitionKey, format_partition
from dagwright_shared.model.metadata import MetadataValue

HOME_VARIABLE = "DAGWRIGHT_HOME"
_MAX_NAME = 200
_TOKEN = os.urandom(4).hex()
"""Tells the processes of one server from those of another that writes to the same directory."""
_numbers = itertools.count()


class MissingValueError(DagwrightError, LookupError):
    """A value was to be loaded that nothing has stored."""


class ValueNotStorableError(DagwrightError, TypeError):
    """A value cannot be written the way that its IO manager writes."""


def storage_root() -> Path:
    """Where values go when nobody says otherwise: `storage` in the home directory of the deployment."""
    return Path(os.environ.get(HOME_VARIABLE) or ".dagwright").absolute() / "storage"


class FilesystemIOManager(ConfigurableIOManager):
    """Keeps values as pickle files, by asset key and partition; for ops by run, step and output.

    A file is written beside its place and then moved there, so a reader never sees half of one.

    Args:
        base_dir: the directory; by default `$DAGWRIGHT_HOME/storage`. A place such as `s3://bucket/values` or `memory://values` is
            reached by fsspec: `pip install 'dagwright[fsspec]'`, and the package of that file system.

    Example:
        >>> FilesystemIOManager(base_dir="/tmp/values").base_dir
        '/tmp/values'
    """

    base_dir: str | None = None

    def path_of(self, identifier: Sequence[str], partition: PartitionKey | None = None) -> Any:
        """The file of an asset (and partition) or of an op's output: a Path, or a UPath of a place that fsspec reaches."""
        root = path_of(self.base_dir) if self.base_dir else storage_root()
        *folders, name = (_safe(part) for part in identifier)
        # The endings keep the file of the asset `a` and the folder of the asset `a/b` apart.
        if partition:
            return root.joinpath(*folders, f"{name}.partitions", _safe(format_partition(partition) or "") + ".pickle")
        return root.joinpath(*folders, f"{name}.pickle")

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Write one value.

        Raises:
            ValueNotStorableError: it cannot be pickled, or is one value for several partitions.
        """
        if len(context.keys) > 1:
            raise ValueNotStorableError(several_partitions(context, type(self).__name__))
        if context.has_asset_key:
            path = self.path_of(context.asset_key.parts, context.keys[0] if context.keys else None)
        else:
            path = self.path_of(context.get_identifier())
        try:
            body = pickle.dumps(obj, protocol=5)
        except Exception as error:
            raise ValueNotStorableError(
                f"the output {context.name!r} of step {context.step_key!r} is a {type(obj).__name__}, which cannot be pickled ({error}); "
                "return something that can, or give the output an IO manager that knows how to store it (io_manager_key=)"
            ) from error
        _write(path, body)
        # None mostly means that the function stored something by itself: a path would lead people to the wrong place.
        context.add_output_metadata({"path": MetadataValue.path(str(path))} if obj is not None else {})

    def load_input(self, context: InputContext) -> Any:
        """Read one value, or a dict of partition to value where the step reads several partitions.

        Raises:
            MissingValueError: there is none; says what to materialize.
        """
        if not context.has_asset_key:
            path = self.path_of(context.get_identifier())
            return _read(path, lambda: _missing_output(context, path))
        if not context.has_asset_partitions:
            path = self.path_of(context.asset_key.parts)
            return _read(path, lambda: _missing_asset(context, (), path))
        if not context.keys:
            return None
        values = {}
        for key in context.keys:
            path = self.path_of(context.asset_key.parts, key)
            values[format_partition(key)] = _read(path, lambda key=key, path=path: _missing_asset(context, key, path))
        return values if len(context.keys) > 1 else next(iter(values.values()))


class InMemoryIOManager(IOManager):
    """Keeps values in this process's memory: for tests, and for runs with the in-process executor."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], Any] = {}
        self._writer = os.getpid()

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        if context.has_asset_key and context.keys:
            for key in context.keys:
                self.values[(*context.asset_key.parts, *key)] = obj
        else:
            self.values[tuple(context.asset_key.parts if context.has_asset_key else context.get_identifier())] = obj

    def load_input(self, context: InputContext) -> Any:
        """The value that was stored, not a copy."""
        if context.has_asset_key and context.has_asset_partitions:
            found = {format_partition(key): self._get(context, (*context.asset_key.parts, *key)) for key in context.keys}
            return found if len(context.keys) > 1 else next(iter(found.values()), None)
        return self._get(context, tuple(context.asset_key.parts if context.has_asset_key else context.get_identifier()))

    def _get(self, context: InputContext, identifier: tuple[str, ...]) -> Any:
        try:
            return self.values[identifier]
        except KeyError:
            what = f"the asset {context.asset_key.to_user_string()}" if context.has_asset_key else f"the output {'.'.join(identifier[1:])}"
            raise MissingValueError(
                f"{what} is not in memory: the in-memory IO manager knows only what was stored in the same process. Make it in the "
                "same run with the in-process executor, or use an IO manager that stores it, such as FilesystemIOManager"
            ) from None


def _filesystem(context: Any) -> FilesystemIOManager:
    return FilesystemIOManager(base_dir=(context.resource_config or {}).get("base_dir"))


fs_io_manager = IOManagerDefinition(
    resource_fn=_filesystem,
    config_type=ConfigType({"base_dir": Field(str, is_required=False)}, "fs_io_manager"),
    description="Pickle files.",
)
"""The file-system IO manager as a resource; `fs_io_manager.configured({"base_dir": ...})`."""

mem_io_manager = IOManagerDefinition(resource_fn=InMemoryIOManager, takes_context=False, description="Memory of this process.")
"""The in-memory IO manager as a resource; each run gets a fresh one."""


def several_partitions(context: OutputContext, manager: str) -> str:
    """What to do about one value that is to be stored for the partitions of a range."""
    return (
        f"{manager} stores one partition at a time, and the output {context.name!r} of step {context.step_key!r} covers "
        f"{len(context.keys)}: the run is of a range. Store them inside the function and annotate it with `-> None` (or return a "
        "MaterializeResult), give it an IO manager that takes several, or launch a run for each partition "
        "(BackfillPolicy.multi_run() does in backfills)"
    )


def _missing_asset(context: InputContext, key: PartitionKey, path: Any) -> str:
    partition = format_partition(key)
    name = context.asset_key.to_user_string()
    which = f"partition {partition} of the asset {name}" if partition else f"the asset {name}"
    option = f" --partition '{partition}'" if partition else ""
    return (
        f"{which} has not been materialized: there is nothing at {path}. Materialize it first, on its page or by "
        f"`dagwright asset materialize --select {name}{option}`, or select it in the same run"
    )


def _missing_output(context: InputContext, path: Any) -> str:
    upstream = context.upstream_output
    step = upstream.step_key if upstream is not None else "?"
    return (
        f"the output {upstream.name if upstream else '?'!r} of step {step!r} was not stored: there is nothing at {path}. "
        f"Run that step in the same run, or re-execute from a run in which it succeeded and whose files are still there"
    )


def _read(path: Any, message: Any) -> Any:
    try:
        with path.open("rb") as file:
            return pickle.load(file)  # what our own steps have written
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise MissingValueError(message()) from None


def _write(path: Any, body: bytes) -> None:
    """Beside its place first, then moved there. Written with plain `os` calls: this is done for every output of every step."""
    if not isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)  # object stores show a file once it is whole
        return
    target = os.fspath(path)
    temporary = f"{target}.writing-{_TOKEN}-{os.getpid()}-{next(_numbers)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        fd = os.open(temporary, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(body)
        os.replace(temporary, target)  # noqa: PTH105 - as the docstring says
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108 - as the docstring says
        raise


def _safe(part: str) -> str:
    """A path component that names this part and nothing else, whatever is in it."""
    text = part.replace("%", "%25").replace("/", "%2F").replace("\x00", "%00")
    if text in (".", ".."):
        text = text.replace(".", "%2E")
    if len(text.encode()) > _MAX_NAME:
        text = f"{text[:60]}-{hashlib.sha256(part.encode()).hexdigest()}"
    return text
