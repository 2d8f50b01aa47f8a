"""Members of Dagster's instance that are absent here, each with what to use instead."""

from __future__ import annotations

_CLIENT = "of a `dagwright.client.Client`, which `dagwright.client.connect()` gives"
_OF = {
    "runs": "submit_run launch_run resume_run create_run create_run_for_job create_reexecuted_run add_run",
    "runs.cancel": "report_run_canceling report_run_canceled",
    "backfills": "get_backfill get_backfills get_backfills_count add_backfill update_backfill",
    "schedules": "start_schedule stop_schedule reset_schedule",
    "sensors": "start_sensor stop_sensor reset_sensor",
    "automation": (
        "all_instigator_state get_instigator_state add_instigator_state update_instigator_state delete_instigator_state get_tick get_ticks "
        "get_tick_summaries get_batch_ticks"
    ),
    "instance": "get_daemon_statuses get_daemon_heartbeats info_dict info_str get_settings get_concurrency_config",
}
_INSTEAD = {
    **{name: f"`.{calls}` {_CLIENT}" for calls, names in _OF.items() for name in names.split()},
    **dict.fromkeys(
        ("report_dagster_event", "report_engine_event", "handle_new_event", "store_event"),
        "`report_runless_asset_event` for what happened to an asset, or `context.log_event` in a step",
    ),
    "report_run_failed": "an exception in the step, which fails the run; runs whose process is lost are failed by the daemon",
    "logs_after": "`all_logs(run_id)`",
    "watch_event_logs": f"`.runs.stream` {_CLIENT}",
    **dict.fromkeys(
        ("run_storage", "event_log_storage", "schedule_storage", "daemon_cursor_storage", "defs_state_storage"),
        "the methods of the instance itself; there is one database, and no storage classes",
    ),
    **dict.fromkeys(
        ("run_launcher", "run_coordinator", "scheduler", "compute_log_manager"),
        "the daemon and the code servers, which do that work; there are no classes to choose",
    ),
    **dict.fromkeys(("root_directory", "storage_directory"), "a path of your own, such as the `base_dir` of a FilesystemIOManager"),
}


def advice(name: str) -> str:
    """What to say of a member that the instance does not have."""
    instead = _INSTEAD.get(name)
    return f"the instance has no {name!r}" + (f"; use {instead}" if instead is not None else "")
