"""Writes the answers in docs/errors.md: under each wrong program, what dagwright really says of it.

python docs/gallery.py [--check]
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parent / "errors.md"
_ENTRY = re.compile(r"^(?P<program>```py\n(?P<code>.*?)^```\n\n)```text\n.*?^```$", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"[^\s()'`]*definitions\.py")


def message(program: str) -> str:
    """The class and the text of the error that a program raises; its file is called definitions.py."""
    module = types.ModuleType("definitions")
    with tempfile.TemporaryDirectory() as directory, _quiet():
        file = Path(directory) / "definitions.py"
        file.write_text(f"import dagwright as dg\n\n\n{program}")
        sys.modules[module.__name__] = module  # classes look for the names of their module
        try:
            exec(compile(file.read_text(), str(file), "exec", dont_inherit=True), module.__dict__)
        except Exception as error:  # noqa: BLE001 - any error is what the page is about
            return f"{type(error).__name__}: {_PLACE.sub('definitions.py', str(error))}"
        finally:
            del sys.modules[module.__name__]
    raise RuntimeError(f"this program is not wrong:\n{program}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the lines that a failing run logs."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def render(page: str) -> str:
    """The page with fresh answers."""
    return _ENTRY.sub(lambda entry: f"{entry['program']}```text\n{message(entry['code'])}\n```", page)


if __name__ == "__main__":
    old = PAGE.read_text()
    new = render(old)
    if "--check" in sys.argv:
        sys.exit(0 if old == new else "docs/errors.md is out of date: run python docs/gallery.py")
    PAGE.write_text(new)
