"""Each step attempt in a process of its own, several at once: one loop, no threads.

The loop waits on the pipes of the steps, on their ends (pidfds), on the request to stop, on the sink, and on time:
retries that come due, output files to look at, processes that were asked to stop and did not.

Three things keep the time between steps short. While steps run, a few more processes are forked ahead and warm up, so that the
next step finds one ready. They are forked several in a row: after a fork this process, too, has each page copied that it writes
to, but only once for all of them. And a step counts as done once its process has said so, while that still takes itself apart.

The steps of a step group share one process, which waits for the next of them for as long as the group goes on.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from dagwright.execution import step as steps
from dagwright.execution.capture import Capture, flush_output
from dagwright.execution.executors import limits
from dagwright.execution.executors.gate import Gate
from dagwright.execution.executors.process import ChildProcess, Line, freeze
from dagwright.execution.executors.work import Group, Work
from dagwright.execution.outcome import Outcome, StepBroke, StepDone, StepStopped, of_exit
from dagwright.execution.ports import PumpedSink
from dagwright.execution.scope import RunScope
from dagwright.execution.usage import ChildMeter, of_rusage
from dagwright.planning.dynamic import Packed, pack, unpack
from dagwright.planning.executor_config import TagLimit
from dagwright.planning.steps import Step
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import error_info
from dagwright_shared.model.events import EngineMessage, LogLevel, Payload, Usage
from dagwright_shared.model.keys import StepKey

TAIL_SECONDS = 0.2
"""How often captured output is looked at."""
_AHEAD = 4
"""The most processes that are forked ahead at once."""
_NOBODY = StepKey("")


@dataclass(frozen=True, slots=True)
class _Task:
    """What a forked process is to do."""

    step: Packed
    attempt: int
    news: list[tuple[Payload, str]]
    """What the run has made since the fork, or since the task before."""
    is_last: bool = True
    """False: of a step group, so another may follow."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """The last word of a step."""

    outcome: Outcome
    usage: Usage


@dataclass(slots=True, eq=False)
class _Worker:
    """A forked process: idle, with a step, or (its step being over) about to end."""

    process: ChildProcess
    capture: Capture | None
    mark: int
    step: Step | None = None
    over: bool = False
    """Its step has been concluded."""
    asked_to_stop: bool = False
    kill_at: float | None = None
    """When it is killed if it has not ended by then."""
    killed: bool = False
    expires_at: float | None = None
    """When its step has run for as long as it may."""
    overdue: bool = False

    @property
    def waits(self) -> bool:
        """Whether it has nothing to do, and may get something."""
        return self.over and not self.asked_to_stop and self.kill_at is None


class MultiprocessExecutor:
    """Runs up to `max_concurrent` steps at once, each in a forked process.

    Args:
        max_concurrent: steps at once; None or 0: as many as there are CPUs for this process.
        cancel_grace: seconds between asking a step to stop and killing it.
        exit_grace: seconds that a process whose step is done may take to end, such as for its threads.
        tag_limits: how many steps with a tag may run at once.
    """

    name = "multiprocess"

    def __init__(
        self,
        max_concurrent: int | None = None,
        *,
        cancel_grace: float = limits.GRACE_SECONDS,
        exit_grace: float = 10.0,
        tag_limits: Sequence[TagLimit] = (),
    ) -> None:
        self._max_concurrent = max_concurrent or available_cpus()
        self._cancel_grace = cancel_grace
        self._exit_grace = exit_grace
        self._tag_limits = tag_limits

    def run(self, scope: RunScope, progress: Work) -> None:
        gate = Gate(progress, self._max_concurrent, self._tag_limits)
        with _Loop(scope, progress, gate, self._cancel_grace, self._exit_grace) as loop:
            loop.run()


def available_cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Loop:
    """One run's loop, and what it holds open."""

    def __init__(self, scope: RunScope, progress: Work, gate: Gate, cancel_grace: float, exit_grace: float) -> None:
        self._scope, self._progress, self._gate = scope, progress, gate
        self._cancel_grace, self._exit_grace = cancel_grace, exit_grace
        self._steps = {step.key: step for step in scope.plan.steps}
        # Made once, for the children to find: nothing of it is set up before a step needs it.
        self._environment = steps.Environment(scope)
        self._workers: list[_Worker] = []
        self._spares: deque[_Worker] = deque()
        """Forked ahead, and without a step."""
        self._groups: dict[Group, _Worker] = {}
        """The process of each step group that goes on."""
        self._busy = 0
        self._next_tail = 0.0
        self._selector = selectors.DefaultSelector()
        self._watch(scope.cancellation.fileno(), lambda: None)
        if isinstance(scope.sink, PumpedSink):
            self._watch(scope.sink.fileno(), scope.sink.on_readable)

    def __enter__(self) -> _Loop:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:  # spare ones; others only when something of ours has failed
            worker.process.signal_group(signal.SIGKILL)
            worker.process.reap()
            worker.process.close_pipe()
            if worker.capture is not None:
                worker.capture.close()
        self._selector.close()

    def run(self) -> None:

        freeze()
        while not self._finished():
            if self._scope.cancellation.requested and not self._progress.stopping:
                self._stop()
            # What is done is on its way before what depends on it begins, so that a retry after a crash does not repeat it.
            self._scope.sink.flush()
            while (step := self._gate.take()) is not None:
                self._start(step)
            self._scope.sink.flush()
            self._end_groups()
            self._fork_ahead()
            if self._finished():
                return
            for key, _ in self._selector.select(self._timeout()):
                key.data()
            self._look_at_the_time()

    def _finished(self) -> bool:
        return self._progress.finished and len(self._workers) == len(self._spares)

    def _watch(self, fd: int, act: Callable[[], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, act)

    def _timeout(self) -> float | None:
        now = time.monotonic()
        moments = [moment - now for worker in self._workers for moment in (worker.kill_at, worker.expires_at) if moment is not None]
        if self._busy:
            moments.append(self._next_tail - now)
        if (retry := self._progress.seconds_to_retry()) is not None and not self._gate.full:
            moments.append(retry)
        return max(0.0, min(moments)) if moments else None

    # ---- starting

    def _start(self, step: Step) -> None:
        attempt, history = self._progress.attempt(step), self._scope.history
        worker = self._groups.get(step.group) if step.group is not None else None
        if worker is None or not worker.waits:
            worker = self._spares.popleft() if self._spares else None
        task = _Task(pack(step), attempt, [], is_last=step.group is None)
        if worker is not None:
            if worker.capture is not None:
                worker.capture.restart()
            try:
                worker.process.tell(replace(task, news=history.since(worker.mark)))
            except BrokenPipeError:  # killed while it was idle; it is reaped when its end is noticed
                worker = None
        if worker is None:
            worker = self._fork(task)
        if worker.capture is not None:
            worker.capture.step_key, worker.capture.attempt = step.key, attempt
        worker.step, worker.over, worker.mark = step, False, history.mark
        if step.group is not None:
            self._groups[step.group] = worker
        self._busy += 1
        limit = limits.of(step)
        worker.expires_at = None if limit is None else time.monotonic() + limit
        self._progress.began(step, worker.process.pid)

    def _end_groups(self) -> None:
        """Let processes end whose step group is over."""
        for group, worker in list(self._groups.items()):
            if worker.waits and not self._progress.goes_on(group):
                self._retire(worker)

    def _retire(self, worker: _Worker) -> None:
        """Give a process no more steps."""
        if worker.step is not None and worker.step.group is not None and self._groups.get(worker.step.group) is worker:
            del self._groups[worker.step.group]
        worker.process.hang_up()
        if worker.kill_at is None:
            worker.kill_at = time.monotonic() + self._exit_grace

    def _fork_ahead(self) -> None:
        if not self._spares and self._busy and not self._progress.stopping:
            self._spares.extend(self._fork(None) for _ in range(min(_AHEAD, self._gate.left_to_start)))

    def _fork(self, task: _Task | None) -> _Worker:
        scope = self._scope
        capture = Capture(_NOBODY, 0, scope.spec.log_limit_bytes) if scope.captures else None
        scope.sink.flush()  # what is buffered belongs to this process
        process = ChildProcess(lambda line: self._be_worker(line, task), capture, in_child=self._close_inherited)
        worker = _Worker(process=process, capture=capture, mark=scope.history.mark)
        self._workers.append(worker)
        self._watch(process.pipe, lambda: self._read(worker))
        if process.exit_fd is not None:
            self._watch(process.exit_fd, lambda: self._exited(worker))
        return worker

    # ---- in the child

    def _be_worker(self, line: Line, task: _Task | None) -> None:
        environment = self._environment.of_step(line.cancellation)
        scope = environment.scope
        if task is None:
            environment.warm_up()
            task = line.receive()
        while task is not None:
            for payload, run_id in task.news:
                scope.history.note(payload, run_id)
            meter = ChildMeter()
            outcome = steps.attempt(environment, unpack(task.step, self._steps), task.attempt, line.send)
            if task.is_last:
                environment.close_into(line.send)
            flush_output()  # what it has printed belongs to this step, and not to the next
            line.send(_Ended(outcome, meter.read()))
            if task.is_last:
                return
            task = None if scope.cancellation.requested else line.receive()
        environment.close_into(line.send)

    def _close_inherited(self) -> None:
        """Let go of what belongs to the run and to the other steps."""
        self._scope.sink.after_fork()
        self._selector.close()
        self._scope.cancellation.close()
        for other in self._workers:
            other.process.close_pipe()
            other.process.hang_up()
            if other.process.exit_fd is not None:
                os.close(other.process.exit_fd)
            if other.capture is not None:
                other.capture.close()

    # ---- what children say, and their ends

    def _read(self, worker: _Worker) -> None:
        if not worker.process.pipe_open:
            return
        fd = worker.process.pipe
        try:
            for value in worker.process.read():
                if worker.step is None:
                    continue
                if worker.over:
                    if isinstance(value, EngineMessage):  # the process of a group has taken its resources down
                        self._scope.sink.emit(value)
                elif isinstance(value, _Ended):
                    self._conclude(worker, value.outcome, value.usage)
                    if worker.step.group is None or worker.asked_to_stop:
                        self._retire(worker)
                        worker.kill_at = time.monotonic() + self._exit_grace
                else:
                    self._progress.relay(worker.step, value)
        except Exception as error:  # noqa: BLE001 - the pipe carries what a process of user code wrote
            worker.process.signal_group(signal.SIGKILL)
            self._selector.unregister(fd)
            worker.process.close_pipe()
            if worker.step is not None and not worker.over:
                broke = StepBroke(error=error_info(error, hint="The step's process sent something that could not be read."))
                self._conclude(worker, broke, Usage(cpu_seconds=0.0, peak_memory_bytes=0))
            return
        if worker.process.at_end:
            self._selector.unregister(fd)
            worker.process.close_pipe()

    def _exited(self, worker: _Worker) -> None:
        """The process has ended: take in what is left of it, and conclude its step if it has not done so itself."""
        self._read(worker)
        process = worker.process
        if process.pipe_open:
            self._selector.unregister(process.pipe)
            process.close_pipe()
        if process.exit_fd is not None:
            self._selector.unregister(process.exit_fd)
        if not worker.over or worker.asked_to_stop:
            process.signal_group(signal.SIGKILL)  # what it started must not outlive it
        code, consumed = process.reap()
        self._workers.remove(worker)
        if worker in self._spares:
            self._spares.remove(worker)
        self._groups = {group: other for group, other in self._groups.items() if other is not worker}
        if worker.step is not None and not worker.over:
            self._conclude(worker, of_exit(code), of_rusage(consumed))
        elif worker.step is not None and worker.killed and not worker.asked_to_stop:
            message = (
                f"the step was done, but its process did not end within {self._exit_grace:g} s (a thread that never ends?) and was killed"
            )
            self._scope.sink.emit(EngineMessage(message=message, level=LogLevel.WARNING), worker.step.key)
        if worker.capture is not None:
            self._progress.output(worker.capture.poll())
            worker.capture.close()

    def _conclude(self, worker: _Worker, outcome: Outcome, usage: Usage) -> None:
        assert worker.step is not None
        worker.over = True
        worker.expires_at = None
        self._busy -= 1
        self._gate.leave(worker.step.key)
        if worker.capture is not None:
            self._progress.output(worker.capture.poll())
        if worker.overdue:
            outcome = limits.overdue(worker.step, outcome)
        elif worker.asked_to_stop and not isinstance(outcome, StepDone):
            outcome = StepStopped()
        self._progress.ended(worker.step, outcome, usage)

    # ---- stopping, and time

    def _stop(self) -> None:
        """Ask every step to stop, and start no others."""
        self._selector.unregister(self._scope.cancellation.fileno())
        self._gate.let_go()
        self._progress.stop()
        for worker in self._workers:
            if worker in self._spares:
                worker.process.hang_up()
            elif worker.waits:
                self._retire(worker)
            elif not worker.over:
                self._ask_to_stop(worker)

    def _ask_to_stop(self, worker: _Worker) -> None:
        worker.expires_at = None
        if not worker.asked_to_stop:
            worker.asked_to_stop = True
            worker.kill_at = time.monotonic() + self._cancel_grace
            worker.process.signal_group(signal.SIGTERM)

    def _look_at_the_time(self) -> None:
        now = time.monotonic()
        if now >= self._next_tail:
            self._next_tail = now + TAIL_SECONDS
            for worker in list(self._workers):
                if worker.capture is not None and worker.step is not None:
                    self._progress.output(worker.capture.poll())
                if worker.process.exit_fd is None and worker.process.has_exited():
                    self._exited(worker)
        for worker in self._workers:
            if worker.expires_at is not None and now >= worker.expires_at:
                worker.overdue = True
                self._ask_to_stop(worker)
            if worker.kill_at is not None and now >= worker.kill_at:
                worker.kill_at, worker.killed = None, True
                worker.process.signal_group(signal.SIGKILL)
