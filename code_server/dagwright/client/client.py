"""The client of a deployment: a group of methods for each noun of REST, and what takes several calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from dagwright.client import models
from dagwright.client import operations as calls
from dagwright.client.errors import UnreachableError
from dagwright.client.transport import Transport

T = TypeVar("T")
_FINAL_BACKFILLS = frozenset({"COMPLETED", "FAILED", "CANCELED"})
_FINAL_RUNS = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
_PATIENCE = 30.0
"""Seconds that the webserver may be away before waiting is given up."""


class Runs(calls.RunsCalls):
    """Runs: launch, list, look at, follow, wait for, cancel, run again, delete."""

    def wait(self, run_id: str, *, timeout: float | None = None) -> models.RunView:
        """Wait until a run is over.

        Args:
            run_id: its id.
            timeout: seconds; left out: as long as it takes.

        Returns:
            The run, in whichever final status.

        Raises:
            TimeoutError: it is not over by then; it goes on.
            ApiError: the webserver refuses, or is away for longer than the retries last.
        """
        return _last(self.watch(run_id, timeout=timeout))

    def watch(self, run_id: str, *, timeout: float | None = None) -> Iterator[models.RunView]:
        """The run, again and again, until it is over; as `wait` otherwise."""
        return _looks(lambda: self.get(run_id), lambda run: run.status in _FINAL_RUNS, f"run {run_id}", timeout)

    def follow(self, run_id: str, *, after_seq: int = 0) -> Iterator[models.EventView]:
        """The events of a run as they come, from its first one on, until it is over.

        Args:
            run_id: its id.
            after_seq: only events with a higher number.
        """
        for told in self.stream(run_id, after_seq=after_seq):
            if told.event == "event":
                yield msgspec.json.decode(told.raw, type=models.EventView)

    def output(self, run_id: str, step: str, *, stream: models.LogStream = "stdout", attempt: int | None = None) -> str:
        """All that a step has written so far to one stream.

        Args:
            run_id: id of the run.
            step: its step key.
            stream: stdout or stderr.
            attempt: number of the attempt; left out: all of them, one after the other.
        """
        return self.download_log(run_id, step=step, stream=stream, attempt=attempt)


class Backfills(calls.BackfillsCalls):
    """Backfills: many partitions of assets or of a job."""

    def wait(self, backfill_id: str, *, timeout: float | None = None) -> models.BackfillView:
        """Wait until a backfill is over.

        Args:
            backfill_id: its id.
            timeout: seconds; left out: as long as it takes.

        Raises:
            TimeoutError: it is not over by then; it goes on.
        """
        looks = _looks(lambda: self.get(backfill_id), lambda it: it.status in _FINAL_BACKFILLS, f"backfill {backfill_id}", timeout)
        return _last(looks)


class Client:
    """A deployment, by its REST API. Threads may share it; close it, or use it in a `with`.

    Each call that fails raises a class of `dagwright.client.errors`. Calls that are safe to repeat (reads, changes that say what shall
    be, and whatever takes an idempotency key, which the client makes where none is given) are repeated when the webserver is away.

    Example:
        ```py
        with Client("https://dagwright.example.com", token=os.environ["DAGWRIGHT_TOKEN"]) as client:
            made = client.runs.launch(assets=["daily_summary"], partition="2013-01-01")
            run = client.runs.wait(made.run_id)
            print(run.status, [step.step_key for step in run.steps if step.status == "FAILURE"])
        ```
    """

    def __init__(self, url: str, *, token: str | None = None, timeout: float = 30.0, retries: int = 3, program: str = "client") -> None:
        """
        Args:
            url: of the webserver, such as `http://127.0.0.1:3004`.
            token: an API token, where the deployment has a log-in.
            timeout: seconds for each answer.
            retries: how often a call that is safe to repeat is repeated.
            program: what is calling, for logs of the webserver.
        """
        headers = {"User-Agent": f"dagwright-{program}", "X-Dagwright-Client": program}
        self._transport = transport = Transport(url, token=token, timeout=timeout, retries=retries, headers=headers)
        self.account = calls.AccountCalls(transport)
        self.assets = calls.AssetsCalls(transport)
        self.automation = calls.AutomationCalls(transport)
        self.backfills = Backfills(transport)
        self.dagster = calls.DagsterCalls(transport)
        self.dynamic_partitions = calls.DynamicPartitionsCalls(transport)
        self.hooks = calls.HooksCalls(transport)
        self.instance = calls.InstanceCalls(transport)
        self.jobs = calls.JobsCalls(transport)
        self.limits = calls.LimitsCalls(transport)
        self.locations = calls.LocationsCalls(transport)
        self.pools = calls.PoolsCalls(transport)
        self.resources = calls.ResourcesCalls(transport)
        self.runs = Runs(transport)
        self.schedules = calls.SchedulesCalls(transport)
        self.sensors = calls.SensorsCalls(transport)
        self.tokens = calls.TokensCalls(transport)
        self.users = calls.UsersCalls(transport)
        self.views = calls.ViewsCalls(transport)

    @property
    def url(self) -> str:
        """Of the webserver."""
        return self._transport.url

    def close(self) -> None:
        """Close its connections."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def to_json(answer: Any) -> Any:
    """An answer of the client as dictionaries and lists, such as REST sent it."""
    return msgspec.json.decode(msgspec.json.encode(answer))


def _looks(look: Callable[[], T], is_over: Callable[[T], bool], what: str, timeout: float | None) -> Iterator[T]:
    """Look again and again: closely at first, twice a second later. The webserver may be away for a restart."""
    ends = None if timeout is None else time.monotonic() + timeout
    delay, lost_since = 0.02, None
    while True:
        try:
            found = look()
        except UnreachableError:
            lost_since = lost_since or time.monotonic()
            if time.monotonic() - lost_since > _PATIENCE:
                raise
        else:
            lost_since = None
            yield found
            if is_over(found):
                return
        if ends is not None and time.monotonic() + delay > ends:
            raise TimeoutError(f"{what} is not over after {timeout:g} seconds; it goes on")
        time.sleep(delay)
        delay = min(0.5, delay * 1.4)


def _last(looks: Iterator[T]) -> T:
    found = next(looks)
    for found in looks:  # noqa: B007 - the last one is wanted
        pass
    return found
