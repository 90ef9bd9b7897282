"""Rules for what text has to look like.

>>> print(email("ann@example.com"), "|", email("ann@"))
None | expected an e-mail address, found 'ann@'
>>> identifier("a_b") is digest("sha256:" + "0" * 64) is None
True
"""

from __future__ import annotations

import re
from typing import Any

from sy_commons._errors import ConfigurationError
from sy_commons._regular import ambiguity
from sy_commons._validation import Problem, Rule, describe

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_HOST = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|blake2b:[0-9a-f]{128}|xxh3:[0-9a-f]{32}")


def matches(pattern: str | re.Pattern[str], *, expected: str = "") -> Rule:
    """Expect text that *pattern* matches whole, in time linear in its length.

    A pattern that could backtrack is refused here, with :class:`ConfigurationError`, and not
    when somebody sends the text that makes it; *expected* is for people who read no patterns.

    >>> slug = matches(r"[a-z0-9]+(-[a-z0-9]+)*", expected="words with hyphens")
    >>> print(slug("a-b"), "|", slug("A b"))
    None | expected words with hyphens, found 'A b'
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigurationError(f"{pattern!r} is no regular expression: {error}") from error
    reason = ambiguity(compiled)
    if reason is not None:
        raise ConfigurationError(
            f"matching {compiled.pattern!r} could take very long: {reason}",
            hint="make it clear at each character how to go on, or write a function",
        )
    return _text("matches", expected or f"text like {compiled.pattern}", compiled.fullmatch)


def path_within() -> Rule:
    """Expect a relative path that does not lead upwards; nothing is looked up on the disk.

    >>> print(path_within()("a/../../b"))
    expected a relative path without .., found 'a/../../b'
    """

    def holds(text: str) -> bool:
        parts = text.replace("\\", "/").split("/")
        return bool(text) and parts[0] != "" and ".." not in parts and "\0" not in text

    return _text("path_within", "a relative path without ..", holds)


def url(*schemes: str) -> Rule:
    """Expect an absolute URL with a host, of one of *schemes* (default: http, https).

    >>> print(url("https")("ftp://host/x"))
    expected a URL with https://, found 'ftp://host/x'
    """
    allowed = schemes or ("http", "https")

    def holds(text: str) -> bool:
        from urllib.parse import urlsplit  # noqa: PLC0415 - heavy, and only here

        if not text.isprintable() or " " in text:
            return False
        try:
            parts = urlsplit(text)
            return parts.scheme in allowed and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            return False

    return _text("url", f"a URL with {' or '.join(f'{s}://' for s in allowed)}", holds)


def io_file_exists() -> Rule:
    """Expect the path of a regular file. The one rule here that asks the disk.

    >>> print(io_file_exists()("/no/such/file"))
    expected the path of a file, found '/no/such/file'
    """
    import os.path  # noqa: PLC0415 - the other rules need no disk

    def check(value: Any) -> Problem | None:
        try:
            there = os.path.isfile(value)  # noqa: PTH113 - takes whatever a path may be
        except (TypeError, ValueError):
            there = False
        if there:
            return None
        return Problem("the path of a file", describe(value), rule="io_file_exists")

    return Rule(check, name="io_file_exists", expected="the path of a file")


def _text(name: str, expected: str, holds: Any) -> Rule:
    def check(value: Any) -> Problem | None:
        if not isinstance(value, str):
            return Problem("text", describe(value), rule=name, fatal=True)
        return None if holds(value) else Problem(expected, describe(value), rule=name)

    return Rule(check, name=name, expected=expected)


def _is_email(text: str) -> bool:
    local, _, host = text.rpartition("@")
    if len(local) > 64 or len(host) > 253 or "." not in host:
        return False
    return (
        bool(_LOCAL.fullmatch(local))
        and bool(_HOST.fullmatch(host))
        and not any(label.startswith("-") or label.endswith("-") for label in host.split("."))
    )


email = _text("email", "an e-mail address", _is_email)
identifier = _text("identifier", "an identifier", str.isidentifier)
digest = _text("digest", "a digest like sha256:…", _DIGEST.fullmatch)
