"""Writes code_server/dagwright/__init__.pyi, the public names as type checkers see them, from the table in `__init__.py`."""

from __future__ import annotations

import sys
from pathlib import Path

STUB = Path(__file__).parent.parent / "code_server" / "dagwright" / "__init__.pyi"


def render() -> str:
    """The stub's text."""
    import dagwright  # noqa: PLC0415 - the package under inspection

    modules: dict[str, list[str]] = {}
    for name, module in dagwright._EXPORTS.items():
        modules.setdefault(module, []).append(name)
    lines = [
        '"""The public names, for type checkers; `python .ci/public_names.py` writes this file from `__init__.py`."""',
        "",
        "# ruff: noqa: I001 - sorted by module, then name",
        "",
        *(f"from dagwright import {name} as {name}" for name in dagwright._PACKAGES),
        *(f"from {module} import {name} as {name}" for module in sorted(modules) for name in sorted(modules[module])),
        "",
        "# Names that carry Dagster's brand.",
        *(f"{name} = {plain}" for name, plain in sorted(dagwright._ALIASES.items())),
        "",
        "__version__: str",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv and STUB.read_text() != render():
        sys.exit(f"{STUB} is out of date: run python .ci/public_names.py")
    STUB.write_text(render())
