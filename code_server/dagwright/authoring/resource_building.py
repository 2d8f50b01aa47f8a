"""Resources outside of runs: contexts for setting one up in a test, and resources set up for a block of code."""

from __future__ import annotations

import contextlib
import logging
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from dagwright.authoring.resources import InitResourceContext, opened
from dagwright.authoring.scoped_resources import Scoped


def build_init_resource_context(
    config: Any = None, resources: Mapping[str, Any] | None = None, instance: Any = None, log: Any = None
) -> InitResourceContext:
    """A context for setting a resource up in a test.

    Args:
        config: what `context.resource_config` gives.
        resources: objects by key, as `context.resources` gives them; resource definitions among them are set up.
        instance: what `context.instance` gives.

    Example:
        >>> build_init_resource_context(config={"path": "/data"}).resource_config["path"]
        '/data'
    """
    base = InitResourceContext(instance=instance, log=log or logging.getLogger("dagwright.resources"))
    stack = contextlib.ExitStack()
    values = stack.enter_context(opened(resources or {}, set(resources or {}), context=base))
    made = replace(base, resource_config=config, resources=Scoped(values))
    weakref.finalize(made.resources, stack.close)
    return made


@contextlib.contextmanager
def build_resources(
    resources: Mapping[str, Any],
    instance: Any = None,
    resource_config: Mapping[str, Any] | None = None,
    dagster_run: Any = None,
    log_manager: Any = None,
) -> Iterator[Scoped]:
    """Set resources up outside of a run, and tear them down at the end.

    Args:
        resources: definitions and bare objects, by key.
        resource_config: `{key: {"config": ...}}`.

    Example:
        >>> from dagwright import ResourceDefinition
        >>> with build_resources({"limit": ResourceDefinition.hardcoded_resource(3)}) as found:
        ...     found.limit
        3
    """
    context = InitResourceContext(instance=instance, run=dagster_run, log=log_manager or logging.getLogger("dagwright.resources"))
    with opened(resources, set(resources), config=resource_config, context=context) as values:
        yield Scoped(values)
