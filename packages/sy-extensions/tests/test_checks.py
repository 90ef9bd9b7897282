from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    NotRequired,
    Optional,
    Protocol,
    TypedDict,
    TypeVar,
)

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sy_extensions._checks import MAX_PROBLEMS, make_check, type_name


class Colour(enum.Enum):
    RED = 1


@attrs.frozen
class Point:
    x: int = 0


class Shape(TypedDict):
    name: str
    sides: NotRequired[int]


class Speaks(Protocol):
    def speak(self) -> str: ...


T = TypeVar("T")
N = TypeVar("N", bound=int)
UserId = NewType("UserId", int)


def problems_of(annotation: Any, value: Any) -> list[str]:
    found: list[str] = []
    make_check(annotation)(value, "it", found)
    return found


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Any, object()),
        (object, 1),
        (None, None),
        (int, 1),
        (float, 1),
        (float, 1.5),
        (bool, True),
        (str, ""),
        (bytes, b""),
        (Path, Path()),
        (Colour, Colour.RED),
        (Point, Point()),
        (list[str], ["a"]),
        (list[Any], [1, "a"]),
        (list, [1]),
        (list[list[int]], [[1], []]),
        (tuple[int, str], (1, "a")),
        (tuple[int, ...], (1, 2, 3)),
        (tuple[()], ()),
        (set[int], {1}),
        (frozenset[str], frozenset("a")),
        (dict[str, int], {"a": 1}),
        (dict[str, Any], {"a": object()}),
        (Mapping[str, list[int]], {"a": [1]}),
        (Sequence[str], ("a",)),
        (Iterator[int], iter(["not looked at"])),
        (int | None, None),
        (Optional[int], 1),  # noqa: UP045 - the old spelling is checked too
        (str | list[str], ["a"]),
        (Literal["a", "b"], "b"),
        (Annotated[int, "counted"], 1),
        (UserId, 7),
        (T, object()),
        (N, 7),
        (Shape, {"name": "square", "sides": 4}),
        (Shape, {"name": "circle"}),
        (Callable[[int], int], abs),
        (type[int], int),
        (Speaks, object()),
    ],
)
def test_what_fits_passes(annotation: Any, value: Any) -> None:
    assert problems_of(annotation, value) == []


@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        (int, True, "it: expected int, got bool"),
        (int, 1.0, "it: expected int, got float"),
        (float, True, "it: expected float, got bool"),
        (float, "1", "it: expected float, got str"),
        (str, None, "it: expected str, got None"),
        (None, 0, "it: expected None, got int"),
        (Path, "a", "it: expected Path, got str"),
        (list[str], ("a",), "it: expected list[str], got tuple"),
        (list[str], "abc", "it: expected list[str], got str"),
        (list[str], ["a", 1], "it[1]: expected str, got int"),
        (list[bool], [True, 1], "it[1]: expected bool, got int"),
        (list[int], [1, True], "it[1]: expected int, got bool"),
        (Sequence[str], "abc", "it: expected Sequence[str], got str"),
        (list[list[int]], [[1], ["a"]], "it[1][0]: expected int, got str"),
        (dict[str, int], {"a": "b"}, "it['a']: expected int, got str"),
        (dict[str, int], {1: 1}, "it: key 1: expected str, got int"),
        (tuple[int, str], (1,), "it: expected tuple[int, str], got 1 items"),
        (tuple[int, str], (1, 2), "it[1]: expected str, got int"),
        (tuple[int, ...], (1, "2"), "it[1]: expected int, got str"),
        (int | None, "1", "it: expected int | None, got str"),
        (str | list[str], [1], "it[0]: expected str, got int"),
        (Literal["a", 1], True, "it: expected 'a' | 1, got True"),
        (Literal["a"], ["a"], "it: expected 'a', got list"),
        (UserId, "7", "it: expected int, got str"),
        (N, "7", "it: expected int, got str"),
        (Shape, {"sides": 4}, "it: Shape needs 'name'"),
        (Shape, {"name": "a", "colour": 1}, "it: Shape has no 'colour'"),
        (Shape, [], "it: expected Shape, got list"),
        (Callable[[], int], 7, "it: expected Callable, got int"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(
    annotation: Any, value: Any, problem: str
) -> None:
    assert problems_of(annotation, value) == [problem]


def test_the_last_of_many_is_looked_at_too() -> None:
    assert problems_of(list[str], ["a"] * 100_000 + [1]) == ["it[100000]: expected str, got int"]


def test_problems_stop_at_their_bound() -> None:
    assert len(problems_of(list[str], [1] * 1000)) == MAX_PROBLEMS
    assert len(problems_of(dict[str, int], dict.fromkeys(range(1000), ""))) == MAX_PROBLEMS


def test_an_iterator_is_not_consumed() -> None:
    numbers = iter([1, 2])
    problems_of(Iterator[str], numbers)
    assert list(numbers) == [1, 2]


_PLAIN = st.sampled_from([int, str, float, bool, bytes, type(None), object])
_ANNOTATIONS = st.recursive(
    _PLAIN,
    lambda inner: st.one_of(
        inner.map(lambda a: list[a]),  # type: ignore[valid-type]  # made at run time
        inner.map(lambda a: dict[str, a]),  # type: ignore[valid-type]  # made at run time
        inner.map(lambda a: tuple[a, ...]),
        inner.map(lambda a: a | None),
        st.tuples(inner, inner).map(lambda pair: tuple[pair]),
    ),
    max_leaves=6,
)


@given(_ANNOTATIONS.flatmap(lambda a: st.tuples(st.just(a), st.from_type(a))))
def test_a_value_made_for_an_annotation_fits_it(pair: tuple[Any, Any]) -> None:
    annotation, value = pair
    assert problems_of(annotation, value) == []


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(_ANNOTATIONS, _VALUES)
def test_any_value_is_checked_without_an_exception(annotation: Any, value: Any) -> None:
    problems = problems_of(annotation, value)
    assert all(problem.startswith("it") for problem in problems)


@given(_ANNOTATIONS)
def test_every_annotation_has_a_name(annotation: Any) -> None:
    assert type_name(annotation)
