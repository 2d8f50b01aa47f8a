"""Authoring 10,000 assets in one location: CPU seconds from the first decorator to the encoded snapshot, bytes and memory.

And what a file of definitions costs: the CPU time of `from dagwright import Definitions` beyond that of pydantic's import,
of a first asset beyond that of pydantic's first model, and the memory of the process; with bytecode at hand, as after an installation.

Run `python benchmarks/authoring.py`; each figure is a line `name value unit`.
"""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import time

FIRST_ASSET = "import dagwright as dg; dg.Definitions(assets=[dg.asset(name='first')(lambda: 1)])"
FIRST_MODEL = "import pydantic; pydantic.create_model('First', name=(str, ...))"
SMALL, LARGE = 1_000, 10_000


def measure(count: int) -> tuple[float, int, int]:
    """Seconds, bytes of the encoded snapshot, and peak memory of the process in MB."""
    import dagwright as dg  # noqa: PLC0415 - in a process of its own
    from dagwright.loading.snapshot import build  # noqa: PLC0415
    from dagwright_shared.wire.snapshot import encode_snapshot  # noqa: PLC0415

    gc.disable()
    begin = time.process_time()  # on a machine that does other things, too, the same
    assets = []
    for number in range(count):

        def compute() -> int:
            return 1

        upstream = [f"asset_{number - 1}"] if number % 10 else None
        decorate = dg.asset(name=f"asset_{number}", deps=upstream, group_name=f"group_{number % 50}", kinds={"python"}, tags={"tier": "1"})
        assets.append(decorate(compute))
    snapshot = build(dg.Definitions(assets=assets), "bench")
    seconds = time.process_time() - begin
    return seconds, len(encode_snapshot(snapshot)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def best(count: int, tries: int = 3) -> tuple[float, int, int]:
    """The fastest of several fresh processes: others on the machine do not count."""
    runs = []
    for _ in range(tries):
        done = subprocess.run([sys.executable, __file__, str(count)], capture_output=True, text=True, check=True)
        seconds, size, memory = done.stdout.split()
        runs.append((float(seconds), int(size), int(memory)))
    return min(runs)


def importing(statement: str, tries: int = 9) -> tuple[float, int]:
    """CPU seconds of a fresh process that runs an import statement, at best, and its peak memory in MB."""
    measure = "used = resource.getrusage(resource.RUSAGE_SELF); print(used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)"
    code = f"import resource; {statement}; {measure}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found = []
    for _ in range(tries):
        seconds, memory = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
        ).stdout.split()
        found.append((float(seconds), int(memory)))
    return min(found)


def main() -> None:
    if len(sys.argv) > 1:
        print(*measure(int(sys.argv[1])))
        return
    ours, first = importing("from dagwright import Definitions"), importing(FIRST_ASSET)
    pydantic, model = importing("from pydantic import BaseModel"), importing(FIRST_MODEL)
    print(f"import_beyond_pydantic {(ours[0] - pydantic[0]) * 1000:.0f} ms")
    print(f"first_asset_beyond_pydantic_model {(first[0] - model[0]) * 1000:.0f} ms")
    print(f"import_memory {first[1]} MB", flush=True)
    small, large = best(SMALL), best(LARGE)
    print(f"authoring_{SMALL}_assets {small[0]:.3f} s")
    print(f"authoring_{LARGE}_assets {large[0]:.3f} s")
    print(f"authoring_ratio {large[0] / small[0]:.1f} x")
    print(f"authoring_snapshot {large[1] / 1e6:.2f} MB")
    print(f"authoring_memory {large[2]} MB")


if __name__ == "__main__":
    main()
