"""What an extension says of itself before anything of it runs: ``extension.toml`` or ``.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import attrs

from sy_commons import parse_duration, parse_size
from sy_extensions._document import locator, read_document, read_text
from sy_extensions._errors import ManifestInvalid
from sy_extensions._names import is_id
from sy_extensions._table import MAX_PROBLEMS, Table, Wrong, count, matching, one_of, text

FILE_NAMES = ("extension.toml", "extension.json")
TYPES = ("operator", "instrument", "motif")

_NUMBER = r"(?:0|[1-9]\d{0,15})"
_LABEL = r"(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*)"
_VERSION = (
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_LABEL}(?:\.{_LABEL})*)?"
    r"(?:\+[\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*)?"
)
_ENTRY_POINT = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*"
_HOST = r"(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"


@attrs.frozen
class FilePermission:
    """Files an extension asks to read or write."""

    path: str
    access: str
    reason: str = ""


@attrs.frozen
class NetworkPermission:
    """A host and port an extension asks to connect to."""

    host: str
    port: int = 443
    reason: str = ""


@attrs.frozen
class Permissions:
    """Everything an extension asks for; what is not here it never gets.

    >>> wanted = Permissions(network=(NetworkPermission("api.example.org"),))
    >>> wanted.filesystem, wanted.network[0].port
    ((), 443)
    """

    filesystem: tuple[FilePermission, ...] = ()
    network: tuple[NetworkPermission, ...] = ()


@attrs.frozen
class Resources:
    """What an extension says it needs at most; None is unsaid.

    >>> Resources(memory_bytes=128 << 20, cpu_share=0.5).call_timeout_s is None
    True
    """

    memory_bytes: int | None = None
    cpu_share: float | None = None
    threads: int | None = None
    files: int | None = None
    call_timeout_s: float | None = None


@attrs.frozen
class Manifest:
    """An extension's description of itself, read strictly.

    >>> manifest = Manifest.parse('''
    ... id = "acme.word-count"
    ... version = "1.2.0"
    ... type = "operator"
    ... entry_point = "extension:WordCount"
    ... [resources]
    ... memory = "128 MiB"
    ... ''')
    >>> manifest.id, manifest.resources.memory_bytes
    ('acme.word-count', 134217728)
    """

    id: str
    version: str
    type: str
    entry_point: str
    name: str = ""
    description: str = ""
    dependencies: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    permissions: Permissions = Permissions()
    resources: Resources = Resources()

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the manifest in a file, or in a folder's ``extension.toml`` or ``.json``.

        Raises :class:`ManifestInvalid` with every problem at once, also where there is no file.
        """
        path = Path(path)
        if path.is_dir():
            found = (path / name for name in FILE_NAMES if (path / name).exists())
            path = next(found, path / FILE_NAMES[0])
        content, problem = read_text(path)
        if problem:
            raise _invalid(str(path), [problem])
        return cls.parse(content, source=str(path))

    @classmethod
    def parse(cls, content: str, *, source: str = "extension.toml") -> Self:
        """Return the manifest that *content* is; JSON if *source* ends in ``.json``, else TOML.

        Hostile input is expected: size and depth are bounded, and :class:`ManifestInvalid`,
        with every problem, where in *source* it is, and its key, is all that is raised.
        """
        as_json = source.endswith(".json")
        data, problem = read_document(content, as_json=as_json)
        if problem:
            raise _invalid(source, [problem])
        problems: list[str] = []
        table = Table(data, "", problems, str if as_json else locator(content))
        manifest = cls(**_fields(table))
        table.finish()
        if manifest.id in manifest.dependencies:
            table.complain("dependencies", "it depends on itself")
        if problems:
            raise _invalid(source, problems)
        return manifest

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON data, sizes in bytes and times in seconds."""
        return attrs.asdict(self)


def _fields(table: Table) -> dict[str, Any]:
    return {
        "id": table.need("id", _id, default=""),
        "version": table.need("version", _version, default=""),
        "type": table.need("type", one_of(*TYPES), default=""),
        "entry_point": table.need("entry_point", _entry_point, default=""),
        "name": table.take("name", text, default=""),
        "description": table.take("description", text, default=""),
        "dependencies": _dependencies(table.table("dependencies")),
        "permissions": _permissions(table.table("permissions")),
        "resources": _resources(table.table("resources")),
    }


def _dependencies(table: Table) -> dict[str, str]:
    ranges = {}
    for key in table.data:
        if not is_id(key):
            table.complain(key[:80], "is no extension id")
        ranges[key] = table.take(key, _range, default="")
    return ranges


def _permissions(table: Table) -> Permissions:
    filesystem = tuple(_file_permission(entry) for entry in table.tables("filesystem"))
    network = tuple(_network_permission(entry) for entry in table.tables("network"))
    table.finish()
    return Permissions(filesystem, network)


def _file_permission(table: Table) -> FilePermission:
    permission = FilePermission(
        path=table.need("path", _filled, default=""),
        access=table.need("access", one_of("read", "write"), default=""),
        reason=table.take("reason", text, default=""),
    )
    table.finish()
    return permission


def _network_permission(table: Table) -> NetworkPermission:
    permission = NetworkPermission(
        host=table.need("host", _host, default=""),
        port=table.take("port", _port, default=443),
        reason=table.take("reason", text, default=""),
    )
    table.finish()
    return permission


def _resources(table: Table) -> Resources:
    resources = Resources(
        memory_bytes=table.take("memory", parse_size, default=None),
        cpu_share=table.take("cpu", _share, default=None),
        threads=table.take("threads", count, default=None),
        files=table.take("files", count, default=None),
        call_timeout_s=table.take("call_timeout", parse_duration, default=None),
    )
    table.finish()
    return resources


def _id(value: Any) -> str:
    found = text(value)
    if not is_id(found) or "." not in found:
        raise Wrong(f"{found[:80]!r} is not publisher and name in lower case, like acme.word-count")
    return found


def _filled(value: Any) -> str:
    found = text(value)
    if not found.strip():
        raise Wrong("it is empty")
    return found


def _range(value: Any) -> str:
    found = _filled(value)
    if len(found) > 256:
        raise Wrong(f"{len(found)} characters, and a range has at most 256")
    return found


def _port(value: Any) -> int:
    found = count(value)
    if found > 65_535:
        raise Wrong("expected a port: 1 to 65535")
    return found


def _share(value: Any) -> float:
    return int(_percent(value).removesuffix("%")) / 100


_version = matching(_VERSION, "a version like 1.2.0 or 2.0.0-beta.1")
_entry_point = matching(_ENTRY_POINT, "module:Class")
_host = matching(_HOST, "a host name in lower case, like api.example.org or *.example.org")
_percent = matching(r"[1-9]\d{0,4}%", 'a share of one core like "50%"')


def _invalid(source: str, problems: list[str]) -> ManifestInvalid:
    shown = problems[:MAX_PROBLEMS]
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more")
    placed = [
        f"{source}{problem}" if problem.startswith(":") else f"{source}: {problem}"
        for problem in shown
    ]
    return ManifestInvalid(source=source, text="\n".join(placed), problems=placed)
