"""A base for IO managers that keep one file for each asset, partition or output, on any file system.

Paths are `pathlib.Path`s, or `UPath`s of the package universal_pathlib for anything that fsspec reaches (s3://, gs://, memory://).
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from dagwright.authoring.io_managers import IOManager
from dagwright.authoring.results import NO_VALUE
from dagwright.execution.io_contexts import InputContext, OutputContext
from dagwright.execution.io_managers import ValueNotStorableError, several_partitions
from dagwright.execution.places import path_of
from dagwright_shared.model.keys import format_partition
from dagwright_shared.model.metadata import MetadataValue


class UPathIOManager(IOManager):
    """Keeps values as files; a subclass says how one is written and read.

    An asset's file is named after its key, a partition's after its key below a folder of the asset, an op's output after run, step
    and output. An input that reads several partitions gets a dict by partition key.

    Args:
        base_path: a folder: a Path, a UPath, or text such as `s3://bucket/folder`.

    Example:
        >>> class TextFiles(UPathIOManager):
        ...     extension = ".txt"
        ...     def dump_to_path(self, context, obj, path):
        ...         path.write_text(obj)
        ...     def load_from_path(self, context, path):
        ...         return path.read_text()
        >>> TextFiles("/tmp/texts").extension
        '.txt'
    """

    extension: ClassVar[str | None] = None
    """The ending of the files, with its dot."""

    def __init__(self, base_path: Any = None) -> None:
        if self.extension is not None and not self.extension.startswith("."):
            raise ValueError(f"{type(self).__name__}: extension is {self.extension!r}; it begins with a dot: {'.' + self.extension!r}")
        self._base_path: Any = path_of(base_path) if base_path is not None else Path.cwd()

    @abstractmethod
    def dump_to_path(self, context: OutputContext, obj: Any, path: Any) -> None:
        """Write a value to its file."""

    @abstractmethod
    def load_from_path(self, context: InputContext, path: Any) -> Any:
        """Read a value from its file."""

    @property
    def base_path(self) -> Any:
        return self._base_path

    @property
    def fs(self) -> Any:
        """The fsspec file system of the base path."""
        return self._base_path.fs

    @property
    def storage_options(self) -> Mapping[str, Any]:
        return getattr(self._base_path, "storage_options", {})

    # ---- what subclasses change

    def get_metadata(self, context: OutputContext, obj: Any) -> Mapping[str, Any]:
        """More metadata of an output, beside its path."""
        del context, obj
        return {}

    def path_exists(self, path: Any) -> bool:
        return bool(path.exists())

    def unlink(self, path: Any) -> None:
        path.unlink()

    def make_directory(self, path: Any) -> None:
        path.mkdir(parents=True, exist_ok=True)

    def has_output(self, context: OutputContext) -> bool:
        return self.path_exists(self._get_path(context))

    def get_asset_relative_path(self, context: InputContext | OutputContext) -> Any:
        return Path(*context.asset_key.path)

    def get_op_output_relative_path(self, context: InputContext | OutputContext) -> Any:
        return Path(*context.get_identifier())

    def get_partition_relative_path(self, context: InputContext | OutputContext, partition_key: str) -> Any:
        """The part of a partition's path below the asset's folder, without the ending."""
        del context
        return partition_key

    def get_path_for_partition(self, context: InputContext | OutputContext, path: Any, partition: str) -> Any:
        return path / self.get_partition_relative_path(context, partition)

    def get_loading_input_log_message(self, path: Any) -> str:
        return f"Loading file from: {path}"

    def get_writing_output_log_message(self, path: Any) -> str:
        return f"Writing file at: {path}"

    def get_missing_partition_log_message(self, partition_key: str) -> str:
        return f"Couldn't load partition {partition_key}: there is no file of it"

    def load_partitions(self, context: InputContext) -> dict[str, Any]:
        """The values of the partitions that an input reads, by key; absent files are an error unless the input's metadata has
        `allow_missing_partitions`."""
        paths = self._partition_paths(context)
        if inspect.iscoroutinefunction(self.load_from_path):
            values = self._settle(self._load_together(context, paths))
        else:
            values = [self._load_partition(context, key, path) for key, path in paths.items()]
        return {key: value for key, value in zip(paths, values, strict=True) if value is not NO_VALUE}

    # ---- the IO manager

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        if context.has_asset_partitions:
            paths = self._partition_paths(context)
            if len(paths) > 1:
                raise ValueNotStorableError(several_partitions(context, type(self).__name__))
            path = next(iter(paths.values()))
        else:
            path = self._get_path(context)
        self.make_directory(path.parent)
        context.log.debug(self.get_writing_output_log_message(path))
        self._settle(self.dump_to_path(context, obj, path))
        context.add_output_metadata(
            {**({"path": MetadataValue.path(str(path))} if obj is not None else {}), **self.get_metadata(context, obj)}
        )

    def load_input(self, context: InputContext) -> Any:
        if not context.has_asset_key or not context.has_asset_partitions:
            return self._load(context, self._get_path(context))
        if len(context.keys) == 1:
            [(key, path)] = self._partition_paths(context).items()
            value = self._load_partition(context, key, path)
            return None if value is NO_VALUE else value
        return self.load_partitions(context) if context.keys else None

    async def _load_together(self, context: InputContext, paths: Mapping[str, Any]) -> list[Any]:
        import asyncio  # noqa: PLC0415 - as in _settle

        loads = (self.load_from_path(context=context, path=path) for path in paths.values())
        found = await asyncio.gather(*loads, return_exceptions=True)
        for place, (key, path) in enumerate(paths.items()):
            value = found[place]
            if isinstance(value, FileNotFoundError) and _allowed_to_miss(context):
                context.log.warning(self.get_missing_partition_log_message(key))
                found[place] = NO_VALUE
            elif isinstance(value, FileNotFoundError):
                raise _not_stored(context, path) from value
            elif isinstance(value, BaseException):
                raise value
        return found

    def _load_partition(self, context: InputContext, key: str, path: Any) -> Any:
        try:
            return self._load(context, path)
        except FileNotFoundError:
            if not _allowed_to_miss(context):
                raise
            context.log.warning(self.get_missing_partition_log_message(key))
            return NO_VALUE

    def _load(self, context: InputContext, path: Any) -> Any:
        context.log.debug(self.get_loading_input_log_message(path))
        try:
            value = self._settle(self.load_from_path(context=context, path=path))
        except FileNotFoundError as error:
            raise _not_stored(context, path) from error
        context.add_input_metadata({"path": MetadataValue.path(str(path))})
        return value

    @staticmethod
    def _settle(value: Any) -> Any:
        if inspect.iscoroutine(value):
            from dagwright.execution.event_loop import CoroutineRunner  # noqa: PLC0415 - asyncio costs start-up time, and few need it

            with CoroutineRunner() as runner:
                return runner.run(value)
        return value

    def _with_extension(self, path: Any) -> Any:
        return path.parent / (path.name + self.extension) if self.extension else path

    def _get_path_without_extension(self, context: InputContext | OutputContext) -> Any:
        relative = self.get_asset_relative_path(context) if context.has_asset_key else self.get_op_output_relative_path(context)
        return self._base_path.joinpath(*Path(relative).parts)

    def _get_path(self, context: InputContext | OutputContext) -> Any:
        return self._with_extension(self._get_path_without_extension(context))

    def _partition_paths(self, context: InputContext | OutputContext) -> dict[str, Any]:
        folder = self._get_path_without_extension(context)
        keys: Sequence[str] = [format_partition(key) or "" for key in context.keys]
        return {key: self._with_extension(self.get_path_for_partition(context, folder, key.replace("|", "/"))) for key in keys}


def _not_stored(context: InputContext, path: Any) -> FileNotFoundError:
    what = f"the asset {context.asset_key.to_user_string()}" if context.has_asset_key else f"the input {context.name!r}"
    return FileNotFoundError(f"{what} is not stored: there is no file {path}. Materialize it first")


def _allowed_to_miss(context: InputContext) -> bool:
    for metadata in (
        context.definition_metadata,
        context.upstream_output.definition_metadata if context.upstream_output else {},
    ):
        value = metadata.get("allow_missing_partitions")
        if value is not None:
            return bool(value)
    return False
