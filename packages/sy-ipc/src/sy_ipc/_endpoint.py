"""A function as the answerer of a subject, its types read from its annotations."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

import msgspec

from sy_ipc._context import RequestContext
from sy_ipc._errors import HandlerUnfit
from sy_ipc._wire.codec import Codec

Handler = Callable[..., Awaitable[Any]]


class LocalEndpoint:
    """Answers with a coroutine function of this process."""

    __slots__ = ("_codec", "_expected", "_function", "_takes_request", "subject")

    def __init__(self, subject: str, function: Handler, codec: Codec) -> None:
        self.subject = subject
        self._function = function
        self._codec = codec
        self._takes_request, self._expected = _read_signature(subject, function)

    async def answer(self, payload: msgspec.Raw, _context: RequestContext) -> msgspec.Raw:
        """Return the encoded result for an encoded request."""
        if self._takes_request:
            request = self._codec.decode(payload, self._expected)
            return self._codec.encode(await self._function(request))
        return self._codec.encode(await self._function())

    def __repr__(self) -> str:
        return f"LocalEndpoint({self.subject!r}, {_name(self._function)})"


def _read_signature(subject: str, function: Handler) -> tuple[bool, Any]:
    """Return whether *function* takes a request, and of which type."""

    def refuse(problem: str) -> HandlerUnfit:
        return HandlerUnfit(function=_name(function), subject=subject, problem=problem)

    if not inspect.iscoroutinefunction(function):
        raise refuse("it is not an async def function")
    parameters = list(inspect.signature(function).parameters.values())
    taken = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in parameters if p.default is p.empty and p.kind is p.KEYWORD_ONLY]
    if required or sum(p.default is p.empty for p in taken) > 1:
        raise refuse("it requires more than one argument, and a request is one")
    if not taken:
        return False, None
    try:
        hints = get_type_hints(function)
    except Exception as exc:
        raise refuse(f"its annotations cannot be resolved ({exc})") from exc
    return True, hints.get(taken[0].name)


def _name(function: Handler) -> str:
    return getattr(function, "__qualname__", repr(function))
