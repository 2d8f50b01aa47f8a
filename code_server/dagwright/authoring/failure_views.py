"""What user code sees of the failure of a step or run: errors worded as projects expect them."""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.metadata import Metadata
from dagwright_shared.model.metadata_json import metadata_from_json


class ErrorSource(Enum):
    """Whose error it was that a step failed with."""

    FRAMEWORK_ERROR = "FRAMEWORK_ERROR"
    """Also of a `Failure`, which is an answer rather than an accident."""
    USER_CODE_ERROR = "USER_CODE_ERROR"
    UNEXPECTED_ERROR = "UNEXPECTED_ERROR"
    INTERRUPT = "INTERRUPT"


class SeenError(ErrorInfo):
    """An error whose `message` begins with its class and ends with a newline, as the last line of a traceback does."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.message.strip()


@dataclass(frozen=True, slots=True)
class UserFailureData:
    """What the author of a `Failure` said."""

    label: str
    description: str | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FailureData:
    """`event_specific_data` of a failed step or run."""

    error: ErrorInfo | None = None
    failed_steps: tuple[str, ...] = ()
    failure_reason: str | None = None
    user_failure_data: UserFailureData | None = None
    error_source: ErrorSource = ErrorSource.FRAMEWORK_ERROR

    @property
    def error_display_string(self) -> str:
        return self.error.render().strip() if self.error is not None else ""

    @property
    def first_step_failure_event(self) -> None:
        return None


def of_step(error: ErrorInfo, step_key: str | None) -> FailureData:
    """The failure of a step: what user code raised is the cause of its error, what it said by a `Failure` is the error."""
    if error.class_name.rpartition(".")[2] == "Failure":
        said = UserFailureData("intentional-failure", error.message, metadata_from_json(error.metadata))
        return FailureData(_seen(error), user_failure_data=said)
    wrapped = SeenError(
        class_name=_STEP_ERROR,
        message=f'{_STEP_ERROR}: Error occurred while executing op "{step_key}":\n',
        frames=error.frames,
        cause=_seen(error),
        hint=error.hint,
    )
    return FailureData(wrapped, error_source=ErrorSource.USER_CODE_ERROR)


_STEP_ERROR = "DagsterExecutionStepExecutionError"


def _seen(error: ErrorInfo) -> SeenError:
    return SeenError(
        class_name=error.class_name.rpartition(".")[2],
        message=f"{error}\n",
        frames=error.frames,
        cause=_seen(error.cause) if error.cause is not None else None,
        hint=error.hint,
        metadata=error.metadata,
    )
