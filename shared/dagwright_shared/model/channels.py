"""How services tell each other who they are over gRPC."""

from __future__ import annotations

import hmac
from dataclasses import field

from dagwright_shared.model.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSecurity:
    """What one side of a channel has; nothing of it is shown."""

    token: str | None = field(default=None, repr=False)
    """Shared by all services: sent by who calls, demanded by code servers."""
    ca: bytes | None = field(default=None, repr=False)
    """Certificate (PEM) of the authority that signed the other side's."""
    cert: bytes | None = field(default=None, repr=False)
    """Our own certificate chain (PEM)."""
    key: bytes | None = field(default=None, repr=False)
    """Its private key (PEM)."""

    @property
    def tells_callers_apart(self) -> bool:
        """Whether a code server that has this refuses strangers."""
        return self.token is not None or (self.cert is not None and self.ca is not None)

    def admits(self, authorization: str) -> bool:
        """Whether a call with this authorization may pass."""
        return self.token is None or hmac.compare_digest(authorization.encode(), f"Bearer {self.token}".encode())


OPEN = ChannelSecurity()
