"""``sy artifacts``: look into a store, take things out of it, put things in."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from sy_artifacts._artifact import Artifact, CheckReport
from sy_artifacts._errors import InvalidPut
from sy_artifacts._puts import Data
from sy_artifacts._store import ArtifactStore
from sy_commons import StorageError, format_size
from sy_commons.cli import Command, command_group, command_line, home, run_program

DAMAGED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``sy-artifacts`` with *arguments* (default: the process's) and return its status."""
    return run_program("sy-artifacts", COMMANDS, arguments)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", type=Path, metavar="PATH", help="the store's folder (default: the user's own)"
    )


def _add_ref(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="NAME", help="a name, name@version or sha256: digest")
    _add_store(parser)


def _add_ls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prefix", nargs="?", default="", help="only names that begin like this")
    parser.add_argument("--tag", action="append", default=[], help="only what has this tag")
    parser.add_argument(
        "-r", "--recursive", action="store_true", help="look into folders too, as --json does"
    )
    _add_store(parser)


def _add_get(parser: argparse.ArgumentParser) -> None:
    _add_ref(parser)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write to FILE, and not to the terminal"
    )


def _add_put(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="what to store; - is standard input")
    parser.add_argument("--name", help="its name in the store")
    parser.add_argument("--type", dest="content_type", help="its media type")
    parser.add_argument("--tag", action="append", default=[], help="a tag; may come again")
    parser.add_argument("--made-by", help="who or what made it")
    parser.add_argument(
        "--from", dest="derived_from", action="append", default=[], metavar="NAME",
        help="what it was derived from; may come again",
    )  # fmt: skip
    _add_store(parser)


def _add_lineage(parser: argparse.ArgumentParser) -> None:
    _add_ref(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--find", metavar="TEXT", help="only the ways to the ancestors that contain TEXT"
    )
    which.add_argument(
        "--descendants", action="store_true", help="what was derived from it, and not its sources"
    )


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scrub", action="store_true", help="read every byte and compare it with its SHA-256"
    )
    _add_store(parser)


def _ls(options: argparse.Namespace) -> None:
    with _existing(options) as store:
        found = store.list(options.prefix, tags=options.tag)
    if options.json:
        _print_json([artifact.to_dict() for artifact in found])
        return
    for line in _listed(found, options.prefix, recursive=options.recursive):
        print(line)


def _listed(found: Sequence[Artifact], prefix: str, *, recursive: bool) -> Iterator[str]:
    """Yield a line for each artifact; of a folder below *prefix*, what is in it together."""
    for name, group in groupby(found, key=lambda artifact: _step(str(artifact.name), prefix)):
        members = list(group)
        if recursive or not name.endswith("/"):
            yield from (_line(artifact, artifact.ref) for artifact in members)
            continue
        size = format_size(sum(artifact.size_bytes for artifact in members))
        yield f"{'':19}  {size:>9}  {name}  {len(members)} artifacts"


def _step(name: str, prefix: str) -> str:
    """Return *name* up to the first slash after *prefix*."""
    end = name.find("/", len(prefix))
    return name if end < 0 else name[: end + 1]


def _get(options: argparse.Namespace) -> None:
    with _existing(options) as store:
        data = store.get(options.ref)
        artifact = store.stat(options.ref) if options.json else None
    if options.output is not None:
        _write(options.output, data)
    elif artifact is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    if artifact is not None:
        told = {} if options.output is not None else {"text": data.decode("utf-8", "replace")}
        _print_json({**artifact.to_dict(), **told})


def _put(options: argparse.Namespace) -> None:
    source: Data = sys.stdin.buffer if options.file == "-" else Path(options.file)
    if isinstance(source, Path) and (not source.exists() or source.is_dir()):
        raise InvalidPut(argument="file", reason=f"{source} is not there, or is a folder")
    with ArtifactStore.open(_path(options)) as store:
        artifact = store.put(
            source,
            name=options.name,
            content_type=options.content_type,
            tags=options.tag,
            made_by=options.made_by,
            derived_from=options.derived_from,
        )
    if options.json:
        _print_json(artifact.to_dict())
        return
    print(f"{artifact.ref}  {format_size(artifact.size_bytes)}")
    if artifact.name is not None:
        where = shlex.quote(artifact.name) + _store_option(options)
        print(f"get it: {command_line()} artifacts get {where}")


