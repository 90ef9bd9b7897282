"""One put: its arguments checked, then recorded in one transaction."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import attrs

from sy_artifacts import _index as index
from sy_artifacts._artifact import Artifact
from sy_artifacts._blobs import Content
from sy_artifacts._errors import InvalidPut
from sy_artifacts._media import content_type_of
from sy_artifacts._names import check_name
from sy_artifacts._refs import Finder
from sy_artifacts._vault import Vault
from sy_commons import Clock, Database

Data = bytes | bytearray | memoryview | Path | IO[bytes]

_MAX_TAG_BYTES = 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@attrs.frozen
class Put:
    """A put that is checked, hashed and, if large, waiting on the disk."""

    content: Content
    name: str | None
    content_type: str
    tags: frozenset[str]
    made_by: str | None
    derived_from: tuple[str | Artifact, ...]
    metadata: Mapping[str, Any]
    parameters: Mapping[str, Any]

    def discard(self) -> None:
        """Remove what it left waiting on the disk."""
        self.content.discard()


@attrs.frozen
class Notes:
    """What a put says about its bytes."""

    name: str | None = None
    content_type: str | None = None
    tags: Iterable[str] = ()
    made_by: str | None = None
    derived_from: Iterable[str | Artifact] = ()
    metadata: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] | None = None


def prepare(vault: Vault, data: Data, notes: Notes) -> Put:
    """Return the put of *data*: checked, hashed, and staged if it is large.

    Blocks, but nobody else.
    """
    if notes.name is not None:
        check_name(notes.name)
    if notes.content_type is not None:
        _check_text("content_type", notes.content_type)
    if notes.made_by is not None:
        _check_text("made_by", notes.made_by)
    tags, sources = _checked_tags(notes.tags), _checked_sources(notes.derived_from)
    metadata = _checked_json("metadata", notes.metadata)
    parameters = _checked_json("parameters", notes.parameters)
    content = _read(vault, data)
    return Put(
        content=content,
        name=notes.name,
        content_type=notes.content_type or content_type_of(notes.name, content.start),
        tags=tags,
        made_by=notes.made_by,
        derived_from=sources,
        metadata=metadata,
        parameters=parameters,
    )


def record(put: Put, *, database: Database, vault: Vault, finder: Finder, clock: Clock) -> Artifact:
    """Record *put* and return its artifact; inside :meth:`Vault.writing`.

    What can be refused is refused before anything is written: then a batch around it goes on.
    """
    now_us = int(clock.wall() * 1_000_000)
    sources = [finder.source(ref) for ref in put.derived_from]
    placed = vault.place(put.content)
    try:
        blob_id = vault.enter(placed, now_us)
        known = _known_version(put, blob_id, database, finder) if placed.blob is not None else None
        return _record_version(put, blob_id, sources, known, database, now_us)
    except BaseException as error:
        vault.doom(error)  # half of it is written: what is around it must not be made durable
        raise


def _record_version(  # noqa: PLR0913, PLR0917 - one step of record, which has all of them
    put: Put,
    blob_id: int,
    sources: Sequence[index.Source],
    known: tuple[int, int | None] | None,
    database: Database,
    now_us: int,
) -> Artifact:
    version_id, number = known or _add_version(put, blob_id, database, now_us)
    index.add_tags(database, version_id, put.tags)
    index.merge_metadata(database, version_id, put.metadata)
    if put.made_by is not None or sources or put.parameters:
        index.add_production(
            database,
            version_id,
            made_by=put.made_by,
            parameters=put.parameters,
            sources=sources,
            created_us=now_us,
        )
    if known is not None:
        return index.load_version(database, version_id)
    return Artifact(
        digest=index.digest_of(put.content.sha256),
        name=put.name,
        version=number,
        size_bytes=put.content.size_bytes,
        content_type=put.content_type,
        tags=put.tags,
        created_at=index.moment(now_us),
        made_by=put.made_by,
        metadata=dict(put.metadata),
    )


def _known_version(
    put: Put, blob_id: int, database: Database, finder: Finder
) -> tuple[int, int | None] | None:
    """Return the version that these bytes are already, if the name's newest one has them."""
    if put.name is None:
        unnamed = index.find_unnamed(database, blob_id)
        return None if unnamed is None else (unnamed, None)
    head = index.find_version(database, put.name, None)
    if head is None or head[1].id != blob_id or not finder.vouches(put.name, *head):
        return None
    return head[0].id, head[0].number


def _add_version(put: Put, blob_id: int, database: Database, now_us: int) -> tuple[int, int | None]:
    number = None if put.name is None else index.last_number(database, put.name) + 1
    version_id = index.add_version(
        database,
        name=put.name,
        number=number,
        blob_id=blob_id,
        sha256=put.content.sha256,
        content_type=put.content_type,
        created_us=now_us,
    )
    return version_id, number


def _read(vault: Vault, data: Data) -> Content:
    if isinstance(data, bytes):
        return vault.prepare(data)
    if isinstance(data, bytearray | memoryview):
        return vault.prepare(bytes(data))
    if isinstance(data, Path):
        try:
            with data.open("rb") as file:
                return vault.prepare(file)
        except OSError as error:
            reason = f"{data}: {error.strerror or error}"
            raise InvalidPut(argument="file", reason=reason) from error
    if not hasattr(data, "read"):
        reason = f"bytes, a Path or a binary file, and not {type(data).__name__}"
        raise InvalidPut(argument="data", reason=reason)
    return vault.prepare(data)


def _check_text(argument: str, text: object, limit: int = _MAX_TAG_BYTES) -> str:
    if not isinstance(text, str) or not text:
        raise InvalidPut(argument=argument, reason=f"a text that is not empty, and not {text!r}")
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limit or _CONTROL.search(text) or text.encode("utf-8", "replace").decode() != text:
        reason = f"one line of valid Unicode, {limit} bytes at most, and not {text[:60]!r}"
        raise InvalidPut(argument=argument, reason=reason)
    return text


def _checked_tags(tags: Iterable[str]) -> frozenset[str]:
    if tags == ():
        return frozenset()
    if isinstance(tags, str):
        raise InvalidPut(argument="tags", reason=f"a set of texts, like {{{tags!r}}}, and no text")
    return frozenset(_check_text("tags", tag) for tag in tags)


def _checked_sources(sources: Iterable[str | Artifact]) -> tuple[str | Artifact, ...]:
    if isinstance(sources, str | Artifact):
        raise InvalidPut(argument="derived_from", reason="a list of digests, names or artifacts")
    return tuple(sources)


def _checked_json(argument: str, value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if value is None:
        return {}
    try:
        data: object = json.loads(index.encode(value).encode())
    except (TypeError, ValueError, AttributeError) as error:
        reason = f"what JSON can hold, and this is not ({error})"
        raise InvalidPut(argument=argument, reason=reason) from error
    if (
        not isinstance(data, dict) or data != value
    ):  # JSON has turned a number into a text, or a pair into a list
        raise InvalidPut(argument=argument, reason="a dictionary that JSON gives back as it was")
    return data
