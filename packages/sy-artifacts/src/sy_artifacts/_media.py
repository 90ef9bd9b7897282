"""What kind of content it is, by its name and its first bytes."""

from __future__ import annotations

import codecs
import mimetypes

BINARY = "application/octet-stream"
TEXT = "text/plain"

_UTF8 = codecs.getincrementaldecoder("utf-8")

# The tables of Python itself, and not the machine's: the same bytes have the same type everywhere.
_TABLE = mimetypes.MimeTypes(filenames=())
for _type, _suffixes in {
    "application/toml": (".toml",),
    "application/x-ndjson": (".jsonl", ".ndjson"),
    "application/yaml": (".yaml", ".yml"),
    "text/markdown": (".md", ".markdown"),
    "text/x-python": (".py", ".pyi"),
    "text/x-rst": (".rst",),
}.items():
    for _suffix in _suffixes:
        _TABLE.add_type(_type, _suffix)


def content_type_of(name: str | None, start: bytes) -> str:
    r"""Return the media type that *name* says, else what the content's *start* looks like.

    >>> [content_type_of(name, b"plain") for name in ("brief.md", None)]
    ['text/markdown', 'text/plain']
    >>> content_type_of("LICENSE", b"\0")
    'application/octet-stream'
    """
    named = _TABLE.guess_type(name.rpartition("/")[2])[0] if name else None
    return named or (TEXT if _looks_like_text(start) else BINARY)


def _looks_like_text(start: bytes) -> bool:
    if b"\0" in start:
        return False
    try:
        _UTF8().decode(start)  # the last character may be cut in its middle
    except UnicodeDecodeError:
        return False
    return True
