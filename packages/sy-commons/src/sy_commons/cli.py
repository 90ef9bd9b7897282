"""The ``sy`` command, and the plumbing every package's commands share.

A package adds a sub-command by an entry point of group ``sy.commands`` whose value is a
:class:`Command`::

    [project.entry-points."sy.commands"]
    dag = "sy_dag.cli:COMMAND"

Whatever a command raises ends as one clear message: exit status 2 for how it was called or what
it was given, 1 for what failed on the way, 130 for Ctrl-C; a traceback only with ``--debug``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sy_commons._errors import ErrorCategory, SymphonyError
from sy_commons._redaction import shown
from sy_commons._suggestion import suggestion
from sy_commons._wire import to_wire

GROUP = "sy.commands"
FAILED, USAGE, INTERRUPTED = 1, 2, 130

_USAGE_CATEGORIES = frozenset(
    {ErrorCategory.VALIDATION, ErrorCategory.CONFIGURATION, ErrorCategory.NOT_FOUND}
)


class CommandUnavailable(SymphonyError):
    """A sub-command is installed and does not load."""

    code = "commons.command_unavailable"
    category = ErrorCategory.UNAVAILABLE
    message = "the command {name} does not load: {reason}"
    hint = "see where with --debug; a package that it needs may be missing or broken"
    name: str
    reason: str


class Command(NamedTuple):
    """One sub-command: what its help says, which arguments it takes, what it does.

    ``run`` gets the parsed options and returns an exit status (None is 0); ``--debug`` and
    ``--json`` are there for every command.
    """

    help: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int | None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``sy`` with *arguments* (default: the process's) and return its exit status."""
    return run_program("sy", _Installed(), arguments)


def run_program(
    name: str, commands: Mapping[str, Command], arguments: Sequence[str] | None = None
) -> int:
    """Run a program of several sub-commands and return its exit status.

    >>> hello = Command("Say hello.", lambda parser: None, lambda options: print("hello"))
    >>> run_program("demo", {"hello": hello}, ["hello"])
    hello
    0
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    chosen = next((word for word in words if not word.startswith("-")), "")
    try:
        if chosen and chosen not in commands:
            print(_unknown(name, chosen, commands), file=sys.stderr)
            return USAGE
        if chosen or "--version" in words:  # load that one alone: the others may be heavy
            commands = {chosen: commands[chosen]} if chosen else {}
        parser = _parser(name, commands)
        options = parser.parse_args(words)
    except KeyboardInterrupt:
        return _interrupted(name)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else USAGE
    if getattr(options, "run", None) is None:
        parser.print_help()
        return USAGE
    return run_command(name, options)


def run_command(name: str, options: argparse.Namespace) -> int:
    """Run ``options.run(options)`` and turn whatever it raises into a message and a status."""
    _prepare_output()
    try:
        status = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _interrupted(name)
    except BrokenPipeError:  # the reader, head or less, has seen enough
        _close_output()
        return 0
    except Exception as error:
        if getattr(options, "debug", False):
            raise
        return report(name, error, as_json=getattr(options, "json", False))
    return status or 0


def report(name: str, error: BaseException, *, as_json: bool = False) -> int:
    """Print *error* on standard error, as text or as one line of JSON, and return its status."""
    if as_json:
        print(json.dumps({"error": to_wire(error)}, ensure_ascii=False), file=sys.stderr)
    else:
        print(describe(name, error), file=sys.stderr)
    return USAGE if _is_usage(error) else FAILED


def describe(name: str, error: BaseException) -> str:
    """Return the lines that tell a person what happened and what to do.

    >>> print(describe("sy", SymphonyError("no such run", hint="list them: sy runs")))
    sy: no such run
      hint: list them: sy runs
    """
    if isinstance(error, BaseExceptionGroup):
        parts = [describe(name, part) for part in error.exceptions]
        return "\n".join([f"{name}: {to_wire(error)['text']}", *parts])
    told = to_wire(error)  # redacted
    if not isinstance(error, SymphonyError):
        return (
            f"{name}: unexpected {told['type']}: {told['text']}\n"
            "  hint: run it again with --debug to see where, and report it"
        )
    lines = [f"{name}: {told['text']}"]
    lines += [f"  note: {note}" for note in told.get("notes", ())]
    lines += [f"  hint: {told['hint']}"] if told["hint"] else []
    return "\n".join(lines)


def _is_usage(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_usage(part) for part in error.exceptions)
    return isinstance(error, SymphonyError) and error.category in _USAGE_CATEGORIES


def _interrupted(name: str) -> int:
    print(f"{name}: interrupted", file=sys.stderr)
    return INTERRUPTED


def _prepare_output() -> None:
    """Make sure that something can be printed: to a closed output too, in any encoding."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the caller closed it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - it stays open
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _close_output() -> None:
    """Let what is still to be flushed go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # one that is no file has nothing to flush
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _unknown(name: str, word: str, commands: Mapping[str, Command]) -> str:
    told = f"{name}: there is no command {shown(word)!r}{suggestion(word, commands)}"
    return f"{told}\n  hint: {name} --help lists what there is"


def command_group(text: str, commands: Mapping[str, Command]) -> Command:
    """Return the command that is made of *commands*: ``sy artifacts ls`` is one of a group.

    >>> hello = Command("Say hello.", lambda parser: None, lambda options: print("hello"))
    >>> say = command_group("Say things.", {"hello": hello})
    >>> run_program("demo", {"say": say}, ["say", "hello"])
    hello
    0
    """

    def configure(parser: argparse.ArgumentParser) -> None:
        subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
        for word, command in commands.items():
            sub = subparsers.add_parser(word, help=command.help, description=command.help)
            sub.set_defaults(run=command.run)
            add_common_options(sub)
            command.configure(sub)

    def run(options: argparse.Namespace) -> int | None:
        chosen: Callable[[argparse.Namespace], int | None] = options.run
        return chosen(options)

    return Command(text, configure, run)


def command_line() -> str:
    """Return how the user called ``sy``, for the commands that a program prints.

    A launcher in front of ``sy`` says its own name in ``SYMPHONY_COMMAND``.
    """
    return os.environ.get("SYMPHONY_COMMAND") or "sy"


def home() -> Path:
    """Return where state lives: ``SYMPHONY_HOME``, else the platform's data folder."""
    named = os.environ.get("SYMPHONY_HOME")
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_data_path  # noqa: PLC0415 - not needed where the variable is set

    return user_data_path("symphony", appauthor=False)


