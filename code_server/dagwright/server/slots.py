"""Slots of pools for the steps of this code server's workers: asked for in groups, granted in order, waited for without polling.

A worker sends what a step wants, and hears when it has it. Whoever ends an attempt frees its slot in the same transaction and notifies
`pools`; then each code server that has steps waiting grants what is free, in the order of the pool, and tells its own workers.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from dagwright.server import frames
from dagwright.server.frames import Kind
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import RunId, StepKey
from dagwright_shared.model.limits import Limits
from dagwright_shared.store import limits, pools
from dagwright_shared.store.listen import Listener
from dagwright_shared.store.pools import SlotClaim

if TYPE_CHECKING:
    from dagwright.server.workers import Worker

log = logging.getLogger("dagwright.slots")

_RETRY_SECONDS = 0.5
"""While the database is away, or a worker's channel is full."""


@dataclass(slots=True, eq=False)
class _Waiting:
    worker: Worker
    claim: SlotClaim
    told: bool = False
    """Its worker knows that it waits."""


class Slots:
    """One thread, which starts with the first step that has a pool."""

    def __init__(self, engine: Engine, url: str, settings: Limits) -> None:
        """
        Args:
            url: the database, for the connection that hears of freed slots; opened when a step first has to wait.
            settings: the limits that hold where nobody has changed them.
        """
        self._engine, self._url, self._settings = engine, url, settings
        self._wake = threading.Condition()
        self._asked: list[_Waiting] = []
        self._withdrawn: list[_Waiting] = []
        self._waiting: dict[tuple[RunId, StepKey], _Waiting] = {}
        self._look = False
        self._stopping = False
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None

    def ask(self, worker: Worker, body: bytes) -> None:
        """A step of a worker wants a slot. Returns at once."""
        self._put(self._asked, worker, body)

    def withdraw(self, worker: Worker, body: bytes) -> None:
        """It does not want it any more."""
        self._put(self._withdrawn, worker, body)

    def stop(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(3)
        if self._listener is not None:
            self._listener.stop(1)

    def _put(self, to: list[_Waiting], worker: Worker, body: bytes) -> None:
        step_key, attempt, pool = json.loads(body)
        claim = SlotClaim(run_id=worker.run_id, epoch=worker.epoch, step_key=StepKey(step_key), attempt=attempt, pool=pool)
        with self._wake:
            to.append(_Waiting(worker, claim))
            self._wake.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="slots", daemon=True)
                self._thread.start()

    def _heard(self, _topic: str) -> None:
        with self._wake:
            self._look = True
            self._wake.notify()

    # The rest runs on the thread.

    def _loop(self) -> None:
        while True:
            with self._wake:
                while not (self._asked or self._withdrawn or self._look or self._stopping):
                    self._wake.wait()
                if self._stopping:
                    return
                asked, withdrawn, self._asked, self._withdrawn, self._look = self._asked, self._withdrawn, [], [], False
            try:
                self._turn(asked, withdrawn)
            except DBAPIError as error:
                log.warning("slots wait for the database", extra={"error": str(error.orig).splitlines()[0]})
                self._again(asked, withdrawn)
            except Exception:
                log.exception("slots could not be asked for", extra={"steps": len(asked)})
                self._again(asked, withdrawn)

    def _again(self, asked: Sequence[_Waiting], withdrawn: Sequence[_Waiting]) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._stopping, _RETRY_SECONDS)
            self._asked[:0], self._withdrawn[:0], self._look = asked, withdrawn, True

    def _turn(self, asked: Sequence[_Waiting], withdrawn: Sequence[_Waiting]) -> None:
        for one in withdrawn:
            self._waiting.pop((one.claim.run_id, one.claim.step_key), None)
        unwanted = {(one.claim.run_id, one.claim.step_key, one.claim.attempt) for one in withdrawn}
        fresh = [one for one in asked if (one.claim.run_id, one.claim.step_key, one.claim.attempt) not in unwanted]
        waiting = {**self._waiting, **{(one.claim.run_id, one.claim.step_key): one for one in fresh}}
        waiting = {key: one for key, one in waiting.items() if not one.worker.closed}
        with self._engine.begin() as conn:
            for one in withdrawn:
                pools.withdraw(conn, one.claim.run_id, one.claim.epoch, one.claim.step_key)
            # Those that have asked before ask again, which changes nothing, and grants what has become free.
            claims = [one.claim for one in waiting.values()]
            granted = pools.ask(conn, claims, limits.read(conn, self._settings)) if claims else set()
        self._waiting = {key: one for key, one in waiting.items() if key not in granted}
        self._tell([waiting[key] for key in granted])

    def _tell(self, granted: Sequence[_Waiting]) -> None:
        for one in granted:
            if not _send(one.worker, Kind.SLOT_GRANTED, one.claim.step_key):
                self._waiting[one.claim.run_id, one.claim.step_key] = one  # asking again changes nothing and tells it then
                threading.Timer(_RETRY_SECONDS, self._heard, ("*",)).start()
        for one in self._waiting.values():
            if not one.told:
                one.told = _send(one.worker, Kind.SLOT_AWAITED, one.claim.step_key)
        if self._waiting and self._listener is None:
            # Connecting makes it look again, so that nothing that was freed meanwhile is missed.
            self._listener = Listener(self._url, self._heard, {pools.TOPIC})
            self._listener.start()


def _send(worker: Worker, kind: Kind, step_key: StepKey) -> bool:
    """Whether it is on its way; a worker that has gone needs no answer."""
    try:
        worker.channel.send(frames.pack(kind, step_key.encode()), socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
