"""Entity tags: the state of what can be edited, in a few characters."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def etag_of(*state: Any) -> str:
    """The entity tag of a state, with its quotes; what changes by itself, such as who holds a slot, is no part of it."""
    return f'"{hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()[:20]}"'
