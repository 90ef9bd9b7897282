"""Threads for what blocks. They end with the process, and never keep it from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue


class Threads:
    """Runs work in daemon threads, reused; as many as work at once, which the caller bounds.

    The standard executor's threads are joined when the interpreter ends, and a node that never
    returns would keep a cancelled program alive.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._guard = threading.Lock()  # the counts
        self._idle = 0
        self._count = 0

    def submit(self, work: Callable[[], None]) -> None:
        """Run *work*, which raises nothing, in a thread of its own."""
        with self._guard:
            spawn = self._idle == 0
            if spawn:
                self._count += 1
            else:
                self._idle -= 1
            number = self._count
        self._queue.put(work)
        if spawn:
            threading.Thread(target=self._serve, name=f"sy-dag-{number}", daemon=True).start()

    def close(self) -> None:
        """Let the threads end as they become idle."""
        with self._guard:
            count, self._count, self._idle = self._count, 0, 0
        for _ in range(count):
            self._queue.put(None)

    def _serve(self) -> None:
        while (work := self._queue.get()) is not None:
            work()
            del work
            with self._guard:
                self._idle += 1

    def __repr__(self) -> str:
        return f"Threads({self._count}, idle={self._idle})"