def _log(options: argparse.Namespace) -> None:
    with _existing(options) as store:
        found = store.versions(options.ref)
    if options.json:
        _print_json([artifact.to_dict() for artifact in found])
        return
    for artifact in reversed(found):
        print(_line(artifact, artifact.ref))


def _lineage(options: argparse.Namespace) -> None:
    with _existing(options) as store:
        lineage = store.lineage(options.ref)
        if options.find is not None:
            found = lineage.containing(options.find)
            if options.json:
                _print_json([artifact.to_dict() for artifact in found])
            elif not found:
                print(f"no ancestor of {lineage.artifact.ref} contains {options.find!r}")
            else:
                print(lineage.tree(containing=options.find))
        elif options.json:
            _print_json(lineage.to_dict())
        else:
            print(lineage.tree(descendants=options.descendants))


def _check(options: argparse.Namespace) -> int:
    with _existing(options) as store:
        report = store.scrub() if options.scrub else store.check()
    if options.json:
        _print_json(report.to_dict())
    else:
        print("\n".join(_told(report)))
    return 0 if report.ok else DAMAGED


def _stats(options: argparse.Namespace) -> None:
    with _existing(options) as store:
        stats = store.stats()
    if options.json:
        _print_json(stats.to_dict())
        return
    print(stats.path)
    print(f"{stats.names} names, {stats.versions} versions, {stats.blobs} different contents")
    print(
        f"{format_size(stats.stored_bytes)} stored for {format_size(stats.logical_bytes)}"
        f" ({stats.dedup_ratio:.2f} times), index {format_size(stats.index_bytes)}"
    )


def _path(options: argparse.Namespace) -> Path:
    return Path(options.store) if options.store is not None else home() / "artifacts"


def _existing(options: argparse.Namespace) -> ArtifactStore:
    """Open the store for looking: what is not there is not made."""
    return ArtifactStore.open(_path(options), create=False)


def _store_option(options: argparse.Namespace) -> str:
    return f" --store {shlex.quote(str(options.store))}" if options.store is not None else ""


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)  # in place: it may be a pipe or a device
    except OSError as error:
        raise StorageError(
            f"{path} could not be written ({error.strerror})", hint="give another file by -o"
        ) from error


def _told(report: CheckReport) -> list[str]:
    lines = []
    for problem in report.problems:
        who = ", ".join(problem.refs) or problem.digest or "the index"
        lines += [f"{who}: {problem.reason}", f"  repair: {problem.repair}"]
    state = "sound" if report.ok else f"{len(report.problems)} problems"
    lines.append(f"{state}: {report.versions} versions, {report.blobs} contents looked at")
    if report.unreferenced:
        lines.append(f"{report.unreferenced} files of writers that died; they do no harm")
    return lines


def _line(artifact: Artifact, label: str) -> str:
    tags = " ".join(f"#{tag}" for tag in sorted(artifact.tags))
    made_by = f"by {artifact.made_by}" if artifact.made_by else ""
    when = artifact.created_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    size = format_size(artifact.size_bytes)
    return "  ".join(part for part in (when, f"{size:>9}", label, made_by, tags) if part)


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


COMMANDS = {
    "check": Command("Say whether anything is lost or damaged.", _add_check, _check),
    "get": Command("Write the bytes of an artifact to standard output.", _add_get, _get),
    "lineage": Command("Show what an artifact was made of.", _add_lineage, _lineage),
    "log": Command("List the versions of a name, the newest first.", _add_ref, _log),
    "ls": Command("List what there is: names and folders.", _add_ls, _ls),
    "put": Command("Store a file.", _add_put, _put),
    "stats": Command("Say how much a store holds.", _add_store, _stats),
}
COMMAND = command_group(
    "Look into an artifact store, take things out of it, put things in.", COMMANDS
)
