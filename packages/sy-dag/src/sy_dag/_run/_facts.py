"""What happened (facts), what is to be done about it (instructions), what is told (events).

Facts go into the core and, as they are, into the journal; resuming a run is handing its facts to
a new core. They are structs of msgspec rather than attrs: a node costs several of them, and a
struct is made in a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sy_dag._run._states import RunState

NIL = msgspec.Raw(b"\xc0")


class Began(msgspec.Struct, array_like=True, tag="b"):
    """The run began."""

    at: float


class Resumed(msgspec.Struct, array_like=True, tag="r"):
    """A process took the run up again; what was under way in the one before is not."""

    at: float


class Expanded(msgspec.Struct, array_like=True, tag="x"):
    """A node that maps knows its items, by keys that stay."""

    node: str
    at: float
    keys: list[str]


class Started(msgspec.Struct, array_like=True, tag="s", gc=False):
    """An attempt began. Told by the journal alone: live, the core knows what it started."""

    node: str
    item: str | None
    attempt: int
    at: float


class Completed(msgspec.Struct, array_like=True, tag="c", gc=False):
    """An attempt gave a value: ``value`` encoded, or ``stored`` its key in the result store."""

    node: str
    item: str | None
    attempt: int
    started: float
    at: float
    reference: str | None = None
    stored: str | None = None
    value: msgspec.Raw = NIL


class Failed(msgspec.Struct, array_like=True, tag="f"):
    """An attempt failed; where it is ``permanent``, another one would fail the same way."""

    node: str
    item: str | None
    attempt: int
    started: float
    at: float
    error: dict[str, Any]
    permanent: bool = False


class Due(msgspec.Struct, array_like=True, tag="d"):
    """The time to wait before another attempt is over."""

    node: str
    item: str | None
    at: float


class Logged(msgspec.Struct, array_like=True, tag="l"):
    """A node said something."""

    node: str
    item: str | None
    attempt: int
    at: float
    message: str
    fields: dict[str, Any]


class Progressed(msgspec.Struct, array_like=True, tag="p"):
    """A node said how far it is."""

    node: str
    item: str | None
    attempt: int
    at: float
    fraction: float
    message: str


class StopAsked(msgspec.Struct, array_like=True, tag="k"):
    """Somebody wants the run to stop, as ``goal``: cancelled or interrupted."""

    goal: str
    reason: str
    at: float


class Stopped(msgspec.Struct, array_like=True, tag="o"):
    """What was told to stop has stopped, or is ``stuck`` and was left behind."""

    node: str
    item: str | None
    attempt: int
    at: float
    stuck: bool = False


class Ended(msgspec.Struct, array_like=True, tag="z"):
    """The run is over, as ``state``."""

    state: str
    at: float
    error: dict[str, Any] | None = None


Fact = (
    Began
    | Resumed
    | Expanded
    | Started
    | Completed
    | Failed
    | Due
    | Logged
    | Progressed
    | StopAsked
    | Stopped
    | Ended
)


class Start(msgspec.Struct, frozen=True, gc=False):
    """Run attempt ``attempt`` of node number ``node``; ``item`` is -1 for the node as a whole."""

    node: int
    item: int
    attempt: int


class Expand(msgspec.Struct, frozen=True):
    """Find out the items of a node that maps."""

    node: int


class Wake(msgspec.Struct, frozen=True):
    """Say ``Due`` after ``delay_s``."""

    node: int
    item: int
    delay_s: float


class Stop(msgspec.Struct, frozen=True):
    """Stop what was started."""

    node: int
    item: int


class StandIn(msgspec.Struct, frozen=True):
    """From now on what ``fallback`` gave counts as what ``node`` gives."""

    node: int
    fallback: int


class Omit(msgspec.Struct, frozen=True):
    """The item was skipped: a hole, and why, is what it gave."""

    node: int
    item: int
    error: str


class Finish(msgspec.Struct, frozen=True):
    """Nothing is left to do: make the outputs, if it is completed, and say ``Ended``."""

    state: RunState


Instruction = Start | Expand | Wake | Stop | StandIn | Omit | Finish


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something that happened in a run, as subscribers see it; no value of a node is in it.

    ``sequence`` counts from 0 in the stream of one handle, ``at`` is wall-clock seconds,
    ``attempt`` is 0 where none is meant, ``data`` is JSON-safe: counts, durations, errors in
    their wire form.

    >>> Event(0, 12.5, "r-1", "run.started").to_dict()["kind"]
    'run.started'
    """

    sequence: int
    at: float
    run_id: str
    kind: str
    node: str | None = None
    item: str | None = None
    attempt: int = 0
    data: Mapping[str, Any] = {}

    def to_dict(self) -> dict[str, Any]:
        """Return the event as JSON data."""
        return msgspec.structs.asdict(self) | {"data": dict(self.data)}
