"""Processes that cannot start as they are told: an exit code, one clear message, no traceback and no password. And code that breaks."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack, start, until

pytestmark = pytest.mark.e2e
GOOD = """
import dagwright as dg

@dg.asset
def first():
    return 1

defs = dg.Definitions(assets=[first])
"""
PASSWORD = "hunter2"
REFUSING = f"postgresql://me:{PASSWORD}@127.0.0.1:1/db"
UNKNOWN_HOST = f"postgresql://me:{PASSWORD}@no-such-host.invalid/db"
NO_URL = f"my database, {PASSWORD}"
SERVICES = [["webserver", "--port", "0"], ["daemon"], ["code-server", "-f", "good.py", "--port", "0"]]
DEV = ["dev", "-f", "good.py", "--port", "0", "--code-server-port", "0"]
EVERYTHING = [["db", "upgrade"], *SERVICES, DEV]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.py").write_text(GOOD)
    return tmp_path


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def complaint(folder: Path, *arguments: str, code: int = 2, **environment: str) -> str:
    """What a command that ends at once says on standard error; checks what holds for each."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DAGWRIGHT_")} | {"NO_COLOR": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "dagwright.cli", *arguments],
        cwd=folder, env=env | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    assert "Traceback" not in ended.stderr
    assert PASSWORD not in ended.stdout + ended.stderr
    assert ended.stdout == ""
    return ended.stderr


def one_line(text: str) -> str:
    (line,) = text.strip().splitlines()
    return line


def name_of(arguments: list[str]) -> str:
    return arguments[0]


