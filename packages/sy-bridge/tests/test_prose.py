"""Prose in, markup out."""

from hypothesis import given
from hypothesis import strategies as st

from sy_bridge._builtin._prose import from_comments, from_docstring, from_markdown, sentences

PAGE = """\
# The *Shop*

[![badge](https://x/y.svg)](https://x)

Sells [books](https://x/books) to **readers**. It is
open on Sundays!

```python
import shop
```

| a | b |
|---|---|

- Orders by post.
- `till` counts the money:

<!-- hidden
words that nobody reads -->

Second
------
Ends here
"""


def texts(passages: object) -> list[str]:
    return [passage["text"] for passage in passages]  # type: ignore[attr-defined]  # any iterable of passages


def test_a_page_gives_headings_sentences_and_items_without_markup() -> None:
    found = from_markdown(PAGE)

    assert [(p["kind"], p["line"], p["text"]) for p in found] == [
        ("heading1", 1, "The Shop"),
        ("paragraph", 5, "Sells books to readers."),
        ("paragraph", 5, "It is open on Sundays!"),
        ("item", 15, "Orders by post."),
        ("heading2", 21, "Second"),
        ("paragraph", 23, "Ends here"),
    ]


def test_a_docstring_gives_its_prose_and_no_code_fields_or_sections() -> None:
    docstring = """Sells books, e.g. novels. Closed on Mondays.

    >>> shop.open()
    True

    Uses :class:`Till` and ``cash``::

        till.count()

    Args:
        price: what it costs.

    :param x: nothing
    """

    found = from_docstring(docstring, line=3, kind="module")

    assert texts(found)[:2] == ["Sells books, e.g. novels.", "Closed on Mondays."]
    assert not {"till.count()", "price: what it costs.", ":param x: nothing"} & set(texts(found))
    assert found[0]["line"] == 3


def test_licences_and_directives_are_no_prose() -> None:
    source = "#!/usr/bin/env python\n# Copyright 2020 Ann Lee and her friends\n# noqa: E501\n"
    source += "# Counts the money in the till.\nx = 1  # a trailing remark of some length here\n"

    assert texts(from_comments(source)) == ["Counts the money in the till."]


@given(st.text(max_size=400))
def test_no_text_is_an_error(text: str) -> None:
    """Pages, docstrings and comments of any content give passages within the text's lines."""
    lines = text.count("\n") + 1
    for found in (
        from_markdown(text),
        from_docstring(text, line=1, kind="module"),
        from_comments(text),
    ):
        assert all(1 <= passage["line"] <= lines and passage["text"] for passage in found)


@given(st.lists(st.sampled_from(["One two", "e.g. three", "v1.2 four", "Five"]), min_size=1))
def test_splitting_loses_no_word(parts: list[str]) -> None:
    text = ". ".join(parts)

    assert " ".join(sentences(text)).split() == text.split()
