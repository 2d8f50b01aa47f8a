"""Captured output of step attempts, as one stream of bytes each."""

from __future__ import annotations

from sqlalchemy import Connection, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.events import LogStream
from dagwright_shared.model.keys import RunId, StepKey


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """What there is of one stream of one attempt."""

    step_key: StepKey
    attempt: int
    stream: LogStream
    size: int
    truncated: bool
    """The cap was reached; what followed was dropped."""


def read(
    conn: Connection, run_id: RunId, step_key: StepKey, attempt: int, stream: LogStream, *, offset: int = 0, limit: int = 1_000_000
) -> bytes:
    """At most `limit` bytes from a byte offset on; empty when there is nothing (yet)."""
    parameters = {
        "run_id": run_id,
        "step_key": step_key,
        "attempt": attempt,
        "stream": str(stream),
        "offset": offset,
        "end": offset + limit,
    }
    parts = []
    position = offset
    for start, data in conn.execute(_READ, parameters):
        chunk = bytes(data)
        # Chunks of one writer touch; a hole would be output still on its way.
        if start > position:
            break
        parts.append(chunk[position - start :])
        position = max(position, start + len(chunk))
    return b"".join(parts)[:limit]


def files(conn: Connection, run_id: RunId) -> list[LogFile]:
    """What was captured of a run, by step, attempt and stream."""
    return [
        LogFile(step_key=StepKey(row.step_key), attempt=row.attempt, stream=LogStream(row.stream), size=row.size, truncated=row.truncated)
        for row in conn.execute(_FILES, {"run_id": run_id})
    ]


_KEY = "run_id = :run_id AND step_key = :step_key AND attempt = :attempt AND stream = :stream"
_READ = text(f"""
SELECT byte_offset, data FROM log_chunks
WHERE {_KEY} AND byte_offset < :end AND byte_offset >= coalesce(
    (SELECT byte_offset FROM log_chunks WHERE {_KEY} AND byte_offset <= :offset ORDER BY byte_offset DESC LIMIT 1), 0)
ORDER BY byte_offset
""")
_FILES = text("""
SELECT step_key, attempt, stream, max(byte_offset + length(data)) AS size, bool_or(truncated) AS truncated
FROM log_chunks WHERE run_id = :run_id GROUP BY step_key, attempt, stream ORDER BY step_key, attempt, stream
""")
