from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sy_extensions import (
    DefinitionInvalid,
    Extension,
    Instrument,
    Operator,
    check_arguments,
    describe,
    signature_of,
)


class Chunk(Operator):
    """Cuts a text into pieces.

    Each is at most size characters long.
    """

    async def process(self, text: str, *, size: int = 100, keep: bool = True) -> list[str]:
        return [text[:size]]


class Model(Instrument):
    """Says something, and says it at a length
    that takes two lines.
    """  # noqa: D205 - a summary of two lines is what is tried

    async def invoke(self, prompt: str) -> str:
        return prompt


def test_the_signature_is_the_schema() -> None:
    signature = signature_of(Chunk)
    assert [(p.name, p.type, p.required) for p in signature.parameters] == [
        ("text", "str", True),
        ("size", "int", False),
        ("keep", "bool", False),
    ]
    assert signature.returns == list[str]
    assert str(signature) == "process(text: str, size: int = 100, keep: bool = True) -> list[str]"


def test_the_signature_is_read_once() -> None:
    assert signature_of(Chunk) is signature_of(Chunk)


def test_arguments_that_fit_have_no_problem() -> None:
    assert check_arguments(Chunk, {"text": "a", "size": 3}) == []


def test_all_problems_come_at_once() -> None:
    assert check_arguments(Chunk, {"txt": "a", "size": "3"}) == [
        "unknown argument 'txt'; did you mean 'text'?",
        "size: expected int, got str",
        "missing argument 'text' (str)",
    ]


def test_problems_are_bounded() -> None:
    class Many(Operator):
        async def process(self, numbers: list[int], words: list[str]) -> int:
            return 0

    rubbish = {"numbers": ["x"] * 10_000, "words": [1] * 10_000, **{f"k{i}": 1 for i in range(99)}}
    assert len(check_arguments(Many, rubbish)) == 20


def test_a_value_is_never_shown() -> None:
    """Whoever passes a secret to the wrong argument does not read it in a log."""
    (problem,) = check_arguments(Chunk, {"text": ["hunter2-is-my-word"]})
    assert "hunter2" not in problem


def test_the_docstring_is_the_description() -> None:
    description = describe(Chunk)
    assert description.summary == "Cuts a text into pieces."
    assert description.documentation.endswith("Each is at most size characters long.")
    assert (
        describe(Model).summary == "Says something, and says it at a length that takes two lines."
    )


def test_a_base_docstring_does_not_describe_a_subclass() -> None:
    class Silent(Operator):
        async def process(self) -> None: ...

    assert describe(Silent).summary == ""


def test_the_description_is_json_data() -> None:
    data = describe(Chunk).to_dict()
    assert data["parameters"][1] == {
        "name": "size",
        "type": "int",
        "required": False,
        "default": "100",
    }
    assert (data["type"], data["method"], data["returns"]) == ("operator", "process", "list[str]")


def test_a_synchronous_method_is_refused_where_it_is_defined() -> None:
    with pytest.raises(DefinitionInvalid, match="async") as caught:

        class Blocking(Operator):
            def process(self, text: str) -> str:  # type: ignore[override]  # that is the point
                return text

    assert "asyncio.to_thread" in str(caught.value)
    assert "async def process" in caught.value.hint


def test_a_synchronous_hook_is_refused_where_it_is_defined() -> None:
    with pytest.raises(DefinitionInvalid, match="on_activate has to be an async method"):

        class Blocking(Operator):
            def on_activate(self) -> None:  # type: ignore[override]  # that is the point
                return None


def test_a_method_that_yields_is_refused() -> None:
    with pytest.raises(DefinitionInvalid, match="yields"):

        class Stream(Instrument):
            async def invoke(self, prompt: str) -> Any:  # type: ignore[override]  # the point
                yield prompt


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("self, text", "argument 'text' has no type"),
        ("self, *texts: str", "name each argument"),
        ("self, **texts: str", "name each argument"),
        ("self, text: str, /", "positional-only"),
    ],
)
def test_a_signature_that_hides_what_it_takes_is_refused(source: str, reason: str) -> None:
    namespace: dict[str, Any] = {"Operator": Operator}
    code = f"class Bad(Operator):\n    async def process({source}) -> str:\n        return ''"
    with pytest.raises(DefinitionInvalid, match=reason):
        exec(code, namespace)


def test_a_memory_that_is_no_size_is_refused() -> None:
    with pytest.raises(DefinitionInvalid, match="memory"):

        class Big(Instrument):
            memory = "much"

            async def invoke(self) -> None: ...


def test_a_type_that_is_not_there_is_told_when_it_is_read() -> None:
    class Lost(Operator):
        async def process(self, text: Nowhere) -> str:  # type: ignore[name-defined]  # noqa: F821 - the point
            return ""

    with pytest.raises(DefinitionInvalid, match="Nowhere"):
        signature_of(Lost)


def test_a_class_without_a_method_has_no_signature() -> None:
    class Abstract(Operator):
        pass

    with pytest.raises(DefinitionInvalid, match="defines no process"):
        signature_of(Abstract)
    with pytest.raises(DefinitionInvalid, match="defines no method"):
        signature_of(Extension)


def test_a_path_is_no_text_and_a_text_no_path() -> None:
    class Read(Operator):
        async def process(self, path: Path, name: str = "") -> str:
            return ""

    assert check_arguments(Read, {"path": "a"}) == ["path: expected Path, got str"]
    assert check_arguments(Read, {"path": Path("a"), "name": Path("b")}) == [
        f"name: expected str, got {type(Path()).__name__}"
    ]


def test_a_pending_argument_counts_as_given_and_its_name_is_checked() -> None:
    """A workflow knows before it runs which arguments other steps will give, not what."""

    class Head(Operator):
        async def process(self, lines: list[str], *, count: int = 10) -> list[str]:
            return lines[:count]

    signature = signature_of(Head)

    assert signature.check_arguments({"count": 3}, pending=["lines"]) == []
    assert signature.check_arguments({}, pending=["lnies"]) == [
        "unknown argument 'lnies'; did you mean 'lines'?",
        "missing argument 'lines' (list[str])",
    ]
