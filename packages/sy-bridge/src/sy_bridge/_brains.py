"""Who chooses the instrument: rules by default, or any object with the same method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from sy_bridge._errors import InstrumentUnknown
from sy_commons import suggestion


@attrs.frozen
class Candidate:
    """An installed instrument, as a Brain sees it."""

    id: str
    version: str
    capabilities: frozenset[str]


@attrs.frozen
class Choice:
    """The instrument a Brain chose, and why."""

    instrument: str
    reason: str


class Brain(Protocol):
    """Chooses which instrument plays a part of a Melody."""

    def choose(self, wanted: str, candidates: Sequence[Candidate]) -> Choice:
        """Return the choice for *wanted*: an instrument's id, or a capability."""
        ...


class RuleBrain:
    """Takes the instrument that is named; else the first, by id, that has the capability.

    >>> brain = RuleBrain()
    >>> one = Candidate("acme.t5", "1.0", frozenset({"summarize"}))
    >>> brain.choose("summarize", [one])
    Choice(instrument='acme.t5', reason="the first instrument that can 'summarize'")
    """

    def choose(self, wanted: str, candidates: Sequence[Candidate]) -> Choice:
        """Return the choice for *wanted*; raises :class:`InstrumentUnknown` where none fits."""
        ordered = sorted(candidates, key=lambda candidate: candidate.id)
        if any(candidate.id == wanted for candidate in ordered):
            return Choice(wanted, "the Melody names it")
        for candidate in ordered:
            if wanted in candidate.capabilities:
                return Choice(candidate.id, f"the first instrument that can {wanted!r}")
        known = [candidate.id for candidate in ordered]
        raise InstrumentUnknown(instrument=wanted, suggestion=suggestion(wanted, known))
