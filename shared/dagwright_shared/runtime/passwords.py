"""Passwords, by argon2id."""

from __future__ import annotations

import secrets
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from dagwright_shared.model.errors import InvalidRequestError, Problem

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_LENGTH, MAX_LENGTH = 10, 1000
# 64 MiB for each hash at work: two at a time are enough, and a burst of log-ins cannot take the memory.
_at_once = threading.BoundedSemaphore(2)


def check_strength(password: str, *, name: str) -> None:
    """Refuse what is guessed first.

    Raises:
        InvalidRequestError: it is too short, too long, or the name of the user.
    """
    message = None
    if len(password) < MIN_LENGTH:
        message = f"a password has at least {MIN_LENGTH} characters"
    elif len(password) > MAX_LENGTH:
        message = f"a password has at most {MAX_LENGTH} characters"
    elif password.lower() == name.lower() or len(set(password)) < 4:
        message = "this password is guessed at once; take another"
    if message is not None:
        raise InvalidRequestError("The password cannot be taken", problems=[Problem(path="password", message=message)])


def generate() -> str:
    """A password that nobody guesses."""
    return secrets.token_urlsafe(15)


def hashed(password: str) -> str:
    with _at_once:
        return _hasher().hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether it is the password. Takes as long for a user that has none, or does not exist."""
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - as below

    with _at_once:
        try:
            return _hasher().verify(stored or _nobody(), password[:MAX_LENGTH]) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(stored: str) -> bool:
    """Whether it was hashed with weaker parameters than those of now."""
    return _hasher().check_needs_rehash(stored)


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    # Needed when somebody logs in, and not by every start.
    from argon2 import PasswordHasher  # noqa: PLC0415

    return PasswordHasher()


@lru_cache(maxsize=1)
def _nobody() -> str:
    return _hasher().hash(secrets.token_hex())
