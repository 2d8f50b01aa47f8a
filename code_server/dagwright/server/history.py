"""Answers what user code asks of the past. Workers have no database: they ask the code server's parent over a Unix socket.

It is a socket of its own, not the channel of the run: each process of a run (a step of the multiprocess executor, the evaluation of a
sensor) opens its own connection when its code first asks, and nothing has to be told apart from acknowledgements.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dagwright.authoring.instance import Instance
from dagwright.server import frames
from dagwright.server.frames import Kind
from dagwright_shared.model.events import RunEvent
from dagwright_shared.model.history import (
    AssetKeysQuestion,
    DeleteRunQuestion,
    DynamicKeysQuestion,
    EventFilter,
    HistoryAnswer,
    HistoryQuestion,
    KnownVersion,
    LatestQuestion,
    MaterializedQuestion,
    ReportableEvent,
    ReportQuestion,
    RunFilter,
    StepsQuestion,
    StoredEvent,
    TagQuestion,
    WipeQuestion,
    answer,
)
from dagwright_shared.model.keys import (
    UNPARTITIONED,
    AssetKey,
    LocationName,
    PartitionKey,
    RunId,
)
from dagwright_shared.model.runs import Run, StepRecord
from dagwright_shared.wire import history as wire
from dagwright_shared.wire.errors import error_from_bytes, error_to_bytes

if TYPE_CHECKING:  # workers import this module too, and need no database
    from sqlalchemy import Engine

log = logging.getLogger("dagwright.history")

_PATIENCE_SECONDS = 60.0
"""A database that is away for so long does not fail the steps that ask."""
_RETRY_SECONDS = 0.25

ADDRESS = "DAGWRIGHT_HISTORY_SOCKET"
"""Environment variable of the processes that run user code: where to ask."""


class HistoryServer:
    """The parent's side: one thread for each process that asks, one transaction for each question."""

    def __init__(self, engine: Engine, location: LocationName) -> None:
        self._engine, self._location = engine, location
        self._folder = Path(tempfile.mkdtemp(prefix="dagwright-history-"))  # of mode 0700: other users cannot connect
        self.address = str(self._folder / "socket")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen(128)
        self._thread = threading.Thread(target=self._accept, name="history", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return  # stopped
            threading.Thread(target=self._serve, args=(channel,), name="history-answers", daemon=True).start()

    def _serve(self, channel: socket.socket) -> None:
        with channel, contextlib.suppress(frames.ChannelClosedError, OSError):
            while True:
                frames.send(channel, *self._reply(frames.receive(channel).body))

    def _reply(self, question: bytes) -> tuple[Kind, bytes]:
        # Workers import this module too, and need no database.
        from dagwright_shared.store.engine import is_transient  # noqa: PLC0415
        from dagwright_shared.store.history import StoreHistory  # noqa: PLC0415

        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                with self._engine.begin() as conn:
                    return Kind.ANSWER, wire.encode_answer(answer(StoreHistory(conn, self._location), wire.decode_question(question)))
            except Exception as error:  # noqa: BLE001 - the worker gets it, as its answer
                if is_transient(error) and time.monotonic() < deadline:
                    time.sleep(_RETRY_SECONDS)
                    continue
                log.warning("a question about the past failed", extra={"error": str(error)})
                return Kind.FAILED, error_to_bytes(error)


class RemoteHistory:
    """The worker's side of the port. Safe to use after a fork and from several threads."""

    def __init__(self, address: str, *, settled: bool = False) -> None:
        """
        Args:
            settled: events are read as by a cursor: only those that no open transaction can come before.
        """
        self._address, self._settled = address, settled
        self._owner: int | None = None
        self._channel: socket.socket | None = None
        self._lock = threading.Lock()

    def _ask(self, question: HistoryQuestion) -> HistoryAnswer:
        if self._owner != os.getpid():  # a fork must not speak on its parent's connection, nor wait for its lock
            self._owner, self._channel, self._lock = os.getpid(), None, threading.Lock()
        with self._lock:
            if self._channel is None:
                self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._channel.connect(self._address)
            frames.send(self._channel, Kind.ASK, wire.encode_question(question))
            reply = frames.receive(self._channel)
        if reply.kind is Kind.FAILED:
            raise error_from_bytes(reply.body)
        return wire.decode_answer(reply.body)

    def latest(self, asset_key: AssetKey, partition: PartitionKey = UNPARTITIONED) -> KnownVersion | None:
        return self._ask(LatestQuestion(asset_key=asset_key, partition=partition)).latest

    def dynamic_keys(self, name: str) -> tuple[str, ...]:
        return self._ask(DynamicKeysQuestion(name=name)).keys

    def change_dynamic_keys(self, name: str, add: tuple[str, ...] = (), delete: tuple[str, ...] = ()) -> None:
        self._ask(DynamicKeysQuestion(name=name, add=add, delete=delete))

    def events(self, wanted: EventFilter) -> tuple[StoredEvent, ...]:
        return self._ask(replace(wanted, settled=True) if self._settled else wanted).events

    def runs(self, wanted: RunFilter) -> tuple[Run, ...]:
        return self._ask(wanted).runs

    def steps(self, run_id: RunId) -> tuple[StepRecord, ...]:
        return self._ask(StepsQuestion(run_id=run_id)).steps

    def report(self, payload: ReportableEvent) -> None:
        self._ask(ReportQuestion(event=RunEvent(seq=1, time=_now(), payload=payload)))

    def tag_run(self, run_id: RunId, tags: Mapping[str, str]) -> None:
        self._ask(TagQuestion(run_id=run_id, tags=tags))

    def materialized(self, asset_key: AssetKey) -> tuple[PartitionKey, ...]:
        return self._ask(MaterializedQuestion(asset_key=asset_key)).partitions

    def asset_keys(self) -> tuple[AssetKey, ...]:
        return self._ask(AssetKeysQuestion()).asset_keys

    def wipe(self, asset_key: AssetKey, partitions: tuple[PartitionKey, ...] = ()) -> None:
        self._ask(WipeQuestion(asset_key=asset_key, partitions=partitions))

    def delete_run(self, run_id: RunId) -> None:
        self._ask(DeleteRunQuestion(run_id=run_id))


def of_this_process(*, settled: bool = False) -> Instance | None:
    """The deployment as user code of this process sees it; None where nobody answers."""
    address = os.environ.get(ADDRESS)
    return Instance(RemoteHistory(address, settled=settled)) if address else None


def _now() -> datetime:
    return datetime.now(UTC)
