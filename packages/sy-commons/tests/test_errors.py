import copy
import importlib
import inspect
import pickle
import pkgutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sy_commons
from sy_commons import (
    ConfigurationError,
    ErrorCategory,
    ForeignError,
    NotFound,
    Secret,
    StorageError,
    SymphonyError,
    error_classes,
    find_error_class,
    from_wire,
    map_errors,
    to_wire,
)

CANARY = "canary-7f3a9"

for found in pkgutil.iter_modules(sy_commons.__path__):  # every class there is, registered
    if found.name not in ("_database", "_database_errors", "_mounts"):
        importlib.import_module(f"sy_commons.{found.name}")


class ShelfFull(SymphonyError):
    """The shelf takes no more."""

    code = "test.shelf_full"
    category = ErrorCategory.RESOURCE
    message = "shelf {shelf} is full at {count} books"
    hint = "take one out of {shelf}"
    limit: ClassVar[int] = 9
    shelf: str
    count: int = 3


class Locked(SymphonyError):
    """A secret opens it."""

    code = "test.locked"
    message = "{door} does not open with {password}: {options}"
    door: str
    password: str
    options: dict[str, Any]


class Loose(SymphonyError):
    """Whatever it is told."""

    code = "test.loose"
    message = "{thing} {missing} {"
    hint = "{thing.nothing}"
    thing: Any


