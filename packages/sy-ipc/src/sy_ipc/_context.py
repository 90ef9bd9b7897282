"""What a handler may know about the request it answers, and what its own requests inherit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar

import attrs


@attrs.frozen
class RequestContext:
    """The request being answered: whence it came, and how long it may take.

    ``deadline`` is in seconds of ``time.monotonic()``. Requests and events that the handler
    sends inherit the ``headers`` (the trace context) and keep within the deadline by themselves.
    """

    subject: str
    peer: str
    deadline: float | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)

    def remaining_s(self) -> float | None:
        """Return the seconds left, zero once it is too late; None where there is no limit.

        >>> RequestContext("math.add", "shell").remaining_s() is None
        True
        """
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


_current: ContextVar[RequestContext | None] = ContextVar("sy_ipc_request", default=None)


def current_request() -> RequestContext | None:
    """Return the request that the running handler answers; None outside handlers.

    >>> current_request() is None
    True
    """
    return _current.get()


def enter_request(context: RequestContext) -> None:
    """Make *context* the current one for the rest of the running task."""
    _current.set(context)


def inherit(
    timeout_s: float | None, headers: Mapping[str, str] | None
) -> tuple[float | None, dict[str, str] | None]:
    """Return the limits and headers of a message, those of the current request included."""
    context = _current.get()
    own = dict(headers) if headers else None
    if context is None:
        return timeout_s, own
    left = context.remaining_s()
    if left is not None:
        timeout_s = left if timeout_s is None else min(left, timeout_s)
    if context.headers:
        own = {**context.headers, **(own or {})}
    return timeout_s, own
