"""What a schedule or sensor launches, before and after the definitions are together."""

from __future__ import annotations

from typing import Any

from dagwright.authoring import naming
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.jobs import JobDefinition, UnresolvedAssetJobDefinition
from dagwright.authoring.selections import AssetSelection
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A job, which gives its name as well, the name of one, or a selection of assets."""

    job: JobDefinition | UnresolvedAssetJobDefinition | None = None
    job_name: str | None = None
    selection: AssetSelection | None = None

    @staticmethod
    def read(*, job: Any, job_name: str | None, target: Any, what: str, source: SourceRef | None, optional: bool = False) -> Target:
        """The target in the ways that people give it.

        Raises:
            DefinitionError: none, or more than one, or not a target.
        """
        given = [name for name, value in (("job", job), ("job_name", job_name), ("target", target)) if value is not None]
        if len(given) > 1:
            raise DefinitionError(f"{what} has {' and '.join(given)}", source=source, mend="keep one of them")
        if not given:
            if optional:
                return Target()
            raise DefinitionError(
                f"{what} has nothing to run",
                source=source,
                mend='give job=, or target= (a job, assets, or a selection such as "group:raw")',
            )
        if job_name is not None:
            return Target(job_name=naming.check_name(job_name, "job", source))
        value = job if job is not None else target
        match value:
            case JobDefinition() | UnresolvedAssetJobDefinition():
                return Target(job=value, job_name=value.name)
            case GraphDefinition():
                made = value.to_job()
                return Target(job=made, job_name=made.name)
        if job is not None and not isinstance(value, (AssetSelection, list)):
            raise DefinitionError(
                f"{what}: job is a {type(value).__name__}",
                source=source,
                mend="give a function decorated with @job, or define_asset_job(...)",
            )
        try:
            return Target(selection=AssetSelection.from_coercible(value))
        except DefinitionError as error:
            raise DefinitionError(f"{what}: {error.message}", source=source) from None
