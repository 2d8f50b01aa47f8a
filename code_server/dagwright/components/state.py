"""Components whose definitions depend on something outside, such as the tables of a service, that is fetched and kept."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from dagwright.authoring.definitions import Definitions
from dagwright.components.component_class import Component
from dagwright.components.errors import ComponentError
from dagwright.components.folder import ComponentLoadContext
from dagwright.components.resolved import Resolvable
from dagwright.components.resolver import Model, Resolver
from dagwright_shared.model.dataclass import dataclass

_FOLDER = ".local_defs_state"


class DefsStateConfigArgs(Resolvable, Model):
    """How the state of a component is kept, as YAML says it.

    Args:
        key: names the state; components with one key share it.
        management_type: LOCAL_FILESYSTEM keeps it in the project's defs folder.
        refresh_if_dev: fetch it whenever the definitions are loaded by `dagwright dev`.
    """

    key: str | None = None
    management_type: Literal["LOCAL_FILESYSTEM"] = "LOCAL_FILESYSTEM"
    refresh_if_dev: bool = True

    @classmethod
    def local_filesystem(cls) -> DefsStateConfigArgs:
        """Kept in the project's defs folder."""
        return cls()


@dataclass(frozen=True, slots=True)
class DefsStateConfig:
    """How the state of a component is kept."""

    key: str
    management_type: str = "LOCAL_FILESYSTEM"
    refresh_if_dev: bool = True

    @staticmethod
    def from_args(args: DefsStateConfigArgs, default_key: str) -> DefsStateConfig:
        """What YAML says, with a key."""
        return DefsStateConfig(args.key or default_key, args.management_type, args.refresh_if_dev)


ResolvedDefsStateConfig: TypeAlias = Annotated[
    DefsStateConfigArgs,
    Resolver(
        lambda context, model: DefsStateConfigArgs(**context.resolve_value(model.model_dump(exclude_unset=True))),
        model_field_type=DefsStateConfigArgs,
    ),
]


class StateBackedComponent(Component):
    """A component that fetches what its definitions are made of, and keeps it in a file.

    The state is fetched when there is none yet, when `refresh_state` is called, and in `dagwright dev`.

    Example:
        >>> import json
        >>> import dagwright as dg
        >>> import dagwright.components as dgc
        >>> class Tables(dgc.StateBackedComponent, dgc.Model, dgc.Resolvable):
        ...     @property
        ...     def defs_state_config(self):
        ...         return dgc.DefsStateConfig("tables")
        ...     def write_state_to_path(self, state_path):
        ...         state_path.write_text(json.dumps(["a", "b"]))
        ...     def build_defs_from_state(self, context, state_path):
        ...         return dg.Definitions(assets=[dg.AssetSpec(name) for name in json.loads(state_path.read_text())])
    """

    @property
    @abstractmethod
    def defs_state_config(self) -> DefsStateConfig:
        """How the state is kept."""

    @abstractmethod
    def write_state_to_path(self, state_path: Path) -> Any:
        """Fetch the state and write it; may be async."""

    @abstractmethod
    def build_defs_from_state(self, context: ComponentLoadContext, state_path: Path | None) -> Definitions:
        """The definitions of a state."""

    def build_defs(self, context: ComponentLoadContext) -> Definitions:
        config = self.defs_state_config
        state = self._path(context)
        if not state.is_file() or (config.refresh_if_dev and os.environ.get("DAGWRIGHT_DEV") == "1"):
            self.refresh_state(context)
        return self.build_defs_from_state(context, state)

    def refresh_state(self, context: ComponentLoadContext) -> Path:
        """Fetch the state anew; the one before stays when that fails.

        Raises:
            ComponentError: write_state_to_path wrote nothing.
        """
        state = self._path(context)
        state.parent.mkdir(parents=True, exist_ok=True)
        ignored = state.parent.parent / ".gitignore"
        if not ignored.exists():
            ignored.write_text("*\n", encoding="utf-8")
        fresh = state.with_name(f"{state.name}.{os.getpid()}")
        try:
            written = self.write_state_to_path(fresh)
            if inspect.iscoroutine(written):
                asyncio.run(written)
            if not fresh.exists():
                raise ComponentError(
                    f"{type(self).__name__}.write_state_to_path wrote nothing to {fresh}",
                    mend="write the state to the path that it is given",
                )
            fresh.replace(state)
        finally:
            fresh.unlink(missing_ok=True)
        return state

    def _path(self, context: ComponentLoadContext) -> Path:
        key = re.sub(r"[^A-Za-z0-9._-]", "__", self.defs_state_config.key)
        return context.defs_module_path / _FOLDER / key / "state"
