"""Runs the projects with Dagster and with dagwright and tells where they differ.

python -m tests.differential.compare [PROJECT...]    # prints each difference
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.differential.intended import is_intended

HERE = Path(__file__).parent
PROJECTS = HERE / "projects"
REQUIREMENT = "dagster==1.13.*"
PLACE = HERE.parent.parent / ".venv" / "dagster-1.13"
"""An environment of its own: Dagster is nothing that dagwright depends on."""


class CannotInstallError(Exception):
    """Dagster is not to be had here."""


def dagster_python() -> Path:
    """An interpreter with Dagster: DAGWRIGHT_TEST_DAGSTER, or one that is made here and kept."""
    given = os.environ.get("DAGWRIGHT_TEST_DAGSTER")
    if given:
        return Path(given)
    python = PLACE / "bin" / "python"
    PLACE.parent.mkdir(exist_ok=True)
    with (PLACE.parent / "dagster-1.13.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (PLACE / "installed").exists():
            venv.create(PLACE, with_pip=True, clear=True)
            command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT]
            installed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
            if installed.returncode:
                raise CannotInstallError(f"cannot install {REQUIREMENT}: {installed.stderr.strip().splitlines()[-1:]}")
            (PLACE / "installed").touch()
    return python


def tell(python: Path | str, package: str, projects: list[Path]) -> dict[str, Any]:
    """What each case of the projects tells, by `project.case`."""
    command = [str(python), str(HERE / "run_projects.py"), package, *map(str, projects)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    found = json.loads(ran.stdout.split("\n=====\n")[-1])
    return {f"{project}.{case}": told for project, cases in found.items() for case, told in cases.items()}


@dataclass(frozen=True, slots=True)
class Difference:
    case: str
    theirs: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.case}\n  Dagster   {json.dumps(self.theirs)[:1500]}\n  dagwright {json.dumps(self.ours)[:1500]}"


def compare(projects: list[Path]) -> tuple[int, list[Difference]]:
    """How many cases there are, and those in which the two differ."""
    theirs, ours = tell(dagster_python(), "dagster", projects), tell(sys.executable, "dagwright", projects)
    found = []
    for case, told in theirs.items():
        answer = ours.get(case, ours.get(f"{case.partition('.')[0]}.load"))
        if _bare(told) != _bare(answer):
            found.append(Difference(case, told, answer))
    return len(theirs), found


def _bare(told: Any) -> Any:
    return {"raised": told["raised"]} if isinstance(told, dict) and "raised" in told else told


def main() -> None:
    chosen = [PROJECTS / f"{name}.py" for name in sys.argv[1:]] or sorted(PROJECTS.glob("*.py"))
    count, found = compare(chosen)
    differences = [one for one in found if not is_intended(one.case, one.ours)]
    sys.stdout.write("".join(f"{one}\n" for one in differences) + f"{count - len(differences)} of {count} cases agree\n")


if __name__ == "__main__":
    main()
