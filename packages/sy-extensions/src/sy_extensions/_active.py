"""An extension that is running: what calls it, and counts the calls."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs

from sy_commons import SymphonyError
from sy_extensions._errors import (
    ArgumentsInvalid,
    CallFailed,
    ExtensionBusy,
    ExtensionInactive,
    MethodUnknown,
    ResultInvalid,
)
from sy_extensions._signature import Signature, signature_of
from sy_extensions._types import Extension


@attrs.frozen
class ExtensionStats:
    """How often an active extension was called."""

    id: str
    type: str
    calls: int
    failed: int
    running: int


class ActiveExtension:
    """An active extension; :meth:`call` is the way to it. A host makes it.

    >>> from sy_extensions import ExtensionHost, Operator
    >>> class Double(Operator):
    ...     async def process(self, number: int) -> int:
    ...         return 2 * number
    >>> async def main() -> None:
    ...     async with ExtensionHost(extra={"acme.double": Double}) as host:
    ...         double = await host.activate("acme.double")
    ...         print(await double.call("process", number=21), double.stats().calls)
    >>> asyncio.run(main())
    42 1
    """

    __slots__ = (
        "_calls",
        "_failed",
        "_idle",
        "_running",
        "_stopped",
        "id",
        "instance",
        "signature",
    )

    def __init__(self, extension_id: str, instance: Extension) -> None:
        self.id = extension_id
        self.instance = instance
        self.signature: Signature = signature_of(type(instance))
        self._calls = self._failed = self._running = 0
        self._stopped = False
        self._idle: asyncio.Event | None = None

    async def call(self, method: str, /, **arguments: Any) -> Any:
        """Return what the extension's method returns for *arguments*.

        Runs in the caller's task: cancelling it cancels the call. Arguments and result are
        checked against the signature. A SymphonyError of the extension's comes through as it
        is, anything else as :class:`CallFailed`. Raises :class:`ArgumentsInvalid` (nothing was
        called), :class:`ResultInvalid`, :class:`MethodUnknown` and :class:`ExtensionInactive`.
        """
        self._check_call(method, arguments)
        self._calls += 1
        self._running += 1
        try:
            result = await getattr(self.instance, method)(**arguments)
            self._check_result(result)
        except SymphonyError:
            self._failed += 1
            raise
        except Exception as error:
            self._failed += 1
            reason = f"{type(error).__name__}: {error}"
            raise CallFailed(extension_id=self.id, method=method, reason=reason) from error
        else:
            return result
        finally:
            self._running -= 1
            if not self._running and self._idle is not None:
                self._idle.set()

    def stop(self) -> None:
        """Refuse new calls from now on."""
        self._stopped = True

    async def end(self, *, grace_s: float) -> ExtensionBusy | None:
        """Wait for the running calls; return what is left of them after the grace, if any."""
        if not self._running:
            return None
        self._idle = asyncio.Event()
        try:
            async with asyncio.timeout(grace_s):
                await self._idle.wait()
        except TimeoutError:
            return ExtensionBusy(extension_id=self.id, calls=self._running, grace_s=grace_s)
        return None

    def stats(self) -> ExtensionStats:
        """Return how often it was called, and how many calls run now."""
        return ExtensionStats(self.id, self.instance.type, self._calls, self._failed, self._running)

    def _check_call(self, method: str, arguments: dict[str, Any]) -> None:
        if self._stopped:
            raise ExtensionInactive(what=f"extension {self.id!r}", reason="it was deactivated")
        if method != self.signature.method:
            available = self.signature.method
            raise MethodUnknown(extension_id=self.id, method=method, available=available)
        if problems := self.signature.check_arguments(arguments):
            text = "; ".join(problems)
            raise ArgumentsInvalid(extension_id=self.id, text=text, problems=problems)

    def _check_result(self, result: Any) -> None:
        if problems := self.signature.check_result(result):
            text = "; ".join(problems)
            raise ResultInvalid(extension_id=self.id, text=text, problems=problems)

    def __repr__(self) -> str:
        state = "stopped" if self._stopped else "active"
        return f"<ActiveExtension {self.id} {state}: {self._calls} calls, {self._running} running>"
