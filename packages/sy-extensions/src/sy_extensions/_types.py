"""What an author subclasses: one method with typed arguments, and hooks for a life around it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from sy_commons import SymphonyError, parse_size
from sy_extensions._errors import DefinitionInvalid, NotConfigurable
from sy_extensions._signature import check_definition


class Extension:
    """The base of every kind of extension: its hooks, each of which may be left out.

    A host makes one instance without arguments and then runs, on its own event loop and never two
    at a time: ``on_configure`` (if there is configuration), ``on_activate``, any number of calls,
    which may overlap, and ``on_deactivate`` after the last of them. Work that blocks belongs into
    ``asyncio.to_thread``.
    """

    type: ClassVar[str] = "extension"
    method: ClassVar[str] = ""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        check_definition(cls)

    async def on_configure(self, configuration: Mapping[str, Any]) -> None:
        """Take the configuration: before ``on_activate``, and again whenever it changes.

        Raise to refuse it. The default refuses whatever is given.
        """
        if configuration:
            keys = ", ".join(sorted(configuration))
            raise NotConfigurable(class_name=type(self).__name__, keys=keys)

    async def on_activate(self) -> None:
        """Acquire what calls need; nothing is called before this returns."""

    async def on_deactivate(self) -> None:
        """Let go of what ``on_activate`` acquired; called once, after the last call."""


class Operator(Extension, ABC):
    """A deterministic step of a workflow: read, parse, transform, validate, format.

    The signature of ``process`` is its schema, and the class's docstring its description.

    >>> class Shout(Operator):
    ...     \"\"\"Makes a text loud.\"\"\"
    ...     async def process(self, text: str, *, marks: int = 1) -> str:
    ...         return text.upper() + "!" * marks
    >>> import asyncio
    >>> asyncio.run(Shout().process("hi", marks=2))
    'HI!!'
    """

    type: ClassVar[str] = "operator"
    method: ClassVar[str] = "process"

    @abstractmethod
    async def process(self, *arguments: Any, **options: Any) -> Any:
        """Return the result; a subclass names and types its arguments and what it returns."""


class Instrument(Extension, ABC):
    """An AI model: text, embedding or image in, something out.

    ``capabilities`` says what it is good for, so that a Conductor can choose; ``memory`` is what
    it declares to need while active ("400 MiB"), which is what a pool budgets with.

    >>> class Echo(Instrument):
    ...     \"\"\"Says it again.\"\"\"
    ...     capabilities = frozenset({"text"})
    ...     memory = "1 MiB"
    ...     async def invoke(self, prompt: str) -> str:
    ...         return prompt
    >>> import asyncio
    >>> asyncio.run(Echo().invoke("hi"))
    'hi'
    """

    type: ClassVar[str] = "instrument"
    method: ClassVar[str] = "invoke"
    capabilities: ClassVar[frozenset[str]] = frozenset()
    memory: ClassVar[str] = "0 B"

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        try:
            parse_size(cls.memory)
        except SymphonyError as error:
            raise DefinitionInvalid(
                class_name=cls.__name__, method=cls.method, reason=f"memory: {error}"
            ) from error

    @abstractmethod
    async def invoke(self, *arguments: Any, **options: Any) -> Any:
        """Return the answer; a subclass names and types its arguments and what it returns."""
