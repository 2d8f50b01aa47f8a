"""All the files of a project, and the lines of its settings that name Dagster."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import libcst as cst

from dagwright.migrate.rewrite import Finding, Rewritten, rewrite
from dagwright_shared.model.dataclass import dataclass

_PASSED_OVER = {"__pycache__", "node_modules", "site-packages", "build", "dist"}
_SETTINGS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements*.txt", "workspace.yaml", "dagster.yaml", "Dockerfile*")


@dataclass(frozen=True, slots=True)
class Migration:
    files: dict[Path, Rewritten]
    findings: tuple[Finding, ...]

    @property
    def changed(self) -> dict[Path, Rewritten]:
        return {file: found for file, found in self.files.items() if found.before != found.after}

    def diff(self) -> str:
        """What would change, as a patch."""
        lines: list[str] = []
        for file, found in self.changed.items():
            before, after = found.before.splitlines(keepends=True), found.after.splitlines(keepends=True)
            lines += difflib.unified_diff(before, after, str(file), str(file))
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)

    def write(self) -> None:
        for file, found in self.changed.items():
            with file.open("w", encoding="utf-8", newline="") as out:
                out.write(found.after)


def migrate_path(path: Path) -> Migration:
    """Look at a file, or at every file of a directory; nothing is written."""
    files: dict[Path, Rewritten] = {}
    findings: list[Finding] = []
    every = list(_python_files(path))
    own = {path.resolve().name, *(name for file in every for name in (*file.relative_to(path).parts[:-1], file.stem))}
    for file in every:
        try:
            with file.open(encoding="utf-8", newline="") as read:
                text = read.read()
            if "dagster" not in text:
                continue
            files[file] = rewrite(file, text, own)
        except (cst.ParserSyntaxError, UnicodeDecodeError) as error:
            findings.append(Finding(file, getattr(error, "raw_line", 1), "cannot be read as Python, so it is left as it is"))
            continue
        findings += files[file].findings
    findings += _settings(path)
    return Migration(files, tuple(sorted(findings)))


def _python_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*.py")):
        parts = file.relative_to(path).parts
        if not any(part in _PASSED_OVER or part.startswith(".") or part == "venv" for part in parts):
            yield file


def _settings(path: Path) -> Iterator[Finding]:
    """Requirements and settings that name Dagster: a person decides what they become."""
    for pattern in _SETTINGS if path.is_dir() else ():
        for file in sorted(path.glob(pattern)):
            for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
                if "dagster" in line and "import" not in line:
                    yield Finding(file, number, f"names Dagster: {line.strip()}")
