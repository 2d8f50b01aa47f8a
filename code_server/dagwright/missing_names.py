"""Public names of Dagster that are absent here, each with what to use instead."""

from __future__ import annotations

from opcode import opname
from types import FrameType

from dagwright_shared.model.errors import nearest

INSTEAD = {
    "AssetJobKey": "the name of the job",
    "AutoMaterializeAssetPartitionsFilter": "`AutomationCondition.executed_with_tags(tag_keys=..., tag_values=...)`",
    "ComponentFormConfig": "nothing: forms are made of the schema of a component",
    "ConfigSchema": "`Config`, or `Field` and its kin",
    "DagsterExecutionInterruptedError": "a `finally:` clause or a context manager, which a cancel runs; no `except` may hold it up",
    "DagsterSubprocessError": "`subprocess.CalledProcessError`; an error of a step's process is raised as it was there",
    "DefaultRunLauncher": "the code server, which starts runs itself; there are no run launchers",
    "FileHandle": "`pathlib.Path`, or `upath.UPath` for remote files",
    "HookExecutionResult": "nothing: what a hook returns is not looked at; leave it out",
    "IAttachDifferentObjectToOpContext": "`ConfigurableResource.create_resource`, which makes the object that ops get",
    "LocalFileHandle": "`pathlib.Path`",
    "MetadataEntry": "a dict: `metadata={label: MetadataValue...}`",
    "MigrateIOStorageResult": "nothing: values are kept by IO managers",
    "PaginatedResults": "`limit=` and `cursor=` of the methods of `context.instance`",
    "Partition": "the key of the partition, a text",
    "PendingNodeInvocation": "what `.alias()`, `.tag()` and `.with_hooks()` of an op return",
    "PoolMetadataValue": "`MetadataValue.text(pool)`",
    "QueuedRunCoordinator": "the daemon's queue, which is always there; its limits are settings",
    "RepositoryData": "`Definitions`, or a function with `@definitions`",
    "RunShardedEventsCursor": "the number that `EventRecordsResult.cursor` gives",
    "StepExecutionContext": "`OpExecutionContext` and `AssetExecutionContext`",
    "StepLauncher": "`Executor`, whose `start(attempt)` starts a step wherever it likes, or a Pipes client in the step",
    "StepRunRef": "`StepAttempt`, which an `Executor` is given",
    "SubmitRunContext": "nothing: every run goes through the daemon's queue",
    "UPathDefsStateStorage": "nothing: the state of a component is kept in its folder",
    "create_repository_using_definitions_args": "`Definitions`",
    "custom_path_fs_io_manager": "`FilesystemIOManager(base_dir=...)`",
    "default_system_loggers": "`default_loggers`",
    "deprecation_warning": "`warnings.warn(..., DeprecationWarning)`",
    "external_instance_from_step_run_ref": "`context.instance`",
    "local_file_manager": "`pathlib.Path`, or an IO manager",
    "migrate_io_storage": "nothing: values are kept by IO managers",
    "raise_execution_interrupts": "nothing: a cancel reaches a step wherever it is",
    "run_step_from_ref": "`Executor`, whose `start(attempt)` starts a step",
    "step_context_to_step_run_ref": "`StepAttempt`, which an `Executor` is given",
    "step_run_ref_to_step_context": "`StepAttempt`, which an `Executor` is given",
    **dict.fromkeys(("TypingAny", "TypingTuple", "Final", "TYPE_CHECKING"), "the module `typing`"),
    **dict.fromkeys(("Callable", "Mapping", "Sequence"), "the module `collections.abc`"),
    "sys": "`import sys`",
    "version": "`dagwright.__version__`",
}


def error(name: str, known: list[str], asking: FrameType) -> Exception:
    """What to raise for a name that is not here: `from dagwright import name` tells nothing of an AttributeError's text."""
    told = advice(name, known)
    imports = opname[asking.f_code.co_code[asking.f_lasti]] == "IMPORT_FROM"
    return ImportError(told, name="dagwright") if imports else AttributeError(told, name=name)


def advice(name: str, known: list[str]) -> str:
    """What to say of a name that is not here.

    Example:
        >>> advice("asset_chek", ["asset_check"])
        "module 'dagwright' has no attribute 'asset_chek'; did you mean 'asset_check'?"
    """
    told = f"module 'dagwright' has no attribute {name!r}"
    if name in INSTEAD:
        return f"{told}; {_use(INSTEAD[name])}"
    close = nearest(name, known)
    return f"{told}; did you mean {close!r}?" if close else told


def _use(instead: str) -> str:
    return instead.replace("nothing: ", "there is nothing like it here: ", 1) if instead.startswith("nothing: ") else f"use {instead}"
