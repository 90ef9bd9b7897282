"""What was meant."""

from hypothesis import given
from hypothesis import strategies as st

from sy_commons import suggestion


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=20))
def test_a_suggestion_is_one_of_the_known_words_or_nothing(word: str, known: list[str]) -> None:
    said = suggestion(word, known)

    assert said == "" or said in {f"; did you mean {candidate!r}?" for candidate in known}


def test_a_long_word_or_a_large_catalogue_gets_none() -> None:
    """Closeness costs the product of the lengths: hostile input must not buy seconds with it."""
    assert suggestion("x" * 201, ["x" * 200]) == ""
    assert suggestion("file", ["files"] * 2001) == ""
