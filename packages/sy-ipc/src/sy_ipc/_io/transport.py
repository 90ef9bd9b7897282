"""What a transport is to the bus: three small contracts, and the table of schemes."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, cast

from sy_ipc._errors import AddressInvalid, SchemeUnsupported
from sy_ipc._wire.envelope import Envelope

# Scheme to the module that speaks it; modules are imported when first used.
_MODULES = {"inproc": "sy_ipc._io.inproc"}
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


class Transport(Protocol):
    """One end of a connection. ``send`` never blocks, keeps the order, and does not raise."""

    def send(self, envelope: Envelope) -> None:
        """Hand *envelope* over; silently nothing once the connection has ended."""
        ...

    def close(self) -> None:
        """End the connection; the other side hears of it, this side does not."""
        ...


class Receiver(Protocol):
    """Who takes what a transport brings, in the event loop and in order."""

    def receive(self, envelope: Envelope) -> None:
        """Take one message; never raises."""
        ...

    def disconnected(self, reason: str, *, clean: bool) -> None:
        """Hear that the other side ended it: *clean* where it meant to. Called once, last."""
        ...


Accept = Callable[[Transport, str], Receiver]


class Listener(Protocol):
    """An address being served."""

    def close(self) -> None:
        """Accept nobody any more; connections live on."""
        ...


class Scheme(Protocol):
    """What a module of this table offers."""

    async def listen(self, address: str, accept: Accept, *, bus: str) -> Listener:
        """Serve at *address*: each connection is given to *accept*, which returns its receiver."""
        ...

    async def connect(self, address: str, accept: Accept, *, bus: str) -> Transport:
        """Connect to whoever serves at *address*."""
        ...


def find_scheme(address: str) -> Scheme:
    """Return the module that speaks the scheme of *address*.

    >>> find_scheme("dove://roof")
    Traceback (most recent call last):
    sy_ipc._errors.SchemeUnsupported: no transport for 'dove://roof': 'dove' is not among inproc://
    """
    parts = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if parts is None:
        raise AddressInvalid(address=str(address), problem="it has no scheme")
    scheme, rest = parts.groups()
    if scheme.lower() not in _MODULES:
        supported = ", ".join(f"{known}://" for known in _MODULES)
        raise SchemeUnsupported(address=address, scheme=scheme, supported=supported)
    if not rest:
        raise AddressInvalid(address=address, problem="nothing follows the scheme")
    module: Any = import_module(_MODULES[scheme.lower()])  # a module is its functions
    return cast("Scheme", module)
