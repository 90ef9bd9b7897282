"""Runs installed, trusted extensions in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from sy_commons import SymphonyError, suggestion
from sy_extensions._active import ActiveExtension, ExtensionStats
from sy_extensions._discovery import Discovered, discover, given
from sy_extensions._errors import (
    ExtensionInactive,
    ExtensionUnknown,
    HookFailed,
    IsolationUnavailable,
)
from sy_extensions._manifest import Manifest
from sy_extensions._types import Extension


@attrs.frozen
class HostStats:
    """What a host has done so far and holds now."""

    active: tuple[ExtensionStats, ...]
    activations: int
    failed_activations: int
    deactivations: int


class ExtensionHost:
    """Activates extensions by id and hands out what calls them, until it is left.

    Only what is installed with an entry point, or given as *extra* (which stands before what is
    installed), runs: in this process, with everything this process may do. A folder with a
    manifest is not trusted code, and is refused with :class:`IsolationUnavailable`.

    *configuration* holds, by id, what ``on_configure`` gets. A hook may take *hook_timeout_s*;
    calls still running when an extension is deactivated get *grace_s* to end. A host belongs to
    the event loop it was entered on, and is not safe between threads.

    >>> from sy_extensions import Operator
    >>> class Join(Operator):
    ...     async def process(self, parts: list[str]) -> str:
    ...         return "".join(parts)
    >>> async def main() -> str:
    ...     async with ExtensionHost(extra={"text.join": Join}) as host:
    ...         join = await host.activate("text.join")
    ...         return await join.call("process", parts=["a", "b"])
    >>> asyncio.run(main())
    'ab'
    """

    def __init__(
        self,
        *,
        extra: Mapping[str, type[Extension]] | None = None,
        configuration: Mapping[str, Mapping[str, Any]] | None = None,
        grace_s: float = 10.0,
        hook_timeout_s: float = 120.0,
    ) -> None:
        self._extra = dict(extra or {})
        self._configuration = dict(configuration or {})
        self._grace_s = grace_s
        self._hook_timeout_s = hook_timeout_s
        self._known: dict[str, Discovered] | None = None
        self._open = False
        # By id, in the order of activation; a task that failed removes itself.
        self._activations: dict[str, asyncio.Task[ActiveExtension]] = {}
        self._deactivations: dict[str, asyncio.Task[None]] = {}
        self._counts = {"activated": 0, "failed": 0, "deactivated": 0}

    async def __aenter__(self) -> Self:
        if self._open:
            raise ExtensionInactive(what="a second entry of one host", reason="it is open already")
        self._open = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open = False
        errors = await _finish(asyncio.ensure_future(self._deactivate_all()))
        if exc is not None:  # what went wrong inside is the story; the rest are notes to it
            for error in errors:
                exc.add_note(f"and then: {error}")
        elif len(errors) == 1:
            raise errors[0]
        elif errors:
            raise ExceptionGroup("extensions did not end in order", errors)

    async def activate(self, extension: str | Path) -> ActiveExtension:
        """Return the extension of this id, active; activates it the first time.

        However many ask at once, it is activated once, and one who gives up waiting stops
        nobody else. A failed activation leaves nothing behind: the next call tries again.
        Raises :class:`ExtensionUnknown`, :class:`LoadFailed`, :class:`HookFailed`, and
        :class:`IsolationUnavailable` for the folder of an extension.
        """
        self._require_open()
        if isinstance(extension, Path) or "/" in extension:
            raise await asyncio.to_thread(_refusal, Path(extension))
        task = self._activations.get(extension)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._activate(extension))
            self._activations[extension] = task
            task.add_done_callback(lambda done: self._activated(extension, done))
        return await asyncio.shield(task)

    async def deactivate(self, extension_id: str) -> None:
        """Let running calls end, run ``on_deactivate`` and forget the extension.

        Does nothing where it is not active. Raises :class:`ExtensionBusy` when calls outlasted
        the grace, and :class:`HookFailed`; the extension is gone all the same.
        """
        task = self._deactivations.get(extension_id)
        if task is None:
            activation = self._activations.pop(extension_id, None)
            if activation is None:
                return
            if (active := _result(activation)) is not None:
                active.stop()
            task = asyncio.get_running_loop().create_task(self._deactivate(activation))
            self._deactivations[extension_id] = task
            task.add_done_callback(lambda done: self._deactivated(extension_id, done))
        await asyncio.shield(task)

    def list(self) -> list[Discovered]:
        """Return what could be activated, sorted by id; nothing is imported for it."""
        return [found for _, found in sorted(self._catalogue().items())]

    def stats(self) -> HostStats:
        """Return what is active, with its calls, and how often something was."""
        results = map(_result, self._activations.values())
        active = tuple(one.stats() for one in results if one is not None)
        counts = self._counts
        return HostStats(active, counts["activated"], counts["failed"], counts["deactivated"])

    def __repr__(self) -> str:
        state = "open" if self._open else "closed"
        return f"<ExtensionHost {state}: {', '.join(self._activations) or 'nothing'} active>"

    def _require_open(self) -> None:
        if not self._open:
            raise ExtensionInactive(what="the extension host", reason="it is not open")

    def _catalogue(self) -> dict[str, Discovered]:
        if self._known is None:
            installed = {found.id: found for found in discover()}
            extra = {key: given(key, extension) for key, extension in self._extra.items()}
            self._known = installed | extra
        return self._known

    def _find(self, extension_id: str) -> type[Extension]:
        known = self._catalogue()
        if extension_id not in known:
            close = suggestion(extension_id, known)
            raise ExtensionUnknown(extension_id=extension_id, suggestion=close)
        return known[extension_id].load()

    async def _activate(self, extension_id: str) -> ActiveExtension:
        if (leaving := self._deactivations.get(extension_id)) is not None:
            await asyncio.wait([leaving])  # one life after the other
        extension = await asyncio.to_thread(self._find, extension_id)
        try:
            instance = extension()
        except Exception as error:
            raise _hook_failed(extension_id, "__init__", error) from error
        if extension_id in self._configuration:
            configuration = dict(self._configuration[extension_id])
            await self._run(extension_id, "on_configure", instance.on_configure(configuration))
        await self._run(extension_id, "on_activate", instance.on_activate())
        return ActiveExtension(extension_id, instance)

    async def _deactivate(self, activation: asyncio.Task[ActiveExtension]) -> None:
        await asyncio.wait([activation])  # what is on its way arrives first
        active = _result(activation)
        if active is None:
            return
        active.stop()
        busy = await active.end(grace_s=self._grace_s)
        await self._run(active.id, "on_deactivate", active.instance.on_deactivate())
        if busy is not None:
            raise busy

    async def _deactivate_all(self) -> Sequence[Exception]:
        errors = []
        for extension_id in [*self._deactivations, *reversed(self._activations)]:
            try:
                await self.deactivate(extension_id)
            except Exception as error:  # noqa: BLE001 - the others end too; all errors are told
                errors.append(error)
        return errors

    async def _run(self, extension_id: str, hook: str, call: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._hook_timeout_s) as limit:
                await call
        except SymphonyError:
            raise
        except Exception as error:
            late = isinstance(error, TimeoutError) and limit.expired()
            reason = f"it took over {self._hook_timeout_s:g} s" if late else None
            raise _hook_failed(extension_id, hook, error, reason) from error

    def _activated(self, extension_id: str, task: asyncio.Task[ActiveExtension]) -> None:
        if _result(task) is not None:
            self._counts["activated"] += 1
            return
        self._counts["failed"] += 1
        if self._activations.get(extension_id) is task:
            del self._activations[extension_id]

    def _deactivated(self, extension_id: str, task: asyncio.Task[None]) -> None:
        del self._deactivations[extension_id]
        self._counts["deactivated"] += 1
        if not task.cancelled():
            task.exception()  # seen, though the one who asked may have left


def _result(activation: asyncio.Task[ActiveExtension]) -> ActiveExtension | None:
    """Return the extension if it is active already."""
    if not activation.done() or activation.cancelled() or activation.exception() is not None:
        return None
    return activation.result()


async def _finish(task: asyncio.Future[Sequence[Exception]]) -> Sequence[Exception]:
    """Wait to the end even when cancelled; cancelled again, stop and say so."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if cancelled is not None:
                task.cancel()
                raise
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()


def _hook_failed(
    extension_id: str, hook: str, error: Exception, reason: str | None = None
) -> HookFailed:
    text = reason or f"{type(error).__name__}: {error}"
    return HookFailed(extension_id=extension_id, hook=hook, reason=text)


def _refusal(folder: Path) -> IsolationUnavailable:
    manifest = Manifest.load(folder)
    return IsolationUnavailable(
        extension_id=manifest.id,
        path=str(folder),
        missing="its limits on files, network, processes and memory",
    )