class KeywordOnly(Exception):
    """Pickles, and does not unpickle: python/cpython#120810."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__
    __format__ = None  # type: ignore[assignment]  # broken on purpose


class HostileMapping(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise RuntimeError("no items")

    def __iter__(self) -> Iterator[str]:
        yield "a"

    def __len__(self) -> int:
        return 1


def example(cls: type[SymphonyError]) -> SymphonyError:
    """Return an error of *cls* with plain facts."""
    if not cls._facts:
        return cls("it happened", hint="do this", context={"path": "a/b"})
    return cls(**{name: f"<{name}>" for name in cls._facts})


def assert_same(back: BaseException, error: SymphonyError) -> None:
    assert isinstance(back, SymphonyError)
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert (back.code, back.category, back.hint) == (error.code, error.category, error.hint)
    assert back.context == error.context
    assert getattr(back, "__notes__", []) == getattr(error, "__notes__", [])


def test_facts_become_attributes_text_hint_and_context() -> None:
    error = ShelfFull(shelf="A")

    assert (error.shelf, error.count) == ("A", 3)
    assert str(error) == "shelf A is full at 3 books"
    assert error.hint == "take one out of A"
    assert error.context == {"shelf": "A", "count": 3}
    assert error.retryable
    assert repr(error) == "ShelfFull('shelf A is full at 3 books', code='test.shelf_full')"


def test_the_one_off_takes_text_hint_and_context() -> None:
    error = SymphonyError("no", hint="yes", context={"n": 1})

    assert (str(error), error.hint, error.context) == ("no", "yes", {"n": 1})
    assert not error.retryable


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({}, "ShelfFull: missing shelf"),
        ({"shelf": "A", "row": 1}, "unknown row"),
        ({"row": 1}, "missing shelf; unknown row"),
    ],
)
def test_missing_and_unknown_facts_are_named(facts: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        ShelfFull(**facts)


def test_an_error_with_facts_takes_no_text() -> None:
    with pytest.raises(TypeError, match="by keyword: shelf, count"):
        ShelfFull("text", shelf="A")  # type: ignore[misc]  # wrong on purpose


def test_the_signature_shows_the_facts_keyword_only_and_annotated() -> None:
    assert str(inspect.signature(ShelfFull)) == "(*, shelf: str, count: int = 3)"
    assert list(inspect.signature(NotFound).parameters) == ["text", "hint", "context"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"code": "not_found"}, "same code 'not_found'"),
        ({"code": "Not Dotted!"}, "is no code"),
        ({"code": "test.bad", "category": "io"}, "is no ErrorCategory"),
        ({"__annotations__": {"hint": str}}, "every error has hint"),
        ({"__annotations__": {"context": str}}, "every error has context"),
    ],
)
def test_a_class_that_breaks_the_rules_is_refused_where_it_is_defined(
    body: dict[str, Any], says: str
) -> None:
    with pytest.raises(TypeError, match=says):
        type("Bad", (SymphonyError,), body)


@pytest.mark.parametrize(
    "thing",
    [Hostile(), HostileMapping(), 10**5000, "\ud800", {"a": Hostile()}, [[[]]], object()],
    ids=lambda thing: type(thing).__name__,
)
def test_no_template_and_no_fact_makes_the_constructor_raise(thing: Any) -> None:
    error = Loose(thing=thing)

    assert str(error)
    assert isinstance(error.hint, str)
    str(error).encode()
    assert_same(from_wire(to_wire(error)), error)


@pytest.mark.parametrize("code", sorted(error_classes()))
def test_every_registered_class_survives_pickle_and_wire(code: str) -> None:
    error = example(error_classes()[code])
    error.add_note("seen on Tuesday")
    error.__cause__ = NotFound("nothing there")
    error.__cause__.__cause__ = KeyError("shelf")

    for back in (pickle.loads(pickle.dumps(error)), from_wire(to_wire(error))):
        assert_same(back, error)
        assert_same(back.__cause__, error.__cause__)
        assert repr(back.__cause__.__cause__) == "KeyError('shelf')"


def test_every_class_has_a_code_of_its_own_and_a_docstring() -> None:
    def walk(cls: type[SymphonyError]) -> Iterator[type[SymphonyError]]:
        yield cls
        for below in cls.__subclasses__():
            yield from walk(below)

    ours = [cls for cls in walk(SymphonyError) if cls.__module__.startswith("sy_commons.")]

    assert len(ours) > 12
    for cls in ours[1:]:
        assert "code" in cls.__dict__, cls
        assert find_error_class(cls.code) is cls
        assert cls.__doc__, cls


@settings(max_examples=50)
@given(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    ),
    st.lists(st.text(), max_size=3),
)
def test_whatever_the_facts_both_trips_keep_text_context_and_notes(
    text: str, thing: Any, notes: list[str]
) -> None:
    for error in (Loose(thing=thing), SymphonyError(text, context={"thing": thing})):
        for note in notes:
            error.add_note(note)
        pickled = pickle.loads(pickle.dumps(error))
        assert_same(pickled, error)
        again = from_wire(to_wire(error))
        assert to_wire(again) == to_wire(error)
        assert again.context == error.context  # type: ignore[attr-defined]  # known to have it


def test_pickling_keeps_facts_as_they_are() -> None:
    back = pickle.loads(pickle.dumps(Loose(thing={"path": Path("a")})))

    assert back.thing == {"path": Path("a")}


def test_a_fact_that_does_not_pickle_travels_as_its_text() -> None:
    back = pickle.loads(pickle.dumps(Loose(thing=[threading.Lock()])))

    assert "lock" in back.thing[0]


@pytest.mark.parametrize("cause", [KeywordOnly(reason="gone"), OSError(threading.Lock())])
def test_a_cause_that_does_not_travel_becomes_its_text(cause: Exception) -> None:
    error = SymphonyError("no")
    error.__cause__ = cause
    cause.add_note("noted")

    back = pickle.loads(pickle.dumps(error))

    assert isinstance(back.__cause__, ForeignError)
    assert type(cause).__name__ in str(back.__cause__)
    assert back.__cause__.__notes__ == ["noted"]


def test_a_long_or_circular_chain_of_causes_is_cut_and_cheap() -> None:
    """Each level once: pickling a cause to see whether it pickles would double at each."""
    last = first = SymphonyError("0")
    for number in range(1, 60):
        last.__cause__ = last = SymphonyError(str(number))
    loop = SymphonyError("loop")
    loop.__cause__ = loop

    assert str(pickle.loads(pickle.dumps(first)).__cause__.__cause__) == "2"
    assert len(pickle.dumps(first)) < 20_000
    assert str(from_wire(to_wire(first)).__cause__) == "1"
    assert str(pickle.loads(pickle.dumps(loop))) == "loop"
    assert str(from_wire(to_wire(loop)).__cause__) == "loop"


def test_a_group_survives_both_trips() -> None:
    group = ExceptionGroup("two", [ShelfFull(shelf="A"), ExceptionGroup("in", [ValueError("v")])])
    group.add_note("together")

    for back in (pickle.loads(pickle.dumps(group)), from_wire(to_wire(group))):
        assert isinstance(back, ExceptionGroup)
        assert back.message == "two"
        assert_same(back.exceptions[0], group.exceptions[0])  # type: ignore[arg-type]  # the group keeps its kind
        assert repr(back.exceptions[1].exceptions[0]) == "ValueError('v')"
        assert back.__notes__ == ["together"]


def test_copies_are_equal() -> None:
    error = ShelfFull(shelf="A")

    assert_same(copy.copy(error), error)
    assert_same(copy.deepcopy(error), error)


@pytest.mark.parametrize("category", list(ErrorCategory))
def test_an_unknown_code_becomes_its_categorys_class_and_is_told_on(category: str) -> None:
    wire = to_wire(NotFound("gone")) | {"code": "acme.gone", "category": category}

    back = pickle.loads(pickle.dumps(from_wire(wire)))

    assert back.category == category
    assert type(back).code == category
    assert to_wire(back)["code"] == "acme.gone"


def test_cancellation_stays_cancellation() -> None:
    import asyncio  # noqa: PLC0415 - the import is part of what is tried

    assert type(from_wire(to_wire(asyncio.CancelledError("stop")))) is asyncio.CancelledError


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "v": JSON | st.just(1),
        "text": JSON,
        "type": JSON | st.sampled_from(["ValueError", "UnicodeDecodeError", "type", "exit"]),
        "code": JSON | st.sampled_from(sorted(error_classes())),
        "category": JSON,
        "hint": JSON,
        "context": JSON,
        "notes": JSON,
        "cause": JSON,
        "errors": JSON,
    },
)
WIRES = st.recursive(
    PARTS,
    lambda inner: st.builds(
        lambda part, more: part | more,
        PARTS,
        st.fixed_dictionaries({}, optional={"cause": inner, "errors": st.lists(inner, max_size=3)}),
    ),
    max_leaves=3,
)


@settings(max_examples=60)
@given(JSON | WIRES | WIRES.map(lambda wire: wire | {"v": 1, "text": "t"}))
def test_hostile_wire_data_gives_an_error_or_a_serialization_error(wire: Any) -> None:
    try:
        back = from_wire(wire)
    except SymphonyError as error:
        assert error.category is ErrorCategory.SERIALIZATION  # noqa: PT017 - both ends are fine
    else:
        assert isinstance(back, BaseException)
        to_wire(back)


def test_wire_nested_a_thousand_levels_is_cut() -> None:
    wire: dict[str, Any] = to_wire(ValueError("deepest"))
    for _ in range(1000):
        wire = {"v": 1, "text": "t", "cause": wire}

    assert isinstance(from_wire(wire), ForeignError)


def test_a_planted_secret_shows_nowhere() -> None:
    text = f"cannot open https://ann:{CANARY}@host with password={CANARY}"
    error = Locked(
        door=f"api_key='{CANARY} {CANARY}'",
        password=CANARY,
        options={"token": CANARY, "nested": [{"Authorization": CANARY}], "key": Secret(CANARY)},
    )
    error.add_note(f"tried Bearer {CANARY}")
    error.__cause__ = OSError(text)
    one_off = SymphonyError(
        text, hint=f"set password: {CANARY}", context={"password": CANARY, "k": Secret(CANARY)}
    )

    for told in (error, one_off):
        assert CANARY not in f"{told} {told!r} {told.hint} {told.context}"
        assert CANARY not in repr(to_wire(told))
    assert CANARY.encode() not in pickle.dumps(one_off)
    assert CANARY not in pickle.loads(pickle.dumps(error)).password


def test_errors_are_mapped_at_a_boundary() -> None:
    @map_errors({OSError: StorageError, FileNotFoundError: NotFound})
    def read(error: BaseException) -> None:
        raise error

    with pytest.raises(StorageError, match="broken") as caught:
        read(OSError("broken"))
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(NotFound):
        read(FileNotFoundError("gone"))
    for passes in (ValueError("v"), ConfigurationError("c"), KeyboardInterrupt()):
        with pytest.raises(type(passes)):
            read(passes)
    with pytest.raises(TypeError, match="never mapped"), map_errors({KeyboardInterrupt: NotFound}):  # type: ignore[dict-item]  # wrong on purpose
        pass


def test_importing_the_error_stays_within_its_budget() -> None:
    """At most 45 modules beyond a bare interpreter, and none of the heavy ones."""
    program = (
        "import sys; before = set(sys.modules)\n"
        "from sy_commons import SymphonyError\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = run.stdout.split()

    assert len(loaded) <= 45, loaded
    heavy = {"attrs", "attr", "loguru", "cattrs", "tomlkit", "asyncio", "logging", "inspect"}
    assert heavy.isdisjoint(loaded)
