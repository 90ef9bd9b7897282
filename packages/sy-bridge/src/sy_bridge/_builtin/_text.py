"""Cut pages into passages, and put texts together."""

from __future__ import annotations

from typing import Any, TypedDict

from sy_bridge._builtin._prose import Passage, from_markdown
from sy_bridge._builtin._python import Document
from sy_extensions import Operator


class Chunks(TypedDict):
    """A page's passages: headings, sentences and items, each with its line."""

    path: str
    passages: list[Passage]


class Chunk(Operator):
    """Cuts a page (Markdown, reStructuredText or plain) into headings and sentences."""

    async def process(self, document: Document) -> Chunks:
        """Return the passages of *document*."""
        return Chunks(path=document["path"], passages=from_markdown(document["text"]))


class Join(Operator):
    """Puts texts together; of anything else than a text its sentences, text or JSON."""

    async def process(self, parts: list[Any], *, separator: str = "\n\n") -> str:
        """Return the texts of *parts*, *separator* between them."""
        return separator.join(text for text in map(_text_of, parts) if text) + "\n"


def _text_of(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and "sentences" in part:
        return " ".join(sentence["text"] for sentence in part["sentences"])
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    return str(part)
