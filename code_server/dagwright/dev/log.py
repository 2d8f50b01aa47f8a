"""One log for many processes: each line says whose it is, in a column."""

from __future__ import annotations

import os
import sys
import threading

_COLOURS = {"dagwright": "1", "postgres": "35", "webserver": "34", "daemon": "33"}
_CODE_SERVERS = ("36", "32", "96", "92")


class MergedLog:
    """Writes lines with the name of their process in front. Thread-safe; colours only on a terminal and without NO_COLOR."""

    def __init__(self, names: list[str]) -> None:
        self._width = max(len(name) for name in ["dagwright", *names])
        self._lock = threading.Lock()
        self._has_colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        others = [name for name in names if name not in _COLOURS]
        self._colours = _COLOURS | {name: _CODE_SERVERS[index % len(_CODE_SERVERS)] for index, name in enumerate(others)}

    def line(self, name: str, text: str) -> None:
        head = f"{name:<{self._width}} |"
        if self._has_colour:
            head = f"\x1b[{self._colours.get(name, '0')}m{head}\x1b[0m"
        self._write(f"{head} {text}\n")

    def say(self, text: str) -> None:
        """A line of the supervisor's own."""
        self.line("dagwright", text)

    def banner(self, title: str, rows: list[tuple[str, str]]) -> None:
        bold, plain = ("\x1b[1m", "\x1b[0m") if self._has_colour else ("", "")
        width = max(len(name) for name, _ in rows)
        body = "".join(f"  {name:<{width}}  {value}\n" for name, value in rows)
        self._write(f"\n  {bold}{title}{plain}\n\n{body}\n")

    def _write(self, text: str) -> None:
        with self._lock:
            try:
                sys.stderr.write(text)
                sys.stderr.flush()
            except (BrokenPipeError, ValueError):
                pass  # whoever read our log has gone; the services matter more