class TestDatabaseUrl:
    @pytest.mark.parametrize("command", EVERYTHING, ids=name_of)
    def test_not_a_url(self, folder: Path, command: list[str]) -> None:
        said = one_line(complaint(folder, *command, DAGWRIGHT_DATABASE_URL=NO_URL))
        assert "postgresql://user:password@host:5432/database" in said

    @pytest.mark.parametrize("command", EVERYTHING, ids=name_of)
    def test_a_host_that_does_not_exist(self, folder: Path, command: list[str]) -> None:
        said = one_line(complaint(folder, *command, DAGWRIGHT_DATABASE_URL=UNKNOWN_HOST))
        assert "no-such-host.invalid" in said
        assert "me:***@" in said

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            (f"mysql://me:{PASSWORD}@host/db", "is not a Postgres database"),
            (f"postgresql://me:p@ss/{PASSWORD}@host:5432/db", "cannot be read"),
            (f"postgresql://me:{PASSWORD}@host:port/db", "cannot be read"),
        ],
    )
    def test_malformed(self, folder: Path, url: str, words: str) -> None:
        assert words in one_line(complaint(folder, "db", "upgrade", DAGWRIGHT_DATABASE_URL=url))

    @pytest.mark.parametrize("command", [["db", "upgrade"], ["daemon"]], ids=name_of)
    def test_none(self, folder: Path, command: list[str]) -> None:
        assert "DAGWRIGHT_DATABASE_URL" in one_line(complaint(folder, *command))

    @pytest.mark.parametrize(("command", "code"), [(["db", "upgrade"], 1), (DEV, 2)], ids=["db", "dev"])
    def test_nobody_answers(self, folder: Path, command: list[str], code: int) -> None:
        said = one_line(complaint(folder, *command, code=code, DAGWRIGHT_DATABASE_URL=REFUSING))
        assert "Connection refused" in said
        assert "is it running" in said

    @pytest.mark.parametrize("command", [["db", "upgrade"], ["daemon"]], ids=name_of)
    @pytest.mark.parametrize(("old", "new"), [("dagwright@", f"stranger:{PASSWORD}@"), ("/tests_", "/no_such_database_")])
    def test_the_server_refuses(self, folder: Path, database_url: str, command: list[str], old: str, new: str) -> None:
        assert old in database_url
        said = one_line(complaint(folder, *command, DAGWRIGHT_DATABASE_URL=database_url.replace(old, new, 1)))
        assert "refuses" in said
        assert "does not exist" in said or "authentication" in said

    @pytest.mark.parametrize("command", SERVICES, ids=name_of)
    def test_a_service_waits_for_a_database_that_may_come_up_and_says_so(self, folder: Path, command: list[str]) -> None:
        log = folder / "log"
        with log.open("wb") as output:
            service = subprocess.Popen(
                [sys.executable, "-m", "dagwright.cli", *command],
                cwd=folder, env=os.environ | {"DAGWRIGHT_DATABASE_URL": REFUSING}, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            until(lambda: "starting without the database" in log.read_text(), 30, "a warning")
            if command[0] == "webserver":
                (url,) = until(lambda: re.findall(r"serving url=(\S+)", log.read_text()), 30, "its address")
                ready = until(lambda: httpx.get(url + "/readyz", timeout=60), 30, "an answer")
                assert ready.status_code == 503
                assert ready.json()["parts"]["database"]["ok"] is False
                runs = httpx.get(url + "/api/v1/runs", timeout=60)
                assert (runs.status_code, runs.json()["type"]) == (503, "urn:dagwright:problem:database-away")
        finally:
            service.terminate()
            assert service.wait(60) == 0
        assert "Connection refused" in log.read_text()
        assert "Traceback" not in log.read_text()
        assert PASSWORD not in log.read_text()


class TestPortInUse:
    @pytest.mark.parametrize("option", ["--port", "--code-server-port"])
    def test_dev(self, folder: Path, taken: int, option: str) -> None:
        ports = {"--port": "0", "--code-server-port": "0"} | {option: str(taken)}
        said = one_line(complaint(folder, "dev", "-f", "good.py", *(text for pair in ports.items() for text in pair)))
        assert str(taken) in said
        assert re.search(rf"such as {option} \d+", said), "it offers a port that is free"
        assert not (folder / ".dagwright" / "postgres").exists(), "nothing was started"

    @pytest.mark.parametrize("command", [["webserver"], ["code-server", "-f", "good.py"]], ids=name_of)
    def test_services(self, folder: Path, taken: int, database_url: str, command: list[str]) -> None:
        said = one_line(complaint(folder, *command, "--port", str(taken), DAGWRIGHT_DATABASE_URL=database_url))
        assert str(taken) in said
        assert "--port" in said


class TestOptions:
    @pytest.mark.parametrize("command", ["dev", "code-server"])
    def test_a_file_that_does_not_exist(self, folder: Path, command: str) -> None:
        said = one_line(complaint(folder, command, "-f", "nope.py", DAGWRIGHT_DATABASE_URL=REFUSING))
        assert "nope.py" in said
        assert str(folder) in said

    def test_nothing_to_serve(self, folder: Path) -> None:
        assert "-f FILE" in one_line(complaint(folder, "dev"))

    @pytest.mark.parametrize("command", EVERYTHING, ids=name_of)
    def test_an_unknown_setting(self, folder: Path, command: list[str]) -> None:
        (folder / "dagwright.toml").write_text("max_concurent_runs = 3\n")
        said = one_line(complaint(folder, *command, DAGWRIGHT_DATABASE_URL=REFUSING))
        assert "max_concurent_runs" in said
        assert "did you mean 'max_concurrent_runs'?" in said

    @pytest.mark.parametrize("toml", ["port = [", "port = 'x'", "port = 70000", "max_concurrent_runs = -1"])
    def test_a_wrong_value(self, folder: Path, toml: str) -> None:
        (folder / "dagwright.toml").write_text(toml)
        said = one_line(complaint(folder, "webserver", DAGWRIGHT_DATABASE_URL=REFUSING))
        assert "dagwright.toml" in said or toml.partition(" ")[0] in said

    def test_no_service_behind_the_command_line(self, folder: Path, taken: int) -> None:
        said = one_line(complaint(folder, "run", "list", code=1, DAGWRIGHT_URL="http://127.0.0.1:1"))
        assert "http://127.0.0.1:1" in said


HEAD = "import dagwright as dg\n\n\n"
BROKEN: dict[str, tuple[str, int | None, str]] = {
    # name -> (source after the import, line that the message names, what it says)
    "syntax": ("def broken(:\n    pass\n", 4, "SyntaxError"),
    "import": ("import no_such_module_anywhere\n", 4, "no_such_module_anywhere"),
    "raises": ("def load():\n    raise RuntimeError('not today')\n\n\nload()\n", 5, "not today"),
    "no_definitions": ("x = 1\n", None, "Definitions"),
    "two_definitions": ("one = dg.Definitions()\ntwo = dg.Definitions()\n", None, "one"),
    "duplicate": (
        "@dg.asset\ndef a(): ...\n\n\n@dg.asset(name='a')\ndef b(): ...\n\n\ndefs = dg.Definitions(assets=[a, b])\n", 8, "defined twice"),
    "cycle": ("@dg.asset\ndef a(b): ...\n\n\n@dg.asset\ndef b(a): ...\n\n\ndefs = dg.Definitions(assets=[a, b])\n", 4, "cycle"),
    "missing_resource": (
        "@dg.asset(required_resource_keys={'warehouse'})\ndef a(): ...\n\n\ndefs = dg.Definitions(assets=[a])\n", 4, "warehouse"),
    "missing_upstream": ("@dg.asset\ndef a(no_such): ...\n\n\ndefs = dg.Definitions(assets=[a])\n", 4, "no_such"),
    "wrong_type": ("defs = dg.Definitions(assets=['a'])\n", None, "'a'"),
    "bad_cron": (
        "@dg.op\ndef o(): ...\n\n\n@dg.job\ndef j():\n    o()\n\n\n"
        "defs = dg.Definitions(schedules=[dg.ScheduleDefinition(job=j, cron_schedule='61 * * * *')])\n", None, "61 * * * *"),
    "leaves": ("raise SystemExit(3)\n", 4, "SystemExit"),
}  # fmt: skip


class TestValidate:
    @pytest.mark.parametrize("name", BROKEN)
    def test_names_object_place_and_mend(self, folder: Path, name: str) -> None:
        source, line, words = BROKEN[name]
        (folder / f"{name}.py").write_text(HEAD + source)
        said = complaint(folder, "definitions", "validate", "-f", f"{name}.py", code=1)
        first = said.splitlines()[0]
        assert first.startswith(f"error {name}: ")
        assert words in said
        assert f"{name}.py" in first
        if line is not None:
            assert re.search(rf"{name}\.py:{line}\b", first), first
        assert "/dagwright/" not in said, "frames of ours say nothing to the user"


def test_a_broken_file_in_dev(tmp_path: Path) -> None:
    """The stack is up and says what is wrong; once the file is mended, it is loaded without anybody doing more."""
    file = tmp_path / "project" / "flaky.py"
    file.parent.mkdir()
    file.write_text(GOOD + "\nraise RuntimeError('not today')\n")
    with start(tmp_path / "home", "-f", str(file), ready_code=503) as stack:
        parts = until(lambda: failing(stack), 30, "the error")
        assert parts["database"]["ok"]
        assert parts["locations"]["ok"] is False
        assert "flaky" in parts["locations"]["detail"]
        assert "RuntimeError: not today" in parts["locations"]["detail"]
        (location,) = stack.get("/api/v1/instance")["locations"]
        assert location["state"] == "error"
        frame = location["error"]["frames"][-1]
        assert (frame["file"], frame["line"]) == (str(file), len(GOOD.splitlines()) + 2)
        page = httpx.get(stack.url + "/deployment", timeout=60).text
        assert "not today" in page
        assert f"{file}:{frame['line']}" in page or ("flaky.py" in page and f"{frame['line']}" in page)
        refused = httpx.post(stack.url + "/api/v1/runs", json={"assets": ["first"]}, timeout=60)
        assert refused.status_code in (422, 503)

        file.write_text(GOOD)
        until(stack.ready, 30, "the mended file")
        assert stack.finished(stack.launch(assets=["first"]))["status"] == "SUCCESS"
        (location,) = stack.get("/api/v1/instance")["locations"]
        assert (location["state"], location["error"]) == ("loaded", None)


def failing(stack: Stack) -> dict[str, Any] | None:
    """The parts of `/readyz`, once a location has failed."""
    answer = httpx.get(stack.url + "/readyz", timeout=60)
    assert answer.status_code == 503
    parts: dict[str, Any] = answer.json()["parts"]
    return parts if "failing" in parts["locations"]["detail"] else None
