"""Read a file whole, within a limit, and say exactly why not."""

from __future__ import annotations

import codecs
import os
import re

from sy_commons._file_errors import (
    BinaryFile,
    FileTooLarge,
    NotDecodable,
    UnknownEncoding,
    file_problem,
    path_text,
    refuse_irregular,
)

MAX_BYTES = 64 << 20
# Without O_NONBLOCK, a FIFO that takes the file's place after the look hangs its reader.
READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_CHUNK = 1 << 20

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins it
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# PEP 263, as Python, Emacs and Vim read it: a comment on the first or second line.
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)
# Decoders that run code points through escapes or take quadratic time.
_NO_FILE = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined")


def read_bytes(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return what is in the file at *path*, which has at most *max_bytes*.

    Never hangs on a FIFO and never reads a device, also when one takes the file's place in
    between. Raises :class:`PathMissing`, :class:`NotAFile`, :class:`FileTooLarge`,
    :class:`FileRefused` or :class:`FileProblem`.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(b"hello"), file.flush()
    ...     read_bytes(file.name, max_bytes=10)
    b'hello'
    """
    name = path_text(path)
    try:
        refuse_irregular(name, os.stat(name).st_mode)  # noqa: PTH116 - opening a device may already do something
        descriptor = os.open(name, READ_FLAGS)
    except (OSError, ValueError) as error:
        raise file_problem(name, error) from error
    return read_descriptor(descriptor, name, max_bytes)


def read_text(
    path: str | os.PathLike[str], *, encoding: str | None = None, max_bytes: int = MAX_BYTES
) -> str:
    """Return the text of the file at *path*, which has at most *max_bytes*; line ends stay.

    Without *encoding*, the file's own declaration counts, a byte order mark or a coding comment
    on its first two lines; without one it is UTF-8. Raises what :func:`read_bytes` does, and
    :class:`BinaryFile`, :class:`NotDecodable` (with the offset) or :class:`UnknownEncoding`.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write("größe".encode()), file.flush()
    ...     read_text(file.name)
    'größe'
    """
    return decode(read_bytes(path, max_bytes=max_bytes), path_text(path), encoding)


def read_descriptor(descriptor: int, name: str, max_bytes: int) -> bytes:
    """Return the contents of the open file *descriptor*, and close it."""
    try:
        about = os.fstat(descriptor)
        refuse_irregular(name, about.st_mode)
        if about.st_size > max_bytes:
            raise FileTooLarge(path=name, size_bytes=about.st_size, max_bytes=max_bytes)
        data = _read(descriptor, max_bytes, about.st_size)
    except OSError as error:
        raise file_problem(name, error) from error
    finally:
        os.close(descriptor)
    if len(data) > max_bytes:  # it grew, or is one of those in /proc that say 0
        raise FileTooLarge(path=name, size_bytes=len(data), max_bytes=max_bytes)
    return data


def decode(data: bytes, name: str, encoding: str | None = None) -> str:
    """Return *data* as text, with the rules of :func:`read_text`."""
    declared = encoding or declared_encoding(data)
    try:
        info = codecs.lookup(declared)
    except (LookupError, ValueError) as error:
        raise UnknownEncoding(path=name, encoding=declared) from error
    if not getattr(info, "_is_text_encoding", True) or info.name.replace("_", "-") in _NO_FILE:
        raise UnknownEncoding(path=name, encoding=declared)
    offset = -1 if info.name.startswith(("utf-16", "utf-32")) else data.find(b"\0")
    if offset >= 0:
        raise BinaryFile(path=name, offset=offset)
    try:
        return data.decode(declared)
    except UnicodeDecodeError as error:
        raise NotDecodable(
            path=name,
            encoding=info.name,
            reason=f"byte 0x{data[error.start]:02x} ({error.reason})",
            offset=error.start,
            line=data.count(b"\n", 0, error.start) + 1,
        ) from error
    except UnicodeError as error:  # a truncated UTF-16 and its like
        raise NotDecodable(
            path=name, encoding=info.name, reason=str(error), offset=len(data), line=1
        ) from error


def declared_encoding(data: bytes) -> str:
    """Return the encoding that *data* declares by mark or comment, else "utf-8"."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return encoding
    for line in data[:1024].split(b"\n", 2)[:2]:
        if found := _COOKIE.match(line):
            return found[1].decode()
        if line.strip() and not line.lstrip().startswith(b"#"):
            break  # PEP 263: code on the first line ends the search
    return "utf-8"


def _read(descriptor: int, max_bytes: int, expected: int) -> bytes:
    parts: list[bytes] = []
    left = max_bytes + 1
    step = min(max(expected + 1, 4096), _CHUNK)
    while left > 0 and (part := os.read(descriptor, min(step, left))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
