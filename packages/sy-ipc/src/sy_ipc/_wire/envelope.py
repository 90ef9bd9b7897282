"""The envelope: what every message on every transport carries around its payload."""

from __future__ import annotations

from enum import IntEnum

import attrs
import msgspec

from sy_ipc._errors import EnvelopeMalformed, PayloadTooDeep, PayloadTooLarge, VersionUnknown
from sy_ipc._wire.codec import MAX_DEPTH, MAX_PAYLOAD_BYTES, check_depth

VERSION = 1
MAX_OVERHEAD_BYTES = 64 << 10
_SMALL_BYTES = 4096
NOTHING = msgspec.Raw(b"\xc0")


class Kind(IntEnum):
    """What a message is about."""

    REQUEST = 1
    REPLY = 2
    ERROR = 3
    PUBLISH = 4
    CANCEL = 5


@attrs.define  # by convention nobody changes one; frozen, each would take thrice as long to make
class Envelope:
    """One message; its payload stays encoded until somebody wants the value.

    ``id`` relates a reply, an error and a cancel to their request, and an event to the
    subscription it is for (0: to none). ``timeout_s`` is the time left when it was sent: clocks
    of two machines need not agree. ``headers`` carry the trace context (``traceparent``).
    """

    kind: Kind
    id: int
    subject: str = ""
    payload: msgspec.Raw = NOTHING
    timeout_s: float | None = None
    headers: dict[str, str] | None = None


_HEAD = bytes([VERSION])
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Envelope).decode


def encode_envelope(envelope: Envelope) -> bytes:
    """Return the bytes of *envelope*: the version, then msgpack.

    >>> encode_envelope(Envelope(Kind.CANCEL, 7))[0]
    1
    """
    return _HEAD + _encode(envelope)


def decode_envelope(
    frame: bytes, *, max_size_bytes: int = MAX_PAYLOAD_BYTES, max_depth: int = MAX_DEPTH
) -> Envelope:
    """Return the envelope in *frame*; bytes of any kind give one or a SymphonyError.

    >>> decode_envelope(encode_envelope(Envelope(Kind.CANCEL, 7))).id
    7
    """
    if len(frame) > max_size_bytes + MAX_OVERHEAD_BYTES:
        raise PayloadTooLarge(size_bytes=len(frame), limit_bytes=max_size_bytes)
    if not frame:
        raise EnvelopeMalformed(problem="it is empty")
    if frame[0] != VERSION:
        raise VersionUnknown(version=frame[0], known=VERSION)
    check_depth(frame, max_depth + 1, 1)  # the envelope itself is one level
    try:  # copying a small frame is quicker than not copying it
        return _decode(frame[1:] if len(frame) < _SMALL_BYTES else memoryview(frame)[1:])
    except RecursionError as exc:
        raise PayloadTooDeep(limit=max_depth) from exc
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError) as exc:
        raise EnvelopeMalformed(problem=str(exc)) from exc
