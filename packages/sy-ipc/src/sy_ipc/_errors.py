"""What can go wrong on the bus, each with its own code."""

from __future__ import annotations

from sy_commons import ErrorCategory, SymphonyError


class SubjectInvalid(SymphonyError):
    """A subject or pattern does not follow the grammar."""

    code = "ipc.subject_invalid"
    category = ErrorCategory.VALIDATION
    message = "{subject!r} is no {what}: {problem}"
    hint = "tokens joined by dots; in patterns * stands for one token, a last > for the rest"
    subject: str
    what: str
    problem: str


class AddressInvalid(SymphonyError):
    """An address cannot be read."""

    code = "ipc.address_invalid"
    category = ErrorCategory.CONFIGURATION
    message = "{address!r} is no address of a bus: {problem}"
    hint = "write it like inproc://name"
    address: str
    problem: str


class SchemeUnsupported(SymphonyError):
    """No transport here speaks the scheme of the address."""

    code = "ipc.scheme_unsupported"
    category = ErrorCategory.CONFIGURATION
    message = "no transport for {address!r}: {scheme!r} is not among {supported}"
    hint = "use one of {supported}"
    address: str
    scheme: str
    supported: str


class AddressInUse(SymphonyError):
    """Another bus serves at this address already."""

    code = "ipc.address_in_use"
    category = ErrorCategory.CONFLICT
    message = "{address} is already served by bus {bus!r}"
    hint = "serve under another name, or close the other bus first"
    address: str
    bus: str


class NothingServed(SymphonyError):
    """Nobody serves at this address."""

    code = "ipc.nothing_served"
    category = ErrorCategory.UNAVAILABLE
    message = "nobody serves at {address}{close}"
    hint = "start the serving side first"
    address: str
    close: str


class HandlerConflict(SymphonyError):
    """The subject has a handler already."""

    code = "ipc.handler_conflict"
    category = ErrorCategory.CONFLICT
    message = "{subject!r} already has a handler: {holder}"
    hint = "one handler per subject: choose another, or remove one of the two"
    subject: str
    holder: str


class HandlerUnfit(SymphonyError):
    """A function cannot serve as a handler."""

    code = "ipc.handler_unfit"
    category = ErrorCategory.CONFIGURATION
    message = "{function} cannot answer {subject!r}: {problem}"
    hint = "write it like: async def add(request: Add) -> Sum"
    function: str
    subject: str
    problem: str


class NoResponder(SymphonyError):
    """Nobody answers requests on this subject."""

    code = "ipc.no_responder"
    category = ErrorCategory.UNAVAILABLE
    message = "nobody answers {subject!r}{close}"
    hint = "is the bus that handles it connected, and the subject spelt as there?"
    subject: str
    close: str


class RequestTimedOut(SymphonyError):
    """No answer came in time; the handler has been told to stop."""

    code = "ipc.request_timed_out"
    category = ErrorCategory.TIMEOUT
    message = "no answer from {subject!r} within {timeout_s:g} s"
    hint = "give it longer with timeout_s, or look at what its handler is doing"
    subject: str
    timeout_s: float


class RequestCancelled(SymphonyError):
    """The handler was cancelled on its own side before it answered."""

    code = "ipc.request_cancelled"
    category = ErrorCategory.CANCELLED
    message = "the handler of {subject!r} was cancelled before it answered"
    subject: str


class Disconnected(SymphonyError):
    """The connection ended."""

    code = "ipc.disconnected"
    category = ErrorCategory.UNAVAILABLE
    message = "the connection to {peer} ended: {reason}"
    hint = "connect anew; whether the other side acted on what was pending is not known"
    peer: str
    reason: str


class BusClosed(SymphonyError):
    """The bus is closed."""

    code = "ipc.bus_closed"
    category = ErrorCategory.CONFLICT
    message = "bus {bus!r} is closed"
    hint = "use it inside its async with block"
    bus: str


class BusUnready(SymphonyError):
    """The bus is to be connected, and is not yet."""

    code = "ipc.bus_unready"
    category = ErrorCategory.CONFIGURATION
    message = "bus {bus!r} is not connected to {address} yet"
    hint = "enter it first: async with Bus.connect(...) as bus"
    bus: str
    address: str


