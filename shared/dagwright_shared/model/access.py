"""Who may do what: roles, each of which may do what those below it may, over the whole deployment or a code location."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType

from dagwright_shared.model.dataclass import dataclass


class Role(StrEnum):
    """What somebody may do; in rising order."""

    VIEWER = "viewer"
    """Read."""
    LAUNCHER = "launcher"
    """Also launch, cancel and repeat runs and backfills, and try schedules and sensors out."""
    EDITOR = "editor"
    """Also switch schedules and sensors, set cursors, reload locations, report and wipe, replay deliveries."""
    ADMIN = "admin"
    """Also set limits and pools, manage users and tokens, and read the audit log."""

    @property
    def rank(self) -> int:
        return _ORDER.index(self)

    def covers(self, needed: Role) -> bool:
        """Whether who has this role may do what needs the other one."""
        return self.rank >= needed.rank


_ORDER = tuple(Role)


@dataclass(frozen=True, slots=True)
class Scope:
    """The locations that somebody sees."""

    named: frozenset[str] = frozenset()
    only: bool = False
    """Whether they see the named ones and no other, or all but the named ones."""

    @property
    def whole(self) -> bool:
        """Whether they see everything."""
        return not self.named and not self.only

    def sees(self, location: str) -> bool:
        return (location in self.named) == self.only


ALL = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The roles of somebody: one for everything, and for single locations another one in its place."""

    role: Role | None = None
    """For the deployment and all locations that are not named; None: nothing."""
    locations: Mapping[str, Role | None] = field(default_factory=lambda: MappingProxyType({}))

    def at(self, location: str | None) -> Role | None:
        """The role at a location; None for the deployment itself."""
        return self.role if location is None else self.locations.get(location, self.role)

    def allows(self, needed: Role, location: str | None = None) -> bool:
        """Whether something may be done at a location, or for None with the deployment itself."""
        role = self.at(location)
        return role is not None and role.covers(needed)

    @property
    def scope(self) -> Scope:
        """The locations that may be looked at."""
        sees_others = self.allows(Role.VIEWER)
        named = frozenset(name for name in self.locations if self.allows(Role.VIEWER, name) != sees_others)
        return Scope(named, only=not sees_others)

    def anywhere(self, needed: Role) -> bool:
        """Whether there is a place where it may be done."""
        return any(role is not None and role.covers(needed) for role in (self.role, *self.locations.values()))

    def everywhere(self, needed: Role) -> bool:
        """Whether it may be done at every location, those to come included."""
        return all(role is not None and role.covers(needed) for role in (self.role, *self.locations.values()))

    def narrowed(self, role: Role, locations: frozenset[str] | None = None) -> Grant:
        """No more than a role, and at these locations only; None: at all of them."""
        if locations is None:
            return Grant(role=_lower(self.role, role), locations={name: _lower(own, role) for name, own in self.locations.items()})
        return Grant(role=None, locations={name: _lower(self.at(name), role) for name in locations})


EVERYTHING = Grant(role=Role.ADMIN)


def _lower(one: Role | None, other: Role) -> Role | None:
    return None if one is None else min(one, other, key=lambda role: role.rank)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asks."""

    grant: Grant
    name: str | None = None
    """The user; None where there is no log-in, or nobody has logged in."""
    user_id: int | None = None
    token: str | None = None
    """The beginning of the API token that was sent, for the audit log."""
    session_hash: str | None = None
    """Of the session cookie that was sent."""
    csrf: str | None = None
    """What changes must send beside the session cookie."""
    time_zone: str | None = None


class AuditResult(StrEnum):
    """What became of something that somebody asked for."""

    DONE = "done"
    REFUSED = "refused"
    """They may not."""
    FAILED = "failed"
    """Only log-ins: a wrong name or password."""
