"""Writes census.json, the names and counts of an API census, from its text.

    python tests/census/parse.py CENSUS.md --dagster-python ENV/bin/python

The census counts what people wrote, which is not always what Dagster has: projects define functions of the same name and
misspell arguments. With the interpreter of an environment that holds Dagster 1.13, what Dagster itself does not know is left
out (`unknown` counts it).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

_NAME_ROW = re.compile(r"^\| \d+ \| (\w+) \| (\d+) \|", re.MULTILINE)
_LISTED = re.compile(r"^- \*\*(.+?)\*\*(?: \[(\d+) files, \d+ repos\])?: (.+)$", re.MULTILINE)
_COUNTED = re.compile(r"([\w.]+|\*\*) \((\d+)/\d+\)")
_CHAIN_ROW = re.compile(r"^\| context\.([\w.]+) \| (\d+) \|", re.MULTILINE)
_PRIVATE_ROW = re.compile(r"^\| (dagster\.[\w.:]+) \| (\d+) \| \d+ \|", re.MULTILINE)


def section(text: str, title: str) -> str:
    """The text from a heading to the next heading of any level."""
    found = re.search(rf"^#+ {re.escape(title)}.*?$(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise SystemExit(f"the census has no section {title!r}")
    return found.group(1)


def counted(text: str) -> dict[str, dict[str, int]]:
    return {
        found.group(1): {name: int(files) for name, files in _COUNTED.findall(found.group(3)) if name != "**"}
        for found in _LISTED.finditer(text)
    }


def parse(text: str) -> dict[str, Any]:
    """Counts by name; by name and member, argument or attribute."""
    private = section(text, "Imports from sub-modules of dagster")
    return {
        "names": {name: int(uses) for name, uses in _NAME_ROW.findall(section(text, "Ranked names"))},
        "members": counted(section(text, "Members of the names")),
        "arguments": counted(section(text, "Keyword arguments per callable")),
        "chains": {
            chain: int(files) for chain, files in _CHAIN_ROW.findall(section(text, "Attributes and methods used on context objects"))
        },
        "contexts": counted(section(text, "By kind of context")),
        "private": {name: int(files) for name, files in _PRIVATE_ROW.findall(private)},
    }


def leave_out_unknown(census: dict[str, Any], python: str) -> None:
    """Drop what Dagster does not have; run by the interpreter that has it."""
    answer = subprocess.run(
        [python, str(HERE / "count.py"), "--package", "dagster", "--missing-json"],
        input=json.dumps(census),
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise SystemExit(answer.stderr)
    unknown: dict[str, dict[str, int]] = {}
    for part, name, member, files in json.loads(answer.stdout):
        unknown.setdefault(part, {})[f"{name}.{member}" if member else name] = files
        if member:
            del census[part][name][member]
        else:
            del census[part][name]
    for part in ("members", "arguments", "contexts"):
        census[part] = {name: found for name, found in census[part].items() if found}
    census["unknown"] = unknown


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("census", type=Path)
    arguments.add_argument("--dagster-python", help="an interpreter whose environment holds Dagster 1.13")
    given = arguments.parse_args()
    census = parse(given.census.read_text())
    if given.dagster_python:
        leave_out_unknown(census, given.dagster_python)
    (HERE / "census.json").write_text(json.dumps(census, indent=1) + "\n")
    sys.stdout.write("".join(f"{part}: {len(found)}\n" for part, found in census.items()))


if __name__ == "__main__":
    main()
