"""What can be wrong with a file, each with the facts that tell somebody what to do."""

from __future__ import annotations

import errno
import os
import stat

from sy_commons._errors import ErrorCategory, SymphonyError


class FileProblem(SymphonyError):
    """A file could not be read or written, for the reason the system gives."""

    code = "commons.file"
    category = ErrorCategory.IO
    message = "{path}: {reason}"
    path: str
    reason: str


class PathMissing(SymphonyError):
    """There is nothing at this path."""

    code = "commons.path_missing"
    category = ErrorCategory.NOT_FOUND
    message = "there is no file or folder {path}"
    hint = "look at the spelling; it may also have been removed meanwhile"
    path: str


class NotAFile(SymphonyError):
    """There is something at this path, and it is no regular file."""

    code = "commons.not_a_file"
    category = ErrorCategory.VALIDATION
    message = "{path} is {kind}, and a file is wanted"
    path: str
    kind: str


class FileTooLarge(SymphonyError):
    """The file is larger than what the caller is ready to take."""

    code = "commons.file_too_large"
    category = ErrorCategory.VALIDATION
    message = "{path} is too large: {size_bytes} bytes, and {max_bytes} are allowed"
    hint = "leave it out, or raise the limit"
    path: str
    size_bytes: int
    max_bytes: int


class BinaryFile(SymphonyError):
    """The file holds a NUL byte, as no text does."""

    code = "commons.binary_file"
    category = ErrorCategory.VALIDATION
    message = "{path} is binary, not text: there is a NUL byte at offset {offset}"
    hint = "leave it out, or read it as bytes"
    path: str
    offset: int


class NotDecodable(SymphonyError):
    """The file is not in the encoding that it declares, or that was asked for."""

    code = "commons.not_decodable"
    category = ErrorCategory.VALIDATION
    message = "{path} is not {encoding}: {reason} at offset {offset}, line {line}"
    hint = "save it as UTF-8, or name its encoding"
    path: str
    encoding: str
    reason: str
    offset: int
    line: int


class UnknownEncoding(SymphonyError):
    """The encoding that was declared or asked for is none that files are read in."""

    code = "commons.unknown_encoding"
    category = ErrorCategory.VALIDATION
    message = "{path}: text is not read in the encoding {encoding!r}"
    hint = "save it as UTF-8"
    path: str
    encoding: str


class FileRefused(SymphonyError):
    """The system does not allow it."""

    code = "commons.file_refused"
    category = ErrorCategory.PERMISSION
    message = "{path}: {reason}"
    hint = "look at the permissions of the file and of the folders above it"
    path: str
    reason: str


class DiskFull(SymphonyError):
    """There is no room to write; what was there before still stands."""

    code = "commons.disk_full"
    category = ErrorCategory.RESOURCE
    message = "no room left to write {path} ({reason})"
    hint = "make room and do it again: nothing of it was kept, what was there before stands"
    path: str
    reason: str


class PathEscape(SymphonyError):
    """The path leads out of the folder it has to stay in."""

    code = "commons.path_escape"
    category = ErrorCategory.PERMISSION
    message = "{path} leads out of {root}"
    hint = "give a path below it; no link on the way may lead out"
    path: str
    root: str


_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ETXTBSY)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISLNK, "a link"),
)


def file_problem(path: str, error: OSError | ValueError) -> SymphonyError:
    """Return the error that tells of what the system raised for *path*."""
    if not isinstance(error, OSError):  # a NUL or an unencodable character in the path
        return FileProblem(path=path, reason=str(error))
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return PathMissing(path=path)
    if error.errno == errno.EISDIR:
        return NotAFile(path=path, kind="a folder")
    if error.errno in _REFUSED:
        return FileRefused(path=path, reason=reason)
    if error.errno in _FULL:
        return DiskFull(path=path, reason=reason)
    return FileProblem(path=path, reason=reason)


def refuse_irregular(path: str, mode: int) -> None:
    """Raise :class:`NotAFile` unless *mode* is a regular file's."""
    if not stat.S_ISREG(mode):
        kind = next((kind for test, kind in _KINDS if test(mode)), "a device")
        raise NotAFile(path=path, kind=kind)


def path_text(path: str | os.PathLike[str]) -> str:
    """Return *path* as text; bytes are refused, they print badly."""
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"a path is a str or a Path, and {type(path).__name__} was given")
    return text
