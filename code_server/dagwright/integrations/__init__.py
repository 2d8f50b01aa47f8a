"""Resources and IO managers for tools of others; each needs the extra of its name, such as `pip install dagwright[duckdb]`."""
