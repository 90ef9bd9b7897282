import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sy_commons import (
    InvalidQuantity,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8 GiB", 8 << 30),
        ("8gib", 8 << 30),
        ("8 GB", 8 * 10**9),
        ("0", 0),
        (" 12 B ", 12),
        ("1_000 kB", 10**6),
        ("1.5 KiB", 1536),
        ("0.3 B", 0),
        ("1.1 GiB", int(1.1 * 2**30)),
        (7, 7),
    ],
)
def test_a_size_is_read_in_bytes(text: Any, expected: float) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("8G", "could be GB or GiB"),
        ("8 XB", "'xb' is unknown"),
        ("", "a number and a unit"),
        ("GiB", "a number and a unit"),
        ("-1 B", "a number and a unit"),
        ("1e9", "'e' is unknown|a number and a unit"),
        ("9999999 PiB", "bounds"),
        ("1" * 65, "characters long"),
        (True, "bool"),
        (None, "NoneType"),
        (-1, "below 0"),
        (1.5, "float"),
    ],
)
def test_what_is_no_size_is_refused_with_the_reason(text: Any, says: str) -> None:
    with pytest.raises(InvalidQuantity, match=says) as caught:
        parse_size(text)

    assert "8 GiB" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", 30.0),
        ("1h 30m", 5400.0),
        ("1d2h3min4s5ms", 93784.005),
        ("250 ms", 0.25),
        ("3us", 3e-6),
        ("3µs", 3e-6),
        ("2W", 1209600.0),
        ("15", 15.0),
        (15, 15.0),
        (0.25, 0.25),
        ("0", 0.0),
    ],
)
def test_a_duration_is_read_in_seconds(text: Any, expected: float) -> None:
    assert parse_duration(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "numbers and units"),
        ("s", "numbers and units"),
        ("10 fortnights", "'fortnights' is unknown"),
        ("1h 30", "30 has no unit"),
        ("5 10s", "5 has no unit"),
        ("30s 1m", "long to short"),
        ("1m 1min", "long to short"),
        ("-5s", "numbers and units"),
        (-5, "below 0"),
        (math.inf, "bounds"),
        (math.nan, "bounds"),
        (True, "bool"),
        ([], "list"),
        ("9" * 60 + "w", "bounds"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_reason(text: Any, says: str) -> None:
    with pytest.raises(InvalidQuantity, match=says):
        parse_duration(text)


@given(st.text(max_size=80) | st.text("0123456789._ bkmgtpiswdhu", max_size=30))
def test_any_text_gives_a_quantity_or_a_refusal(text: Any) -> None:
    for parse in (parse_size, parse_duration):
        with suppress(InvalidQuantity):
            assert 0 <= parse(text) < 1 << 63


@given(st.integers(0, (1 << 60) - 1))
def test_a_shown_size_reads_back_within_its_rounding(size: int) -> None:
    assert parse_size(format_size(size)) == pytest.approx(size, rel=0.06)


@given(st.floats(1e-6, 1e9))
def test_a_shown_duration_reads_back_within_its_rounding(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=0.05)
