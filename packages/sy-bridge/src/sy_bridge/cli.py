"""``sy run``, ``sy runs`` and ``sy resume``: Melodies in the terminal."""

from __future__ import annotations

import argparse
from pathlib import Path

from sy_bridge._errors import InputInvalid, InputTwice
from sy_commons.cli import Command, run_program

LAST = "last"


def main() -> int:
    """Run the ``sy-bridge`` program."""
    return run_program("sy-bridge", {"resume": RESUME, "run": RUN, "runs": RUNS})


def parse_inputs(given: list[str]) -> dict[str, str]:
    """Return the inputs that ``--input NAME=VALUE`` gave, by name.

    >>> parse_inputs(["path=.", "title=a=b"])
    {'path': '.', 'title': 'a=b'}
    """
    inputs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InputInvalid(given=text)
        if name in inputs:
            raise InputTwice(name=name)
        inputs[name] = value
    return inputs


def _configure_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("melody", help="a .toml file, or the name of one that comes along")
    parser.add_argument(
        "--input",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an input of the Melody; once for each",
    )
    parser.add_argument(
        "--run-id", metavar="ID", type=_run_id, help="name the run; one that exists goes on"
    )
    _add_accept_changes(parser)
    _add_performing(parser)


def _configure_resume(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_id", metavar="RUN", help='a run\'s id, the start of it, or "last"')
    _add_accept_changes(parser)
    _add_performing(parser)


def _configure_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_id",
        metavar="RUN",
        nargs="?",
        help='tell of this one alone: an id, its start, or "last"',
    )
    _add_home(parser)


def _add_accept_changes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--accept-changes",
        action="store_true",
        help="go on although the Melody or operators changed: what is complete stays",
    )


def _run_id(text: str) -> str:
    if text == LAST:
        raise argparse.ArgumentTypeError(f"{LAST!r} always means the last run; take another name")
    return text


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("a folder's name is empty")
    return Path(text)


def _add_performing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", type=_folder, help="write the outputs there as well"
    )
    parser.add_argument(
        "--skipped-ok",
        action="store_true",
        help="exit with 0 even where items failed and were left out",
    )
    _add_home(parser)


def _add_home(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--home", type=_folder, help="where runs and artifacts are kept (default: $SYMPHONY_HOME)"
    )


# The libraries load when a command runs, so that help and mistakes answer at once.


def _run(options: argparse.Namespace) -> int:
    from sy_bridge import _session  # noqa: PLC0415 - see above

    inputs = parse_inputs(options.input)
    return _session.run(options, options.melody, inputs)


def _resume(options: argparse.Namespace) -> int:
    from sy_bridge import _session  # noqa: PLC0415 - see above

    return _session.resume(options)


def _runs(options: argparse.Namespace) -> int:
    from sy_bridge import _listing  # noqa: PLC0415 - see above

    return _listing.show(options)


RUN = Command("Perform a Melody.", _configure_run, _run)
RESUME = Command(
    "Go on with a run that was killed, interrupted or failed.", _configure_resume, _resume
)
RUNS = Command("List the runs, or tell of one.", _configure_runs, _runs)
