"""How long a run of a job will take, or an asset, by its newest successful runs."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text

from dagwright_shared.decide import prediction
from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_shared.model.snapshot import JobSnapshot
from dagwright_webserver.reads.view import view


@view
class StepPredictionView:
    """How long a step took lately."""

    step: str
    """Its key; copies of a dynamic step count as one, from the first start to the last end."""
    samples: int
    """Runs that it was seen in."""
    p50_seconds: float
    """Half of them took at most this."""
    p90_seconds: float
    """Nine of ten took at most this."""


@view
class PredictionView:
    """How long a run will take."""

    samples: int
    """Earlier runs that it is drawn from."""
    p50_seconds: float
    """Half of such runs take at most this."""
    p90_seconds: float
    """Nine of ten take at most this."""
    steps: tuple[StepPredictionView, ...]
    """Its steps that have been seen."""
    critical_path: tuple[str, ...]
    """Steps that it will wait for, one after the other."""
    unknown_steps: tuple[str, ...]
    """Steps that have not succeeded lately; they count as nothing."""


@view
class TimesView:
    """How long something took lately."""

    samples: int
    """Runs that it was seen in."""
    p50_seconds: float
    """Half of them took at most this."""
    p90_seconds: float
    """Nine of ten took at most this."""


def times_of_asset(conn: Connection, key: AssetKey, run_ids: Collection[str]) -> TimesView | None:
    """How long the steps of some runs took that make an asset; None where none of them succeeded."""
    if not run_ids:
        return None
    found = [
        max(0.0, float(seconds)) for seconds in conn.execute(_OF_ASSET, {"runs": list(run_ids), "key": key.to_user_string()}).scalars()
    ]
    if not found:
        return None
    return TimesView(samples=len(found), p50_seconds=prediction.quantile(found, 0.5), p90_seconds=prediction.quantile(found, 0.9))


def predict(conn: Connection, location: LocationName, job: JobSnapshot, *, chosen: Collection[str] | None = None) -> PredictionView | None:
    """What to expect of a run of all steps, or of those chosen; None where the job has not succeeded lately."""
    rows = conn.execute(_RUNS, {"job": job.name, "location": location}).all()
    whole = [float(row.seconds) for row in rows if row.whole and row.assets in (0, len(job.asset_keys))]
    samples: dict[str, list[float]] = {}
    for step, seconds in conn.execute(_STEPS, {"runs": [str(row.run_id) for row in rows]}):
        samples.setdefault(step, []).append(max(0.0, float(seconds)))
    edges = [(edge.from_node, edge.to_node) for edge in job.edges]
    found = prediction.predict(whole, samples, nodes=[node.handle for node in job.nodes], edges=edges, chosen=chosen)
    if found is None:
        return None
    return PredictionView(
        samples=found.samples,
        p50_seconds=found.p50,
        p90_seconds=found.p90,
        steps=tuple(
            StepPredictionView(step=each.step, samples=each.samples, p50_seconds=each.p50, p90_seconds=each.p90) for each in found.steps
        ),
        critical_path=found.critical_path,
        unknown_steps=found.unknown,
    )


# The newest 200 runs are looked at, whatever became of them: a job that fails for ever must not cost a walk through its history.
_RUNS = text("""
SELECT run_id, assets, whole, extract(epoch FROM ended_at - started_at) AS seconds FROM (
    SELECT run_id, status, started_at, ended_at, cardinality(asset_keys) AS assets,
        cardinality(step_keys) = 0 AND parent_run_id IS NULL AND partition_end IS NULL AS whole
    FROM runs WHERE job_name = :job AND location = :location ORDER BY created_at DESC, run_id DESC LIMIT 200
) newest WHERE status = 'SUCCESS' AND started_at IS NOT NULL LIMIT 50
""")

_OF_ASSET = text("""
SELECT extract(epoch FROM max(ended_at) - min(started_at)) FROM steps
WHERE run_id = ANY (CAST(:runs AS uuid[])) AND status = 'SUCCESS' AND started_at IS NOT NULL AND :key = ANY (asset_keys) GROUP BY run_id
""")

_STEPS = text("""
SELECT split_part(step_key, '[', 1), extract(epoch FROM max(ended_at) - min(started_at)) FROM steps
WHERE run_id = ANY (CAST(:runs AS uuid[])) AND status = 'SUCCESS' AND started_at IS NOT NULL GROUP BY 1, run_id
""")
