"""Group commit: many callers' puts in one transaction, made durable by one fsync."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future

from sy_artifacts._artifact import Artifact
from sy_artifacts._core import Core
from sy_artifacts._errors import StoreClosed
from sy_artifacts._puts import Put
from sy_commons import DatabaseError

_LARGEST_GROUP = 1024

Item = tuple[Put, "Future[Artifact]"]


class GroupWriter:
    """A thread that takes all puts waiting, records them in one transaction, and acknowledges them.

    A put's future is done when the put is durable. One cancelled before its turn never
    happens; after that it happens, whoever waits. A put that fails takes no other with it.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._waiting: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._guard = threading.Lock()  # between submit and close: nothing comes after the end
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sy-artifacts-writer", daemon=True)
        self._thread.start()
        self.groups = 0
        self.puts = 0

    def submit(self, put: Put) -> Future[Artifact]:
        """Return a future that is done when *put* is durable."""
        future: Future[Artifact] = Future()
        with self._guard:
            if self._closed:
                put.discard()
                raise StoreClosed(path=self._core.name)
            self._waiting.put((put, future))
        return future

    def close(self) -> None:
        """Record what was submitted and stop; blocks until it is durable."""
        with self._guard:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            group, last = self._take()
            if group:
                self._record(group)
            if last:
                return

    def _take(self) -> tuple[list[Item], bool]:
        group: list[Item] = []
        item = self._waiting.get()
        while item is not None:
            put, future = item
            if future.set_running_or_notify_cancel():
                group.append(item)
            else:
                put.discard()
            if len(group) == _LARGEST_GROUP:
                return group, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _record(self, group: list[Item]) -> None:
        outcomes: list[Artifact | Exception] = []
        try:
            with self._core.writing():
                outcomes.extend(self._record_one(put) for put, _ in group)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            # Nothing of the group is durable; what a put was refused for stays its own answer.
            outcomes = [error if _undone(one) else one for one in outcomes]
            outcomes += [error] * (len(group) - len(outcomes))
        self.groups += 1
        self.puts += len(group)
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def _record_one(self, put: Put) -> Artifact | Exception:
        try:
            return self._core.record(put)
        except Exception as error:  # noqa: BLE001 - it goes to the one who waits for this put
            return error


def _undone(outcome: Artifact | Exception) -> bool:
    return isinstance(outcome, Artifact | DatabaseError)
