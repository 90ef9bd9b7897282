"""Show a run as it goes: bars in a terminal, lines where there is none, JSON for scripts."""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from sy_bridge._progress import NodeProgress, RunProgress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# A file that could not be used is told once; after so many only their number.
MAX_TOLD = 20


class Screen(ABC):
    """Shows events one by one; used within ``with``, so that the terminal is left as it was."""

    @abstractmethod
    def show(self, event: Mapping[str, Any]) -> None:
        """Show one event, as ``Event.to_dict()`` gives it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Leave the terminal as it was; may be called twice."""


class JsonScreen(Screen):
    """Every event as one line of JSON."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def show(self, event: Mapping[str, Any]) -> None:
        """Print *event*, at once."""
        print(json.dumps(event, ensure_ascii=False, default=str), file=self._out, flush=True)

    def close(self) -> None:
        """There is nothing to leave."""


class _Told(Screen):
    """What lines and bars have in common: failures are told as they happen, and counted."""

    def __init__(self) -> None:
        self._progress = RunProgress()
        self._failures = 0
        self._held: list[str] = []

    def show(self, event: Mapping[str, Any]) -> None:
        """Count *event*, show the node it changed, and tell what went wrong."""
        changed = self._progress.take(event)
        if changed is not None:
            self._update(changed)
            if changed.ended and event.get("item") is None:
                self._end(changed)
        error = event.get("data", {}).get("error")
        if error and event["kind"] in ("node.skipped", "node.retrying"):
            self._tell(_failure(event, error))
        elif error and event["kind"] == "node.failed":
            self._held.append(_failure(event, error))
        elif event["kind"] == "run.failed":
            self._held.clear()  # the run's own error tells it

    def close(self) -> None:
        """Tell what failed and was got over, and how many failures were not told one by one."""
        for text in self._held:
            self._tell(text)
        self._held.clear()
        if self._failures > MAX_TOLD:
            self._say(f"and {self._failures - MAX_TOLD} more of these")
        self._failures = 0

    def _tell(self, text: str) -> None:
        self._failures += 1
        if self._failures <= MAX_TOLD:
            self._say(text)

    @abstractmethod
    def _update(self, node: NodeProgress) -> None: ...

    @abstractmethod
    def _end(self, node: NodeProgress) -> None: ...

    @abstractmethod
    def _say(self, text: str) -> None: ...


class PlainScreen(_Told):
    """A line for every node that ends, for pipes and log files."""

    def __init__(self, out: IO[str]) -> None:
        super().__init__()
        self._out = out

    def _update(self, node: NodeProgress) -> None:
        """Lines tell of ends only."""

    def _end(self, node: NodeProgress) -> None:
        self._say(node.describe())

    def _say(self, text: str) -> None:
        print(text, file=self._out, flush=True)


class RichScreen(_Told):
    """A bar for every node, drawn by rich."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._bars = progress
        self._tasks: dict[str, TaskID] = {}
        self._bars.start()

    def close(self) -> None:
        """Draw the last state and give the terminal back."""
        super().close()
        self._bars.stop()

    def _update(self, node: NodeProgress) -> None:
        if node.name not in self._tasks:
            self._tasks[node.name] = self._bars.add_task(node.name, total=node.total)
        done = min(node.done, node.total)
        self._bars.update(self._tasks[node.name], total=node.total, completed=done)

    def _end(self, node: NodeProgress) -> None:
        self._bars.update(self._tasks[node.name], completed=node.total)

    def _say(self, text: str) -> None:
        self._bars.console.print(text, style="yellow", markup=False, highlight=False)


def open_screen(*, as_json: bool) -> Screen:
    """Return JSON on standard output, else bars, or lines, on standard error."""
    if as_json:
        return JsonScreen(sys.stdout)
    if not sys.stderr.isatty():
        return PlainScreen(sys.stderr)
    from rich.console import Console  # noqa: PLC0415 - a terminal alone needs it
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
    counts = (MofNCompleteColumn(), TimeElapsedColumn())
    return RichScreen(Progress(*columns, *counts, console=Console(stderr=True)))


def _failure(event: Mapping[str, Any], error: Mapping[str, Any]) -> str:
    where = f"{event['node']}[{event['item']}]" if event.get("item") else event["node"]
    what = event["kind"].removeprefix("node.")
    hint = f"\n  hint: {error['hint']}" if error.get("hint") else ""
    return f"{where}: {what}: {error['text']}{hint}"
