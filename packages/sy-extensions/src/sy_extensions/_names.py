"""How an extension may be called."""

from __future__ import annotations

import re

MAX_ID = 128

_WORD = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_ID = re.compile(rf"{_WORD}(?:\.{_WORD})*")


def is_id(text: str) -> bool:
    """Tell whether *text* is an extension id: lower-case words joined by dots.

    >>> [is_id(text) for text in ("acme.word-count", "summarizer", "Acme.x", "a..b", "a/b")]
    [True, True, False, False, False]
    """
    return len(text) <= MAX_ID and _ID.fullmatch(text) is not None
