"""Where ops stand in their job, and the steps that run them."""

from __future__ import annotations

from dagwright_shared.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class NodeHandle:
    """The place of an op in its job: `outer.inner` is the op `inner` in the graph `outer`.

    Example:
        >>> NodeHandle.of("outer.inner").root
        NodeHandle(name='outer', parent=None)
    """

    name: str
    parent: NodeHandle | None = None

    @staticmethod
    def of(text: str) -> NodeHandle:
        """Read `outer.inner`."""
        outer, _, name = text.rpartition(".")
        return NodeHandle(name, NodeHandle.of(outer) if outer else None)

    from_string = of

    @property
    def path(self) -> list[str]:
        return [*(self.parent.path if self.parent is not None else ()), self.name]

    @property
    def root(self) -> NodeHandle:
        """The node of the job itself that it is in."""
        return self.parent.root if self.parent is not None else self

    def is_or_descends_from(self, handle: NodeHandle) -> bool:
        """Whether it is that node, or one inside it."""
        return self == handle or (self.parent is not None and self.parent.is_or_descends_from(handle))

    def to_string(self) -> str:
        return ".".join(self.path)

    def __str__(self) -> str:
        return self.to_string()


@dataclass(frozen=True, slots=True)
class StepHandle:
    """A step: its node, and its key, which says besides which one it is of those mapped over a dynamic output."""

    node_handle: NodeHandle
    key: str

    @staticmethod
    def of(step_key: str) -> StepHandle:
        """Read the key of a step: `outer.inner[a]` is of the node `outer.inner`."""
        return StepHandle(NodeHandle.of(step_key.partition("[")[0]), step_key)

    def to_key(self) -> str:
        return self.key
