"""The parts of a workflow, as values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import Enum, StrEnum
from typing import Any

import attrs

from sy_commons import Backoff

KINDS = ("task", "operator", "instrument")
WHERE = ("inline", "thread")


class Missing(Enum):
    """Stands for the default of an input that has none."""

    REQUIRED = "required"


REQUIRED = Missing.REQUIRED


class Then(StrEnum):
    """What becomes of a node that failed for good: the run fails, or goes on without it."""

    FAIL = "fail"
    SKIP = "skip"


@attrs.frozen
class OnError:
    """What is done when a node fails: so many retries, then a fallback, a skip, or the end.

    ``backoff`` is "constant", "linear", "exponential", or a policy object with ``delay_s``.

    >>> OnError(retries=3, then="skip").then
    <Then.SKIP: 'skip'>
    """

    retries: int = 0
    backoff: str | Backoff = "exponential"
    then: Then = attrs.field(default=Then.FAIL, converter=Then)
    fallback: str | None = None


_ON_ERROR = OnError()
_NOTHING: Mapping[str, Any] = {}
_FINE: Sequence[tuple[str, str, str]] = ()


@attrs.frozen(eq=True)
class Node:
    """One thing to do: a runner, what it is given, and how.

    ``kind`` and ``runner`` say what runs: a task (``module:qualname``), or an operator or
    instrument by name. ``arguments`` hold values and references; ``map`` the arguments whose
    lists are taken apart, one item a run. ``after`` names nodes to wait for without using what
    they give.

    >>> Node("read", "operator", "fs.read", arguments={"path": "README.md"}).label
    'operator fs.read'
    """

    name: str
    kind: str
    runner: str
    arguments: Mapping[str, Any] = _NOTHING
    map: Mapping[str, Any] = _NOTHING
    on_error: OnError = _ON_ERROR
    timeout_s: float | None = None
    after: tuple[str, ...] = ()
    only_fallback: bool = False
    priority: int = 0
    tags: frozenset[str] = frozenset()
    where: str = "inline"
    function: Any = attrs.field(default=None, eq=False, repr=False)

    @property
    def is_plain(self) -> bool:
        """Whether its kind is known and it has no options that could be wrong."""
        return (
            self.on_error is _ON_ERROR
            and self.timeout_s is None
            and not self.map
            and self.kind in KINDS
            and self.where in WHERE
        )

    @property
    def label(self) -> str:
        """What runs, for people."""
        return f"{self.kind} {self.runner}"


@attrs.frozen
class Input:
    """What a workflow asks for: its type, and what it is where nothing is given."""

    name: str
    type: str = "any"
    default: Any = REQUIRED
    description: str = ""

    @property
    def required(self) -> bool:
        """Whether it has to be given."""
        return self.default is REQUIRED


@attrs.frozen
class Output:
    """What a workflow gives: a reference or value, and the artifact it becomes, if any."""

    name: str
    value: Any
    artifact: str | None = None


def node_problems(node: Node) -> Sequence[tuple[str, str, str]]:
    """Return what is wrong with a node alone: (field, what, the mend) of each problem."""
    if node.is_plain:
        return _FINE
    checks = (
        (node.kind in KINDS, "kind", f"kind {node.kind!r} is unknown", f"one of {KINDS}"),
        (node.where in WHERE, "where", f"where={node.where!r} is unknown", f"one of {WHERE}"),
        (
            _is_count(node.on_error.retries),
            "on_error.retries",
            f"retries={node.on_error.retries!r} is no count",
            "a whole number from 0",
        ),
        (
            node.timeout_s is None or _is_time(node.timeout_s),
            "timeout_s",
            f"timeout_s={node.timeout_s!r} is no time",
            "seconds, more than 0",
        ),
        (
            not isinstance(node.on_error.backoff, str)
            or node.on_error.backoff in ("constant", "linear", "exponential"),
            "on_error.backoff",
            f"backoff={node.on_error.backoff!r} is unknown",
            "constant, linear or exponential",
        ),
        (
            node.on_error.fallback is None or node.on_error.then is Then.FAIL,
            "on_error",
            "it has both a fallback and then = 'skip'",
            "write one; a fallback node has an on_error of its own",
        ),
        (
            not set(node.arguments) & set(node.map),
            "map",
            f"{', '.join(sorted(set(node.arguments) & set(node.map)))} is given twice",
            "an argument is either given or mapped",
        ),
    )
    return [(field, text, mend) for fine, field, text, mend in checks if not fine]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_time(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value > 0
    )
