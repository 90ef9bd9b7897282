"""Connections inside one process and one event loop: envelopes are handed over as they are.

A message sent is received before ``send`` returns, so there is no queue and nothing to lose.
Names belong to the process, for the time that somebody serves under them.
"""

from __future__ import annotations

import asyncio

from sy_commons import suggestion
from sy_ipc._errors import AddressInUse, NothingServed, WrongLoop
from sy_ipc._io.transport import Accept, Receiver
from sy_ipc._wire.envelope import Envelope

_serving: dict[str, InprocListener] = {}


class InprocListener:
    """A name under which connections are accepted."""

    def __init__(self, address: str, accept: Accept, bus: str) -> None:
        self.address = address
        self.accept = accept
        self.bus = bus
        self.loop = asyncio.get_running_loop()

    def close(self) -> None:
        """Give the name back; connections live on."""
        if _serving.get(self.address) is self:
            del _serving[self.address]

    def __repr__(self) -> str:
        return f"InprocListener({self.address!r}, bus={self.bus!r})"


class InprocTransport:
    """One end of a connection inside the process."""

    __slots__ = ("other", "peer", "receiver")

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.other: InprocTransport | None = None
        self.receiver: Receiver | None = None

    def send(self, envelope: Envelope) -> None:
        """Give *envelope* to the other side at once."""
        if self.other is not None and self.other.receiver is not None:
            self.other.receiver.receive(envelope)

    def close(self) -> None:
        """End the connection; the other side hears of it now."""
        other, self.other, self.receiver = self.other, None, None
        if other is None:
            return
        receiver, other.other, other.receiver = other.receiver, None, None
        if receiver is not None:
            receiver.disconnected("the other side closed it", clean=True)

    def __repr__(self) -> str:
        return f"InprocTransport(to {self.peer!r}, {'open' if self.other else 'closed'})"


async def listen(address: str, accept: Accept, *, bus: str) -> InprocListener:
    """Serve at *address*, which nobody else in the process may do at the same time."""
    current = _serving.get(address)
    if current is not None and not current.loop.is_closed():
        raise AddressInUse(address=address, bus=current.bus)
    listener = _serving[address] = InprocListener(address, accept, bus)
    return listener


async def connect(address: str, accept: Accept, *, bus: str) -> InprocTransport:
    """Connect to the bus that serves at *address* in this process."""
    listener = _serving.get(address)
    if listener is None:
        raise NothingServed(address=address, close=suggestion(address, _serving))
    if listener.loop is not asyncio.get_running_loop():
        raise WrongLoop(bus=listener.bus)
    ours, theirs = InprocTransport(listener.bus), InprocTransport(bus)
    ours.other, theirs.other = theirs, ours
    ours.receiver = accept(ours, listener.bus)
    theirs.receiver = listener.accept(theirs, bus)
    return ours
