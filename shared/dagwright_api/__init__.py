"""The contract between processes, generated from `proto/`. Only `dagwright_shared.wire` imports it."""
