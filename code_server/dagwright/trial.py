"""A deployment in memory with a clock of the test's own: what schedules, sensors and automation conditions would ask for, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from dagwright.authoring.definitions import Definitions
from dagwright.authoring.instance import Instance
from dagwright.authoring.instance_memory import MemoryStore
from dagwright.automation_trial import AutomationCursor, EvaluateAutomationConditionsResult, evaluate_automation_conditions
from dagwright.execution import evaluate
from dagwright_shared.model import cron
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.ticks import Evaluation, ScheduleQuestion, SensorQuestion


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTick:
    """What a schedule or a sensor asked for at a moment."""

    name: str
    at: datetime
    evaluation: Evaluation


class TestInstance(Instance):
    """An instance in memory whose time passes when the test says so.

    Args:
        definitions: whose schedules, sensors and automation conditions are evaluated.
        now: where the clock stands.

    Example:
        >>> from datetime import UTC, datetime, timedelta
        >>> import dagwright as dg
        >>> raw = dg.asset(name="raw")(lambda: None)
        >>> nightly = dg.ScheduleDefinition(name="nightly", target="*", cron_schedule="0 3 * * *")
        >>> trial = dg.TestInstance(dg.Definitions(assets=[raw], schedules=[nightly]), now=datetime(2026, 1, 1, tzinfo=UTC))
        >>> [f"{tick.at:%d %H:%M}" for tick in trial.advance(timedelta(days=2))]
        ['01 03:00', '02 03:00']
    """

    __test__ = False  # no test of pytest's

    def __init__(self, definitions: Definitions, now: datetime | None = None) -> None:
        self.now = now or datetime.now(UTC)
        if self.now.tzinfo is None:
            raise ValueError(f"now={self.now} has no time zone; write datetime(..., tzinfo=UTC)")
        super().__init__(MemoryStore(now=lambda: self.now))
        self._definitions = definitions
        self._cursors: dict[str, str | None] = {}
        self._seen: dict[str, datetime] = {}
        self._automation: AutomationCursor | None = None

    def evaluate_schedule(self, name: str) -> Evaluation:
        """What the schedule asks for now; raises as the daemon's evaluation does."""
        return evaluate.schedule(self._definitions, ScheduleQuestion(name=name, scheduled_for=self.now), instance=self)

    def evaluate_sensor(self, name: str) -> Evaluation:
        """What the sensor asks for now; its cursor, and what it says of dynamic partitions and assets, is kept."""
        question = SensorQuestion(name=name, cursor=self._cursors.get(name), last_tick_at=self._seen.get(name))
        found = evaluate.sensor(self._definitions, question, instance=self)
        self._seen[name] = self.now
        if found.cursor is not None:
            self._cursors[name] = found.cursor
        for change in found.dynamic_partitions:
            self.history.change_dynamic_keys(change.name, change.add, change.delete)
        for payload in found.asset_events:
            self.history.report(payload)
        return found

    def evaluate_automation(self) -> EvaluateAutomationConditionsResult:
        """What the automation conditions ask for now. What they remember is kept for the next evaluation.

        Example:
            >>> import dagwright as dg
            >>> made = dg.asset(name="made", automation_condition=dg.AutomationCondition.missing())(lambda: None)
            >>> trial = dg.TestInstance(dg.Definitions(assets=[made]))
            >>> trial.evaluate_automation().get_num_requested(dg.AssetKey("made"))
            1
        """
        found = evaluate_automation_conditions(self._definitions, self, evaluation_time=self.now, cursor=self._automation)
        self._automation = found.cursor
        return found

    def advance(self, by: timedelta) -> Sequence[TrialTick]:
        """Let time pass, and evaluate each schedule at each of its ticks on the way, in their order."""
        end = self.now + by
        due = {
            (moment, schedule.name)
            for schedule in self._definitions.resolve().schedules
            for expression in schedule.crons
            for moment in takewhile(lambda tick: tick <= end, cron.after(expression, self.now, schedule.timezone))
        }
        ticks = []
        for moment, name in sorted(due):
            self.now = moment
            ticks.append(TrialTick(name=name, at=moment, evaluation=self.evaluate_schedule(name)))
        self.now = end
        return ticks
