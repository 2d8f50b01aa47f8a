"""The supervisor of `dagwright dev`."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import secrets
import selectors
import signal
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from dagwright.dev import ports, watch
from dagwright.dev.children import Child, sweep
from dagwright.dev.database import Database
from dagwright.dev.locations import Location
from dagwright.dev.log import MergedLog
from dagwright.dev.nursery import Nursery
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import SettingsError
from dagwright_shared.runtime import settings as settings_module
from dagwright_shared.runtime.settings import Settings

_STOP_FRONT, _STOP_CODE_SERVERS = 1.5, 2.5
"""Seconds that children have to stop by themselves."""
_READY_PATIENCE = 15.0
"""Seconds after which we say what is not ready yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything decided before anything starts."""

    settings: Settings
    home: Path
    locations: tuple[Location, ...]
    code_server_ports: tuple[int, ...]
    port: int

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.settings.host in ("0.0.0.0", "::") else self.settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def addresses(self) -> dict[str, str]:
        """Of the code servers, by location."""
        return {location.name: f"127.0.0.1:{port}" for location, port in zip(self.locations, self.code_server_ports, strict=True)}


def run(
    locations: Sequence[Location],
    *,
    port: int | None = None,
    code_server_port: int | None = None,
    home: str | None = None,
    host: str | None = None,
) -> int:
    """Run until SIGINT or SIGTERM; returns the exit code.

    Raises:
        SettingsError: nothing was started: a setting, a port, or a `dagwright dev` that has this home already.
    """
    settings = settings_module.load(port=port, code_server_port=code_server_port, home=home, host=host)
    folder = settings.home.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        plan = Plan(
            settings=settings, home=folder, locations=tuple(locations),
            port=ports.claim(settings.host, settings.port, option="--port", what="the webserver"),
            code_server_ports=_code_server_ports(settings, len(locations)),
        )  # fmt: skip
        return Supervisor(plan).run()


def _lock(home: Path) -> IO[str]:
    """Hold the home for as long as the file is open; the kernel lets go when this process ends, however it does."""
    file = (home / "dev.lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        try:
            state = json.loads((home / "dev.json").read_text())
            where = f" (process {state['pid']}, {state['url']})"
        except (OSError, ValueError, KeyError):
            where = ""
        raise SettingsError(
            f"`dagwright dev` already runs in {home}{where}; use that one, stop it, or give this one a home of its own: --home .dagwright-2"
        ) from None
    return file


def _code_server_ports(settings: Settings, count: int) -> tuple[int, ...]:
    """The first is as asked for; the others are the next free ones."""
    host, first = settings.code_server_host, settings.code_server_port
    found = [ports.claim(host, first, option="--code-server-port", what="the code server")]
    while len(found) < count:
        found.append(ports.free(host, start=(found[-1] + 1 if first else 0), taken=frozenset({*found, settings.port})))
    return tuple(found)


class Supervisor:
    """Children, their log, and the loop that keeps them alive. One for the life of the process."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._log = MergedLog(["postgres", "webserver", "daemon", *(location.name for location in plan.locations)])
        self._selector = selectors.DefaultSelector()
        self._stop = threading.Event()
        self._mark = f"DAGWRIGHT_DEV_SESSION={secrets.token_hex(8)}"
        self._nursery = Nursery(self._environment())
        self._database = Database(plan.settings, plan.home, self._log)
        self._front: list[Child] = []
        self._code_servers: list[Child] = []
        self._began = time.monotonic()

    def run(self) -> int:
        self._catch_signals()
        try:
            self._nursery.start()
            self._database.start(self._nursery)
            self._make_children(self._database.url)
            for child in self._children:
                child.start()
            self._write_state()
            threading.Thread(target=self._announce, name="announce", daemon=True).start()
            watch.start(self._plan.locations, self._plan.addresses, self._log, self._stop)
            while not self._stop.is_set():
                self._turn(0.5)
        finally:
            self._shut_down()
        return 0

    @property
    def _children(self) -> list[Child]:
        return [*self._code_servers, *self._front]

    def _catch_signals(self) -> None:
        """Signals set the event and wake the selector."""
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        self._wakeup = (reader, writer)
        self._selector.register(reader, selectors.EVENT_READ, lambda: reader.recv(4096))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._stop.set())

    def _environment(self) -> dict[str, str]:
        """Of everything that runs here, as far as it is known before the database is there."""
        name, _, value = self._mark.partition("=")
        return {
            **os.environ,
            # Components with state fetch it anew.
            "DAGWRIGHT_DEV": "1",
            name: value,
            "DAGWRIGHT_HOME": str(self._plan.home),
            "DAGWRIGHT_HOST": self._plan.settings.host,
            "DAGWRIGHT_PORT": str(self._plan.port),
            "DAGWRIGHT_URL": self._plan.url,
            "PYTHONUNBUFFERED": "1",
        }

    def _make_children(self, database_url: str) -> None:
        environment = {"DAGWRIGHT_DATABASE_URL": database_url}
        for location, port in zip(self._plan.locations, self._plan.code_server_ports, strict=True):
            arguments = [*location.arguments(), "--port", str(port), "--location", location.name]
            own = environment | {"DAGWRIGHT_CODE_SERVER_PORT": str(port)}
            self._code_servers.append(self._child(location.name, "dagwright.server", arguments, own))
        self._front = [
            self._child("webserver", "dagwright_webserver", [], environment),
            self._child("daemon", "dagwright_daemon", [], environment),
        ]

    def _child(self, name: str, module: str, arguments: list[str], environment: dict[str, str]) -> Child:
        return Child(name, module, arguments, environment, nursery=self._nursery, log=self._log, selector=self._selector)

    def _turn(self, timeout: float) -> None:
        """Copy what children print; bring back those that died."""
        waiting = [child.restart_at - time.monotonic() for child in self._children if child.restart_at is not None]
        self._pump(max(0.0, min([timeout, *waiting])))
        changed = [self._database.check(), *(child.check(time.monotonic()) for child in self._children)]
        if any(changed):
            self._write_state()

    def _pump(self, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            key.data()

    def _write_state(self) -> None:
        """`dev.json`: what other commands, and people's scripts, want to know of us."""
        plan = self._plan
        services: dict[str, dict[str, Any]] = {child.name: {"pid": child.pid} for child in self._front}
        services["webserver"]["url"] = plan.url
        for number, (location, child) in enumerate(zip(plan.locations, self._code_servers, strict=True)):
            key = "code_server" if number == 0 else f"code_server:{location.name}"
            services[key] = {
                "pid": child.pid, "location": location.name, "address": plan.addresses[location.name], "target": str(location),
            }  # fmt: skip
        if self._database.pid is not None:
            services["postgres"] = {"pid": self._database.pid}
        state = {
            "pid": os.getpid(), "url": plan.url, "home": str(plan.home), "database_url": self._database.url, "services": services,
        }  # fmt: skip
        target, scratch = plan.home / "dev.json", plan.home / "dev.json.new"
        # The database's URL may hold a password.
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(state, file, indent=2)
        scratch.replace(target)

    def _announce(self) -> None:
        """Wait until the deployment is ready, and say where it is."""
        rows = [("dashboard", self._plan.url), ("API", f"{self._plan.url}/api/v1  (docs at {self._plan.url}/docs)")]
        rows += [(f"location {location.name}", str(location)) for location in self._plan.locations]
        rows += [("data", f"{self._plan.home}{'' if self._database.is_embedded else '  (database: DAGWRIGHT_DATABASE_URL)'}")]
        said, pause = False, 0.05
        while not self._stop.wait(pause):
            is_ready, parts = _readiness(self._plan)
            took = time.monotonic() - self._began
            if is_ready:
                self._log.banner(f"dagwright is ready after {took:.1f} s. Ctrl-C stops it.", rows)
                return
            is_failing = "failing" in str(parts.get("locations", {}).get("detail", ""))
            if not said and (is_failing or took > _READY_PATIENCE):
                said, pause = True, 0.5
                missing = [(name, str(part.get("detail"))) for name, part in parts.items() if not part.get("ok")]
                self._log.banner(
                    "dagwright runs, and is not ready yet. Mend your file and save it: it is loaded again. Ctrl-C stops it."
                    if is_failing
                    else f"dagwright is not ready after {took:.0f} s. Ctrl-C stops it.",
                    [*rows, *(missing or [("webserver", "does not answer")])],
                )

    def _shut_down(self) -> None:
        """First those who ask for work, then those who do it, then the database."""
        self._stop.set()
        began = time.monotonic()
        if self._children:
            self._log.say("stopping")
        self._stop_children(self._front, _STOP_FRONT)
        self._stop_children(self._code_servers, _STOP_CODE_SERVERS)
        self._nursery.stop()
        left = sweep(self._mark) if self._children else 0
        if left:
            self._log.say(f"killed {left} processes that were left behind")
        self._pump(0)
        self._database.stop()
        (self._plan.home / "dev.json").unlink(missing_ok=True)
        if self._children:
            self._log.say(f"stopped in {time.monotonic() - began:.1f} s")

    def _stop_children(self, children: list[Child], patience: float) -> None:
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + patience
        while not all(child.has_ended() for child in children) and time.monotonic() < deadline:
            self._pump(0.02)
        for child in children:
            child.kill()


def _readiness(plan: Plan) -> tuple[bool, dict[str, dict[str, Any]]]:
    """Whether `/readyz` says yes, and what it says of each part."""
    host = "127.0.0.1" if plan.settings.host in ("0.0.0.0", "::") else plan.settings.host
    connection = http.client.HTTPConnection(host, plan.port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return response.status == 200, dict(json.loads(response.read())["parts"])
    except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException):
        return False, {}
    finally:
        connection.close()
