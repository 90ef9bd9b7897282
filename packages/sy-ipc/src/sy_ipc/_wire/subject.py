"""Subjects and patterns, in the grammar of NATS.

A subject is tokens joined by dots. In a pattern ``*`` stands for exactly one token and a last
``>`` for one or more. Tokens hold no white space, control character, ``.``, ``*`` or ``>``;
a first token that begins with ``$`` is reserved for the bus itself.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sy_ipc._errors import SubjectInvalid

MAX_SUBJECT_CHARS = 256
RESERVED = "$"

_WORD = r"[^\s.*>\x00-\x1f\x7f-\x9f\ud800-\udfff]+"
_SUBJECT = re.compile(rf"{_WORD}(?:\.{_WORD})*")
_PATTERN = re.compile(rf"(?:(?:{_WORD}|\*)\.)*(?:{_WORD}|\*|>)")


@lru_cache(maxsize=4096)
def check_subject(subject: str) -> None:
    """Raise :class:`SubjectInvalid` unless *subject* is one that users may send on.

    >>> check_subject("run.42.node.done")
    >>> check_subject("run..done")
    Traceback (most recent call last):
    sy_ipc._errors.SubjectInvalid: 'run..done' is no subject: a token is empty
    """
    _check(subject, _SUBJECT, "subject")


@lru_cache(maxsize=4096)
def check_pattern(pattern: str) -> None:
    """Raise :class:`SubjectInvalid` unless *pattern* is one that users may listen to.

    >>> check_pattern("run.*.node.>")
    """
    _check(pattern, _PATTERN, "pattern")


def matches(pattern: str, subject: str) -> bool:
    """Return whether *subject* falls under *pattern*; both must be valid.

    >>> [matches(p, "run.1.done") for p in ("run.*.done", "run.>", "run.1", "run.1.done.>")]
    [True, True, False, False]
    """
    wanted, given = pattern.split("."), subject.split(".")
    for position, word in enumerate(wanted):
        if word == ">":
            return len(given) > position
        if position >= len(given) or word not in ("*", given[position]):
            return False
    return len(wanted) == len(given)


def specificity(pattern: str) -> tuple[int, ...]:
    """Return a key that sorts exact patterns before wild ones, decided by the first token on.

    >>> sorted(["a.>", "a.*.c", "a.b.c"], key=specificity)
    ['a.b.c', 'a.*.c', 'a.>']
    """
    return tuple({"*": 1, ">": 2}.get(token, 0) for token in pattern.split("."))


def _check(text: str, grammar: re.Pattern[str], what: str) -> None:
    if not isinstance(text, str):
        raise SubjectInvalid(subject=repr(text), what=what, problem="it is not text")
    problem = _find_problem(text, grammar, what)
    if problem:
        raise SubjectInvalid(subject=text[:MAX_SUBJECT_CHARS], what=what, problem=problem)


def _find_problem(text: str, grammar: re.Pattern[str], what: str) -> str:
    if len(text) > MAX_SUBJECT_CHARS:
        return f"it has {len(text)} characters, and {MAX_SUBJECT_CHARS} are allowed"
    if text.startswith(RESERVED):
        return f"a leading {RESERVED} is reserved for the bus"
    if grammar.fullmatch(text):
        return ""
    if "" in text.split("."):
        return "a token is empty"
    if "*" in text or ">" in text:
        if what == "subject":
            return "wildcards belong into patterns"
        return "* must be a whole token, and > the whole last one"
    return "a token holds white space or a control character"
