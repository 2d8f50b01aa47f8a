"""The .proto files: style, comments, generated code, and what importing the messages costs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from dagwright_api.v1 import code_server_service_pb2

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
CONTRACT = Path(__file__).with_name("golden") / "contract.binpb"
BUF = Path(sys.executable).with_name("buf")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.skipif(not BUF.exists(), reason="buf is not installed beside this Python; `make setup` installs it")
def test_buf_finds_no_fault() -> None:
    result = run(BUF, "lint", "proto")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.skipif(not BUF.exists(), reason="buf is not installed beside this Python; `make setup` installs it")
def test_no_released_field_changes(tmp_path: Path) -> None:
    """What is recorded can still be read. After a release: run this with `DAGWRIGHT_RECORD=1`, which adds what came since."""
    result = run(BUF, "breaking", "proto", "--against", CONTRACT)
    assert result.returncode == 0, result.stdout + result.stderr
    if os.environ.get("DAGWRIGHT_RECORD"):
        assert run(BUF, "build", "proto", "--exclude-source-info", "-o", CONTRACT).returncode == 0

    renumbered = tmp_path / "proto"
    shutil.copytree(ROOT / "proto", renumbered)
    service = renumbered / "dagwright_api/v1/code_server_service.proto"
    changed, count = re.subn(r"(string \w+) = 1;", r"\1 = 99;", service.read_text(), count=1)
    assert count == 1
    service.write_text(changed)
    refused = run(BUF, "breaking", renumbered, "--against", CONTRACT)
    assert refused.returncode != 0
    assert "code_server_service.proto" in refused.stdout


def test_generated_code_is_up_to_date() -> None:
    result = run(sys.executable, "proto/generate.py", "--check")
    assert result.returncode == 0, result.stderr


def test_only_the_wire_imports_messages() -> None:
    importers = {
        str(path.relative_to(ROOT))
        for folder in ("code_server", "webserver", "daemon", "shared/dagwright_shared")
        for path in (ROOT / folder).rglob("*.py")
        if "dagwright_api" in path.read_text() and "/wire/" not in path.as_posix()
        if any(line.lstrip().startswith(("import dagwright_api", "from dagwright_api")) for line in path.read_text().splitlines())
    }
    assert importers == set()


def test_messages_for_workers_load_no_grpc() -> None:
    modules = ("values", "errors", "partitions", "snapshot", "events", "evaluation")
    imports = "; ".join(f"import dagwright_shared.wire.{name}" for name in modules)
    result = run(sys.executable, "-c", f"{imports}; import sys; print([m for m in ('grpc', 'sqlalchemy', 'pydantic') if m in sys.modules])")
    assert result.stdout.strip() == "[]", result.stderr


def reachable(message: Descriptor, seen: set[str]) -> set[str]:
    if message.full_name not in seen:
        seen.add(message.full_name)
        for field in message.fields:
            if field.message_type is not None:
                reachable(field.message_type, seen)
    return seen


def test_no_field_holds_json_as_text() -> None:
    service = code_server_service_pb2.DESCRIPTOR.services_by_name["CodeServerService"]
    names: set[str] = set()
    for method in service.methods:
        reachable(method.input_type, names)
        reachable(method.output_type, names)
    pool = code_server_service_pb2.DESCRIPTOR.pool
    fields = [field for name in names for field in pool.FindMessageTypeByName(name).fields]
    texts = {field.full_name for field in fields if field.type == FieldDescriptor.TYPE_STRING}
    assert len(texts) > 50
    assert not {name for name in texts if "json" in name.lower() or "schema" in name.rpartition(".")[2]}
