"""The machinery under the executors: cancellation, captured output, frames, forked processes, usage."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dagwright.execution import frames
from dagwright.execution.cancellation import Cancellation, RunInterrupted
from dagwright.execution.capture import CHUNK_BYTES, Capture
from dagwright.execution.executors.process import ChildProcess
from dagwright.execution.outcome import of_exit
from dagwright.execution.usage import Meter, of_rusage
from dagwright_shared.model.events import LogStream
from dagwright_shared.model.keys import StepKey

pytestmark = pytest.mark.unit


@pytest.fixture
def cancellation():
    before = signal.getsignal(signal.SIGUSR1)
    made = Cancellation()
    made.install([signal.SIGUSR1])
    yield made
    signal.signal(signal.SIGUSR1, before)
    made.close()


class TestCancellation:
    def test_a_signal_interrupts_user_code_only(self, cancellation):
        os.kill(os.getpid(), signal.SIGUSR1)
        assert cancellation.requested
        with pytest.raises(RunInterrupted, match="SIGUSR1"), cancellation.interruptible():
            pytest.fail("a request from before is delivered at the door")

    def test_it_is_delivered_inside(self, cancellation):
        with pytest.raises(RunInterrupted), cancellation.interruptible():  # noqa: PT012
            os.kill(os.getpid(), signal.SIGUSR1)
            pytest.fail("the handler raises")

    def test_a_shield_delays_it(self, cancellation):
        reached = False
        with pytest.raises(RunInterrupted), cancellation.interruptible():  # noqa: PT012
            with cancellation.shielded():
                os.kill(os.getpid(), signal.SIGUSR1)
                reached = True
            pytest.fail("it is raised when the shield ends")
        assert reached

    def test_only_once(self, cancellation):
        with pytest.raises(RunInterrupted), cancellation.interruptible():
            os.kill(os.getpid(), signal.SIGUSR1)
        with cancellation.interruptible():
            os.kill(os.getpid(), signal.SIGUSR1)

    def test_its_descriptor_becomes_readable(self, cancellation):
        assert select.select([cancellation], [], [], 0)[0] == []
        cancellation.request("enough")
        cancellation.request("again")
        assert select.select([cancellation], [], [], 0)[0] == [cancellation]
        assert cancellation.reason == "enough"


def text(chunks, stream=LogStream.STDOUT):
    return b"".join(c.data for c in chunks if c.stream is stream)


class TestCapture:
    def test_python_c_and_subprocess_output(self, capfd):
        capture = Capture(StepKey("s"), 1, 10_000)
        with capture.redirected():
            print("python")
            os.write(1, b"raw\n")
            subprocess.run([sys.executable, "-c", "import sys; print('child', file=sys.stderr)"], check=True)
        chunks = capture.poll()
        capture.close()
        print("back")
        assert text(chunks) == b"python\nraw\n" or text(chunks) == b"raw\npython\n"
        assert text(chunks, LogStream.STDERR) == b"child\n"
        assert capfd.readouterr().out.endswith("back\n")

    def test_offsets_go_on_between_looks(self):
        capture = Capture(StepKey("s"), 2, 10_000)
        with capture.redirected():
            os.write(1, b"one ")
            first = capture.poll()
            os.write(1, b"two")
            second = capture.poll()
        assert [(c.offset, c.data) for c in first + second] == [(0, b"one "), (4, b"two")]
        assert {c.attempt for c in first} == {2}
        assert capture.poll() == []
        capture.close()

    def test_the_first_part_is_kept_and_the_rest_dropped_from_disk_too(self):
        capture = Capture(StepKey("s"), 1, 1000)
        with capture.redirected():
            os.write(1, b"x" * 900)
            chunks = capture.poll()
            for _ in range(20):
                os.write(1, b"y" * CHUNK_BYTES)
                chunks += capture.poll()
                assert os.fstat(capture._tails[0].fd).st_size <= 2 * CHUNK_BYTES
        assert text(chunks) == b"x" * 900 + b"y" * 100
        assert [c.truncated for c in chunks] == [False, True]
        capture.close()

    def test_exactly_the_limit_is_not_truncated(self):
        capture = Capture(StepKey("s"), 1, 10)
        with capture.redirected():
            os.write(1, b"0123456789")
            assert [c.truncated for c in capture.poll()] == [False]
            os.write(1, b"!")
            assert [(c.data, c.offset, c.truncated) for c in capture.poll()] == [(b"", 10, True)]
        capture.close()


def test_frames_put_values_together_from_any_pieces():
    read, write = os.pipe()
    for value in ("a", {"b": [1, 2]}, b"\0" * 5000):
        frames.write(write, value)
    os.close(write)
    data = b""
    while piece := os.read(read, 65536):
        data += piece
    os.close(read)
    reader = frames.Reader()
    assert [v for i in range(0, len(data), 7) for v in reader.feed(data[i : i + 7])] == ["a", {"b": [1, 2]}, b"\0" * 5000]


def run(body, output=None):
    """Fork, wait for the end, and give the values, the exit code and the usage."""
    process = ChildProcess(body, output, in_child=lambda: None)
    values = []
    deadline = time.monotonic() + 60
    while not process.has_exited():
        assert time.monotonic() < deadline, "the child does not end"
        select.select([process.pipe] if process.pipe_open else [], [], [], 0.01)
        values += process.read()
    values += process.read()
    code, usage = process.reap()
    process.close_pipe()
    return values, code, of_rusage(usage)


class TestChildProcess:
    def test_values_output_and_usage_come_back(self):
        capture = Capture(StepKey("s"), 1, 1000)

        def body(line):
            print("hello")
            line.send(os.getpid())
            line.send(os.getpgid(0))
            block = bytearray(64 << 20)
            block[::4096] = b"x" * len(block[::4096])
            until = time.process_time() + 0.1
            while time.process_time() < until:
                pass

        values, code, usage = run(body, capture)
        assert code == 0
        assert values[0] == values[1] != os.getpid()
        assert text(capture.poll()) == b"hello\n"
        assert usage.cpu_seconds >= 0.1
        assert usage.peak_memory_bytes >= 64 << 20
        capture.close()

    def test_more_values_than_a_pipe_holds(self):
        values, code, _ = run(lambda line: [line.send("x" * 1000) for _ in range(2000)])
        assert (len(values), code) == (2000, 0)

    def test_an_exit_of_the_parent_runs_nothing_of_its_exit_functions(self, tmp_path):
        script = tmp_path / "parent.py"
        script.write_text(
            "import atexit, os\n"
            "from dagwright.execution.executors.process import ChildProcess\n"
            "atexit.register(lambda: print('exit', os.getpid()))\n"
            "def body(line):\n"
            "    atexit.register(lambda: os.write(1, b'own\\n'))\n"
            "p = ChildProcess(body, None, in_child=lambda: None)\n"
            "p.reap()\n"
            "print(os.getpid())\n"
        )
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=60)
        own, pid, exit_line = done.stdout.split("\n")[:3]
        assert (own, exit_line) == ("own", f"exit {pid}")

    def test_it_dies_with_its_parent(self, tmp_path):
        script = tmp_path / "parent.py"
        script.write_text(
            "import os, time\n"
            "from dagwright.execution.executors.process import ChildProcess\n"
            "p = ChildProcess(lambda _: time.sleep(600), None, in_child=lambda: None)\n"
            "print(p.pid, flush=True)\n"
            "os.kill(os.getpid(), 9)\n"
        )
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=60)
        pid = int(done.stdout)
        deadline = time.monotonic() + 60
        while alive(pid):
            assert time.monotonic() < deadline

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (lambda _: os._exit(3), "exit code 3"),
            (lambda _: os.kill(os.getpid(), 9), "SIGKILL"),
            (lambda _: os.kill(os.getpid(), signal.SIGSEGV), "SIGSEGV"),
        ],
    )
    def test_sudden_ends_are_told_in_words(self, body, words):
        _, code, _ = run(body)
        broke = of_exit(code)
        assert words in broke.error.message
        assert broke.error.hint
        if words == "SIGKILL":
            assert "out of memory" in broke.error.hint


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_meter_measures_this_step_only():
    meter = Meter()
    small = meter.read().peak_memory_bytes
    block = bytearray(80 << 20)
    block[::4096] = b"x" * len(block[::4096])
    large = meter.read().peak_memory_bytes
    del block
    assert large - small > 70 << 20
    assert Meter().read().peak_memory_bytes < large - (70 << 20)