def _parser(name: str, commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=name, description=f"{name}: part of Symphony for Python.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version(name)}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for word in sorted(commands):
        command = commands[word]
        sub = subparsers.add_parser(
            word, help=command.help, description=command.help, allow_abbrev=False
        )
        sub.set_defaults(run=command.run, debug=False, json=False)
        add_common_options(sub)
        command.configure(sub)
    return parser


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--json`` and ``--debug``, which every command and sub-command takes."""
    options = parser.add_argument_group("output")
    suppress = argparse.SUPPRESS
    options.add_argument(
        "--json", action="store_true", default=suppress, help="print JSON, for scripts"
    )
    options.add_argument(
        "--debug", action="store_true", default=suppress, help="show the traceback of an error"
    )


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - for --version alone

    try:
        return version("sy-commons" if name == "sy" else name)
    except PackageNotFoundError:
        return "unknown"


class _Installed(Mapping[str, Command]):
    """The commands of the installed packages, each loaded when it is asked for."""

    def __init__(self) -> None:
        from importlib.metadata import entry_points  # noqa: PLC0415 - only sy itself needs it

        self._points = {point.name: point for point in entry_points(group=GROUP)}

    def __getitem__(self, name: str) -> Command:
        try:
            command = self._points[name].load()
            if not isinstance(command, Command):
                raise TypeError(f"{self._points[name].value} is no Command")  # noqa: TRY301 - as below
        except Exception as error:  # noqa: BLE001 - one broken package must not take the others along
            return _unavailable(name, error)
        return command

    def __contains__(self, name: object) -> bool:
        return name in self._points  # Mapping's own would load it

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)


def _unavailable(name: str, error: Exception) -> Command:
    told = to_wire(error)
    reason = f"{told['type']}: {told['text']}"

    def configure(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)

    def run(options: argparse.Namespace) -> int:  # noqa: ARG001 - there is nothing to do
        raise CommandUnavailable(name=name, reason=reason) from error

    return Command(f"(not available: {reason})".replace("%", "%%"), configure, run)
