"""The location as this code server has it: its templates, what loaded last, and who waits for a change."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator

from dagwright.server import frames
from dagwright.server.spare import Kept, Opened, Process, Spare
from dagwright.server.template import Template, TemplateEvents
from dagwright_shared.model.errors import ConflictError, ErrorInfo, UnavailableError, UserCodeError, error_info
from dagwright_shared.model.keys import Digest, LocationName
from dagwright_shared.model.snapshot import LocationState, LocationStatus
from dagwright_shared.wire.errors import error_from_bytes

log = logging.getLogger("dagwright.location")

_RESTART_SECONDS = (0.1, 0.5, 2.0, 5.0)
_SPARE_SECONDS = 60.0
HELLO_SECONDS = 5.0
"""A fork that has not reported by then is taken for stuck, and a fresh process started in its place."""


class Location:
    """Swaps templates: a reload loads the new code beside the old, which serves until the new has loaded."""

    def __init__(
        self,
        name: LocationName,
        *,
        server_id: str,
        arguments: list[str],
        environment: dict[str, str],
        exited: Callable[[int, int], None],
    ) -> None:
        """
        Args:
            arguments: of `dagwright.server.child`: what to load.
            exited: told the pid and wait status of each fork that ends.
        """
        self._arguments, self._environment = arguments, environment
        self._events = TemplateEvents(loaded=self._loaded, failed=self._failed, exited=exited, died=self._died)
        self._changed = threading.Condition()
        self._serving: Template | None = None
        self._loading: Template | None = None
        self._load_started = time.monotonic()
        self._deaths = 0
        self._snapshot: tuple[Digest, bytes] | None = None
        self._version = 0
        self._closed = False
        self._spare, self._kept = Spare(self._make_spare), Kept()
        self.status = LocationStatus(location=name, server_id=server_id, state=LocationState.LOADING)

    def start(self) -> None:
        self.reload()

    def stop(self) -> None:
        with self._changed:
            self._closed = True
            templates = [template for template in (self._serving, self._loading) if template]
            self._changed.notify_all()
        self._spare.close()
        self._kept.serve(None)
        for template in templates:
            template.close()

    def snapshot(self) -> tuple[Digest, bytes]:
        """The newest snapshot that loaded.

        Raises:
            ConflictError: nothing has loaded yet; the message has the load error's first line.
        """
        with self._changed:
            if self._snapshot is None:
                raise ConflictError(self._not_loaded())
            return self._snapshot

    def watch(self, stop: Callable[[], bool]) -> Iterator[LocationStatus]:
        """The status now, then each new one."""
        seen = -1
        while not stop() and not self._closed:
            with self._changed:
                if self._version == seen:
                    self._changed.wait(1.0)
                if self._version == seen:
                    continue
                seen, status = self._version, self.status
            yield status

    def wait_for_change(self, seen: LocationStatus, timeout: float, stop: threading.Event) -> None:
        """Return when the status is another one than `seen`, after `timeout` seconds, or when stopping."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self.status is seen and not stop.is_set() and time.monotonic() < deadline and not self._closed:
                self._changed.wait(min(1.0, deadline - time.monotonic()))

    def reload(self) -> LocationStatus:
        """Start loading the code as it is now. A load that is under way is given up: the files have changed."""
        with self._changed:
            outdated, self._loading = self._loading, None
            self._load_started = time.monotonic()
            self._loading = Template(self._arguments, self._events, self._environment)
            if self._snapshot is None:
                self._set(state=LocationState.LOADING, error=None)
        if outdated is not None:
            outdated.close()
        return self.status

    def settled(self, timeout: float) -> LocationStatus:
        """The status once no load is under way, or what it is when the time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._loading is None or self._closed, timeout)
            return self.status

    def open(self, deadline: float) -> Opened:
        """A channel to a fresh fork that has reported, and its pid.

        Waits while a template that died is being replaced.

        Raises:
            UnavailableError: the code has never loaded, or no process could be had before the deadline.
        """
        return self._open(deadline)[1]

    def borrow(self, deadline: float) -> Process:
        """A process to put questions to: the one that has answered the ones before, or a fresh fork. Raises as `open` does."""
        kept = self._kept.take()
        if kept is not None:
            return kept
        template, (channel, pid) = self._open(deadline)
        return Process(template, channel, pid)

    def give_back(self, process: Process) -> None:
        """It has answered all that it was asked."""
        self._kept.give_back(process)

    def _open(self, deadline: float) -> tuple[Template, Opened]:
        while True:
            template = self._template(deadline)
            spare = self._spare.take(template)
            if spare is not None:
                return template, spare
            try:
                channel = template.fork()
            except UnavailableError:
                self._wait_for_other(template, deadline)
                continue
            try:
                return template, (channel, self._hello(channel, template, deadline))
            except frames.ChannelClosedError:
                channel.close()
                if time.monotonic() >= deadline:
                    raise UnavailableError("processes for user code end as soon as they start; see the code server's log") from None
                self._wait_for_other(template, min(deadline, time.monotonic() + 0.2))
            except TimeoutError:
                channel.close()
                raise UnavailableError("no process for user code could be started in time") from None

    def _make_spare(self, template: Template) -> Opened:
        channel = template.fork()
        try:
            return channel, self._hello(channel, template, time.monotonic() + _SPARE_SECONDS)
        except BaseException:
            channel.close()
            raise

    def _hello(self, channel: socket.socket, template: Template, deadline: float) -> int:
        spawned = template.spawn_reason is not None
        patience = deadline if spawned else min(deadline, time.monotonic() + HELLO_SECONDS)
        try:
            return int(frames.receive(channel, patience).body)
        except TimeoutError:
            if spawned:
                raise
            template.spawn_reason = f"a forked process did not report within {HELLO_SECONDS:g} s"
            log.warning("forks are stuck: starting processes afresh from now on", extra={"template": template.pid})
            with self._changed:
                self._set(spawn_reason=template.spawn_reason)
            raise frames.ChannelClosedError from None

    def _template(self, deadline: float) -> Template:
        with self._changed:
            while self._serving is None:
                if self.status.state is LocationState.ERROR and self._loading is None:
                    raise UnavailableError(self._not_loaded())
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) or self._closed:
                    raise UnavailableError(self._not_loaded())
            return self._serving

    def _wait_for_other(self, template: Template, deadline: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._serving is not template, max(0.0, deadline - time.monotonic()))

    def _not_loaded(self) -> str:
        if self.status.error is not None:
            return f"location {self.status.location} does not load: {str(self.status.error).splitlines()[0]}"
        return f"location {self.status.location} is still loading"

    def _set(self, **changes: object) -> None:
        self.status = dataclasses.replace(self.status, **changes)  # type: ignore[arg-type]
        self._version += 1
        self._changed.notify_all()

    # Called from the reader threads of the templates.

    def _loaded(self, template: Template, digest: str, spawn_reason: str | None, snapshot: bytes) -> None:
        with self._changed:
            if template is not self._loading:
                return
            old, self._serving, self._loading = self._serving, template, None
            self._snapshot = (Digest(digest), snapshot)
            seconds = time.monotonic() - self._load_started
            self._deaths = 0
            self._set(state=LocationState.LOADED, digest=Digest(digest), error=None, spawn_reason=spawn_reason, load_seconds=seconds)
        log.info("loaded", extra={"location": self.status.location, "digest": digest[:12], "seconds": round(seconds, 3)})
        self._spare.order(template)
        self._kept.serve(template)
        if old is not None:
            old.close()

    def _failed(self, template: Template, body: bytes) -> None:
        error = error_from_bytes(body)
        info = error.info if isinstance(error, UserCodeError) else error_info(error)
        with self._changed:
            if template is not self._loading:
                return
            self._loading = None
            self._set(state=LocationState.ERROR, error=info)
        log.error("load failed", extra={"location": self.status.location, "error": str(info).splitlines()[0]})

    def _died(self, template: Template) -> None:
        self._spare.drop(template)
        with self._changed:
            if template is self._serving:
                self._kept.serve(None)
            if template.closing or self._closed:
                return
            if template is self._loading:
                self._loading = None
                self._set(
                    state=LocationState.ERROR,
                    error=ErrorInfo(
                        class_name="ProcessDied",
                        message="the process ended while it was importing the code, without an exception",
                        hint="native code or os._exit may have ended it; run `dagwright definitions validate` to see it happen",
                    ),
                )
                return
            if template is not self._serving:
                return
            self._serving = None
            pause = _RESTART_SECONDS[min(self._deaths, len(_RESTART_SECONDS) - 1)]
            self._deaths += 1
        log.error("the process that holds the user code died; restarting it", extra={"pid": template.pid, "in_seconds": pause})
        timer = threading.Timer(pause, self._restart)
        timer.daemon = True
        timer.start()

    def _restart(self) -> None:
        with contextlib.suppress(OSError):
            if not self._closed and self._serving is None:
                self.reload()
