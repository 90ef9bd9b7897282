"""The bus: typed requests and events, between the parts of a program and between programs.

>>> import asyncio, attrs
>>> from sy_ipc import Bus
>>> @attrs.frozen
... class Add:
...     a: int
...     b: int
>>> bus = Bus(name="math")
>>> @bus.on("math.add")
... async def add(request: Add) -> int:
...     return request.a + request.b
>>> async def main():
...     async with bus, bus.serve("inproc://math"), Bus.connect("inproc://math") as shell:
...         async with bus.subscribe("math.did.*") as events:
...             total = await shell.request("math.add", Add(1, 2), int, timeout_s=1)
...             await shell.publish("math.did.add", {"total": total})
...             async for event in events:
...                 return events.subject, event
>>> asyncio.run(main())
('math.did.add', {'total': 3})
"""

from sy_ipc._bus import Bus, BusStats, Serving
from sy_ipc._context import RequestContext, current_request
from sy_ipc._core.flow import Gap
from sy_ipc._errors import (
    AddressInUse,
    AddressInvalid,
    BusClosed,
    BusUnready,
    ControlUnknown,
    Disconnected,
    EnvelopeMalformed,
    HandlerConflict,
    HandlerUnfit,
    LateHandler,
    NoResponder,
    NothingServed,
    PayloadMismatch,
    PayloadTooDeep,
    PayloadTooLarge,
    PayloadUnencodable,
    RemoteError,
    RemoteTraceback,
    RequestCancelled,
    RequestTimedOut,
    SchemeUnsupported,
    SubjectInvalid,
    SubscriptionBusy,
    SubscriptionOverflow,
    SubscriptionUnentered,
    VersionUnknown,
    WrongLoop,
)
from sy_ipc._subscription import Subscription, SubscriptionStats

__all__ = [
    "AddressInUse",
    "AddressInvalid",
    "Bus",
    "BusClosed",
    "BusStats",
    "BusUnready",
    "ControlUnknown",
    "Disconnected",
    "EnvelopeMalformed",
    "Gap",
    "HandlerConflict",
    "HandlerUnfit",
    "LateHandler",
    "NoResponder",
    "NothingServed",
    "PayloadMismatch",
    "PayloadTooDeep",
    "PayloadTooLarge",
    "PayloadUnencodable",
    "RemoteError",
    "RemoteTraceback",
    "RequestCancelled",
    "RequestContext",
    "RequestTimedOut",
    "SchemeUnsupported",
    "Serving",
    "SubjectInvalid",
    "Subscription",
    "SubscriptionBusy",
    "SubscriptionOverflow",
    "SubscriptionStats",
    "SubscriptionUnentered",
    "VersionUnknown",
    "WrongLoop",
    "current_request",
]
