"""What the caller holds of a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping

from sy_commons import SymphonyError
from sy_dag._graph._workflow import Workflow
from sy_dag._run._facts import Event
from sy_dag._run._performance import Performance
from sy_dag._run._progress import Progress
from sy_dag._run._result import (
    NodeResult,
    NodeResults,
    Result,
    StopReport,
    run_error,
    skipped_units,
)
from sy_dag._run._states import RunState

_TURN = 256


class RunHandle:
    """One run: its events, its progress, its end. Belongs to the loop that started it.

    Letting go of a handle, or cancelling a wait on it, leaves the run alone; the engine that
    performs it interrupts it when it is closed.
    """

    def __init__(self, performance: Performance) -> None:
        self._performance = performance

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._performance.core.run_id

    @property
    def workflow(self) -> Workflow:
        """What is performed."""
        return self._performance.workflow

    @property
    def state(self) -> RunState:
        """Where the run is."""
        return self._performance.core.state

    @property
    def nodes(self) -> Mapping[str, NodeResult]:
        """Where each node is."""
        return NodeResults(self._performance.core)

    async def events(self, *, kinds: Collection[str] | None = None) -> AsyncIterator[Event]:
        """Yield the run's events from its first on, then as they come, until it has ended.

        Nothing is dropped for a slow reader: it reads the history at its own pace. What an event
        tells is in the journal by then.
        """
        telling = self._performance.telling
        history = telling.history
        seen = 0
        while True:
            await telling.more(seen)
            until = telling.shown
            while seen < until:
                event = history[seen]
                seen += 1
                if kinds is None or event.kind in kinds:
                    yield event
                if not seen % _TURN:
                    await asyncio.sleep(0)
            if telling.ended and seen == len(history):
                return

    def progress(self) -> Progress:
        """Return how far the run is."""
        return self._performance.progress()

    async def result(self) -> Result:
        """Wait for the end and return what came of it, also where the run failed or was stopped."""
        performance = self._performance
        await performance.over()
        core = performance.core
        return Result(
            run_id=core.run_id,
            workflow=performance.workflow.name,
            state=core.state,
            outputs=performance.outputs,
            output_sources=performance.output_sources,
            nodes=NodeResults(core),
            error=self._error(),
            missing=performance.missing,
            skipped=skipped_units(core),
            stuck=tuple(performance.stuck),
        )

    async def cancel(self, reason: str = "cancelled") -> StopReport:
        """Stop the run for good; return when what can be stopped has stopped, and say what not."""
        return await self._stop(RunState.CANCELLED, reason)

    async def interrupt(self, reason: str = "interrupted") -> StopReport:
        """Stop the run so that it can be resumed; otherwise as :meth:`cancel`."""
        return await self._stop(RunState.INTERRUPTED, reason)

    def stats(self) -> dict[str, int]:
        """Return counts: events told, listeners' failures, attempts under way."""
        return self._performance.stats()

    async def _stop(self, goal: RunState, reason: str) -> StopReport:
        performance = self._performance
        if not performance.is_over:
            performance.ask_to_stop(goal, reason)
            await performance.over()
        return StopReport(self.state, tuple(performance.stopped), tuple(performance.stuck))

    def _error(self) -> SymphonyError | None:
        performance = self._performance
        failure = performance.failure
        if failure is None:
            return run_error(performance.core, performance.exceptions)
        return failure if isinstance(failure, SymphonyError) else wrapped(failure)

    def __repr__(self) -> str:
        return f"RunHandle({self.run_id!r}, {self.state.value}, {self.progress()!r})"


def wrapped(failure: BaseException) -> SymphonyError:
    """Return *failure* as the cause of an error of ours."""
    error = SymphonyError(
        f"the run broke off: {type(failure).__name__}: {failure}",
        hint="mend what stood in the way, then resume the run",
    )
    error.__cause__ = failure
    return error
