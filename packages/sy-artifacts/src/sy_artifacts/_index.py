"""The index: which names, versions, tags and relations there are, in SQLite.

Every function runs statements on a :class:`sy_commons.Database`; whoever writes holds its
transaction.
"""

# ruff: noqa: S608 - statements are put together of this module's constants; values are bound

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import NoneType
from typing import Any, NamedTuple

import attrs
import xxhash

from sy_artifacts._artifact import Artifact
from sy_artifacts._names import DIGEST_START, check_name, next_prefix
from sy_commons import Database, DatabaseCorrupt, SymphonyError

APPLICATION_ID = 0x53794172  # "SyAr"
HEAD = b"head"  # stands for a digest in the seal of a name's newest number
PAGE_SIZE_BYTES = (
    8192  # an artifact of 10 KiB costs half the reads and three quarters of the writes
)

# A seal binds a row to what it says, so that a damaged index is noticed and never believed.
MIGRATIONS = (
    """
CREATE TABLE blobs (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    xxh3 BLOB NOT NULL CHECK (length(xxh3) = 8),
    inline INTEGER NOT NULL CHECK (inline IN (0, 1)),
    created_us INTEGER NOT NULL
) STRICT;
CREATE TABLE contents (
    blob_id INTEGER PRIMARY KEY REFERENCES blobs,
    data BLOB NOT NULL
) STRICT;
CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    head INTEGER NOT NULL CHECK (head >= 1),
    seal BLOB NOT NULL CHECK (length(seal) = 8)
) STRICT;
CREATE TABLE versions (
    id INTEGER PRIMARY KEY,
    artifact_id INTEGER REFERENCES artifacts,
    number INTEGER CHECK (number >= 1),
    blob_id INTEGER NOT NULL REFERENCES blobs,
    seal BLOB NOT NULL CHECK (length(seal) = 8),
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    CHECK ((artifact_id IS NULL) = (number IS NULL))
) STRICT;
CREATE UNIQUE INDEX versions_of_artifact ON versions (artifact_id, number)
    WHERE artifact_id IS NOT NULL;
CREATE INDEX versions_of_blob ON versions (blob_id, artifact_id);
CREATE TABLE tags (
    version_id INTEGER NOT NULL REFERENCES versions,
    tag TEXT NOT NULL,
    PRIMARY KEY (version_id, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX versions_of_tag ON tags (tag, version_id);
CREATE TABLE productions (
    id INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL REFERENCES versions,
    made_by TEXT NOT NULL,
    parameters TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    UNIQUE (version_id, made_by, parameters)
) STRICT;
CREATE TABLE relations (
    production_id INTEGER NOT NULL REFERENCES productions,
    source_blob_id INTEGER NOT NULL REFERENCES blobs,
    source_version_id INTEGER REFERENCES versions
) STRICT;
CREATE UNIQUE INDEX sources_of_production
    ON relations (production_id, source_blob_id, ifnull(source_version_id, 0));
CREATE INDEX productions_of_source ON relations (source_blob_id);
CREATE INDEX relations_of_version ON relations (source_version_id)
    WHERE source_version_id IS NOT NULL;
""",
)

_BLOB = "b.id, b.sha256, b.size_bytes, b.xxh3, b.inline, c.data"
_WITH_DATA = "LEFT JOIN contents c ON c.blob_id = b.id"
_ARTIFACT = (
    "v.id, b.sha256, a.name, v.number, b.size_bytes, v.content_type, v.created_us, v.metadata,"
    " (SELECT json_group_array(tag) FROM tags WHERE version_id = v.id),"
    " (SELECT made_by FROM productions WHERE version_id = v.id AND made_by <> ''"
    " ORDER BY id DESC LIMIT 1)"
)
_VERSIONS = (
    "versions v JOIN blobs b ON b.id = v.blob_id LEFT JOIN artifacts a ON a.id = v.artifact_id"
)


class Blob(NamedTuple):
    """A row of blobs, with the bytes where they are kept inline."""

    id: int
    sha256: bytes
    size_bytes: int
    xxh3: bytes
    inline: bool
    data: bytes | None


class Version(NamedTuple):
    """What a name and a number lead to, with the seals that vouch for it."""

    id: int
    number: int
    head: int
    seal: bytes
    head_seal: bytes


class Source(NamedTuple):
    """What something was derived from: a blob, and which version of a name, where that is known."""

    blob_id: int
    version_id: int | None


def digest_of(sha256: bytes) -> str:
    """Return the digest as people read it."""
    return DIGEST_START + sha256.hex()


