"""Secrets that we make: they are given out once, and only their hash is kept."""

from __future__ import annotations

import hashlib
import secrets

TOKEN_PREFIX = "dgw_"
SHOWN = len(TOKEN_PREFIX) + 6
"""Characters of a token by which people recognize it."""


def new_token() -> str:
    """An API token, with 256 bits that nobody guesses; scanners of leaked secrets find it by its beginning."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_session() -> str:
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """What is stored of it. It has too many bits to be guessed, so a quick hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_of(session: str) -> str:
    """What pages of a session send with each change: only who has the session knows it."""
    return hashlib.sha256(b"csrf " + session.encode()).hexdigest()[:40]
