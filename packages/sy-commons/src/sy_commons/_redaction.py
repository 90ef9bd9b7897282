"""Take secrets out of what is about to be shown.

Two nets: names that say a value is secret, and patterns of well-known tokens. A literal
look-up stands before each pattern, so that clean text costs a few substring searches only, and
every pattern is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sy_commons._secret import MASK, Secret

MAX_TEXT = 16_384
MAX_ITEMS = 100
MAX_DEPTH = 8
_MAX_NAME = 256
_SLACK = 4096  # a token across the cut is seen whole before the text is shortened
_LARGEST_INTEGER = 1 << 4096  # beyond it, Python refuses to write an integer in decimal

# Words, alone or as part of one: dbpassword, apikey.
_SECRET_PARTS = re.compile(
    r"password|passwd|passphrase|passcode|secret(?!ar)|credential|authori[sz]ation|cookie"
    r"|(?:api|access|private|encryption|signing)[_\-. ]?key|^pwd$|(?:^|[_\-. ])pwd(?:$|[_\-. ])"
)
# A token is a secret; tokens are what models count, and these are words of their vocabularies.
_TOKEN = re.compile(
    r"(?<!bos_)(?<!eos_)(?<!pad_)(?<!unk_)(?<!sep_)(?<!cls_)(?<!mask_)(?<!per_)(?<!special_)"
    r"token(?:[_\-. ](?:value|header|secret|env))?$"
    r"|(?:access|auth|refresh|api|bearer|session|id)[_\-. ]?tokens$"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# The value after a name that says secret: quoted (closed or cut off), or up to a separator.
_VALUE = (
    r"(?!\*\*\*)(?:\"((?:[^\"\\\n]|\\.)*)|'((?:[^'\\\n]|\\.)*)"
    r"|((?!(?:bearer|basic)\s)[^\s\"',;&}\]]+))"
)
_STRONG = ("password", "passwd", "passphrase", "secret", "key", "credential", "authori", "cookie")
_PATTERNS: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    (("bearer ",), re.compile(r"(?i)(?<=bearer )[\w\-.~+/]{8,}=*")),
    (("basic ",), re.compile(r"(?i)(?<=basic )[A-Za-z0-9+/]{8,}=*")),
    (("://",), re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)")),
    (("sk-",), re.compile(r"(?<!\w)sk-[\w\-]{16,}")),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), re.compile(r"\bgh[pousr]_\w{20,}")),
    (("github_pat_",), re.compile(r"\bgithub_pat_\w{20,}")),
    (("hf_",), re.compile(r"\bhf_[A-Za-z0-9]{20,}")),
    (("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    (("eyj",), re.compile(r"(?<![\w\-])eyJ[\w\-]{8,}\.[\w\-]{8,}\.[\w\-]*")),
    (("xox",), re.compile(r"\bxox[abprs]-[\w\-]{10,}")),
    (
        ("private key",),
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
        ),
    ),
    (
        _STRONG,
        re.compile(
            r"(?i)(?<!\w)\w*(?:password|passwd|passphrase|secret|credentials?|authori[sz]ation"
            r"|cookie|(?:api|access|private|encryption|signing)[_-]?key)"
            r"[\"']?\s*[=:]\s*" + _VALUE
        ),
    ),
    # A bare token, with an equals sign or as a quoted key: "unexpected token: }" is no secret.
    (
        ("token",),
        re.compile(
            r"(?i)(?<!\w)(?:(?:\w*[_-])?token\s*=|[\"'](?:\w*[_-])?token[\"']\s*:"
            r"|(?:auth|access|refresh|api|session)[_-]?token\s*:)\s*" + _VALUE
        ),
    ),
)
# What can stand in a text without any of = : - and _, as most texts are.
_UNMARKED = tuple(part for part in _PATTERNS if part[0][0] in ("bearer ", "basic ", "akia", "eyj"))


@lru_cache(maxsize=2048)
def is_secret_name(name: str) -> bool:
    """Tell whether a field of this *name* holds a secret.

    >>> names = ("api_key", "db.password", "hfToken", "path", "max_tokens", "eos_token")
    >>> [is_secret_name(name) for name in names]
    [True, True, True, False, False, False]
    """
    lowered = _HUMP.sub("_", name[:_MAX_NAME]).lower()
    return bool(_SECRET_PARTS.search(lowered) or _TOKEN.search(lowered))


def redact_text(text: str) -> str:
    """Return *text* with every well-known token masked.

    >>> redact_text("GET https://ann:hunter2@host/x password='a b' max_tokens=5")
    "GET https://***@host/x password='***' max_tokens=5"
    """
    lowered = text.lower()
    marked = "=" in text or ":" in text or "-" in text or "_" in text
    for literals, pattern in _PATTERNS if marked else _UNMARKED:
        for literal in literals:
            if literal in lowered:
                text = pattern.sub(_mask, text)
                break
    return text


def shown(text: str) -> str:
    """Return *text* redacted, shortened, and encodable as UTF-8: fit for an error or a log."""
    if len(text) > MAX_TEXT:
        text = redact_text(text[: MAX_TEXT + _SLACK])
        text = f"{text[:MAX_TEXT]}… (shortened)"
    else:
        text = redact_text(text)
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def text_of(value: object) -> str:
    """Return ``str(value)``, or what kept it from being one.

    >>> text_of(b"ab")
    "b'ab'"
    """
    try:
        return repr(value) if isinstance(value, bytes | bytearray) else str(value)
    except Exception as error:  # noqa: BLE001 - a broken __str__ must not hide what is being told
        return f"<{type(value).__name__}: {type(error).__name__} in __str__>"


def json_safe(value: Any, *, name: str = "") -> Any:
    """Return *value* as bounded, redacted JSON data; what JSON cannot say becomes its text.

    Never raises, whatever *value* is.

    >>> json_safe({"path": ("a", 1), "token": "t", "raw": b"ab"})
    {'path': ['a', 1], 'token': '***', 'raw': "b'ab'"}
    """
    return _guarded(value, name, 0)


def _guarded(value: Any, name: str, depth: int) -> Any:
    try:
        return _json_safe(value, name, depth)
    except Exception as error:  # noqa: BLE001 - a mapping that fails as it is read: tell of it
        return f"<{type(value).__name__}: {type(error).__name__} as it was read>"


def _json_safe(value: Any, name: str, depth: int) -> Any:
    if name and is_secret_name(name):
        return MASK
    if isinstance(value, str):  # what nearly everything is
        return shown(str(value))
    if isinstance(value, Secret):
        return MASK
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _safe_number(value)
    if isinstance(value, bytes | bytearray):
        return shown(repr(bytes(value[:MAX_TEXT])))
    if depth >= MAX_DEPTH:
        return f"{type(value).__name__} …"
    if isinstance(value, Mapping):
        return _safe_items(value, depth)
    if isinstance(value, list | tuple | set | frozenset):
        several = sorted(value, key=text_of) if isinstance(value, set | frozenset) else value
        safe = [_guarded(item, "", depth + 1) for item in several[:MAX_ITEMS]]
        return [*safe, f"… {len(value)} in all"] if len(value) > MAX_ITEMS else safe
    return shown(text_of(value))


def _safe_number(value: Any) -> Any:
    if isinstance(value, float):
        return float(value) if value - value == 0 else str(value)  # neither NaN nor infinite
    return int(value) if -_LARGEST_INTEGER < value < _LARGEST_INTEGER else hex(value)[:64] + "…"


def _safe_items(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    safe: dict[str, Any] = {}
    for key, item in value.items():
        if len(safe) >= MAX_ITEMS:
            safe["…"] = f"{len(value)} in all"
            break
        label = text_of(key)
        told = label if len(label) < _MAX_NAME and label.isidentifier() else shown(label)
        if type(item) is str and not is_secret_name(label):
            safe[told] = shown(item)
        else:
            safe[told] = _guarded(item, label, depth + 1)
    return safe


def _mask(match: re.Match[str]) -> str:
    if not match.lastindex:
        return MASK
    start, end = match.span(match.lastindex)
    if start == end:
        return match.group()
    whole = match.group()
    return whole[: start - match.start()] + MASK + whole[end - match.start() :]
