"""Choose the sentences that say most of the others: TextRank over TF-IDF vectors.

Mihalcea and Tarau, "TextRank: Bringing Order into Texts" (EMNLP 2004), with the similarity of
sentences taken as the cosine of their TF-IDF vectors and the random jump biased by how likely a
passage of its kind and place is to say what a thing is for. Pure, and the same on every run.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

DAMPING = 0.7
ROUNDS = 30
# Beyond so many the square of them costs more than the choice gains; the likeliest stay.
MAX_SENTENCES = 250

_STOPWORDS = """
a about above after again against all also an and any are as at be because been before being below
between both but by can cannot could did do does doing down during each either else ever few for
from further get given had has have having here hence how however i if in into is it its itself
just let like may me might more most must my no nor not now of off on once one only or other
otherwise our ours out over own per rather return returns s same see set shall should so some such
t than that the their theirs them then there these they this those though through thus to too true
false none under until up upon us use used uses using very via was we were what when where whether
which while who whose why will with within without would yet you your
"""
STOPWORDS = frozenset(_STOPWORDS.split())


def words(text: str) -> list[str]:
    """Return the words of *text* that carry meaning, lower-case and roughly stemmed.

    >>> words("Reads the files of HTTPServers and read_text")
    ['read', 'file', 'http', 'server', 'read', 'text']
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    found = re.findall(r"[^\W\d_]{2,}", spaced)
    return [_stem(word) for word in (w.lower() for w in found) if word not in STOPWORDS]


def rank(texts: Sequence[str], priors: Sequence[float]) -> list[float]:
    """Return the weight of each of *texts*, given how likely each is beforehand; they sum to 1.

    >>> weights = rank(["cats chase mice", "mice fear cats", "rain falls"], [1, 1, 1])
    >>> weights[0] > weights[2]
    True
    """
    if not texts:
        return []
    vectors = _vectors([words(text) for text in texts])
    total = sum(priors)
    jump = [prior / total for prior in priors] if total else [1 / len(texts)] * len(texts)
    edges = _similarities(vectors)
    out = [sum(row.values()) for row in edges]
    weights = jump
    for _ in range(ROUNDS):
        lost = sum(weight for weight, sum_ in zip(weights, out, strict=True) if not sum_)
        following = [(1 - DAMPING + DAMPING * lost) * share for share in jump]
        for place, row in enumerate(edges):
            if row:
                flow = DAMPING * weights[place] / out[place]
                for other, similarity in row.items():
                    following[other] += flow * similarity
        weights = following
    return weights


def similarity(one: str, other: str) -> float:
    """Return how much two texts say the same, from 0 to 1: the cosine of their words.

    >>> similarity("reads files", "Reads the file")
    1.0
    """
    a, b = Counter(words(one)), Counter(words(other))
    shared = sum(count * b[word] for word, count in a.items())
    length = math.sqrt(sum(n * n for n in a.values()) * sum(n * n for n in b.values()))
    return round(shared / length, 12) if length else 0.0


def _vectors(bags: list[list[str]]) -> list[dict[str, float]]:
    spread = Counter(word for bag in bags for word in dict.fromkeys(bag))
    vectors = []
    for bag in bags:
        weighted = {
            word: count * math.log(1 + len(bags) / spread[word])
            for word, count in Counter(bag).items()
        }
        length = math.sqrt(sum(weight * weight for weight in weighted.values())) or 1.0
        vectors.append({word: weight / length for word, weight in weighted.items()})
    return vectors


def _similarities(vectors: list[dict[str, float]]) -> list[dict[int, float]]:
    holders: dict[str, list[int]] = {}
    for place, vector in enumerate(vectors):
        for word in vector:
            holders.setdefault(word, []).append(place)
    edges: list[dict[int, float]] = [{} for _ in vectors]
    for word, places in holders.items():
        for n, one in enumerate(places):
            for other in places[n + 1 :]:
                share = vectors[one][word] * vectors[other][word]
                edges[one][other] = edges[one].get(other, 0.0) + share
                edges[other][one] = edges[other].get(one, 0.0) + share
    return edges


def _stem(word: str) -> str:
    for ending, least in (("ies", 5), ("ing", 6), ("ed", 5), ("es", 6), ("s", 4)):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            stem = word.removesuffix(ending)
            return stem + "y" if ending == "ies" else stem
    return word
