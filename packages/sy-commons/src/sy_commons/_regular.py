"""Tell whether a regular expression takes time linear in the text, whatever the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# What the compiler itself parses with; private, and the same since it was called sre_parse.
from re import _constants as op  # type: ignore[attr-defined]  # private in name; the only way to see what a pattern is
from re import _parser as parser  # type: ignore[attr-defined]  # private in name; the only way to see what a pattern is
from typing import Any

_ALL = frozenset(range(257))  # the characters below 256, and one for all others
_OTHER = 256
_NOTHING: frozenset[int] = frozenset()
_Items = Sequence[tuple[Any, Any]]


def ambiguity(pattern: re.Pattern[str]) -> str | None:
    """Return why matching *pattern* could backtrack, or None when it never does.

    It never does when, at each character, at most one way on is open: what a repetition repeats
    and what follows it begin differently, and so do alternatives (Brüggemann-Klein and Wood,
    one-unambiguous regular languages). Then time is linear. Look-around and back-references
    count as ambiguous.

    >>> ambiguity(re.compile(r"[a-z0-9]+(-[a-z0-9]+)*"))
    >>> ambiguity(re.compile(r"(a+)+b"))
    'what a repetition repeats may also follow it'
    """
    try:
        _check(_items(pattern), _NOTHING, fold=bool(pattern.flags & re.IGNORECASE))
    except _Ambiguous as found:
        return str(found)
    return None


class _Ambiguous(Exception):
    pass


def _items(pattern: re.Pattern[str]) -> _Items:
    return list(parser.parse(pattern.pattern, pattern.flags))


def _check(items: _Items, follow: frozenset[int], *, fold: bool) -> None:
    for position, (kind, what) in enumerate(items):
        rest, empty = _first(items[position + 1 :], fold=fold)
        after = rest | follow if empty else rest
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            _check_repeat(kind, what, after, fold=fold)
        elif kind is op.BRANCH:
            _check_branch(what[1], after, fold=fold)
        elif kind is op.SUBPATTERN:
            _check(list(what[-1]), after, fold=fold)
        elif kind is op.ATOMIC_GROUP:
            _check(list(what), after, fold=fold)
        elif kind not in _PLAIN:
            raise _Ambiguous("it looks around or back")


def _check_repeat(kind: Any, what: Any, after: frozenset[int], *, fold: bool) -> None:
    least, most, body = what
    first, empty = _first(list(body), fold=fold)
    if empty and most > 1:
        raise _Ambiguous("a repetition repeats what may be empty")
    if least != most and kind is not op.POSSESSIVE_REPEAT and first & after:
        raise _Ambiguous("what a repetition repeats may also follow it")
    _check(list(body), after | first if most > 1 else after, fold=fold)


def _check_branch(branches: Iterable[Any], after: frozenset[int], *, fold: bool) -> None:
    taken: frozenset[int] = _NOTHING
    for branch in branches:
        first, empty = _first(list(branch), fold=fold)
        begins = first | after if empty else first
        if taken & begins:
            raise _Ambiguous("two alternatives begin the same")
        taken |= begins
        _check(list(branch), after, fold=fold)


def _first(items: _Items, *, fold: bool) -> tuple[frozenset[int], bool]:
    """Return the characters that *items* can begin with, and whether they can be empty."""
    found = _NOTHING
    for kind, what in items:
        begins, empty = _begin(kind, what, fold=fold)
        found |= begins
        if not empty:
            return found, False
    return found, True


def _begin(kind: Any, what: Any, *, fold: bool) -> tuple[frozenset[int], bool]:
    if kind is op.AT:
        return _NOTHING, True
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        first, empty = _first(list(what[2]), fold=fold)
        return first, empty or what[0] == 0
    if kind is op.BRANCH:
        parts = [_first(list(branch), fold=fold) for branch in what[1]]
        return frozenset().union(*(first for first, _ in parts)), any(empty for _, empty in parts)
    if kind is op.SUBPATTERN:
        return _first(list(what[-1]), fold=fold)
    if kind is op.ATOMIC_GROUP:
        return _first(list(what), fold=fold)
    if kind in _PLAIN:
        return _characters(kind, what, fold=fold), False
    raise _Ambiguous("it looks around or back")


def _characters(kind: Any, what: Any, *, fold: bool) -> frozenset[int]:
    if kind is op.LITERAL:
        return _folded({min(what, _OTHER)}, fold=fold)
    if kind is op.NOT_LITERAL:
        return _ALL - {what}
    if kind is op.IN:
        negated = what[0][0] is op.NEGATE
        sets = [_of_set(k, w, fold=fold) for k, w in what if k is not op.NEGATE]
        union = frozenset().union(*sets)
        return (_ALL - union) | {_OTHER} if negated else union
    return _ALL  # any character, or a category


def _of_set(kind: Any, what: Any, *, fold: bool) -> frozenset[int]:
    if kind is op.LITERAL:
        return _folded({min(what, _OTHER)}, fold=fold)
    if kind is op.RANGE:
        low, high = what
        below = set(range(low, min(high, _OTHER - 1) + 1))
        return _folded(below | ({_OTHER} if high >= _OTHER else set()), fold=fold)
    return _CATEGORIES.get(what, _ALL)


def _folded(characters: set[int], *, fold: bool) -> frozenset[int]:
    if not fold:
        return frozenset(characters)
    swapped = {
        min(ord(letter), _OTHER)
        for code in characters
        if code < _OTHER
        for letter in chr(code).swapcase()
    }
    letters = any(chr(code).isalpha() for code in characters if code < _OTHER)
    return frozenset(characters | swapped | ({_OTHER} if letters else set()))  # K, the Kelvin sign


def _matching(test: str) -> frozenset[int]:
    found = re.compile(test)
    return frozenset(code for code in range(_OTHER) if found.match(chr(code))) | {_OTHER}


_PLAIN = (op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY, op.AT, op.CATEGORY)
_CATEGORIES = {
    op.CATEGORY_DIGIT: _matching(r"\d"),
    op.CATEGORY_NOT_DIGIT: _matching(r"\D"),
    op.CATEGORY_SPACE: _matching(r"\s"),
    op.CATEGORY_NOT_SPACE: _matching(r"\S"),
    op.CATEGORY_WORD: _matching(r"\w"),
    op.CATEGORY_NOT_WORD: _matching(r"\W"),
}
