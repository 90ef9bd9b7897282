"""Operators and instruments as the engine runs them: called, and what they made kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sy_bridge._brains import Brain, Candidate, Choice
from sy_bridge._errors import InstrumentUnknown, WrongKind
from sy_bridge._products import as_product, product_name
from sy_commons import SymphonyError
from sy_dag import NodeCall, NodeRunner, Outcome, Ref, RunBroken
from sy_extensions import Discovered, Instrument, LoadFailed, Operator
from sy_pool import Model

if TYPE_CHECKING:
    from sy_bridge._pit import Pit


class _ExtensionRunner(ABC):
    """Runs an extension for a node and stores its product with its lineage."""

    def __init__(self, pit: Pit, found: Discovered) -> None:
        self._pit = pit
        self._found = found
        self._description = found.describe()

    @property
    def fingerprint(self) -> str:
        """The identity of the code: the extension's id and version."""
        return f"{self._found.id}@{self._found.version}"

    def check(self, arguments: Mapping[str, object]) -> Sequence[str]:
        """Return what is wrong with the names of *arguments* and with those known by now."""
        literals = {name: value for name, value in arguments.items() if not _refers(value)}
        pending = [name for name in arguments if name not in literals]
        return self._description.signature.check_arguments(literals, pending=pending)

    async def run(self, call: NodeCall) -> Outcome:
        """Call the extension, keep what it made, and say where it is kept."""
        value = await self._call(call.arguments)
        product = as_product(value)
        try:
            artifact = await self._pit.artifacts.put(
                product.data,
                name=product_name(call.workflow, call.node, call.item),
                content_type=product.content_type,
                made_by=self.fingerprint,
                derived_from=[s.reference for s in call.sources if s.reference is not None],
            )
        except SymphonyError as error:  # a full disk is no fault of this node's, to be skipped
            raise RunBroken(reason=str(error)) from error
        return Outcome(value, reference=artifact.ref)

    @abstractmethod
    async def _call(self, arguments: Mapping[str, Any]) -> object: ...

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.fingerprint}>"


def _refers(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_refers, value.values()))
    return isinstance(value, Ref) or (isinstance(value, list | tuple) and any(map(_refers, value)))


class OperatorRunner(_ExtensionRunner):
    """Runs an operator on the extension host."""

    async def _call(self, arguments: Mapping[str, Any]) -> object:
        operator = await self._pit.extensions.activate(self._found.id)
        return await operator.call("process", **arguments)


class InstrumentRunner(_ExtensionRunner):
    """Runs an instrument leased from the pool, which loads it when it is first wanted."""

    def __init__(self, pit: Pit, found: Discovered) -> None:
        super().__init__(pit, found)
        pit.pool.register(self._model())

    async def _call(self, arguments: Mapping[str, Any]) -> object:
        async with self._pit.pool.lease(self._found.id) as instrument:
            return await instrument.call("invoke", **arguments)

    def _model(self) -> Model:
        host, extension_id = self._pit.extensions, self._found.id
        extension = self._found.load()
        memory = extension.memory if issubclass(extension, Instrument) else "0 B"

        async def load() -> object:
            return await host.activate(extension_id)

        async def unload(_: object) -> None:
            await host.deactivate(extension_id)

        return Model(extension_id, load=load, unload=unload, memory=memory)


class Operators(Mapping[str, NodeRunner]):
    """The installed operators by id; each is imported when a Melody first names it."""

    def __init__(self, pit: Pit) -> None:
        self._pit = pit
        self._runners: dict[str, OperatorRunner] = {}

    def __getitem__(self, name: str) -> OperatorRunner:
        if name not in self._runners:
            found = self._pit.catalogue[name]
            _require(found, Operator)
            self._runners[name] = OperatorRunner(self._pit, found)
        return self._runners[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pit.catalogue)

    def __len__(self) -> int:
        return len(self._pit.catalogue)


class Instruments(Mapping[str, NodeRunner]):
    """The installed instruments by id, or by a capability: then the Brain chooses."""

    def __init__(self, pit: Pit, brain: Brain) -> None:
        self._pit = pit
        self._brain = brain
        self._runners: dict[str, InstrumentRunner] = {}
        self.choices: dict[str, Choice] = {}

    def __getitem__(self, name: str) -> InstrumentRunner:
        chosen = self._choose(name).instrument
        if chosen not in self._runners:
            found = self._pit.catalogue[chosen]
            _require(found, Instrument)
            self._runners[chosen] = InstrumentRunner(self._pit, found)
        return self._runners[chosen]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pit.catalogue)

    def __len__(self) -> int:
        return len(self._pit.catalogue)

    def _choose(self, name: str) -> Choice:
        if name not in self.choices:
            try:
                self.choices[name] = self._brain.choose(name, list(self._candidates(name)))
            except InstrumentUnknown as error:
                raise KeyError(name) from error
        return self.choices[name]

    def _candidates(self, name: str) -> Iterator[Candidate]:
        catalogue = self._pit.catalogue
        known = [catalogue[name]] if name in catalogue else catalogue.values()
        for found in known:  # only where no id is named are all of them imported
            try:
                extension = found.load()
            except LoadFailed:
                if found.id == name:
                    raise
                continue
            if issubclass(extension, Instrument) or found.id == name:
                capabilities: frozenset[str] = getattr(extension, "capabilities", frozenset())
                yield Candidate(found.id, found.version, capabilities)


def _require(found: Discovered, kind: type[Operator | Instrument]) -> None:
    extension = found.load()
    if not issubclass(extension, kind):
        raise WrongKind(extension=found.id, kind=extension.type, wanted=kind.type)
