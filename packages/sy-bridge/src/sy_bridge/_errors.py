"""What can go wrong when a Melody is performed."""

from __future__ import annotations

from sy_commons import ErrorCategory, SymphonyError


class PythonUnreadable(SymphonyError):
    """A file ends in .py and does not parse as Python."""

    code = "bridge.python_unreadable"
    category = ErrorCategory.VALIDATION
    message = "{path}:{line} is no Python this interpreter reads: {reason}"
    hint = "mend the file, or leave it out with the glob's exclude"
    path: str
    line: int
    reason: str


class FolderMissing(SymphonyError):
    """There is no folder to read."""

    code = "bridge.folder_missing"
    category = ErrorCategory.NOT_FOUND
    message = "there is no folder {path}"
    hint = "give the path of a folder with sources in it"
    path: str


class NothingMatched(SymphonyError):
    """The folder holds no file that a pattern wants."""

    code = "bridge.nothing_matched"
    category = ErrorCategory.VALIDATION
    message = "no file under {root} matches {patterns}"
    hint = "give another folder, or another pattern"
    root: str
    patterns: str


class FileRefused(SymphonyError):
    """A file is there and cannot be used."""

    code = "bridge.file_refused"
    category = ErrorCategory.VALIDATION
    message = "{path}: {reason}"
    hint = "{advice}"
    path: str
    reason: str
    advice: str


class NothingToSay(SymphonyError):
    """The summarizer was given no sentence to choose from."""

    code = "bridge.nothing_to_say"
    category = ErrorCategory.VALIDATION
    message = "there is no sentence to summarize in {documents} documents"
    hint = "give a tree whose files have docstrings, comments or a README"
    documents: int
