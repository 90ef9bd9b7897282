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
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sy_commons._errors import ErrorCategory, SymphonyError, to_wire

GROUP = "sy.commands"
FAILED, USAGE, INTERRUPTED = 1, 2, 130

_USAGE_CATEGORIES = frozenset(
    {ErrorCategory.VALIDATION, ErrorCategory.CONFIGURATION, ErrorCategory.NOT_FOUND}
)


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
    if chosen in commands:  # load that one alone: the others may be heavy
        commands = {chosen: commands[chosen]}
    parser = _parser(name, commands)
    try:
        options = parser.parse_args(words)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    if getattr(options, "run", None) is None:
        parser.print_help()
        return USAGE
    return run_command(name, options)


def run_command(name: str, options: argparse.Namespace) -> int:
    """Run ``options.run(options)`` and turn whatever it raises into a message and a status."""
    try:
        status = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, head or less, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if options.debug:
            raise
        return report(name, error, as_json=options.json)
    return status or 0


def report(name: str, error: BaseException, *, as_json: bool = False) -> int:
    """Print *error* on standard error, as text or as one line of JSON, and return its status."""
    if as_json:
        print(json.dumps({"error": to_wire(error)}, ensure_ascii=False), file=sys.stderr)
    else:
        print(describe(name, error), file=sys.stderr)
    usage = isinstance(error, SymphonyError) and error.category in _USAGE_CATEGORIES
    return USAGE if usage else FAILED


def describe(name: str, error: BaseException) -> str:
    """Return the lines that tell a person what happened and what to do.

    >>> print(describe("sy", SymphonyError("no such run", hint="list them: sy runs")))
    sy: no such run
      hint: list them: sy runs
    """
    if isinstance(error, SymphonyError):
        lines = [f"{name}: {error}"]
        lines += [f"  note: {note}" for note in getattr(error, "__notes__", [])]
        lines += [f"  hint: {error.hint}"] if error.hint else []
        return "\n".join(lines)
    told = to_wire(error)  # redacted
    return (
        f"{name}: unexpected {told['type']}: {told['text']}\n"
        "  hint: run it again with --debug to see where, and report it"
    )


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
    parser = argparse.ArgumentParser(prog=name, description=f"{name}: part of Symphony for Python.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version(name)}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for word in sorted(commands):
        command = commands[word]
        sub = subparsers.add_parser(word, help=command.help, description=command.help)
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
        command = self._points[name].load()
        if not isinstance(command, Command):
            raise TypeError(f"entry point {GROUP}:{name} gives {command!r}, and not a Command")
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)
