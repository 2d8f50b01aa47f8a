"""The composition root of the daemon."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy import Engine

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Loop
from dagwright_daemon.loops.automation import Automation
from dagwright_daemon.loops.backfills import Backfills
from dagwright_daemon.loops.event_sensors import EventSensors
from dagwright_daemon.loops.freshness import Freshness
from dagwright_daemon.loops.housekeeping import Housekeeping
from dagwright_daemon.loops.locations import Locations
from dagwright_daemon.loops.partitions import Partitions
from dagwright_daemon.loops.queue import Queue
from dagwright_daemon.loops.recovery import Recovery
from dagwright_daemon.loops.schedules import Schedules
from dagwright_daemon.loops.sensors import Sensors
from dagwright_daemon.outage import Outage
from dagwright_daemon.runner import Runner, identity
from dagwright_daemon.servers import CodeServers
from dagwright_shared.decide.recovery import Patience
from dagwright_shared.decide.retries import RetryDefaults
from dagwright_shared.model.errors import SettingsError, UnavailableError
from dagwright_shared.model.retention import EventClass, Policy
from dagwright_shared.model.ticks import TickStatus
from dagwright_shared.runtime import process, settings
from dagwright_shared.runtime.settings import Settings, channel_security
from dagwright_shared.store import engine as store_engine
from dagwright_shared.wire.client import LocationClient, Timeouts

log = logging.getLogger("dagwright_daemon")


def main() -> int:
    """Run the daemon until SIGTERM or SIGINT; the exit status."""
    try:
        config = settings.load()
        process.configure_logging(config.log_level, as_json=config.log_json)
        url = settings.require_database_url(config)
        engine = store_engine.create(url, name="daemon", pool_size=config.database_pool_size)
        _verify(engine)
    except SettingsError as error:
        print(f"dagwright daemon: {error.message}", file=sys.stderr)  # noqa: T201 - the user reads this
        return 2
    stop = process.stop_on_signals()
    servers = CodeServers(engine, connect(config))
    runner = Runner(engine, url, identity(), lambda outage, trusts: loops(config, engine, servers, outage, trusts))
    runner.start()
    stop.wait()
    ended = runner.stop()
    servers.close()
    engine.dispose()
    if not ended:
        # A tick hangs in a call: its thread must not hold up the exit. The leases are released.
        logging.shutdown()
        os._exit(0)
    return 0


def _verify(engine: Engine) -> None:
    """A wrong URL stops the start; a database that is merely away does not, for it may come up."""
    try:
        store_engine.verify(engine)
    except UnavailableError as error:
        log.warning("starting without the database", extra={"error": error.message})


def connect(config: Settings) -> Callable[[str], LocationClient]:
    """How code servers are dialed."""
    timeouts = Timeouts(launch=config.launch_timeout_seconds, ask=config.evaluation_timeout_seconds)
    security = channel_security(config)
    return lambda address: LocationClient(address, timeouts=timeouts, security=security)


def retention_policy(config: Settings) -> Policy:
    """For how long each kind of history is kept."""

    def days(number: float | None) -> timedelta | None:
        return None if number is None else timedelta(days=number)

    return Policy(
        events={
            EventClass.NOISE: days(config.retention_noise_days),
            EventClass.OBSERVATIONS: days(config.retention_observations_days),
            EventClass.MATERIALIZATIONS: days(config.retention_materializations_days),
            EventClass.RUNS: days(config.retention_runs_days),
        },
        ticks={
            TickStatus.SKIPPED: days(config.retention_skipped_ticks_days),
            TickStatus.SUCCESS: days(config.retention_succeeded_ticks_days),
            TickStatus.FAILURE: days(config.retention_failed_ticks_days),
        },
        logs=days(config.retention_logs_days),
        runs=days(config.retention_runs_days),
        audit=days(config.retention_audit_days),
    )


def loops(config: Settings, engine: Engine, servers: CodeServers, outage: Outage, trusts_lapses: Callable[[float], bool]) -> Sequence[Loop]:
    """The list of loops: adding one is a line here."""
    catalog, timeout = Catalog(), config.evaluation_timeout_seconds
    retries = RetryDefaults(
        max_retries=config.run_max_retries,
        strategy=config.run_retry_strategy,
        delay_seconds=config.run_retry_delay_seconds,
        backoff=config.run_retry_backoff,
        jitter=config.run_retry_jitter,
        on_step_failure=config.run_retry_on_step_failure,
    )
    patience = Patience(launch=config.launch_timeout_seconds, cancel=config.cancel_timeout_seconds, runtime=config.max_runtime_seconds)
    return (
        Locations(engine, servers, addresses=config.code_servers, outage=outage.failed).loop(),
        Queue(
            engine,
            servers,
            catalog,
            settings=config.limits,
            launch_timeout=config.launch_timeout_seconds,
            lease_seconds=config.lease_seconds,
            log_limit_bytes=config.log_limit_bytes,
        ).loop(),
        Schedules(engine, servers, catalog, timeout=timeout).loop(),
        Sensors(engine, servers, catalog, timeout=timeout).loop(),
        EventSensors(engine, servers, catalog, timeout=timeout).loop(),
        Freshness(engine, catalog).loop(),
        Partitions(engine, catalog).loop(),
        Backfills(engine, catalog).loop(),
        Automation(engine, catalog).loop(),
        Recovery(
            engine,
            trusts_lapses=trusts_lapses,
            lease_seconds=config.lease_seconds,
            retries=retries,
            patience=patience,
            max_resumes=config.run_max_resumes,
        ).loop(),
        Housekeeping(engine, retention_policy(config)).loop(),
    )
