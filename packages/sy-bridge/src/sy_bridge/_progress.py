"""How far each node of a run is, counted from the run's events: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.define
class NodeProgress:
    """How far one node is; a node without items counts as one."""

    name: str
    total: int = 1
    completed: int = 0
    skipped: int = 0
    failed: int = 0
    mapped: bool = False
    started: bool = False
    ended: bool = False

    @property
    def done(self) -> int:
        """How many items have come to an end, whichever."""
        return self.completed + self.skipped + self.failed

    def describe(self) -> str:
        """Return it in words.

        >>> NodeProgress("read", total=9, completed=8, skipped=1, mapped=True).describe()
        'read: 8 of 9, 1 skipped'
        """
        if not self.mapped:
            outcomes = {"done": self.completed, "skipped": self.skipped, "failed": self.failed}
            return f"{self.name}: {next((word for word, n in outcomes.items() if n), 'waiting')}"
        parts = [f"{self.completed} of {self.total}"]
        parts += [f"{self.skipped} skipped"] if self.skipped else []
        parts += [f"{self.failed} failed"] if self.failed else []
        return f"{self.name}: {', '.join(parts)}"


class RunProgress:
    """Counts the events of one run, node by node.

    >>> progress = RunProgress()
    >>> for event in [
    ...     {"kind": "map.expanded", "node": "read", "item": None, "data": {"items": 2}},
    ...     {"kind": "node.completed", "node": "read", "item": "a", "data": {}},
    ... ]:
    ...     changed = progress.take(event)
    >>> changed.describe()
    'read: 1 of 2'
    """

    def __init__(self) -> None:
        self.nodes: dict[str, NodeProgress] = {}

    def take(self, event: Mapping[str, Any]) -> NodeProgress | None:
        """Count *event* and return the node it changed, if it changed one."""
        name = event.get("node")
        if name is None:
            return None
        kind, item = event["kind"], event.get("item")
        if kind == "node.skipped" and name not in self.nodes and "error" not in event["data"]:
            return None  # a fallback that nobody needed
        node = self.nodes.setdefault(name, NodeProgress(name))
        if kind == "map.expanded":
            node.mapped, node.started = True, True
            node.total = int(event["data"]["items"])
            return node
        if kind == "node.started":
            node.started = True
            return node
        outcome = kind.removeprefix("node.")
        if outcome not in ("completed", "skipped", "failed"):
            return None
        if item is not None or not node.mapped:
            setattr(node, outcome, getattr(node, outcome) + 1)
        node.ended = node.ended or item is None
        return node
