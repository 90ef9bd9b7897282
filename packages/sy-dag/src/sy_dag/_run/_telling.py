"""Telling subscribers what happened, once it is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sy_commons import get_logger
from sy_dag._run._facts import Event

log = get_logger("sy_dag")


class Telling:
    """Shows a run's history as far as it may be shown; readers go at their own pace.

    ``shown`` counts the events whose facts are in the journal. A listener that fails is logged
    once, counted, and harms nothing.
    """

    def __init__(self, history: list[Event], listener: Callable[[Event], object] | None) -> None:
        self.history = history
        self.listener = listener
        self.shown = 0
        self.ended = False
        self.failures = 0
        self._waiting: list[asyncio.Future[None]] = []

    def tell(self) -> None:
        """Show everything there is."""
        listener, history = self.listener, self.history
        if self.shown == len(history):
            return
        if listener is None:
            self.shown = len(history)
        while self.shown < len(history):
            event = history[self.shown]
            self.shown += 1
            try:
                listener(event)  # type: ignore[misc]  # without one there is nothing left to show
            except Exception as error:  # noqa: BLE001 - it must not harm the run, whatever it is
                self._failed(event, error)
        self._wake()

    def end(self) -> None:
        """Show everything, and that there will be no more."""
        self.tell()
        self.ended = True
        self._wake()

    async def more(self, seen: int) -> None:
        """Return when more than *seen* events may be shown, or there will be no more."""
        if self.shown > seen or self.ended:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _failed(self, event: Event, error: Exception) -> None:
        self.failures += 1
        if self.failures == 1:
            told = "on_event failed at {kind} with {error!r}; the run goes on, and tells no more"
            log.error(told, kind=event.kind, error=error, run=event.run_id)

    def __repr__(self) -> str:
        return f"Telling({self.shown} of {len(self.history)}, failures={self.failures})"