def seal(name: str, number: int, sha256: bytes) -> bytes:
    """Return what binds a version to its name, number and bytes."""
    return xxhash.xxh3_64_digest(b"%s\0%d\0%s" % (name.encode(), number, sha256))


def head_seal(name: str, head: int) -> bytes:
    """Return what binds a name to the number of its newest version."""
    return seal(name, head, HEAD)


def is_sealed(found: object, name: object, number: object, sha256: object) -> bool:
    """Whether a seal vouches for what a row says, whatever a damaged row says."""
    if not (isinstance(name, str) and isinstance(number, int) and isinstance(sha256, bytes)):
        return False
    return found == seal(name, number, sha256)


# -- reading


def find_blob(database: Database, sha256: bytes) -> Blob | None:
    """Return the blob with a digest."""
    row = database.row(
        f"SELECT {_BLOB} FROM blobs b {_WITH_DATA} WHERE b.sha256 = ?",
        (sha256,),
    )
    return _blob(database, row) if row else None


def find_prefix(database: Database, digits: str, limit: int = 2) -> list[bytes]:
    """Return digests that begin with the hexadecimal *digits*."""
    low, high = digits.ljust(64, "0"), digits.ljust(64, "f")
    rows = database.execute(
        "SELECT sha256 FROM blobs WHERE sha256 BETWEEN ? AND ? LIMIT ?",
        (bytes.fromhex(low), bytes.fromhex(high), limit),
    )
    return [sha256 for (sha256,) in rows]


def count_prefix(database: Database, digits: str) -> int:
    """Return how many digests begin with the hexadecimal *digits*."""
    return len(find_prefix(database, digits, -1))


def find_version(database: Database, name: str, number: int | None) -> tuple[Version, Blob] | None:
    """Return a version of a name, the newest if no *number* is said, and its blob."""
    row = database.row(
        "SELECT v.id, v.number, a.head, v.seal, a.seal, "
        f"{_BLOB} FROM artifacts a"
        " JOIN versions v ON v.artifact_id = a.id AND v.number = ifnull(?, a.head)"
        f" JOIN blobs b ON b.id = v.blob_id {_WITH_DATA} WHERE a.name = ?",
        (number, name),
    )
    return (Version(*row[:5]), _blob(database, row[5:])) if row else None


def has_name(database: Database, name: str) -> bool:
    """Whether there is an artifact of this name."""
    return database.row("SELECT 1 FROM artifacts WHERE name = ?", (name,)) is not None


def load_version(database: Database, version_id: int) -> Artifact:
    """Return a version as an artifact."""
    rows = database.execute(
        f"SELECT {_ARTIFACT} FROM {_VERSIONS} WHERE v.id = ?",
        (version_id,),
    )
    return _artifact(database, rows[0])


def load_blob(database: Database, blob_id: int) -> Artifact | None:
    """Return what stands for all that have these bytes: the newest name, everybody's metadata."""
    rows = database.execute(
        f"SELECT {_ARTIFACT} FROM {_VERSIONS} WHERE v.blob_id = ? ORDER BY v.id",
        (blob_id,),
    )
    found = [_artifact(database, row) for row in rows]
    if not found:
        return None
    named = [one for one in found if one.name is not None]
    metadata: dict[str, Any] = {}
    for one in found:
        metadata |= one.metadata
    made_by = [one.made_by for one in found if one.made_by is not None]
    return attrs.evolve(
        (named or found)[-1],
        tags=frozenset().union(*(one.tags for one in found)),
        metadata=metadata,
        made_by=made_by[-1] if made_by else None,
    )


def load_history(database: Database, name: str) -> list[Artifact]:
    """Return every version of a name, the oldest first."""
    rows = database.execute(
        f"SELECT {_ARTIFACT} FROM {_VERSIONS} WHERE a.name = ? ORDER BY v.number",
        (name,),
    )
    return [_artifact(database, row) for row in rows]


def load_heads(database: Database, prefix: str, tags: Iterable[str]) -> list[Artifact]:
    """Return the newest version of every name that begins with *prefix* and has all *tags*."""
    conditions, bindings = ["v.number = a.head", "a.name >= ?"], [prefix]
    above = next_prefix(prefix)
    if above is not None:
        conditions.append("a.name < ?")
        bindings.append(above)
    for tag in sorted(set(tags)):
        conditions.append("EXISTS (SELECT 1 FROM tags WHERE version_id = v.id AND tag = ?)")
        bindings.append(tag)
    rows = database.execute(
        f"SELECT {_ARTIFACT} FROM {_VERSIONS} WHERE {' AND '.join(conditions)} ORDER BY a.name",
        bindings,
    )
    return [_artifact(database, row) for row in rows]


