"""The run worker's event sink: numbers and stamps events and streams them to the code server in batches."""

from __future__ import annotations

import json
import logging
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from dagwright.server import frames
from dagwright.server.frames import FrameBuffer, Kind
from dagwright_shared.model.events import EventBatch, LogChunk, Payload, RunEvent
from dagwright_shared.model.keys import StepKey
from dagwright_shared.model.runs import LaunchSpec
from dagwright_shared.wire.events import encode_batch

log = logging.getLogger("dagwright.worker")

_BATCH_EVENTS = 500
_BATCH_BYTES = 1 << 20
_PUMP_SECONDS = 0.05


class ChannelSink:
    """Implements `execution.ports.EventSink`, `PumpedSink` and `SlotSource` over the channel to the code server.

    Memory stays flat: a full batch is sent at once, and sending waits while the code server is slower than the run.
    """

    def __init__(self, channel: socket.socket, spec: LaunchSpec, *, lost: Callable[[str], None]) -> None:
        """
        Args:
            lost: called when nobody takes the events any more (the code server ended, or a newer attempt owns the
                run): it must end this process.
        """
        self._channel, self._spec, self._lost = channel, spec, lost
        self._next_seq = spec.first_seq
        self._acked = spec.first_seq - 1
        self._events: list[RunEvent] = []
        self._chunks: list[LogChunk] = []
        self._chunk_bytes = 0
        self._lock = threading.RLock()
        self._incoming = FrameBuffer()
        self._pump: threading.Thread | None = None
        self._pump_stop = threading.Event()
        self._news: deque[tuple[StepKey, bool]] = deque()
        self._bell: tuple[int, int] | None = None

    def emit(self, payload: Payload, step_key: StepKey | None = None) -> None:
        with self._lock:
            self._events.append(RunEvent(seq=self._next_seq, time=datetime.now(UTC), step_key=step_key, payload=payload))
            self._next_seq += 1
            if len(self._events) >= _BATCH_EVENTS:
                self.flush()

    def chunk(self, chunk: LogChunk) -> None:
        with self._lock:
            self._chunks.append(chunk)
            self._chunk_bytes += len(chunk.data)
            if self._chunk_bytes >= _BATCH_BYTES:
                self.flush()

    def flush(self) -> None:
        with self._lock:
            if not self._events and not self._chunks:
                return
            batch = EventBatch(run_id=self._spec.run_id, epoch=self._spec.epoch, events=tuple(self._events), chunks=tuple(self._chunks))
            self._events.clear()
            self._chunks.clear()
            self._chunk_bytes = 0
            self._send(Kind.EVENTS, encode_batch(batch))

    def after_fork(self) -> None:
        self._channel.close()

    def fileno(self) -> int:
        """Readable when the code server has something to say; call `on_readable` then."""
        return self._channel.fileno()

    def want_slot(self, step_key: StepKey, attempt: int, pool: str) -> None:
        with self._lock:
            self.flush()  # an earlier attempt's end goes first
            self._send(Kind.SLOT_WANTED, json.dumps([step_key, attempt, pool]).encode())

    def unwant_slot(self, step_key: StepKey, attempt: int, pool: str) -> None:
        with self._lock:
            self._send(Kind.SLOT_UNWANTED, json.dumps([step_key, attempt, pool]).encode())

    def slot_news(self) -> list[tuple[StepKey, bool]]:
        found = []
        while self._news:
            found.append(self._news.popleft())
        return found

    def bell(self) -> int:
        with self._lock:
            if self._bell is None:
                self._bell = os.pipe()
                os.set_blocking(self._bell[0], False)
                os.set_blocking(self._bell[1], False)
                if self._news:
                    os.write(self._bell[1], b"\0")
            return self._bell[0]

    def _send(self, kind: Kind, body: bytes) -> None:
        try:
            frames.send(self._channel, kind, body)
        except OSError:
            self._lost("the code server has gone")

    def on_readable(self) -> None:
        """Take in acknowledgements and news of slots, and notice that the run is no longer ours."""
        with self._lock:
            self._take_in()

    def _take_in(self) -> None:
        try:
            data = self._channel.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost("the code server has gone")
            return
        for frame in self._incoming.feed(data):
            if frame.kind is Kind.ACK:
                self._acked = max(self._acked, int(frame.body))
            elif frame.kind is Kind.FENCED:
                self._lost("a newer attempt owns the run")
            elif frame.kind in (Kind.SLOT_GRANTED, Kind.SLOT_AWAITED):
                self._news.append((StepKey(frame.body.decode()), frame.kind is Kind.SLOT_GRANTED))
                if self._bell is not None:
                    with suppress(BlockingIOError):
                        os.write(self._bell[1], b"\0")

    def start_pump(self, poll: Callable[[], None]) -> None:
        """Keep sending while user code runs in this process, on a thread of its own.

        Args:
            poll: reads captured output; called before each send.
        """
        self._pump = threading.Thread(target=self._run_pump, args=(poll,), name="pump", daemon=True)
        self._pump.start()

    def close(self) -> None:
        """Send the rest and return once all of it is committed."""
        if self._pump is not None:
            self._pump_stop.set()
            self._pump.join()
        self.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            while self._acked < self._next_seq - 1:
                selector.select()
                self.on_readable()

    def _run_pump(self, poll: Callable[[], None]) -> None:
        while not self._pump_stop.wait(_PUMP_SECONDS):
            poll()
            self.flush()
            self.on_readable()
