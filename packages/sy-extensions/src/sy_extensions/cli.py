"""``sy ext``: what is installed, what it takes, and whether a manifest is right."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from sy_commons import SymphonyError, suggestion
from sy_commons.cli import USAGE, Command, command_group, run_program
from sy_extensions._discovery import Discovered, discover
from sy_extensions._errors import ExtensionUnknown, LoadFailed, ManifestInvalid
from sy_extensions._manifest import Manifest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``sy-extensions`` with *arguments* (default: the process's) and return its status."""
    return run_program("sy-extensions", _COMMANDS, arguments)


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """Take none."""


def _take_manifests(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("manifests", metavar="MANIFEST", nargs="+", help="a file, or its folder")


def _take_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="an extension, as sy ext list names it")


def _list(options: argparse.Namespace) -> int:
    rows = [_row(found) for found in discover()]
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return 0
    columns = ("id", "type", "version", "distribution")
    widths = {name: max([len(name), *(len(row[name]) for row in rows)]) for name in columns}
    for row in [{name: name.upper() for name in (*columns, "summary")}, *rows]:
        cells = [row[name].ljust(widths[name]) for name in columns]
        print("  ".join([*cells, row["summary"]]).rstrip())
    return 0


def _row(found: Discovered) -> dict[str, str]:
    row = {"id": found.id, "version": found.version, "distribution": found.distribution}
    try:
        description = found.describe()
    except SymphonyError as error:  # one broken extension does not hide the others
        reason = error.reason if isinstance(error, LoadFailed) else str(error)
        return row | {"type": "broken", "summary": reason}
    return row | {"type": description.type, "summary": description.summary}


def _check(options: argparse.Namespace) -> int:
    results = [_checked(path) for path in options.manifests]
    if options.json:
        print(json.dumps(results, ensure_ascii=False, indent=2))
    else:
        for result in results:
            manifest = result["manifest"]
            good = [f"{result['path']}: {manifest['id']} {manifest['version']}"] if manifest else []
            print("\n".join(result["problems"] or good))
    return USAGE if any(result["problems"] for result in results) else 0


def _checked(path: str) -> dict[str, Any]:
    try:
        return {"path": path, "problems": [], "manifest": Manifest.load(path).to_dict()}
    except ManifestInvalid as error:
        return {"path": path, "problems": error.problems, "manifest": None}


def _describe(options: argparse.Namespace) -> int:
    known = {found.id: found for found in discover()}
    if options.id not in known:
        close = suggestion(options.id, known)
        raise ExtensionUnknown(extension_id=options.id, suggestion=close)
    found = known[options.id]
    description = found.describe()
    if options.json:
        row = {"id": found.id, "version": found.version, "distribution": found.distribution}
        print(json.dumps(row | description.to_dict(), ensure_ascii=False, indent=2))
        return 0
    print(f"{found.id} {found.version} ({description.type}, from {found.distribution})")
    if description.documentation:
        print(f"\n{description.documentation}")
    print(f"\n{description.signature}")
    return 0


_COMMANDS = {
    "list": Command("List the installed extensions.", _no_arguments, _list),
    "check": Command("Check extension manifests.", _take_manifests, _check),
    "describe": Command("Show what an extension is and takes.", _take_id, _describe),
}


COMMAND = command_group("Extensions: what is installed, and what it takes.", _COMMANDS)
