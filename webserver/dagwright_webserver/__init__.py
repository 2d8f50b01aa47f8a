"""The webserver: REST and pages over the store. It never imports user code, and keeps nothing that Postgres does not have."""
