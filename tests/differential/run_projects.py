"""Runs every case of the projects with one package and writes what they tell as JSON.

python run_projects.py dagster|dagwright PROJECT... : a project is a module that says `import dagster as dg`; the first argument
takes the place of `dagster` there.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
import traceback
import types
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def load(path: Path, package: str) -> types.ModuleType:
    """The project as a module, with its one line switched."""
    text = path.read_text()
    assert text.count("import dagster as dg\n") == 1, f"{path.name} has to import the package by one line `import dagster as dg`"
    switched = Path(tempfile.mkdtemp(prefix="differential-")) / path.name
    switched.write_text(text.replace("import dagster as dg\n", f"import {package} as dg\n"))
    module = types.ModuleType(f"project_{path.stem}")
    module.__file__ = str(switched)
    sys.modules[module.__name__] = module
    exec(compile(switched.read_text(), str(switched), "exec", dont_inherit=True), module.__dict__)
    return module


def run(case: Any) -> Any:
    from observe import plain  # beside this file, on either interpreter

    signal.alarm(10)  # a case that hangs is a difference, not the end of the others
    try:
        return plain(case())
    except Exception as error:  # noqa: BLE001 - an unexpected error is something to compare
        own = type(error).__module__ == "builtins"
        return {"raised": type(error).__name__ if own else "an error of the package", "_detail": traceback.format_exc(limit=-4)}
    finally:
        signal.alarm(0)


def give_up(*_: object) -> None:
    raise TimeoutError("the case did not end")


def main() -> None:
    package, *paths = sys.argv[1:]
    sys.path.insert(0, str(HERE))
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGALRM, give_up)
    os.environ.setdefault("DAGSTER_HOME", tempfile.mkdtemp(prefix="dagster-home-"))
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    told: dict[str, dict[str, Any]] = {}
    for path in map(Path, paths):
        try:
            module = load(path, package)
        except Exception as error:  # noqa: BLE001 - the module as a whole is the case
            told[path.stem] = {"load": {"raised": type(error).__name__, "_detail": traceback.format_exc(limit=-4)}}
            continue
        told[path.stem] = {name: run(value) for name, value in list(vars(module).items()) if name.startswith("case_")}
    sys.__stdout__.write("\n=====\n" + json.dumps(told, default=repr))


if __name__ == "__main__":
    main()
