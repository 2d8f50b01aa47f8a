"""A connection that loses what is sent: a proxy that closes chosen connections in the middle of the answer."""

from __future__ import annotations

import socket
import threading
from types import TracebackType


class Unsteady:
    """Forwards to a server; the first `lost` connections are closed after so many bytes of their answer."""

    def __init__(self, port: int, *, lost: int, after: int = 0) -> None:
        self._target, self._lost, self._after = port, lost, after
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.connections = 0
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Unsteady:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(60)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            budget = self._after if self.connections <= self._lost else None
            far = socket.create_connection(("127.0.0.1", self._target))
            for one, other, limit in ((near, far, None), (far, near, budget)):
                thread = threading.Thread(target=self._pump, args=(one, other, limit), daemon=True)
                self._threads.append(thread)
                thread.start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, budget: int | None) -> None:
        try:
            while data := source.recv(65536):
                if budget is not None:
                    data, budget = data[:budget], max(0, budget - len(data))
                sink.sendall(data)
                if budget == 0:
                    break
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
