"""What a bench is written with: ``from house.measuring import Case, at_most``.

A file ``packages/sy-x/benches/bench_*.py`` has a function ``cases()`` that returns a list of
`Case`. Each side is a callable, or a coroutine function, called once a round. What it returns
is its measurement:

- ``None``: the whole call is timed, and the time divided by ``operations``;
- a number: that is the measurement, in the case's ``unit`` (MiB, bytes, modules, /s);
- a list of numbers: samples, one an operation, of which each budget takes its statistic.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from house.verdicts import Budget, at_least, at_most

__all__ = [
    "Budget",
    "Case",
    "Side",
    "at_least",
    "at_most",
    "imported_modules",
    "optional",
    "peak_rss_mib",
]

Measurement = float | Sequence[float] | None
Side = Callable[[], Measurement | Awaitable[Measurement]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing we measure, beside its peers, and the budgets that it must keep.

    *peers* maps a peer's name to its side, or to None where it is not installed (see `optional`):
    its budgets are then skipped, in so many words. *setup* and *teardown* run once around the
    case; *each_round* runs untimed before each call of each side. *operations* is how many
    operations one call makes. *rounds* caps the rounds of a slow case. *pinned* keeps the case,
    and the processes it starts, on one core. A coroutine function runs on asyncio's own loop
    unless *loop_factory* (and with it, on every side of the case) names another.
    """

    name: str
    ours: Side
    peers: Mapping[str, Side | None] = field(default_factory=dict)
    budgets: Sequence[Budget]
    operations: int = 1
    unit: str = "s"
    rounds: int | None = None
    setup: Callable[[], object] | None = None
    teardown: Callable[[], object] | None = None
    each_round: Callable[[], object] | None = None
    pinned: bool = False
    loop_factory: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        """Refuse a budget beside a peer that the case does not have."""
        for budget in self.budgets:
            if budget.peer is not None and budget.peer not in self.peers:
                raise ValueError(f"{self.name}: a budget names {budget.peer!r}, not among peers")


def optional(module: str) -> ModuleType | None:
    """Return the module of a peer, or None where it is not installed.

    >>> optional("json").__name__, optional("no_such_peer")
    ('json', None)
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the peer is there, and misses something itself
        return None


def peak_rss_mib(code: str, *arguments: str, variables: Mapping[str, str] | None = None) -> float:
    """Return the most memory, in MiB, that a fresh process held while it ran *code*.

    The kernel's VmHWM of that process alone; its children are not counted. (``ru_maxrss`` would
    not do: it remembers the parent that the process was forked from.)
    """
    tail = "\nprint(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])"
    said = _fresh(code + tail, arguments, variables)
    return int(said.splitlines()[-1]) / 1024


def imported_modules(code: str, *, variables: Mapping[str, str] | None = None) -> set[str]:
    """Return the modules that *code* imports in a fresh process, beyond a bare interpreter's."""
    head = "import sys\n_bare = set(sys.modules)\n"
    tail = "\nimport sys\nprint(*sorted(set(sys.modules) - _bare))"
    return set(_fresh(head + code + tail, (), variables).splitlines()[-1].split())


def _fresh(code: str, arguments: Sequence[str], variables: Mapping[str, str] | None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout
