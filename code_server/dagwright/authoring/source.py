"""Where in the user's code a definition stands."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from dagwright_shared.model.errors import SourceRef

_OWN = str(Path(__file__).parent.parent) + "/"


def of_function(fn: Callable[..., Any]) -> SourceRef | None:
    """The file and line of a function's `def` (or of its first decorator), None for a built-in."""
    code = getattr(fn, "__code__", None)
    if code is not None and not hasattr(fn, "__wrapped__"):
        return SourceRef(file=code.co_filename, line=code.co_firstlineno)
    while isinstance(fn, functools.partial):
        fn = fn.func
    fn = getattr(fn, "__wrapped__", fn)
    code = getattr(fn, "__code__", None) or getattr(type(fn).__call__, "__code__", None)
    return SourceRef(file=code.co_filename, line=code.co_firstlineno) if code is not None else None


def of_caller() -> SourceRef | None:
    """The nearest line outside dagwright that led here: where the user called a constructor."""
    frame = _user_frame()
    return SourceRef(file=frame.f_code.co_filename, line=frame.f_lineno) if frame is not None else None


def caller_names() -> Mapping[str, Any]:
    """Local names of the user's frame: annotations written as text may refer to classes defined there."""
    frame = _user_frame()
    return dict(frame.f_locals) if frame is not None else {}


def _user_frame() -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        generated = file == "<string>" and frame.f_code.co_name == "__init__"  # of a dataclass
        if not generated and not file.startswith(_OWN) and "/pydantic/" not in file and not file.startswith("<frozen "):
            return frame
        frame = frame.f_back
    return None
