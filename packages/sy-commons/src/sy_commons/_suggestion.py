"""What was meant by a word that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable

_MAX_WORD = 200
_MAX_KNOWN = 2000


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest of *known*, or nothing.

    It is put behind the sentence that says *word* is unknown, as a fact of an error. Bounded
    for hostile input: long words and catalogues get no suggestion.

    >>> "there is no node 'fiels'" + suggestion("fiels", ["files", "brief"])
    "there is no node 'fiels'; did you mean 'files'?"
    >>> suggestion("zebra", ["files", "brief"])
    ''
    """
    from difflib import get_close_matches  # noqa: PLC0415 - only on the way to an error

    words = list(known)
    if len(word) > _MAX_WORD or len(words) > _MAX_KNOWN:
        return ""
    close = get_close_matches(word, words, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
