"""Writes docs/errors.md: wrong programs, and what dagwright really says of each.

python docs/gallery.py [--check]
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parent / "errors.md"

PROGRAMS: dict[str, str] = {
    "A name that cannot be one": 'dg.asset(name="daily sales")(lambda: 1)',
    "Two assets of one key": """@dg.asset
def orders(): ...


@dg.asset(name="orders")
def again(): ...


dg.Definitions.validate_loadable(dg.Definitions(assets=[orders, again]))""",
    "An automation condition with code of its own": """class Friday(dg.AutomationCondition):
    def evaluate(self, context): ...""",
    "A resource that nobody gives": """@dg.asset(required_resource_keys={"warehouse"})
def orders(context): ...


dg.Definitions.validate_loadable(dg.Definitions(assets=[orders], resources={"warehous": 1}))""",
    "An input of an op that nothing feeds": """@dg.op
def add(a, b): ...


@dg.op
def one(): ...


@dg.job
def adding():
    add(one())


adding.execute_in_process()""",
    "Config that does not fit": """class Import(dg.Config):
    path: str


@dg.asset
def rows(config: Import): ...


dg.materialize([rows], run_config={"ops": {"rows": {"config": {"pth": "x"}}}})""",
    "An executor that does not exist": """@dg.op(executor="thread")
def fetch(): ...""",
    "A step group with a step between": """@dg.op
def one() -> int: ...


@dg.op
def add(n: int) -> int: ...


@dg.job
def adding():
    grouped = {"dagwright/step_group": "small"}
    between = add.alias("between")(one.tag(grouped)())
    add.tag(grouped).alias("last")(between)


dg.execute_job(adding, dg.Instance.ephemeral())""",
    "A partition that does not exist": """@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["red", "green"]))
def paint(): ...


dg.materialize([paint], partition_key="gren")""",
    "A cron expression that is none": """@dg.job
def work(): ...


dg.ScheduleDefinition(job=work, cron_schedule="61 * * * *")""",
    "A wrong time zone": 'dg.DailyPartitionsDefinition(start_date="2024-01-01", timezone="Europe/Berln")',
    "A function that forgets an output": """@dg.multi_asset(outs={"a": dg.AssetOut(), "b": dg.AssetOut()})
def two():
    yield dg.Output(1, "a")


dg.materialize([two])""",
}


def message(program: str) -> tuple[str, str]:
    """The class and the text of the error that a program raises; its file is called definitions.py."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "definitions.py"
        file.write_text(f"import dagwright as dg\n\n\n{program}\n")
        try:
            exec(compile(file.read_text(), str(file), "exec", dont_inherit=True), {"__name__": "definitions"})
        except Exception as error:  # noqa: BLE001 - any error is what the page is about
            return type(error).__name__, re.sub(r"[^\s()]*definitions\.py", "definitions.py", str(error))
    raise RuntimeError(f"this program is not wrong:\n{program}")


def render() -> str:
    """The page."""
    parts = [
        "# Errors",
        "What dagwright says of programs that are wrong: what, where, and how to mend it. Written by `docs/gallery.py` from real errors; "
        "each program begins with `import dagwright as dg` and two empty lines, as `definitions.py`.",
    ]
    for title, program in PROGRAMS.items():
        kind, text = message(program)
        parts += [f"## {title}", f"```py\n{program}\n```", f"```text\n{kind}: {text}\n```"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text() == render() else "docs/errors.md is out of date: run python docs/gallery.py")
    PAGE.write_text(render())
