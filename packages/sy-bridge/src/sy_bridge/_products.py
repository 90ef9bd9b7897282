"""What a node produced, as bytes for the store: pure."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping
from typing import Any

import attrs

from sy_artifacts import quote_name

_JSON = "application/json"


@attrs.frozen
class Product:
    """A value as it is stored: the bytes, and what they are."""

    data: bytes
    content_type: str


def as_product(value: object) -> Product:
    """Return *value* as it is stored.

    Text is stored as itself and so are bytes; a document (a mapping of exactly ``path`` and
    ``text``) is stored as its text, so that the artifact of a file is the file; everything else
    becomes JSON with sorted keys, the same bytes for the same value.

    >>> as_product({"path": "a.py", "text": "x = 1"})
    Product(data=b'x = 1', content_type='text/x-python')
    >>> as_product({"b": 1, "a": [2]}).data
    b'{"a": [2], "b": 1}'
    """
    if isinstance(value, str):
        return Product(_utf8(value), "text/plain")
    if isinstance(value, bytes | bytearray | memoryview):
        return Product(bytes(value), "application/octet-stream")
    if isinstance(value, Mapping) and value.keys() == {"path", "text"}:
        return Product(_utf8(value["text"]), content_type_of(str(value["path"]), "text/plain"))
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=_other)
    return Product(_utf8(text), _JSON)


def content_type_of(name: str, otherwise: str) -> str:
    """Return the content type that the ending of *name* says, or *otherwise*.

    >>> content_type_of("brief.md", "text/plain")
    'text/markdown'
    """
    return mimetypes.guess_type(name, strict=False)[0] or otherwise


def product_name(workflow: str, node: str, item: str | None) -> str:
    """Return the name under which a node's product is kept: a path without surprises.

    >>> product_name("repo-brief", "outline", "src/a.py")
    'repo-brief/outline/src/a.py'
    >>> product_name("w", "n", "../x@2")
    'w/n/%2E%2E/x%402'
    """
    return quote_name("/".join(part for part in (workflow, node, item) if part))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _other(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if attrs.has(type(value)):
        return attrs.asdict(value)
    return str(value)
