"""uv.lock names no index, pins every file by its hash, and says what every pyproject.toml says."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from house.checks.findings import Finding
from house.locking import addresses
from house.places import packages

RELOCK = "run tools/lock"
Wanted = tuple[str, tuple[str, ...], str, str]


def check(root: Path) -> list[Finding]:
    """Return what is wrong with the lock of the workspace at *root*; nothing is asked of a host."""
    text = (root / "uv.lock").read_text(encoding="utf-8")
    found = [
        Finding("workspace", f"uv.lock:{line.split(':')[0]}", f"an address: {line}", RELOCK)
        for line in addresses(text)
    ]
    lock = tomllib.loads(text)
    entries = {entry["name"]: entry for entry in lock["package"]}
    manifests = _manifests(root)
    members = lock.get("manifest", {}).get("members", [])
    if sorted(members) != sorted(manifests):
        problem = f"its members are {', '.join(members)}, not {', '.join(manifests)}"
        found.append(Finding("workspace", "uv.lock", problem, RELOCK))
    for name, manifest in manifests.items():
        found += [
            Finding(name, "uv.lock", problem, RELOCK)
            for problem in differences(manifest, entries.get(name, {}))
        ]
    return [*found, *_unhashed(lock["package"])]


def _manifests(root: Path) -> dict[str, dict[str, Any]]:
    top = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return {
        **{package.name: package.manifest for package in packages(root)},
        top["project"]["name"]: top,
    }


def differences(manifest: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a lock's *entry* of a member does not say what its *manifest* says."""
    project, metadata = manifest["project"], entry.get("metadata", {})
    if entry.get("version") != project["version"]:
        yield f"it pins version {entry.get('version')}, pyproject.toml says {project['version']}"
    wanted = {_wanted(text) for text in project.get("dependencies", [])}
    for extra, texts in project.get("optional-dependencies", {}).items():
        wanted |= {_wanted(text, extra) for text in texts}
    yield from _compare("dependencies", wanted, metadata.get("requires-dist", []))
    groups = manifest.get("dependency-groups", {})
    locked = metadata.get("requires-dev", {})
    for group in sorted({*groups, *locked}):
        texts = {_wanted(text) for text in groups.get(group, []) if isinstance(text, str)}
        yield from _compare(f"group {group}", texts, locked.get(group, []))


def _compare(what: str, wanted: set[Wanted], locked: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    there = {_locked(entry) for entry in locked}
    for name, _, specifier, _ in sorted(wanted - there):
        yield f"{what}: pyproject.toml asks for {name}{specifier}, and the lock does not know it"
    for name, _, specifier, _ in sorted(there - wanted):
        yield f"{what}: it holds {name}{specifier}, which pyproject.toml does not ask for"


def _wanted(text: str, extra: str | None = None) -> Wanted:
    parsed = Requirement(text)
    marker = str(parsed.marker) if parsed.marker else ""
    if extra is not None:
        marker = f"({marker}) and extra == '{extra}'" if marker else f"extra == '{extra}'"
    return _normal(parsed.name, parsed.extras, str(parsed.specifier), marker)


def _locked(entry: Mapping[str, Any]) -> Wanted:
    name, extras = entry["name"], entry.get("extras", [])
    # A sibling's range is not written into the lock: the workspace answers for it.
    return _normal(name, extras, entry.get("specifier", ""), entry.get("marker", ""))


def _normal(name: str, extras: Iterable[str], specifier: str, marker: str) -> Wanted:
    name = canonicalize_name(name)
    shown = "" if name.startswith("sy-") else str(SpecifierSet(specifier))
    said = re.sub(r"python_full_version", "python_version", str(Marker(marker))) if marker else ""
    return name, tuple(sorted(extras)), shown, said.replace("'", '"')


def _unhashed(entries: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    for entry in entries:
        files = [*entry.get("wheels", []), *([entry["sdist"]] if "sdist" in entry else [])]
        if any("hash" not in file for file in files):
            name = f"{entry['name']} {entry['version']}"
            yield Finding("workspace", "uv.lock", f"{name} has a file without a hash", RELOCK)
