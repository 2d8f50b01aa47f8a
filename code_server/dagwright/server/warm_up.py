"""What an idle fork does until its work comes: one run of nothing, and one sensor that wants nothing.

After a fork each page of the interpreter is copied when it is first written to, and reference counts are writes. Walking
the path of its work once, while nobody waits, saves the first real run or evaluation several milliseconds.
"""

from __future__ import annotations

from dagwright.authoring.definitions import Definitions
from dagwright.authoring.jobs import job
from dagwright.authoring.ops import op
from dagwright.authoring.requests import SkipReason
from dagwright.authoring.sensors import SensorDefinition, SensorEvaluationContext
from dagwright.execution import evaluate
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.io_managers import InMemoryIOManager
from dagwright.execution.ports import MemorySink
from dagwright.execution.run import execute
from dagwright.planning.plan import plan_run
from dagwright_shared.model.events import EventBatch
from dagwright_shared.model.keys import Digest, RunId
from dagwright_shared.model.runs import LaunchSpec
from dagwright_shared.model.ticks import SensorQuestion
from dagwright_shared.wire.evaluation import (
    decode_evaluate_sensor_request,
    decode_launch,
    encode_evaluate_sensor_request,
    encode_evaluate_sensor_response,
    encode_launch,
)
from dagwright_shared.wire.events import encode_batch


@op
def nothing() -> int:
    return 0


@job
def warm() -> None:
    nothing()


def _look(context: SensorEvaluationContext) -> SkipReason:
    context.log.debug("nothing")
    return SkipReason("nothing")


looks = SensorDefinition(name="looks", evaluation_fn=_look, job=warm)


class WarmUp:
    """Made in the template, so that its forks have it; run in each idle fork."""

    def __init__(self) -> None:
        self._definitions = Definitions(jobs=[warm], sensors=[looks], resources={"io_manager": InMemoryIOManager()})
        self._definitions.resolve()
        self._spec = encode_launch(
            LaunchSpec(
                run_id=RunId("00000000-0000-7000-8000-000000000000"),
                epoch=1,
                digest=Digest(""),
                job_name="warm",
                asset_keys=(),
                check_keys=(),
                step_keys=(),
                partition=(),
                config={},
                tags={},
                parent_run_id=None,
                root_run_id=None,
                inherited={},
                retry_number=0,
                first_seq=1,
                log_limit_bytes=0,
            )
        )

    def run(self) -> None:
        spec = decode_launch(self._spec)
        sink = MemorySink()
        plan = plan_run(self._definitions, job_name="warm")
        execute(self._definitions, plan, spec=spec, sink=sink, cancellation=Cancellation(), executor=InProcessExecutor(), captures=False)
        request = encode_evaluate_sensor_request(SensorQuestion(name=looks.name))
        encode_evaluate_sensor_response(evaluate.sensor(self._definitions, decode_evaluate_sensor_request(request)))
        encode_batch(EventBatch(run_id=spec.run_id, epoch=1, events=tuple(sink.events)))