def names_beside(database: Database, name: str, most: int = 1000) -> list[str]:
    """Return up to *most* names in the same folder as *name*, but in no folder below it."""
    folder = name[: name.rfind("/") + 1]
    above = next_prefix(folder)
    rows = database.execute(
        "SELECT name FROM artifacts WHERE name >= ? AND (? IS NULL OR name < ?)"
        " AND instr(substr(name, ?), '/') = 0 ORDER BY name LIMIT ?",
        (folder, above, above, len(folder) + 1, most),
    )
    return [row[0] for row in rows]


def each_blob(database: Database, page: int = 256) -> Iterator[Blob]:
    """Yield every blob, in the order they came; a page of rows at a time is in memory."""
    last = 0
    while rows := database.execute(
        f"SELECT {_BLOB} FROM blobs b {_WITH_DATA} WHERE b.id > ? ORDER BY b.id LIMIT ?",
        (last, page),
    ):
        for row in rows:
            yield _blob(database, row)
        last = rows[-1][0]


def each_version(
    database: Database, page: int = 4096
) -> Iterator[tuple[int, str | None, int | None, bytes, bytes | None, int | None, bytes | None]]:
    """Yield id, name, number, seal, digest, head and head's seal of every version."""
    last = 0
    while rows := database.execute(
        "SELECT v.id, a.name, v.number, v.seal, b.sha256, a.head, a.seal"
        " FROM versions v LEFT JOIN blobs b ON b.id = v.blob_id"
        " LEFT JOIN artifacts a ON a.id = v.artifact_id WHERE v.id > ? ORDER BY v.id LIMIT ?",
        (last, page),
    ):
        yield from rows
        last = rows[-1][0]


def headless(database: Database) -> list[str]:
    """Return the names whose newest version is not there."""
    rows = database.execute(
        "SELECT name FROM artifacts a WHERE NOT EXISTS"
        " (SELECT 1 FROM versions WHERE artifact_id = a.id AND number = a.head)"
    )
    return [name for (name,) in rows]


def refs_of(database: Database, sha256: bytes) -> tuple[str, ...]:
    """Return the names and versions that have these bytes."""
    rows = database.execute(
        "SELECT a.name, v.number FROM blobs b JOIN versions v ON v.blob_id = b.id"
        " JOIN artifacts a ON a.id = v.artifact_id WHERE b.sha256 = ? ORDER BY a.name, v.number",
        (sha256,),
    )
    return tuple(f"{name}@{number}" for name, number in rows)


def count(database: Database) -> Mapping[str, int]:
    """Return the totals of names, versions, blobs and bytes."""
    row = database.row(
        "SELECT (SELECT count(*) FROM artifacts), (SELECT count(*) FROM versions),"
        " (SELECT count(*) FROM blobs),"
        " (SELECT ifnull(sum(b.size_bytes), 0) FROM versions v JOIN blobs b ON b.id = v.blob_id),"
        " (SELECT ifnull(sum(size_bytes), 0) FROM blobs)"
    )
    keys = ("names", "versions", "blobs", "logical_bytes", "stored_bytes")
    return dict(zip(keys, row or (0,) * 5, strict=True))


# -- writing


def add_blob(  # noqa: PLR0913 - a row's columns, by keyword
    database: Database,
    *,
    sha256: bytes,
    size_bytes: int,
    xxh3: bytes,
    data: bytes | None,
    created_us: int,
) -> int:
    """Add a blob, its bytes inline if *data* is given, and return its id."""
    row = database.row(
        "INSERT INTO blobs (sha256, size_bytes, xxh3, inline, created_us) VALUES (?, ?, ?, ?, ?)"
        " RETURNING id",
        (sha256, size_bytes, xxh3, int(data is not None), created_us),
    )
    blob_id = _only(row)
    if data is not None:
        database.execute("INSERT INTO contents (blob_id, data) VALUES (?, ?)", (blob_id, data))
    return blob_id


def heal_blob(
    database: Database, blob_id: int, *, size_bytes: int, xxh3: bytes, data: bytes | None
) -> None:
    """Give a damaged blob what its digest says it has: bytes inline, or those of its file."""
    database.execute(
        "UPDATE blobs SET size_bytes = ?, xxh3 = ?, inline = ? WHERE id = ?",
        (size_bytes, xxh3, int(data is not None), blob_id),
    )
    database.execute("DELETE FROM contents WHERE blob_id = ?", (blob_id,))
    if data is not None:
        database.execute("INSERT INTO contents (blob_id, data) VALUES (?, ?)", (blob_id, data))


