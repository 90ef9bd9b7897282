import re
import time
import warnings
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sy_commons import (
    ConfigurationError,
    Problem,
    Rule,
    Secret,
    digest,
    each,
    each_value,
    email,
    identifier,
    in_range,
    io_file_exists,
    is_a,
    matches,
    max_length,
    min_length,
    not_empty,
    one_of,
    optional,
    path_within,
    record,
    rule,
    url,
    validate,
)
from sy_commons._regular import ambiguity

RULES: list[Rule] = [
    not_empty, max_length(3), min_length(2), in_range(0, 9), in_range(), one_of("a", 1),
    matches(r"[a-z]+"), is_a(int, str), email, url(), identifier, digest, path_within(),
    io_file_exists(), optional(is_a(int)), each(is_a(int)), each_value(is_a(int)),
    record({"a": is_a(int)}, closed=True), rule(lambda value: value > 1),
]  # fmt: skip


def told(value: Any, rules: Any, **options: Any) -> list[str]:
    return [str(problem) for problem in validate(value, rules, **options)]


def test_all_failures_are_told_with_their_paths() -> None:
    rules = {
        "name": not_empty & max_length(80),
        "tags": each(min_length(3) & matches("[a-z]+", expected="small letters")),
        "db": {"port": in_range(1, 65535), "host": not_empty},
        "limits": each_value(in_range(0)),
        "missing": is_a(str),
        "note": optional(max_length(9)),
    }
    value = {
        "name": "",
        "tags": ["okay", "X", 5],
        "db": {"port": 0, "host": None},
        "limits": {"cpu": -1, "mem": 1},
    }

    assert told(value, rules) == [
        "name: expected something in it, found ''",
        "tags[1]: expected at least 3 characters, found 1: 'X'",
        "tags[1]: expected small letters, found 'X'",
        "tags[2]: expected something with a length, found 5",
        "db.port: expected a number from 1 to 65535, found 0",
        "db.host: expected something in it, found None",
        "limits.cpu: expected a number from 0, found -1",
        "missing: expected a value, found nothing",
    ]


def test_attributes_are_fields_too() -> None:
    @attrs.frozen
    class Config:
        workers: int = 0

    assert told(Config(), {"workers": in_range(1)}) == [
        "workers: expected a number from 1, found 0"
    ]


def test_a_closed_record_has_no_other_fields() -> None:
    assert told({"a": 1, "b": 2}, {"a": is_a(int)}) == []
    assert told({"a": 1, "b": 2}, {"a": is_a(int)}, closed=True) == [
        "b: expected no such field, found 2"
    ]


@pytest.mark.parametrize("value", [None, 5, "text", [1], b""])
def test_what_is_no_record_is_told_once(value: Any) -> None:
    assert len(validate(value, {"a": not_empty, "b": not_empty})) == 1


def test_secrets_are_masked_by_name_and_by_kind() -> None:
    canary = "canary-canary"
    rules = {
        "password": min_length(99),
        "auth": {"token": in_range(), "deep": each(one_of("x"))},
        "key": one_of("x"),
        "text": one_of("x"),
        "extra_secret": one_of("x"),
    }
    value = {
        "password": canary,
        "auth": {"token": canary, "deep": [{"api_key": canary}]},
        "key": Secret(canary),
        "text": f"password={canary}",
        "cookie": canary,
    }
    problems = told(value, rules, closed=True)

    assert len(problems) == 7
    assert canary not in "".join(problems)
    assert "extra_secret: expected a value, found nothing" in problems


def test_rules_compose() -> None:
    small = in_range(0, 9)

    assert (small & ~one_of(5))(4) is None
    assert str((small & ~one_of(5))(5)) == "expected something else than one of 5, found 5"
    assert (small | is_a(str))("x") is None
    assert str((small | is_a(str))(None)) == ("expected a number from 0 to 9, or a str, found None")
    assert (small & (lambda value: value != 3))(3) is not None
    assert repr(small) == "<Rule in_range: a number from 0 to 9>"


@given(st.integers(-5, 15))
def test_composition_follows_logic(value: int) -> None:
    a, b = in_range(0, 9), in_range(5, 12)
    holds_a, holds_b = a(value) is None, b(value) is None

    assert ((a & b)(value) is None) == (holds_a and holds_b)
    assert ((a | b)(value) is None) == (holds_a or holds_b)
    assert ((~a)(value) is None) == (not holds_a)
    assert ((~(a | b))(value) is None) == ((~a & ~b)(value) is None)


