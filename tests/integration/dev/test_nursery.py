"""The process that forks the services of `dagwright dev`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.stack import until

from dagwright.dev.nursery import Nursery

SERVICE = """
import os, signal, sys
print(__name__, *sys.argv[1:], os.environ["GIVEN"], os.environ["BASE"], "sqlalchemy" in sys.modules, flush=True)
if "wait" in sys.argv:
    signal.pause()
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    (tmp_path / "small_service.py").write_text(SERVICE)
    made = Nursery({**os.environ, "BASE": "base", "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"})
    yield made
    made.stop()


def fork(nursery: Nursery, *arguments: str) -> tuple[int, str]:
    """The id of a service and the first line that it prints."""
    reader, writer = os.pipe()
    pid = nursery.fork("small_service", arguments, {"GIVEN": "given"}, writer)
    os.close(writer)
    with open(reader) as said:  # noqa: PTH123 - a descriptor
        return pid, said.readline().strip()


def runs(pid: int) -> bool:
    """Whether it lives; one that nobody has waited for yet does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_service_runs_as_by_itself(nursery: Nursery) -> None:
    pid, said = fork(nursery, "3")
    assert said == "__main__ 3 given base True"
    assert nursery.wait(pid) == 3
    other, _ = fork(nursery, "0")
    assert nursery.wait(other) == 0


def test_a_service_has_a_command_line_and_a_group_of_its_own(nursery: Nursery) -> None:
    pid, _ = fork(nursery, "0", "wait")
    assert b"-m\0small_service\0000\0wait\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert os.getpgid(pid) == pid
    assert nursery.ended(pid) is None
    nursery.send_signal(pid, signal.SIGTERM)
    assert nursery.wait(pid) == -signal.SIGTERM
    nursery.send_signal(pid, signal.SIGTERM)  # somebody else may have its number by now


def test_services_end_with_their_nursery_and_another_one_starts_them_anew(nursery: Nursery) -> None:
    pid, _ = fork(nursery, "0", "wait")
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    until(lambda: nursery.ended(pid) == -signal.SIGKILL, 10, "its services to be gone")
    until(lambda: not runs(pid), 10, "the kernel to end them")
    assert fork(nursery, "0")[1].startswith("__main__")
