"""The Conductor: reads a Melody, has it performed on a Pit, and can say how it came about."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs

from sy_artifacts import Artifact, quote_name
from sy_bridge._errors import ArtifactNameInvalid, InputMissing, MelodyMissing, OutputUnknown
from sy_bridge._pit import Pit
from sy_bridge._products import as_product, content_type_of
from sy_commons import suggestion
from sy_dag import Result, RunHandle, SkippedUnit, Workflow


@attrs.frozen
class Performance:
    """What came of performing a Melody."""

    run_id: str
    workflow: Workflow
    result: Result
    artifacts: Mapping[str, Artifact]
    """The stored outputs by their names in the Melody."""
    store: Path
    """The folder of the artifact store."""
    stored: bool
    """Whether the run was completed before, and its outputs stored then."""
    made_by: Mapping[str, str]
    """By node: the extension and version that played it, and why that one."""

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The outputs by their names in the Melody."""
        return self.result.outputs

    @property
    def skipped(self) -> list[SkippedUnit]:
        """The nodes and items that failed and were left out."""
        return [unit for unit in self.result.skipped if unit.error is not None]

    @property
    def state(self) -> str:
        """How it ended: "completed", "failed", "cancelled" or "interrupted"."""
        return str(self.result.state)

    def explain(self, output: str) -> str:
        """Return how *output* came about: its artifact, its nodes, what played them and why."""
        if output not in self.workflow.outputs:
            known = ", ".join(self.workflow.outputs)
            meant = suggestion(output, self.workflow.outputs)
            raise OutputUnknown(output=output, suggestion=meant, known=known)
        artifact = self.artifacts.get(output)
        lines = [f"{output}: {artifact.name} {artifact.digest}" if artifact else output]
        for node in self.workflow.order():
            state = self.result.nodes[node].state
            lines.append(f"  {node} ({state}): {self.made_by.get(node, 'no runner')}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Performance {self.run_id}: {self.state}, outputs {', '.join(self.outputs)}>"


class Conductor:
    """Performs Melodies on a Pit, which it touches through its public names only.

    Events of every run go over the Pit's bus as ``run.<id>.<kind>``.
    """

    def __init__(self, pit: Pit) -> None:
        self.pit = pit
        self._stored: set[str] = set()

    async def perform(self, melody: str | Path | Workflow, /, **inputs: Any) -> Performance:
        """Perform *melody* with *inputs* and return what came of it.

        *melody* is a path, the name of one that comes along ("repo-brief"), or a Workflow. A
        performance that fails is returned, not raised (``result.raise_for_state()`` raises);
        what is wrong with the Melody or its inputs is raised before anything runs.
        """
        async with self.start(melody, inputs) as handle:
            return await self.finish(handle)

    async def resume(self, run_id: str) -> Performance:
        """Go on with a run that was killed, interrupted or failed; what is complete stays."""
        async with self.resumed(run_id) as handle:
            return await self.finish(handle)

    @asynccontextmanager
    async def start(
        self,
        melody: str | Path | Workflow,
        inputs: Mapping[str, Any],
        *,
        run_id: str | None = None,
        accept_changes: bool = False,
    ) -> AsyncIterator[RunHandle]:
        """Start a performance and give its handle; leaving interrupts what has not finished."""
        workflow = melody if isinstance(melody, Workflow) else find_melody(melody)
        _check_artifacts(workflow)
        checked = check_inputs(workflow, inputs)
        named = run_id or new_run_id(workflow.name)
        handle = await self.pit.engine.start(
            workflow, checked, run_id=named, accept_changes=accept_changes
        )
        async with self._conducted(handle):
            yield handle

    @asynccontextmanager
    async def resumed(
        self, run_id: str, *, accept_changes: bool = False
    ) -> AsyncIterator[RunHandle]:
        """Resume a run and give its handle, as :meth:`start` does."""
        handle = await self.pit.engine.resume(run_id, accept_changes=accept_changes)
        async with self._conducted(handle):
            yield handle

    async def finish(self, handle: RunHandle) -> Performance:
        """Wait for the run, store its outputs and return the performance."""
        result = await handle.result()
        workflow = handle.workflow
        artifacts = {}
        for name, output in workflow.outputs.items():
            if output.artifact is not None and name in result.outputs:
                artifacts[name] = await self._keep(name, output.artifact, handle, result)
        return Performance(
            run_id=handle.run_id,
            workflow=workflow,
            result=result,
            artifacts=artifacts,
            store=self.pit.store,
            stored=handle.run_id in self._stored,
            made_by={node: self._player(workflow, node) for node in workflow.order()},
        )

    async def _keep(self, name: str, artifact: str, handle: RunHandle, result: Result) -> Artifact:
        value = result.outputs[name]
        product = as_product(value)
        if handle.run_id in self._stored and (kept := await self._kept(artifact, product.data)):
            return kept
        kind = content_type_of(artifact, product.content_type)
        sources = result.output_sources[name]
        return await self.pit.artifacts.put(
            product.data,
            name=artifact,
            content_type=kind,
            made_by=f"{handle.workflow.name}@{handle.workflow.version}",
            derived_from=[s.reference for s in sources if s.reference is not None],
        )

    async def _kept(self, name: str, data: bytes) -> Artifact | None:
        """Return the version of *name* with these bytes, so that none is made anew."""
        if not await self.pit.artifacts.exists(name):
            return None
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        versions = await self.pit.artifacts.versions(name)
        return next((found for found in reversed(versions) if found.digest == digest), None)

    def _player(self, workflow: Workflow, node: str) -> str:
        declared = workflow.node(node)
        if declared.kind != "instrument":
            return f"{declared.runner}"
        choice = self.pit.instruments.choices.get(declared.runner)
        return f"{choice.instrument}: {choice.reason}" if choice else declared.runner

    @asynccontextmanager
    async def _conducted(self, handle: RunHandle) -> AsyncIterator[None]:
        if handle.state == "completed":  # it was before: its outputs are stored already
            self._stored.add(handle.run_id)
        publishing = asyncio.create_task(self._publish(handle))
        try:
            yield
            await publishing
        finally:
            if not publishing.done():
                await handle.interrupt("the Conductor left")
                await publishing

    async def _publish(self, handle: RunHandle) -> None:
        async for event in handle.events():
            await self.pit.bus.publish(f"run.{handle.run_id}.{event.kind}", event.to_dict())


def find_melody(melody: str | Path) -> Workflow:
    """Return the Melody in the file at *melody*, or the one of that name that comes along.

    Raises :class:`MelodyMissing`, and what ``Workflow.load`` raises.
    """
    path = Path(melody)
    if path.is_file():
        return Workflow.load(path)
    known = melodies()
    if str(melody) in known:
        return Workflow.from_toml(known[str(melody)], source=f"{melody}.toml")
    near = [*known, *(str(found) for found in path.parent.glob("*.toml") if found.is_file())]
    meant = ": it is no file" if path.exists() else suggestion(str(melody), near)
    raise MelodyMissing(melody=str(melody), suggestion=meant, known=", ".join(known))


def melodies() -> dict[str, str]:
    """Return the text of the Melodies that come along, by name.

    >>> list(melodies())
    ['repo-brief']
    """
    folder = files("sy_bridge") / "melodies"
    found = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return {
        entry.name.removesuffix(".toml"): entry.read_text(encoding="utf-8")
        for entry in found
        if entry.name.endswith(".toml")
    }


def check_inputs(workflow: Workflow, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs as the Melody declares them, paths absolute and there.

    Raises what ``Workflow.check_inputs`` raises, and :class:`InputMissing`.
    """
    values = workflow.check_inputs(inputs)
    for name, declared in workflow.inputs.items():
        if declared.type == "path" and name in values:
            path = Path(values[name]).expanduser().absolute()
            if not path.exists():
                raise InputMissing(name=name, path=str(path))
            values[name] = str(path)
    return values


def _check_artifacts(workflow: Workflow) -> None:
    for name, output in workflow.outputs.items():
        artifact = output.artifact
        if artifact is not None and (not artifact or quote_name(artifact) != artifact):
            raise ArtifactNameInvalid(
                melody=workflow.place(("outputs", name, "artifact")) or workflow.source,
                output=name,
                artifact=artifact,
                better=f"{name}.md",
            )


def new_run_id(workflow: str) -> str:
    """Return an id that a person can tell apart and that sorts by time."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return f"{workflow}-{stamp}-{secrets.token_hex(2)}"
