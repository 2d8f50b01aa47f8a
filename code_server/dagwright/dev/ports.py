"""TCP ports: whether one is free, and which one is."""

from __future__ import annotations

import errno
import socket

from dagwright_shared.model.errors import SettingsError


def claim(host: str, port: int, *, option: str, what: str) -> int:
    """Return the port if it can be bound, a free one for 0.

    Raises:
        SettingsError: it is in use, or the address is not ours; the message names the option that chooses another.
    """
    if port == 0:
        return free(host)
    try:
        _bind(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"port {port} on {host}, for {what}, is in use; choose another, such as {option} {free(host)}") from None
        raise SettingsError(
            f"cannot serve {what} on {host}:{port}: {error.strerror or error}; choose another by {option} or --host"
        ) from None
    return port


def free(host: str, *, start: int = 0, taken: frozenset[int] = frozenset()) -> int:
    """A port that nobody uses now: the first from `start` on, or any."""
    if start == 0:
        return _bind(host, 0)
    for port in range(start, 65536):
        if port in taken:
            continue
        try:
            return _bind(host, port)
        except OSError:
            continue
    raise SettingsError(f"no port from {start} on is free on {host}")


def _bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still winding down counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])