class LateHandler(SymphonyError):
    """A connected bus has told the other side already what it answers."""

    code = "ipc.late_handler"
    category = ErrorCategory.CONFIGURATION
    message = "bus {bus!r} is connected already, too late to handle {subject!r}"
    hint = "register handlers between Bus.connect(...) and async with"
    bus: str
    subject: str


class WrongLoop(SymphonyError):
    """The bus belongs to another event loop."""

    code = "ipc.wrong_loop"
    category = ErrorCategory.CONFIGURATION
    message = "bus {bus!r} is used from an event loop or thread that is not its own"
    hint = "stay in one loop; from other threads call publish_threadsafe, outside any loop"
    bus: str


class PayloadUnencodable(SymphonyError):
    """A value cannot travel."""

    code = "ipc.payload_unencodable"
    category = ErrorCategory.SERIALIZATION
    message = "a {type_name} cannot travel: {problem}"
    hint = (
        "send builtins, attrs or msgspec classes, or give the bus a cattrs converter that knows it"
    )
    type_name: str
    problem: str


class PayloadMismatch(SymphonyError):
    """What arrived is not of the type expected."""

    code = "ipc.payload_mismatch"
    category = ErrorCategory.SERIALIZATION
    message = "what arrived is no {expected}: {problem}"
    hint = "compare the types on both sides"
    expected: str
    problem: str


class PayloadTooLarge(SymphonyError):
    """A message is larger than the bus takes."""

    code = "ipc.payload_too_large"
    category = ErrorCategory.RESOURCE
    message = "a message of {size_bytes} bytes is over the limit of {limit_bytes}"
    hint = "send less at once, or a reference to it; or raise max_payload_bytes on both sides"
    size_bytes: int
    limit_bytes: int


class PayloadTooDeep(SymphonyError):
    """A message is nested deeper than the bus takes."""

    code = "ipc.payload_too_deep"
    category = ErrorCategory.RESOURCE
    message = "a message is nested more than {limit} levels deep"
    hint = "flatten it"
    limit: int


class EnvelopeMalformed(SymphonyError):
    """Bytes that are no message of the bus."""

    code = "ipc.envelope_malformed"
    category = ErrorCategory.SERIALIZATION
    message = "not a message of the bus: {problem}"
    problem: str


class VersionUnknown(SymphonyError):
    """The other side speaks another version of the protocol."""

    code = "ipc.version_unknown"
    category = ErrorCategory.SERIALIZATION
    message = "a message has protocol version {version}, and {known} is known"
    hint = "bring both sides to the same release of sy-ipc"
    version: int
    known: int


class ControlUnknown(SymphonyError):
    """A connection asked for something that connections do not offer."""

    code = "ipc.control_unknown"
    category = ErrorCategory.VALIDATION
    message = "connections do not offer {subject!r}"
    hint = "bring both sides to the same release of sy-ipc"
    subject: str


class SubscriptionOverflow(SymphonyError):
    """The subscriber was too slow, and asked to be failed for it."""

    code = "ipc.subscription_overflow"
    category = ErrorCategory.RESOURCE
    message = "the subscription to {pattern!r} overflowed at {maxsize} waiting events"
    hint = "consume faster, raise maxsize, or choose another on_overflow"
    pattern: str
    maxsize: int


class SubscriptionBusy(SymphonyError):
    """Two tasks wait for the next event of one subscription."""

    code = "ipc.subscription_busy"
    category = ErrorCategory.CONFLICT
    message = "another task already waits for the next event of {pattern!r}"
    hint = "one task per subscription: subscribe once in each"
    pattern: str


class SubscriptionUnentered(SymphonyError):
    """A subscription is read outside its block."""

    code = "ipc.subscription_unentered"
    category = ErrorCategory.CONFIGURATION
    message = "the subscription to {pattern!r} is not open"
    hint = "write: async with bus.subscribe(...) as events"
    pattern: str


class RemoteError(SymphonyError):
    """The handler failed with an exception that is no SymphonyError; the cause tells more."""

    code = "ipc.remote_error"
    category = ErrorCategory.INTERNAL
    message = "the handler of {subject!r} failed with {type_name}: {text}"
    hint = "the remote traceback is in the chain of causes"
    subject: str
    type_name: str
    text: str


class RemoteTraceback(SymphonyError):
    """Where on the other side it happened; stands at the end of the chain of causes."""

    code = "ipc.remote_traceback"
    category = ErrorCategory.INTERNAL
    message = "in bus {bus!r}\n{traceback}"
    bus: str
    traceback: str
