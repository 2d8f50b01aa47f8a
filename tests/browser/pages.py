"""Every page of the dashboard, where to see it and what to read there: tests that hold for all pages go by this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Visit:
    """A page that is opened."""

    path: str
    """Its address; `{word}` is an id of the seed."""
    words: str
    """What stands on it."""
    log_in: bool = False
    """Whether it says something only where people log in."""
    as_json: bool = True
    """Whether it is the view of some JSON, as all are but the form of the log-in, and what tells of a mistake."""
    needs_script: bool = False
    """Whether the words are those of a dialog."""


PAGES = {
    "overview": Visit("/", "Timeline"),
    "overview-groups": Visit("/?by=group&hours=24", "marts"),
    "runs": Visit("/runs", "daily_sales"),
    "runs-none": Visit("/runs?text=no-such-thing", "No run fits these filters"),
    "run-failure": Visit("/runs/{failure}", "psycopg2.errors.UndefinedColumn"),
    "run-retried": Visit("/runs/{retried}", "rates.example.com did not answer"),
    "run-running": Visit("/runs/{running}", "Running"),
    "run-queued": Visit("/runs/{queued}", "Queued"),
    "run-long": Visit("/runs/{long}", "3,782"),
    "compare-pick": Visit("/runs/{failure}/compare", "Compare with which run?"),
    "compare": Visit("/runs/{failure}/compare/{success}", "marts__revenue_by_country"),
    "backfills": Visit("/backfills", "raw/orders"),
    "backfill": Visit("/backfills/{backfill}", "raw/orders"),
    "assets": Visit("/assets", "marts/basket_size"),
    "assets-mistyped": Visit("/assets?selection=raw/nothing", "raw/nothing", as_json=False),
    "lineage": Visit("/lineage", "As a list"),
    "lineage-groups": Visit("/lineage?by=group", "As a list"),
    "asset": Visit("/assets/marts/revenue_by_country", "top countries"),
    "asset-partitions": Visit("/assets/raw/orders?tab=partitions", "Ranges"),
    "asset-columns": Visit("/assets/marts/revenue_by_country?tab=columns", "Made of"),
    "asset-plots": Visit("/assets/raw/orders?tab=plots", "latest"),
    "asset-checks": Visit("/assets/raw/orders?tab=checks", "has_rows"),
    "asset-history": Visit("/assets/raw/orders?tab=history", "Materialized"),
    "jobs": Visit("/jobs", "refresh_exchange_rates"),
    "job": Visit("/jobs/daily_sales", "Recent runs"),
    "job-launch": Visit("/jobs/refresh_exchange_rates?launch=1", "Currency that all rates are quoted in.", needs_script=True),
    "launchpad": Visit("/jobs/refresh_exchange_rates/launchpad", "Launch refresh_exchange_rates"),
    "automation": Visit("/automation", "At 06:00 every day"),
    "schedule": Visit("/automation/schedules/daily_sales_schedule", "Next ticks"),
    "sensor": Visit("/automation/sensors/new_partner_files", "no new file since"),
    "simulation": Visit("/automation/simulation", "refresh_exchange_rates"),
    "search": Visit("/search?q=revenue", "marts/revenue_by_country"),
    "deployment": Visit("/deployment", "cannot import name 'LinearModel'"),
    "resources": Visit("/deployment/resources", "/warehouse/shop.duckdb"),
    "settings": Visit("/deployment/settings", "DAGWRIGHT_MAX_CONCURRENT_RUNS"),
    "users-open": Visit("/deployment/users", "no log-in"),
    "docs": Visit("/docs", "Cancel a run"),
    "login": Visit("/login?next=/runs", "Password", log_in=True, as_json=False),
    "account": Visit("/account", "Sessions", log_in=True),
    "users": Visit("/deployment/users", "grete", log_in=True),
    "tokens": Visit("/deployment/tokens", "nightly export", log_in=True),
    "audit": Visit("/deployment/audit", "grete", log_in=True),
}

NO_PAGES = {
    "/favicon.ico": "leads to the logo",
    "/login/oidc": "leads to the provider of identities",
    "/login/callback": "leads back from it",
    "/overview/stale": "a part of the overview that comes after it",
}
"""What a browser is answered that is no page of its own, and why."""
