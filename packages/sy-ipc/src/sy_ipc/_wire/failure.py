"""How an exception travels: as its registered type, with its causes and its traceback."""

from __future__ import annotations

import traceback
from typing import Any

from sy_commons import ForeignError, SerializationError, SymphonyError, from_wire, to_wire
from sy_ipc._errors import RemoteError, RemoteTraceback

MAX_TRACEBACK_CHARS = 16_000
_MAX_CHAIN = 12  # of sy-commons' sixteen, so that the traceback at the end is never cut off


def describe_failure(error: BaseException, bus: str) -> dict[str, Any]:
    """Return the wire form of *error*, the traceback as the last of its causes; redacted.

    >>> wire = describe_failure(ValueError("no"), "math")
    >>> wire["type"], wire["cause"]["code"]
    ('ValueError', 'ipc.remote_traceback')
    """
    try:
        wire = to_wire(error)
        text = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - an exception that cannot even be shown is still told of
        return to_wire(ForeignError(type_name=type(error).__name__, text="(it cannot be shown)"))
    last, depth = wire, 0
    while last.get("cause") is not None and depth < _MAX_CHAIN:
        last, depth = last["cause"], depth + 1
    if last.get("code") != RemoteTraceback.code:  # it has come from further away already
        told = RemoteTraceback(bus=bus, traceback=text[-MAX_TRACEBACK_CHARS:].rstrip())
        last["cause"] = to_wire(told)
    return wire


def revive_failure(wire: Any, subject: str) -> SymphonyError:
    """Return the error to raise for a failed request, whatever arrived.

    >>> revive_failure(describe_failure(ValueError("no"), "math"), "math.add").message
    'the handler of {subject!r} failed with {type_name}: {text}'
    """
    try:
        error = from_wire(wire)
    except SerializationError as unreadable:
        return unreadable
    if isinstance(error, ForeignError):
        remote = RemoteError(subject=subject, type_name=error.type_name, text=error.text)
        remote.__cause__ = error.__cause__
        return remote
    if isinstance(error, SymphonyError):
        return error
    remote = RemoteError(subject=subject, type_name=type(error).__name__, text=str(error))
    remote.__cause__ = error
    return remote
