"""The built-in extractive summarizer: an instrument that chooses, and never makes up."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from sy_bridge._builtin._modules import is_test
from sy_bridge._builtin._prose import MAX_SENTENCE
from sy_bridge._builtin._textrank import MAX_SENTENCES, rank, similarity
from sy_bridge._errors import NothingToSay
from sy_extensions import Instrument


class Sentence(TypedDict):
    """A sentence as it stands in a file of the tree, and what it explains there."""

    text: str
    path: str
    line: int
    kind: str
    name: str


class Summary(TypedDict):
    """The chosen sentences, in reading order, and what the files define and import."""

    path: str
    title: str
    names: list[str]
    imports: list[str]
    sentences: list[Sentence]


class _Candidate(NamedTuple):
    sentence: Sentence
    prior: float


# How likely a passage says what a thing is for, before its words are looked at.
_KINDS = {
    "module": 6.0,
    "paragraph": 6.0,
    "class": 2.0,
    "item": 1.5,
    "function": 1.0,
    "comment": 0.7,
    "method": 0.4,
}
# What a reader is told elsewhere, or does not ask first.
_ASIDE = re.compile(
    r"(?i)\b(?:install\w*|pip|contribut\w+|changelog|license|documentation|badge|sponsor\w*"
    r"|donat\w+|release[ds]?|deprecated|see (?:also|the)|click here|read the docs|github"
    r"|pull requests?|issues?|thanks|this (?:test|file|script)|for more (?:information|details)"
    r"|new in version|versionadded)\b"
)
_SAME = 0.7


class Summarizer(Instrument):
    """Condenses documents into their own most telling sentences (TextRank over TF-IDF)."""

    capabilities = frozenset({"summarize"})
    memory = "16 MiB"

    async def invoke(self, documents: list[Any] | dict[str, Any], *, sentences: int = 3) -> Summary:
        """Return at most *sentences* sentences of *documents*: outlines, chunks or summaries."""
        return summarize(list(_flat(documents)), sentences=sentences)


def summarize(documents: Sequence[dict[str, Any]], *, sentences: int) -> Summary:
    """Choose the most telling sentences of *documents*.

    The first sentences of a page, of a package and of a module that others import are likeliest
    to say what it is all for; TextRank over all of them decides; what says the same as a chosen
    sentence is passed over. The likeliest comes first, then the rest in the order of the files.

    >>> page = {"path": "README.md", "passages": [
    ...     {"text": "Shop", "line": 1, "kind": "heading1", "name": ""},
    ...     {"text": "Sells books to readers.", "line": 3, "kind": "paragraph", "name": ""}]}
    >>> summary = summarize([page], sentences=1)
    >>> summary["title"], summary["sentences"][0]["text"]
    ('Shop', 'Sells books to readers.')
    """
    found = sorted(_candidates(documents), key=lambda candidate: -candidate.prior)[:MAX_SENTENCES]
    if not found and len(documents) != 1:
        raise NothingToSay(documents=len(documents))
    weights = rank([c.sentence["text"] for c in found], [c.prior for c in found])
    order = sorted(range(len(found)), key=lambda place: (-weights[place], place))
    chosen = _different([found[place].sentence for place in order], sentences)
    return Summary(
        path=str(documents[0]["path"]) if len(documents) == 1 else "",
        title=next((title for title in map(_title, documents) if title), ""),
        names=[name for document in documents for name in document.get("names", ())],
        imports=sorted({name for document in documents for name in document.get("imports", ())}),
        sentences=_in_reading_order(chosen, [c.sentence for c in found]),
    )


def _flat(documents: list[Any] | dict[str, Any]) -> Iterator[dict[str, Any]]:
    if isinstance(documents, dict):
        yield documents
        return
    for document in documents:
        yield from _flat(document)


def _candidates(documents: Sequence[dict[str, Any]]) -> Iterator[_Candidate]:
    imported = Counter(name for document in documents for name in document.get("imports", ()))
    for document in documents:
        path = str(document.get("path", ""))
        standing = _standing(path, imported) if len(documents) > 1 else 1.0
        seen = Counter[str]()
        for passage in document.get("sentences") or document.get("passages", ()):
            kind = passage["kind"]
            if kind not in _KINDS:
                continue
            seen[kind] += 1
            prior = standing * _KINDS[kind] * _fit(passage["text"])
            prior *= _part(passage["name"], path, seen[kind])
            yield _Candidate(
                Sentence(
                    text=passage["text"],
                    path=path,
                    line=passage["line"],
                    kind=kind,
                    name=passage["name"],
                ),
                prior,
            )


def _standing(path: str, imported: Mapping[str, int]) -> float:
    """How much a file speaks for the whole: pages and packages at the top, what others import."""
    *folders, name = path.split("/")
    stem = name.partition(".")[0]
    if is_test(path):
        return 0.05
    if not name.endswith(".py"):
        return 20.0 / (1 + len(folders)) ** 2
    if name == "__init__.py":
        hidden = any(folder.startswith("_") for folder in folders)
        return 1.0 if hidden else 12.0 / (1 + len(folders))
    leaned_on = math.log2(2 + imported[stem])
    return leaned_on * (0.3 if stem.startswith("_") else 1.0) / (1 + 0.3 * len(folders))


def _part(name: str, path: str, place: int) -> float:
    """How much of a file's purpose what is the *place*-th of its kind there may tell."""
    if not name:
        return 1.0 / math.pow(place, 0.7)
    if name.endswith(("Error", "Exception", "Warning", "Interrupt")):
        return 0.1
    return 4.0 if _is_namesake(name, path) else 1.0 / math.pow(place, 0.3)


def _is_namesake(name: str, path: str) -> bool:
    stem = path.rpartition("/")[2].removesuffix(".py")
    return bool(name) and name.lower() == stem.replace("_", "").lower()


def _fit(text: str) -> float:
    fit = 0.2 if _ASIDE.search(text) else 1.0
    if len(text) > MAX_SENTENCE:
        fit *= 0.3
    elif text.count(" ") < 3:
        fit *= 0.5
    return fit if text[0].isupper() or text[0] == "`" else fit * 0.6


def _different(ranked: list[Sentence], most: int) -> list[Sentence]:
    chosen: list[Sentence] = []
    for sentence in ranked:
        if len(chosen) == most:
            break
        if all(similarity(sentence["text"], other["text"]) < _SAME for other in chosen):
            chosen.append(sentence)
    return chosen


def _in_reading_order(chosen: list[Sentence], likely: list[Sentence]) -> list[Sentence]:
    """Files in the order of their likeliest sentence, and each file's sentences as they stand."""
    files = {path: place for place, path in reversed(list(enumerate(s["path"] for s in likely)))}
    return sorted(chosen, key=lambda s: (files[s["path"]], s["line"]))


def _title(document: dict[str, Any]) -> str:
    if "title" in document:
        return str(document["title"])
    passages = document.get("passages", ())
    return next((p["text"] for p in passages if p["kind"] == "heading1"), "")
