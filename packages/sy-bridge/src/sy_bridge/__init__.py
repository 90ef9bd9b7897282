"""The Conductor's way to everything: one import joins the brain and the muscle.

A :class:`Pit` opens the model pool, the workflow engine, the artifact store, the extension host
and the bus in this process; a :class:`Conductor` performs Melodies on it::

    async with Pit.open() as pit:
        performance = await Conductor(pit).perform("repo-brief", path=".")
        print(performance.outputs["brief"])

The operators and the instrument of the built-in Melody are in :mod:`sy_bridge.builtin`.
"""

from sy_bridge._brains import Brain, Candidate, Choice, RuleBrain
from sy_bridge._conductor import Conductor, Performance, melodies
from sy_bridge._errors import (
    FolderMissing,
    InputInvalid,
    InputMissing,
    InstrumentUnknown,
    MelodyMissing,
    NothingMatched,
    NothingToSay,
    OutputUnknown,
    PitClosed,
    PythonUnreadable,
    RunUnknown,
    WrongKind,
)
from sy_bridge._pit import Pit, PitStats

__all__ = [
    "Brain",
    "Candidate",
    "Choice",
    "Conductor",
    "FolderMissing",
    "InputInvalid",
    "InputMissing",
    "InstrumentUnknown",
    "MelodyMissing",
    "NothingMatched",
    "NothingToSay",
    "OutputUnknown",
    "Performance",
    "Pit",
    "PitClosed",
    "PitStats",
    "PythonUnreadable",
    "RuleBrain",
    "RunUnknown",
    "WrongKind",
    "melodies",
]