def test_any_function_is_a_rule_and_its_exceptions_are_problems() -> None:
    @rule
    def weekday(value: Any) -> str | None:
        """A day of the working week."""
        return None if value in {"mon", "tue"} else "a working day"

    assert told({"day": "sun"}, {"day": weekday}) == ["day: expected a working day, found 'sun'"]
    assert "TypeError" in told({"day": []}, {"day": weekday})[0]
    assert told(1, lambda value: Problem("more", "less")) == ["expected more, found less"]
    assert weekday.expected == "A day of the working week"


class Hostile(str):
    __slots__ = ()

    def __repr__(self) -> str:
        raise RuntimeError("no")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.builds(lambda: Hostile("x" * 200)) | st.builds(object),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(st.integers(0, len(RULES) - 1), st.data())
def test_no_rule_raises_on_any_value_and_each_message_is_short(which: int, data: Any) -> None:
    check, value = RULES[which], data.draw(ANYTHING, label="value")
    for problem in validate(value, check):
        assert problem.expected
        assert len(problem.found) < 250


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (email, ["a@b.co", "a.b+c@x-y.example"], ["", "a", "a@b", "@b.co", "a@-b.co",
         "a..b@c.de", "a@b.co\n", "a@" * 99]),
        (url(), ["http://a", "https://a.b:80/x?y#z"],
         ["", "a.b", "ftp://a", "http://", "http://a b", "http://a:99999", "http://[::1"]),
        (identifier, ["a", "_b1", "größe"], ["", "1a", "a-b", "a b", 5]),
        (digest, ["sha256:" + "a" * 64], ["sha256:" + "A" * 64, "sha256:", "a" * 64]),
        (path_within(), ["a/b", "a..b", "./a"], ["", "/a", "..", "a/../b", "a\\..\\b", "a\0"]),
        (in_range(0, 1), [0, 1, 0.5], [float("nan"), True, "0", 2, None]),
        (one_of(1, "a"), [1, "a"], [True, 1.0, "b", [], None]),
        (not_empty, [0, False, "a", [0]], ["", " \n", [], {}, None]),
        (max_length(1), ["a", [1], {}], ["ab", 5, None]),
        (is_a(float), [1.0], [1, True, "1"]),
        (is_a(bool), [True], [1]),
        (optional(is_a(int)), [None, 1], ["x"]),
    ],
    ids=lambda case: case.name if isinstance(case, Rule) else "",
)  # fmt: skip
def test_built_in_rules(check: Rule, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if check(value) is not None] == []
    assert [value for value in bad if check(value) is None] == []


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "(a|a)*b", "(a*)*", "(a?)*", r"\d+\d+", ".*.*x", r"(\w+\s?)+!",
     r"(a+)\1", "(?=a+)a*", "a*a", "(x+x+)+y", r"[^@]+@[^@]+\.[^@]+", "(é|x|[^a])*"],
)  # fmt: skip
def test_a_pattern_that_could_take_long_is_refused_as_the_rule_is_made(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match="could take very long"):
        matches(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["[a-z]+", r"\d+(\.\d+)*", "[a-z0-9]+(-[a-z0-9]+)*", "(foo|bar)*", r"v?\d+\.\d+", "a{3}b{2,5}",
     "(a|b)*", r"[^@\s]+@[a-z]+", "(?i)[a-z]+[0-9]*", "^a+$", "(?:x(?:yz)?)*", "", "(a|ab)*"],
)  # fmt: skip
def test_clear_patterns_are_taken(pattern: str) -> None:
    assert matches(pattern)


def test_what_is_no_pattern_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="no regular expression"):
        matches("(")


@settings(max_examples=80, deadline=None)
@given(st.text("ab|*+?(){}1,[]^-", max_size=12))
def test_no_pattern_that_is_taken_is_slow(pattern: str) -> None:
    """Whatever the check lets pass stays fast on the texts that make others explode."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a set may mean one day
        try:
            compiled = re.compile(pattern)
        except re.error:
            return
        if ambiguity(compiled) is not None:
            return
    started = time.process_time()
    for text in ("a" * 2000, "ab" * 1000, "a" * 2000 + "!", "b" * 2000 + "1"):
        compiled.fullmatch(text)
    assert time.process_time() - started < 0.5
