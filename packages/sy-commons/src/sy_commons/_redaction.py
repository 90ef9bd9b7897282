"""Take secrets out of what is about to be shown.

Two nets: names that say a value is secret, and patterns of well-known tokens. A literal
look-up stands before each pattern, so that clean text costs a few substring searches only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sy_commons._secret import MASK, Secret

MAX_TEXT = 4096
MAX_ITEMS = 100
MAX_DEPTH = 8

_NAMES = re.compile(
    r"pass(?:word|wd|phrase)|secret|token|credential|authori[sz]ation|cookie"
    r"|(?:api|access|private|secret|encryption|signing)[_\-. ]?key|(?:^|[_\-.])pwd(?:$|[_\-.])",
    re.IGNORECASE,
)
# Words that hold "token" and mean a count or a piece of text.
_HARMLESS = re.compile(
    r"tokens?[_\-.]?(?:count|limit|budget|s$)|(?:max|num|n|per)[_\-. ]\w*tokens?"
)

_PATTERNS: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    (("earer ",), re.compile(r"(?i)(?<=bearer )[\w\-.~+/]{8,}=*")),
    (("asic ",), re.compile(r"(?i)(?<=basic )[A-Za-z0-9+/]{8,}=*")),
    (("://",), re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)")),
    (("sk-",), re.compile(r"\bsk-[\w\-]{16,}")),
    (("gh", "github_pat_"), re.compile(r"\b(?:gh[pousr]_|github_pat_)\w{20,}")),
    (("AKIA", "ASIA"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    (("eyJ",), re.compile(r"\beyJ[\w\-]{8,}\.[\w\-]{8,}\.[\w\-]*")),
    (("xox",), re.compile(r"\bxox[abprs]-[\w\-]{10,}")),
    (
        ("PRIVATE KEY",),
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
        ),
    ),
    (
        ("=", ":"),
        re.compile(
            r"(?i)(?<![\w])(?:\w*(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key"
            r"|private[_-]?key|auth[_-]?token|access[_-]?token))[\"']?\s*[=:]\s*[\"']?"
            r"(?!\*\*\*)([^\s\"',;&}\]]+)"
        ),
    ),
)


def is_secret_name(name: str) -> bool:
    """Tell whether a field of this *name* holds a secret.

    >>> [is_secret_name(name) for name in ("api_key", "db.password", "path", "max_tokens")]
    [True, True, False, False]
    """
    return bool(_NAMES.search(name)) and not _HARMLESS.search(name)


def redact_text(text: str) -> str:
    """Return *text* with every well-known token masked.

    >>> redact_text("GET https://ann:hunter2@host/x password=abc")
    'GET https://***@host/x password=***'
    """
    for literals, pattern in _PATTERNS:
        if any(literal in text for literal in literals):
            text = pattern.sub(_mask, text)
    return text


def json_safe(value: Any, *, name: str = "", depth: int = 0) -> Any:
    """Return *value* as bounded, redacted JSON data; what JSON cannot say becomes its text.

    >>> json_safe({"path": ("a", 1), "token": "t", "raw": b"ab"})
    {'path': ['a', 1], 'token': '***', 'raw': "b'ab'"}
    """
    if isinstance(value, Secret) or (name and is_secret_name(name)):
        return MASK
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)  # noqa: PLR0124 - NaN
    if isinstance(value, str):
        return redact_text(_shorten(str(value)))
    if depth >= MAX_DEPTH:
        return _shorten(type(value).__name__ + " …")
    if isinstance(value, Mapping):
        items = list(value.items())[:MAX_ITEMS]
        return {
            redact_text(_shorten(str(k))): json_safe(v, name=str(k), depth=depth + 1)
            for k, v in items
        }
    if isinstance(value, list | tuple | set | frozenset):
        several = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [json_safe(item, depth=depth + 1) for item in list(several)[:MAX_ITEMS]]
    return redact_text(_shorten(_text(value)))


def _mask(match: re.Match[str]) -> str:
    if not match.re.groups:
        return MASK
    start, end = match.span(1)
    whole = match.group()
    return whole[: start - match.start()] + MASK + whole[end - match.start() :]


def _text(value: Any) -> str:
    try:
        return repr(value) if isinstance(value, bytes | bytearray) else str(value)
    except Exception as error:  # noqa: BLE001 - a broken __str__ must not hide the error being told
        return f"<{type(value).__name__}: {type(error).__name__} in __str__>"


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"