def add_version(  # noqa: PLR0913 - a row's columns, by keyword
    database: Database,
    *,
    name: str | None,
    number: int | None,
    blob_id: int,
    sha256: bytes,
    content_type: str,
    created_us: int,
) -> int:
    """Add a version, make it its name's newest, and return its id."""
    artifact_id = None
    if name is not None and number is not None:
        artifact_id = _only(
            database.row(
                "INSERT INTO artifacts (name, head, seal) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (name) DO UPDATE SET head = ?2, seal = ?3 RETURNING id",
                (name, number, head_seal(name, number)),
            )
        )
    return _only(
        database.row(
            "INSERT INTO versions (artifact_id, number, blob_id, seal, content_type, metadata,"
            " created_us) VALUES (?, ?, ?, ?, ?, '{}', ?) RETURNING id",
            (
                artifact_id,
                number,
                blob_id,
                seal(name or "", number or 0, sha256),
                content_type,
                created_us,
            ),
        )
    )


def last_number(database: Database, name: str) -> int:
    """Return the highest number a name has ever given to a version; 0 for a new name."""
    row = database.row(
        "SELECT max(a.head, ifnull(max(v.number), 0)) FROM artifacts a"
        " LEFT JOIN versions v ON v.artifact_id = a.id WHERE a.name = ?",
        (name,),
    )
    return row[0] or 0 if row else 0


def find_unnamed(database: Database, blob_id: int) -> int | None:
    """Return the version that stands for bytes put without a name."""
    row = database.row(
        "SELECT id FROM versions WHERE blob_id = ? AND artifact_id IS NULL", (blob_id,)
    )
    return row[0] if row else None


def merge_metadata(database: Database, version_id: int, metadata: Mapping[str, Any]) -> None:
    """Add to a version's metadata; for a key that it has, the new value stands."""
    if not metadata:
        return
    row = database.row("SELECT metadata FROM versions WHERE id = ?", (version_id,))
    known = json.loads(row[0]) if row else {}
    database.execute(
        "UPDATE versions SET metadata = ? WHERE id = ?",
        (encode({**known, **metadata}), version_id),
    )


def add_tags(database: Database, version_id: int, tags: Iterable[str]) -> None:
    """Add tags to a version; those it has stay."""
    for tag in sorted(tags):
        database.execute("INSERT OR IGNORE INTO tags VALUES (?, ?)", (version_id, tag))


def add_production(  # noqa: PLR0913 - a row's columns, by keyword
    database: Database,
    version_id: int,
    *,
    made_by: str | None,
    parameters: Mapping[str, Any],
    sources: Iterable[Source],
    created_us: int,
) -> None:
    """Note who made a version, with which parameters, of which sources; what is known stays."""
    production_id = _only(
        database.row(
            "INSERT INTO productions (version_id, made_by, parameters, created_us)"
            " VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET made_by = made_by RETURNING id",
            (version_id, made_by or "", encode(parameters), created_us),
        )
    )
    for source in sources:
        database.execute(
            "INSERT OR IGNORE INTO relations VALUES (?, ?, ?)",
            (production_id, source.blob_id, source.version_id),
        )


def encode(value: Mapping[str, Any]) -> str:
    """Return data as canonical JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)


def decode(text: str) -> dict[str, Any]:
    """Return the data of canonical JSON; ValueError if it is none."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - the value is wrong, and not a caller
    return value


def _only(row: tuple[Any, ...] | None) -> int:
    assert row is not None  # noqa: S101 - RETURNING gives a row
    return int(row[0])


def _blob(database: Database, row: tuple[Any, ...]) -> Blob:
    """Return a row of blobs; one flipped bit makes SQLite give a text where bytes were stored."""
    blob = Blob(*row)
    if type(blob.sha256) is not bytes or type(blob.data) not in {bytes, NoneType}:
        raise DatabaseCorrupt(path=str(database.path), reason="a row of blobs has other types")
    return blob


def _artifact(database: Database, row: tuple[Any, ...]) -> Artifact:
    _, sha256, name, number, size_bytes, content_type, created_us, metadata, tags, made_by = row
    try:
        return Artifact(
            digest=digest_of(sha256),
            name=None if name is None else check_name(name),
            version=number,
            size_bytes=size_bytes,
            content_type=content_type,
            tags=frozenset(json.loads(tags)),
            created_at=moment(created_us),
            made_by=made_by,
            metadata=decode(metadata),
        )
    except (SymphonyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        reason = f"a row of versions does not read: {error}"
        raise DatabaseCorrupt(path=str(database.path), reason=reason) from error


def moment(microseconds: int) -> datetime:
    """Return microseconds since the epoch as a moment in UTC."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(
        microsecond=microseconds % 1_000_000
    )
