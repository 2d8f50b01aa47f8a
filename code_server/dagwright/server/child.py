"""The template child: imports the user's code once, then forks for each run and each question.

It is single-threaded, so that a fork is safe. Where user code has left threads running, or a fork got stuck, the parent
starts this module afresh for each piece of work instead (`--channel`).
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import fcntl
import gc
import os
import random
import resource
import select
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

from dagwright.authoring.definitions import Definitions
from dagwright.loading import load, snapshot
from dagwright.server import frames, origin, questions, worker
from dagwright.server.frames import Kind
from dagwright.server.template import EXIT
from dagwright.server.warm_up import WarmUp
from dagwright_shared.model.errors import DefinitionError, UserCodeError, error_info
from dagwright_shared.model.keys import LocationName
from dagwright_shared.runtime.process import die_with_parent
from dagwright_shared.wire.errors import error_to_bytes
from dagwright_shared.wire.evaluation import decode_launch
from dagwright_shared.wire.snapshot import digest_of, encode_snapshot

MEMORY = "DAGWRIGHT_EVALUATION_MEMORY_BYTES"
_IDLE_SECONDS = 0.005
"""A fork that has got no work by then is a spare one, and has time to warm up."""


def main() -> None:
    options = _options()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal group; the parent decides
    faulthandler.enable()
    target = load.LoadTarget(module=options.module, file=options.file, attribute=options.attribute, working_directory=options.cwd)
    origin.remember(target)
    die_with_parent()
    if options.channel is not None:
        _serve(socket.socket(fileno=options.channel), load.load(target))
        return
    control, report = socket.socket(fileno=options.control), socket.socket(fileno=options.report)
    try:
        definitions = load.load(target)
        encoded = encode_snapshot(snapshot.build(definitions, LocationName(options.location)))
    except BaseException as error:  # noqa: BLE001 - also SystemExit: user code may do anything while it is imported
        known = error if isinstance(error, DefinitionError) else UserCodeError(error_info(error), doing="loading the definitions")
        with contextlib.suppress(frames.ChannelClosedError):
            frames.send(report, Kind.LOAD_FAILED, error_to_bytes(known))
        return
    reason = _why_not_fork()
    frames.send(report, Kind.LOADED, b"\n".join((digest_of(encoded).encode(), (reason or "").encode(), encoded)))
    del encoded
    _fork_on_request(control, report, definitions)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dagwright.server.child")
    parser.add_argument("--control", type=int)
    parser.add_argument("--report", type=int)
    parser.add_argument("--channel", type=int)
    parser.add_argument("--location", required=True)
    parser.add_argument("--module")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--attribute")
    parser.add_argument("--cwd", type=Path)
    return parser.parse_args()


def _why_not_fork() -> str | None:
    """Why workers must be started afresh, or None. Threads of native libraries, such as numpy's BLAS, survive a fork."""
    if os.environ.get("DAGWRIGHT_SPAWN_WORKERS") == "1":
        return "DAGWRIGHT_SPAWN_WORKERS=1 asks for it"
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    return f"importing the code left threads running: {', '.join(sorted(others))}" if others else None


def _fork_on_request(control: socket.socket, report: socket.socket, definitions: Definitions) -> None:
    warm_up = WarmUp()
    # What is alive now stays shared with the forks: the collector must not touch its pages.
    gc.collect()
    gc.freeze()
    wake_in, wake_out = socket.socketpair()
    wake_in.setblocking(False)
    wake_out.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_out.fileno(), warn_on_full_buffer=False)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(wake_in, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is wake_in:
                    with contextlib.suppress(BlockingIOError):
                        wake_in.recv(4096)
                    _reap(report)
                    continue
                message, fds, _, _ = socket.recv_fds(control, 16, 1)
                if not message:
                    return  # the code server has gone, or wants this template no more
                if os.fork() == 0:
                    signal.set_wakeup_fd(-1)
                    for inherited in (control, report, wake_in, wake_out):
                        inherited.close()
                    _serve(socket.socket(fileno=fds[0]), definitions, warm_up)
                os.close(fds[0])


def _reap(report: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            frames.send(report, Kind.EXITED, EXIT.pack(pid, status))


def _serve(channel: socket.socket, definitions: Definitions, warm_up: WarmUp | None = None) -> None:
    """Do one piece of work and end this process, without the exit handlers that user code registered in the template."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _reseed()
        frames.send(channel, Kind.HELLO, str(os.getpid()).encode())
        if warm_up is not None and not select.select([channel], [], [], _IDLE_SECONDS)[0]:
            warm_up.run()
        frame = frames.receive(channel)
        if frame.kind is Kind.LAUNCH:
            channel.setblocking(True)
            worker.run(definitions, channel, decode_launch(frame.body))
        _limit_memory(frame.kind)
        while frame.kind is Kind.ASK:
            with _ends_with(channel):
                response = _answer(definitions, frame.body)
            frames.send(channel, *response)
            frame = frames.receive(channel)
        code = 0
    except frames.ChannelClosedError:
        code = 0  # the code server has changed its mind, or gone
    except BaseException:  # noqa: BLE001 - the last line of defence: say it in the log and end
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _limit_memory(kind: Kind) -> None:
    """A schedule or sensor that takes all memory gets a MemoryError, which its tick can tell, before the machine kills something."""
    most = int(os.environ.get(MEMORY, "0"))
    if kind is not Kind.ASK or most <= 0:
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    with contextlib.suppress(ValueError, OSError):  # a lower limit is set already
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + most, resource.getrlimit(resource.RLIMIT_AS)[1]))


@contextlib.contextmanager
def _ends_with(channel: socket.socket) -> Iterator[None]:
    """Have the kernel end this process, and its children, when the other side hangs up: nobody waits for the answer any more.

    User code may hang in a call that never returns to Python, so that neither a thread nor a handler would do. Nothing is sent
    to us meanwhile: whatever happens on the channel is its end.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    flags = fcntl.fcntl(channel, fcntl.F_GETFL)
    fcntl.fcntl(channel, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(channel, fcntl.F_SETFL, flags | os.O_ASYNC)
    with selectors.DefaultSelector() as selector:  # it may have hung up before
        selector.register(channel, selectors.EVENT_READ)
        if selector.select(0):
            raise frames.ChannelClosedError
    yield
    fcntl.fcntl(channel, fcntl.F_SETFL, flags)


def _answer(definitions: Definitions, body: bytes) -> tuple[Kind, bytes]:
    method, request = body.split(b"\n", 1)
    try:
        return Kind.ANSWER, questions.answer(definitions, method.decode(), request)
    except BaseException as error:  # noqa: BLE001 - user code may raise anything, SystemExit included
        return Kind.FAILED, error_to_bytes(error)


def _reseed() -> None:
    """Forks must not draw the same random numbers."""
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


if __name__ == "__main__":
    main()
