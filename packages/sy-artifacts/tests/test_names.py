from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sy_artifacts import InvalidName, InvalidRef, quote_name
from sy_artifacts._names import DigestRef, NameRef, check_name, next_prefix, parse_ref

parts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/@"), min_size=1, max_size=8
).filter(lambda part: part not in {".", ".."} and "sha256:" not in part)
names = st.lists(parts, min_size=1, max_size=4).map("/".join)


@given(name=names, version=st.none() | st.integers(1, 10**18 - 1))
def test_a_ref_reads_back_as_what_it_was_written_from(name: str, version: int | None) -> None:
    ref = NameRef(name, version)
    assert parse_ref(str(ref)) == ref
    assert check_name(name) == name


@given(digits=st.text("0123456789abcdef", min_size=6, max_size=64))
def test_a_digest_and_its_beginnings_read_back(digits: str) -> None:
    ref = parse_ref(f"sha256:{digits}")
    assert ref == DigestRef(digits)
    assert isinstance(ref, DigestRef)
    assert ref.complete == (len(digits) == 64)


@given(text=st.text(st.characters(exclude_categories=[]), max_size=40))
def test_any_text_is_either_a_ref_or_refused_as_one(text: str) -> None:
    try:
        ref = parse_ref(text)
    except InvalidRef:
        return
    assert str(ref) == text


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_quotes_to_a_name_that_is_its_own_quotation(text: str) -> None:
    name = quote_name(text)
    assert check_name(name) == name
    assert quote_name(name) == name


@given(texts=st.lists(st.text("a/.@\n", max_size=6), min_size=2, max_size=2, unique=True))
def test_different_texts_keep_different_names(texts: list[str]) -> None:
    assert quote_name(texts[0]) != quote_name(texts[1])


def test_a_file_name_that_is_no_unicode_can_be_quoted() -> None:
    assert quote_name(os.fsdecode(b"caf\xe9.txt")) == "caf%E9.txt"


@given(prefix=names, rest=st.text(max_size=4), other=names)
def test_the_next_prefix_is_above_what_begins_with_the_prefix_and_nothing_else(
    prefix: str, rest: str, other: str
) -> None:
    above = next_prefix(prefix)
    assert above is None or prefix + rest < above
    if other >= prefix and (above is None or other < above):
        assert other.startswith(prefix)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("a/../b", "parts"),
        ("..", "parts"),
        ("./a", "parts"),
        ("a//b", "parts"),
        ("a/", "parts"),
        ("a@2", "version"),
        ("sha256:00", "digest"),
        ("x/sha256:y", "digest"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("\ud800", "Unicode"),
        ("é" * 2048, "bytes"),
    ],
)
def test_what_cannot_name_an_artifact_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(InvalidName, match=reason) as caught:
        check_name(name)
    assert "quote_name" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    ["a@", "a@0", "a@01", "a@-1", "a@x", "a@1@2", "a@٣", "@1", "sha256:", "sha256:abc",
     "sha256:ABCDEF12", "sha256:" + "0" * 65, "sha256:xyzxyz"],
)  # fmt: skip
def test_what_points_at_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidRef):
        parse_ref(text)
