"""Where runs in a test keep their values as files: of one instance in one folder, so that a later run reads what an earlier one made."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from dagwright.authoring.instance import Instance

_folders: weakref.WeakKeyDictionary[Instance, str] = weakref.WeakKeyDictionary()


@contextmanager
def of(instance: Instance | None) -> Iterator[str]:
    """The folder of an instance, for as long as that lives; without one a folder for this run alone."""
    if instance is None:
        with tempfile.TemporaryDirectory(prefix="dagwright-") as folder:
            yield folder
        return
    kept = _folders.get(instance)
    if kept is None:
        kept = _folders[instance] = tempfile.mkdtemp(prefix="dagwright-")
        weakref.finalize(instance, shutil.rmtree, kept, ignore_errors=True)
    yield kept
