"""Perform a Melody in the terminal: show it, stop it on Ctrl-C, say what came of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

from sy_bridge._conductor import Conductor, Performance
from sy_bridge._errors import FolderUnusable
from sy_bridge._listing import find_run
from sy_bridge._pit import Pit
from sy_bridge._products import as_product
from sy_bridge._terminal import Screen, open_screen
from sy_commons import SymphonyError, atomic_write, format_size, to_wire
from sy_commons.cli import FAILED, INTERRUPTED, command_line, describe
from sy_commons.cli import home as default_home
from sy_dag import Engine, RunHandle, RunInterrupted

Start = Callable[[Conductor], AbstractAsyncContextManager[RunHandle]]

# How long what runs may take to stop after Ctrl-C; what is left then ends with the process,
# which is as safe as a kill: all that is complete is journaled.
STOP_WITHIN_S = 0.7

_SHOWN = "run.shown"


def run(options: argparse.Namespace, melody: str, inputs: Mapping[str, str]) -> int:
    """Perform *melody* and return the exit status."""
    return asyncio.run(
        _perform(
            options,
            lambda conductor: conductor.start(
                melody, inputs, run_id=options.run_id, accept_changes=options.accept_changes
            ),
        )
    )


def resume(options: argparse.Namespace) -> int:
    """Go on with the run that *options* name and return the exit status."""
    home = options.home or default_home()
    found = find_run(Engine(home / "runs"), options.run_id)  # before a Pit makes folders

    def start(conductor: Conductor) -> AbstractAsyncContextManager[RunHandle]:
        return conductor.resumed(found.run_id, accept_changes=options.accept_changes)

    return asyncio.run(_perform(options, start))


async def _perform(options: argparse.Namespace, start: Start) -> int:
    for name, folder in (("--home", options.home), ("--output", options.output)):
        if folder is not None:
            _require_folder(name, folder)
    async with Pit.open(options.home) as pit:
        conductor = Conductor(pit)
        commands = Commands.of(pit, options.home)
        with open_screen(as_json=options.json) as screen:
            async with _shown(pit, screen), start(conductor) as handle:
                with _Stopping(handle, screen, commands):
                    performance = await conductor.finish(handle)
        files = _write_outputs(performance, pit.home / "outputs" / handle.run_id, options.output)
        _tell(performance, files, commands, as_json=options.json)
        return _status(performance, skipped_ok=options.skipped_ok)


def _require_folder(option: str, folder: Path) -> None:
    """Refuse, before anything runs, what could not be written to after all of it."""
    above = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not above.is_dir():
        raise FolderUnusable(option=option, folder=str(folder), reason=f"{above} is no folder")
    if not os.access(above, os.W_OK):
        raise FolderUnusable(option=option, folder=str(folder), reason=f"{above} is read-only")


@attrs.frozen
class Commands:
    """The commands a program prints, as this user can type them."""

    sy: str
    run_options: str
    store_options: str

    @classmethod
    def of(cls, pit: Pit, home: Path | None) -> Commands:
        """Return those for *pit*; where its home is the default, they need not name it."""
        if home is None:
            return cls(command_line(), "", "")
        return cls(command_line(), f" --home {_quoted(home)}", f" --store {_quoted(pit.store)}")

    def get(self, artifact: str) -> str:
        """The command that prints an artifact."""
        return f"{self.sy} artifacts get {_quoted(artifact)}{self.store_options}"

    def lineage(self, artifact: str) -> str:
        """The command that says what an artifact was made from."""
        return f"{self.sy} artifacts lineage {_quoted(artifact)}{self.store_options}"

    def look(self, run_id: str) -> str:
        """The command that tells of a run."""
        return f"{self.sy} runs {_quoted(run_id)}{self.run_options}"

    def resume(self, run_id: str) -> str:
        """The command that goes on with a run."""
        return f"{self.sy} resume {_quoted(run_id)}{self.run_options}"


@asynccontextmanager
async def _shown(pit: Pit, screen: Screen) -> AsyncIterator[None]:
    """Show what the bus says of runs; on leaving, all of it has been shown."""

    async def follow() -> None:
        async with pit.bus.subscribe("run.>", None, on_overflow="block") as events:
            listening.set()
            async for event in events:
                if event["kind"] == _SHOWN:
                    return
                screen.show(event)

    listening = asyncio.Event()
    task = asyncio.create_task(follow())
    await listening.wait()
    try:
        yield
        await pit.bus.publish(_SHOWN, {"kind": _SHOWN})  # behind the last event of the run
        await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class _Stopping:
    """Ctrl-C interrupts the run; what does not stop in time, or the second, ends the process."""

    def __init__(self, handle: RunHandle, screen: Screen, commands: Commands) -> None:
        self._handle = handle
        self._screen = screen
        self._commands = commands
        self._tasks: list[asyncio.Task[object]] = []

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, number)

    def __exit__(self, *exc_info: object) -> None:
        loop = asyncio.get_running_loop()
        if not self._tasks:  # else what follows is under the same deadline
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _stop(self, number: signal.Signals) -> None:
        if self._tasks:
            self._leave(number)
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(self._handle.interrupt(number.name)))
        loop.call_later(STOP_WITHIN_S, self._leave, number)

    def _leave(self, number: signal.Signals) -> None:
        self._screen.close()
        _say_interrupted(self._handle.run_id, self._commands)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(128 + number)


def _write_outputs(performance: Performance, *folders: Path | None) -> dict[str, list[Path]]:
    """Write the outputs that are artifacts as files, and return where."""
    written: dict[str, list[Path]] = {}
    for name, artifact in performance.artifacts.items():
        for folder in folders:
            if folder is not None:
                path = (folder / (artifact.name or name)).absolute()
                path.parent.mkdir(parents=True, exist_ok=True)
                atomic_write(path, as_product(performance.outputs[name]).data)
                written.setdefault(name, []).append(path)
    return written


def _status(performance: Performance, *, skipped_ok: bool) -> int:
    if _was_interrupted(performance):
        return INTERRUPTED
    if performance.state != "completed":
        return FAILED
    if performance.result.missing:
        return FAILED
    return FAILED if performance.skipped and not skipped_ok else 0


def _was_interrupted(performance: Performance) -> bool:
    """Tell whether somebody stopped it; a run that broke off is left as resumable, and failed."""
    return isinstance(performance.result.error, RunInterrupted)


def _tell(
    performance: Performance, files: Mapping[str, list[Path]], commands: Commands, *, as_json: bool
) -> None:
    if as_json:
        data = _as_data(performance, files)
        if performance.state != "completed":
            data["resume"] = commands.resume(performance.run_id)
        print(json.dumps(data, ensure_ascii=False), flush=True)
    elif _was_interrupted(performance):
        _say_interrupted(performance.run_id, commands)
    elif performance.state == "completed":
        _say_completed(performance, files, commands)
    else:
        _say_failed(performance, commands)


def _say_completed(
    performance: Performance, files: Mapping[str, list[Path]], commands: Commands
) -> None:
    for name, artifact in performance.artifacts.items():
        print(f"{name}: {artifact.name}@{artifact.version}, {format_size(artifact.size_bytes)}")
        print(f"  file     {'  '.join(map(str, files.get(name, [])))}")
        print(f"  look     {commands.get(str(artifact.name))}")
        print(f"  made of  {commands.lineage(str(artifact.name))}")
    others = performance.outputs.keys() - performance.artifacts.keys()
    for name in sorted(others):
        print(f"{name}: {json.dumps(performance.outputs[name], ensure_ascii=False, default=str)}")
    if performance.stored:
        print("the run was completed before; nothing was run, and nothing stored again")
    print(f"store: {performance.store}")
    print(f"run: {performance.run_id}: {commands.look(performance.run_id)}")
    for name in performance.result.missing:
        print(f"{name}: there is none, since what it is made of was skipped", file=sys.stderr)
    skipped = len(performance.skipped)
    if skipped:
        text = (
            f"{skipped} item{'s were' if skipped > 1 else ' was'} left out, for the reasons above"
        )
        print(f"{text} (status 1; --skipped-ok makes it 0)", file=sys.stderr)


def _say_failed(performance: Performance, commands: Commands) -> None:
    error = performance.result.error
    if error is not None:
        print(describe("sy", _with_own_hint(error)), file=sys.stderr)
    print(
        f"run {performance.run_id} {performance.state}; what had finished is kept\n"
        f"  look    {commands.look(performance.run_id)}\n"
        f"  resume  {commands.resume(performance.run_id)}",
        file=sys.stderr,
    )


def _with_own_hint(error: SymphonyError) -> SymphonyError:
    """Return *error* with the hint of what went wrong in the node, which knows better."""
    cause = error.__cause__
    if not isinstance(cause, SymphonyError) or not cause.hint:
        return error
    return SymphonyError(str(error), hint=cause.hint)


def _say_interrupted(run_id: str, commands: Commands) -> None:
    print(
        f"run {run_id} interrupted; what had finished is kept\n  resume  {commands.resume(run_id)}",
        file=sys.stderr,
    )


def _as_data(performance: Performance, files: Mapping[str, list[Path]]) -> dict[str, Any]:
    return {
        "kind": "performance",
        "run_id": performance.run_id,
        "state": performance.state,
        "store": str(performance.store),
        "outputs": {
            name: {
                "artifact": artifact.name,
                "version": artifact.version,
                "digest": artifact.digest,
                "files": [str(path) for path in files.get(name, [])],
            }
            for name, artifact in performance.artifacts.items()
        },
        "missing": list(performance.result.missing),
        "skipped": [
            {"node": unit.node, "item": unit.item, "error": unit.error and to_wire(unit.error)}
            for unit in performance.skipped
        ],
    }


def _quoted(word: object) -> str:
    return shlex.quote(str(word))
