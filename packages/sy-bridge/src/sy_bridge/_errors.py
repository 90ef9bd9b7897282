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
    message = "{path} is no folder{reason}"
    hint = "give the path of a folder with sources in it"
    path: str
    reason: str = ""


class NothingMatched(SymphonyError):
    """The folder holds no file that a pattern wants."""

    code = "bridge.nothing_matched"
    category = ErrorCategory.VALIDATION
    message = "no file under {root} matches {patterns}"
    hint = "give another folder, or another pattern"
    root: str
    patterns: str


class NothingToSay(SymphonyError):
    """The summarizer was given no sentence to choose from."""

    code = "bridge.nothing_to_say"
    category = ErrorCategory.VALIDATION
    message = "there is no sentence to summarize in {documents} documents"
    hint = "give a tree whose files have docstrings, comments or a README"
    documents: int


class InstrumentUnknown(SymphonyError):
    """A Melody asks for an instrument that is not installed."""

    code = "bridge.instrument_unknown"
    category = ErrorCategory.NOT_FOUND
    message = "no instrument is, or can, {instrument!r}{suggestion}"
    hint = "list what is installed: {command} ext list"
    instrument: str
    suggestion: str
    command: str = "sy"


class MelodyMissing(SymphonyError):
    """There is no Melody of this name or at this path."""

    code = "bridge.melody_missing"
    category = ErrorCategory.NOT_FOUND
    message = "there is no melody {melody}{suggestion}"
    hint = "give the path of a .toml file, or the name of one that comes along: {known}"
    melody: str
    suggestion: str
    known: str


class InputMissing(SymphonyError):
    """An input of type path names nothing that exists."""

    code = "bridge.input_missing"
    category = ErrorCategory.NOT_FOUND
    message = "input {name!r}: there is no file or folder {path}"
    hint = "give a path that exists: --input {name}=PATH"
    name: str
    path: str


class InputInvalid(SymphonyError):
    """An argument of --input is not NAME=VALUE."""

    code = "bridge.input_invalid"
    category = ErrorCategory.VALIDATION
    message = "--input {given!r} is not NAME=VALUE"
    hint = "for example --input path=."
    given: str


class InputTwice(SymphonyError):
    """An input was given more than once."""

    code = "bridge.input_twice"
    category = ErrorCategory.VALIDATION
    message = "input {name!r} was given before"
    hint = "give each input once"
    name: str


class FolderUnusable(SymphonyError):
    """A folder that is to be written to cannot be."""

    code = "bridge.folder_unusable"
    category = ErrorCategory.VALIDATION
    message = "{option} {folder}: {reason}"
    hint = "name a folder that can be written to; nothing was run"
    option: str
    folder: str
    reason: str


class ArtifactNameInvalid(SymphonyError):
    """A Melody wants to keep an output under a name that the store does not take."""

    code = "bridge.artifact_name"
    category = ErrorCategory.VALIDATION
    message = "{melody}: output {output!r} cannot be kept as {artifact!r}"
    hint = "name it by a relative path without '..', '@' or 'sha256:', such as {better!r}"
    melody: str
    output: str
    artifact: str
    better: str


class RunUnknown(SymphonyError):
    """No run has this id."""

    code = "bridge.run_unknown"
    category = ErrorCategory.NOT_FOUND
    message = "there is no run {run!r} in {folder}{suggestion}"
    hint = "list them: {command} runs"
    run: str
    folder: str
    suggestion: str
    command: str


class PitClosed(SymphonyError):
    """The Pit was used before it was entered, or after it was left."""

    code = "bridge.pit_closed"
    category = ErrorCategory.CONFLICT
    message = "the Pit at {home} is not open"
    hint = "use it within: async with Pit.open() as pit"
    home: str


class OutputUnknown(SymphonyError):
    """A performance has no output of this name."""

    code = "bridge.output_unknown"
    category = ErrorCategory.NOT_FOUND
    message = "the performance has no output {output!r}{suggestion}"
    hint = "its outputs: {known}"
    output: str
    suggestion: str
    known: str


class WrongKind(SymphonyError, LookupError):
    """A Melody uses an instrument as an operator, or the other way round."""

    code = "bridge.wrong_kind"
    category = ErrorCategory.VALIDATION
    message = "{extension!r} is an {kind}, not an {wanted}"
    hint = 'write {kind} = "{extension}" in the node'
    extension: str
    kind: str
    wanted: str
