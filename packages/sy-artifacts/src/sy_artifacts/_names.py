"""What an artifact may be called, and how it is pointed at."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

from sy_artifacts._errors import InvalidName, InvalidRef

MAX_NAME_BYTES = 1024
MIN_PREFIX_DIGITS = 6
DIGEST_START = "sha256:"

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DIGEST = re.compile(r"sha256:([0-9a-f]{1,64})")
_WHOLE = re.compile(r"sha256:([0-9a-f]{64})")
_VERSION = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class NameRef(NamedTuple):
    """A name, and which of its versions: the newest if none is said."""

    name: str
    version: int | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"


class DigestRef(NamedTuple):
    """The hexadecimal digits of a digest, all 64 or the first of them."""

    digits: str

    @property
    def complete(self) -> bool:
        """Whether all digits are there."""
        return len(self.digits) == 64

    def __str__(self) -> str:
        return DIGEST_START + self.digits


Ref = NameRef | DigestRef


def check_name(name: str) -> str:
    """Return *name* if it can name an artifact, else raise :class:`InvalidName`.

    >>> check_name("notes/brief.md")
    'notes/brief.md'
    """
    reason = _fault(name)
    if reason is not None:
        raise InvalidName(name=name, reason=reason)
    return name


def quote_name(text: str) -> str:
    """Return a valid name for any *text*, such as a file's path; a valid name is itself.

    What a name cannot hold is percent-encoded, as in URLs, so that different texts keep
    different names unless one of them is already encoded.

    >>> quote_name("node_modules/@types/../x.ts"), quote_name("/etc/hosts"), quote_name("a.md")
    ('node_modules/%40types/%2E%2E/x.ts', '%2Fetc/hosts', 'a.md')
    """
    if _fault(text) is None:
        return text
    parts = [_quote_part(part) for part in text.split("/")]
    while len(parts) > 1 and not parts[0]:  # a leading slash becomes part of what follows it
        parts[:2] = ["%2F" + parts[1]]
    while len(parts) > 1 and not parts[-1]:
        parts[-2:] = [parts[-2] + "%2F"]
    joined = re.sub("/(/+)", lambda slashes: "/" + "%2F" * len(slashes[1]), "/".join(parts))
    return check_name(joined or "%00")


def parse_ref(text: str) -> Ref:
    """Return what *text* points at: a name, a name@version, a digest or the start of one.

    >>> parse_ref("brief.md@2")
    NameRef(name='brief.md', version=2)
    >>> str(parse_ref("sha256:0a1b2c"))
    'sha256:0a1b2c'
    """
    if text.startswith(DIGEST_START):
        return _parse_digest(text)
    name, at, version = text.partition("@")
    reason = _fault(name)
    if reason is None and at and not _VERSION.fullmatch(version):
        reason = "a version is a number from 1"
    if reason is not None:
        raise InvalidRef(ref=text, reason=reason)
    return NameRef(name, int(version) if at else None)


def parse_digest(text: str) -> bytes | None:
    """Return the bytes of a whole digest; None for every other text.

    >>> parse_digest("sha256:" + "0a" * 32) == bytes([10]) * 32, parse_digest("sha256:0a0a0a")
    (True, None)
    """
    found = _WHOLE.fullmatch(text)
    return None if found is None else bytes.fromhex(found[1])


def next_prefix(prefix: str) -> str | None:
    """Return the least text above every text that begins with *prefix*; None if there is none.

    >>> next_prefix("src/a"), next_prefix("")
    ('src/b', None)
    """
    kept = prefix.rstrip(chr(_LAST_CHARACTER))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    if following in _SURROGATES:
        following = _SURROGATES.stop
    return kept[:-1] + chr(following)


def _parse_digest(text: str) -> DigestRef:
    found = _DIGEST.fullmatch(text)
    if found is None:
        raise InvalidRef(ref=text, reason="sha256: is followed by up to 64 of 0-9 and a-f")
    if len(found[1]) < MIN_PREFIX_DIGITS:
        raise InvalidRef(ref=text, reason=f"at least {MIN_PREFIX_DIGITS} digits are needed")
    return DigestRef(found[1])


def _quote_part(part: str) -> str:
    if part in {".", ".."}:
        return part.replace(".", "%2E")
    kept = "".join(c if _plain(c) else quote(c.encode("utf-8", "surrogateescape")) for c in part)
    return kept.replace(DIGEST_START, "sha256%3A")


def _plain(character: str) -> bool:
    return not (character == "@" or _CONTROL.match(character) or ord(character) in _SURROGATES)


def _fault(name: str) -> str | None:
    """Say why *name* cannot name an artifact; None if it can."""
    if not name:
        return "it is empty"
    if _CONTROL.search(name):
        return "it has a control character"
    if "@" in name:
        return "@ comes before a version"
    if DIGEST_START in name:
        return "sha256: begins a digest"
    if name.startswith("/"):
        return "it is absolute"
    if any(part in {"", ".", ".."} for part in name.split("/")):
        return "its parts between slashes are not empty, . or .."
    return _size_fault(name)


def _size_fault(name: str) -> str | None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    return None if size <= MAX_NAME_BYTES else f"it has {size} bytes, and {MAX_NAME_BYTES} fit"
