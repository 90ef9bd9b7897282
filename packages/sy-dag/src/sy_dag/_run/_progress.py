"""How far a run is."""

from __future__ import annotations

import attrs


@attrs.frozen
class Progress:
    """Counts of nodes and items, and how long the rest may take.

    A node that maps counts itself and, once they are known, its items. ``eta_s`` is None while
    nothing is finished.

    >>> Progress(total=4, completed=1, skipped=1, failed=0, running=1, elapsed_s=3.0)
    Progress(2/4, running=1, failed=0, eta 3.0 s)
    """

    total: int
    completed: int
    skipped: int
    failed: int
    running: int
    elapsed_s: float

    @property
    def finished(self) -> int:
        """How many will not run again."""
        return self.completed + self.skipped + self.failed

    @property
    def fraction(self) -> float:
        """The share that is finished, from 0 to 1."""
        return self.finished / self.total if self.total else 1.0

    @property
    def eta_s(self) -> float | None:
        """Seconds to go, if the rest goes on as it went so far."""
        if not self.finished:
            return None
        return self.elapsed_s / self.finished * (self.total - self.finished)

    def __repr__(self) -> str:
        eta = "?" if self.eta_s is None else f"{self.eta_s:.1f} s"
        return (
            f"Progress({self.finished}/{self.total}, running={self.running}, "
            f"failed={self.failed}, eta {eta})"
        )
