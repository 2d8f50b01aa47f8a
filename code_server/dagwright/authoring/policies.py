"""How failures are treated: retries, and exceptions by which user code asks for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from dagwright.authoring import source as sources
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.metadata import Metadata, normalize_metadata
from dagwright_shared.model.snapshot import BackfillPolicyData, Backoff, Jitter, RetryPolicyData

__all__ = ["BackfillPolicy", "Backoff", "Failure", "Jitter", "RetryPolicy", "RetryRequested", "backoff"]

T = TypeVar("T")


_CONCURRENCY_KEY_TAG = "dagster/concurrency_key"


def pool_of(pool: str | None, tags: Mapping[str, str], what: str, source: SourceRef | None) -> str | None:
    """The pool of an op, which older code names by a tag.

    Raises:
        DefinitionError: it is no text, or the tag names another.
    """
    if pool is not None and not isinstance(pool, str):
        raise DefinitionError(f"{what}: pool is {pool!r}", source=source, mend='give the name of a pool: pool="warehouse"')
    named = tags.get(_CONCURRENCY_KEY_TAG)
    if named is not None and pool not in (None, named):
        message = f"{what} has the pool {pool!r} and the tag {_CONCURRENCY_KEY_TAG!r} with {named!r}"
        raise DefinitionError(message, source=source, mend="leave the tag out: pool= means the same")
    return pool or named


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a failed step is tried again.

    Args:
        max_retries: tries after the first one.
        delay: seconds before the first retry; None means none.
        backoff: how the delay grows: `LINEAR` (n x delay) or `EXPONENTIAL` ((2^n - 1) x delay); needs a delay.
        jitter: spreads the delay: `FULL` (anything from 0 to it) or `PLUS_MINUS` (it, give or take itself); needs a delay.

    Raises:
        DefinitionError: a number is negative, or backoff or jitter is given without a delay.

    Example:
        >>> RetryPolicy(max_retries=3, delay=0.2, backoff=Backoff.EXPONENTIAL).max_retries
        3
    """

    max_retries: int = 1
    delay: float | None = None
    backoff: Backoff | None = None
    jitter: Jitter | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.max_retries, int) or self.max_retries < 0:
            raise DefinitionError(
                f"RetryPolicy: max_retries is {self.max_retries!r}", source=sources.of_caller(), mend="give a whole number >= 0"
            )
        if self.delay is not None and self.delay < 0:
            raise DefinitionError(f"RetryPolicy: delay is {self.delay!r}", source=sources.of_caller(), mend="give seconds >= 0")
        if self.delay is None and (self.backoff or self.jitter):
            raise DefinitionError(
                "RetryPolicy: backoff and jitter change a delay, but there is none", source=sources.of_caller(), mend="give delay= too"
            )

    def to_model(self) -> RetryPolicyData:
        return RetryPolicyData(max_retries=self.max_retries, delay=self.delay or 0.0, backoff=self.backoff, jitter=self.jitter)


@dataclass(frozen=True, slots=True)
class BackfillPolicy:
    """How many partitions one run of a backfill covers; None means all of them.

    Make one by `BackfillPolicy.single_run()` or `BackfillPolicy.multi_run(max_partitions_per_run=1)`.
    """

    max_partitions_per_run: int | None = 1

    @staticmethod
    def single_run() -> BackfillPolicy:
        return BackfillPolicy(None)

    @staticmethod
    def multi_run(max_partitions_per_run: int = 1) -> BackfillPolicy:
        if max_partitions_per_run < 1:
            raise DefinitionError(
                f"BackfillPolicy: max_partitions_per_run is {max_partitions_per_run!r}",
                source=sources.of_caller(),
                mend="give a number >= 1",
            )
        return BackfillPolicy(max_partitions_per_run)

    def to_model(self) -> BackfillPolicyData:
        return BackfillPolicyData(max_partitions_per_run=self.max_partitions_per_run)


def backoff(
    fn: Callable[..., T],
    retry_on: tuple[type[BaseException], ...],
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    max_retries: int = 4,
    delay_generator: Iterator[float] | None = None,
) -> T:
    """Call a function, and again after growing pauses while it raises one of some exceptions.

    A `RetryPolicy` tries a whole step again; this is for one call in it, such as opening a file that another process holds.

    Args:
        fn: what to call, with `args` and `kwargs`.
        retry_on: exceptions after which it is called again.
        max_retries: how often at most; then the exception is raised.
        delay_generator: seconds of each pause; by default 0.1, then twice the one before.

    Example:
        >>> backoff(fn=int, retry_on=(OSError,), kwargs={}, args=["3"])
        3
    """
    for retry in range(max_retries):
        try:
            return fn(*(args or ()), **(kwargs or {}))
        except retry_on:
            time.sleep(next(delay_generator) if delay_generator is not None else 0.1 * 2**retry)
    return fn(*(args or ()), **(kwargs or {}))


class Failure(Exception):
    """Raise it to fail a step on purpose, with a description and metadata for its page.

    Args:
        description: what went wrong, for people.
        metadata: values shown beside the error.
        allow_retries: False skips the step's retry policy.

    Example:
        >>> Failure("no rows", metadata={"table": "flights"}).description
        'no rows'
    """

    def __init__(self, description: str | None = None, metadata: Mapping[str, Any] | None = None, allow_retries: bool = True) -> None:
        super().__init__(description)
        self.description = description
        self.metadata: Metadata = normalize_metadata(metadata)
        self.allow_retries = allow_retries

    def __str__(self) -> str:
        return self.description or ""


class RetryRequested(Exception):
    """Raise it to have the step tried again, whatever its policy says.

    Args:
        max_retries: give up after this many.
        seconds_to_wait: before the retry.

    Example:
        >>> raise RetryRequested(max_retries=2, seconds_to_wait=5)  # doctest: +SKIP
    """

    def __init__(self, max_retries: int = 1, seconds_to_wait: float | None = None) -> None:
        super().__init__(f"a retry was requested (at most {max_retries})")
        self.max_retries = max_retries
        self.seconds_to_wait = seconds_to_wait


def choice(kind: Any, value: Any, option: str, what: str, source: SourceRef | None) -> Any:
    """A value of an enumeration, as code names it.

    Raises:
        DefinitionError: there is no such value.
    """
    try:
        return kind(value)
    except ValueError:
        raise DefinitionError(f"{what}: {option} is {value!r}", source=source, mend=f"use one of {', '.join(kind)}") from None
