"""The connection of a bus to itself, over which it answers its own requests."""

from __future__ import annotations

from collections.abc import Callable

from sy_ipc._wire.envelope import Envelope


class Loopback:
    """The transport of a bus to itself."""

    __slots__ = ("receive",)

    def __init__(self) -> None:
        self.receive: Callable[[Envelope], None] | None = None

    def send(self, envelope: Envelope) -> None:
        """Receive *envelope* at once."""
        if self.receive is not None:
            self.receive(envelope)

    def close(self) -> None:
        """Carry nothing any more."""
        self.receive = None
