import datetime as dt
import enum
import uuid
from decimal import Decimal
from pathlib import Path

import attrs
import cattrs
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sy_commons import SymphonyError
from sy_ipc import PayloadMismatch, PayloadTooDeep, PayloadTooLarge, PayloadUnencodable
from sy_ipc._wire.codec import Codec, check_depth, measure_depth

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=6),
    max_leaves=25,
)


class Colour(enum.Enum):
    RED = "red"


@attrs.frozen
class Point:
    x: int
    y: int = attrs.field(default=0, validator=attrs.validators.ge(0))


@attrs.frozen
class Shape:
    name: str
    colour: Colour
    points: tuple[Point, ...]
    when: dt.datetime
    number: uuid.UUID
    price: Decimal
    tags: frozenset[str] = frozenset()
    note: str | None = None


@attrs.frozen
class Lenient:
    """msgspec would leave the text as it is."""

    size: int = attrs.field(converter=int)
    where: Path = Path()


@attrs.frozen
class Cat:
    meows: int


@attrs.frozen
class Dog:
    barks: int


class Vector(msgspec.Struct):
    x: float


@given(plain)
def test_plain_data_comes_back_equal(value: object) -> None:
    codec = Codec()
    assert codec.decode(codec.encode(value), None) == value


def test_attrs_classes_come_back_as_themselves() -> None:
    shape = Shape(
        "square",
        Colour.RED,
        (Point(1), Point(2, 3)),
        dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        uuid.UUID(int=7),
        Decimal("1.10"),
        frozenset({"a"}),
    )
    codec = Codec()
    assert codec.decode(codec.encode(shape), Shape) == shape
    assert codec.decode(codec.encode([shape]), list[Shape]) == [shape]
    assert codec.decode(codec.encode(Vector(1.5)), Vector) == Vector(1.5)


def test_converters_of_attrs_classes_run() -> None:
    codec = Codec()
    assert codec.decode(codec.encode({"size": "7"}), Lenient) == Lenient(7)
    deep = codec.decode(codec.encode([{"size": "7", "where": "a/b"}]), list[Lenient])
    assert deep == [Lenient(7, Path("a/b"))]


def test_paths_travel() -> None:
    codec = Codec()
    assert codec.decode(codec.encode({"where": Path("a/b")}), dict[str, Path]) == {
        "where": Path("a/b")
    }


def test_unions_that_msgspec_cannot_tell_apart_are_told_apart_by_cattrs() -> None:
    codec = Codec()
    assert codec.decode(codec.encode(Dog(3)), Cat | Dog) == Dog(3)


def test_a_converter_of_the_user_teaches_a_foreign_type() -> None:
    converter = cattrs.Converter()
    converter.register_unstructure_hook(complex, lambda c: [c.real, c.imag])
    converter.register_structure_hook(complex, lambda parts, _: complex(*parts))
    codec = Codec(converter=converter)
    assert codec.decode(codec.encode({"z": 1 + 2j}), dict[str, complex]) == {"z": 1 + 2j}


@pytest.mark.parametrize("value", [object(), lambda: None, {"a": {1, object()}}, 2**70, open])
def test_what_cannot_travel_is_refused_and_named(value: object) -> None:
    with pytest.raises(PayloadUnencodable, match="cannot travel"):
        Codec().encode(value)


@pytest.mark.parametrize(
    ("value", "expected", "problem"),
    [
        ({"x": "one"}, Point, r"\$\.x"),
        ({"x": 1, "y": -1}, Point, ">= 0"),
        ({}, Point, "missing required field `x`"),
        ("text", int, "Expected `int`"),
        ({"size": "seven"}, Lenient, "size"),
    ],
)
def test_a_mismatch_names_the_type_and_the_place(
    value: object, expected: type, problem: str
) -> None:
    codec = Codec()
    with pytest.raises(PayloadMismatch, match=problem) as caught:
        codec.decode(codec.encode(value), expected)
    assert caught.value.expected == expected.__name__


def test_unknown_fields_of_a_newer_sender_are_ignored() -> None:
    codec = Codec()
    assert codec.decode(codec.encode({"x": 1, "z": 2}), Point) == Point(1)


def test_size_is_bounded() -> None:
    with pytest.raises(PayloadTooLarge) as caught:
        Codec(max_size_bytes=100).encode("x" * 200)
    assert caught.value.limit_bytes == 100


def nest(depth: int) -> object:
    value: object = 0
    for level in range(depth):
        value = [value] if level % 2 else {"a" * 40: value}
    return value


@pytest.mark.parametrize("depth", [129, 5_000, 100_000])
def test_nesting_is_bounded(depth: int) -> None:
    with pytest.raises(PayloadTooDeep):
        Codec().encode(nest(depth))
    Codec().encode(nest(128))


@given(plain, st.integers(0, 8))
def test_depth_is_measured_as_the_data_has_it(value: object, limit: int) -> None:
    def depth(value: object) -> int:
        if isinstance(value, dict):
            return 1 + max(map(depth, value.values())) if value else 0
        if isinstance(value, list):
            return 1 + max(map(depth, value)) if value else 0
        return 0

    data = msgspec.msgpack.encode(value)
    assert measure_depth(data, 1000) == depth(value)
    if depth(value) <= limit:
        check_depth(data, limit)
    else:
        with pytest.raises(PayloadTooDeep):
            check_depth(data, limit)


@given(st.binary(max_size=300))
@example(b"\xdd\xff\xff\xff\xff" * 60)
@example(b"\x91" * 100_000)
@example(b"\xc7\x0c\xff" + b"\xff" * 12)
@example(b"\x81\x80\x01")
def test_hostile_bytes_give_a_value_or_a_symphony_error(data: bytes) -> None:
    codec = Codec()
    for expected in (None, Shape, Lenient, dict[str, Point], Cat | Dog, int):
        try:
            codec.check(data)
            codec.decode(msgspec.Raw(data), expected)
        except SymphonyError:
            continue


def test_decoding_makes_only_the_type_that_the_receiver_named() -> None:
    codec = Codec()
    assert codec.decode(codec.encode(Point(1, 2)), None) == {"x": 1, "y": 2}
