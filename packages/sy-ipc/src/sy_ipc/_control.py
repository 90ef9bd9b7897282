"""What two ends of a connection tell each other about it."""

from __future__ import annotations

import attrs


@attrs.frozen
class Hello:
    """Who connects, and which subjects it answers."""

    name: str
    offers: list[str]


@attrs.frozen
class Welcome:
    """Who accepted."""

    name: str


@attrs.frozen
class Subscribe:
    """A subscription of the connecting side; no credit means: send without waiting."""

    number: int
    pattern: str
    credit: int | None = None


@attrs.frozen
class Credit:
    """Room for *count* more events of a subscription."""

    number: int
    count: int
