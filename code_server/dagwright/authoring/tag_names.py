"""Tags that mean something to the engine, and the delimiter of keys of several dimensions, by Dagster's names."""

from __future__ import annotations

from typing import Final

from dagwright_shared.model.ranges import END_TAG, PARTITION_TAG, START_TAG

ASSET_PARTITION_RANGE_START_TAG: Final = START_TAG
"""First partition of a run over a range."""

ASSET_PARTITION_RANGE_END_TAG: Final = END_TAG
"""Last partition of a run over a range; it is included."""

PARTITION_NAME_TAG: Final = PARTITION_TAG
"""The partition of a run."""

DATA_VERSION_TAG: Final = "dagster/data_version"
"""Of a materialization or observation."""

MAX_RUNTIME_SECONDS_TAG: Final = "dagster/max_runtime"
"""Seconds that a run may take; it is then ended."""

MULTIPARTITION_KEY_DELIMITER: Final = "|"
"""Between the dimensions of a partition key, in their alphabetical order."""
