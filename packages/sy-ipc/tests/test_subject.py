import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sy_ipc import SubjectInvalid
from sy_ipc._wire.subject import (
    MAX_SUBJECT_CHARS,
    check_pattern,
    check_subject,
    matches,
    specificity,
)

words = st.sampled_from(["a", "b", "c", "run", "é"])
subjects = st.lists(words, min_size=1, max_size=5).map(".".join)
patterns = st.lists(st.sampled_from(["a", "b", "c", "run", "*", ">"]), min_size=1, max_size=5).map(
    lambda tokens: (
        ".".join(t for i, t in enumerate(tokens) if t != ">" or i == len(tokens) - 1) or "*"
    )
)


def naive(pattern: str, subject: str) -> bool:
    """The grammar as one regular expression."""
    parts = {"*": r"[^.]+", ">": r".+"}
    expression = r"\.".join(parts.get(token, re.escape(token)) for token in pattern.split("."))
    return re.fullmatch(expression, subject) is not None


@given(patterns, subjects)
def test_matching_agrees_with_a_regular_expression(pattern: str, subject: str) -> None:
    assert matches(pattern, subject) == naive(pattern, subject)


@given(subjects)
def test_every_subject_is_a_pattern_that_matches_itself_alone(subject: str) -> None:
    check_subject(subject)
    check_pattern(subject)
    assert matches(subject, subject)
    assert not matches(subject, subject + ".x")


@given(patterns)
def test_every_pattern_of_the_grammar_is_accepted(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        ("", "empty"),
        (".a", "empty"),
        ("a.", "empty"),
        ("a..b", "empty"),
        ("a.*", "wildcards belong into patterns"),
        ("a.>", "wildcards belong into patterns"),
        ("a b", "white space"),
        ("a\u2003b", "white space"),
        ("a\n", "white space or a control character"),
        ("a\x00", "control character"),
        ("a\ud800", "control character"),
        ("$SYS.x", "reserved"),
        ("a" * (MAX_SUBJECT_CHARS + 1), "257 characters"),
    ],
)
def test_a_bad_subject_is_refused_with_the_reason(subject: str, problem: str) -> None:
    with pytest.raises(SubjectInvalid, match=problem):
        check_subject(subject)


@pytest.mark.parametrize("pattern", ["a*", "a.>.b", ">>", "**", "a.b>", "$BUS.>"])
def test_a_wildcard_is_a_whole_token(pattern: str) -> None:
    with pytest.raises(SubjectInvalid):
        check_pattern(pattern)


@pytest.mark.parametrize("subject", [7, None, b"a"])
def test_what_is_no_text_is_no_subject(subject: object) -> None:
    with pytest.raises(SubjectInvalid, match="not text"):
        check_subject(subject)  # type: ignore[arg-type]  # on purpose


@given(st.text(max_size=300))
def test_any_text_is_accepted_or_refused_as_a_subject(text: str) -> None:
    try:
        check_subject(text)
    except SubjectInvalid:
        return
    assert all(text.split("."))
    assert text.encode()


def test_exact_tokens_are_more_specific_from_the_left() -> None:
    assert sorted(["*.b", "a.*", ">", "a.b", "a.>"], key=specificity) == [
        "a.b",
        "a.*",
        "a.>",
        "*.b",
        ">",
    ]
