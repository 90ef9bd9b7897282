"""The Conductor's way to everything: one import joins the brain and the muscle.

A :class:`Pit` opens the model pool, the workflow engine, the artifact store, the extension host
and the bus in this process; a :class:`Conductor` performs Melodies on it::

    async with Pit.open() as pit:
        performance = await Conductor(pit).perform("repo-brief", path=".")
        print(performance.outputs["brief"])

The operators and the instrument of the built-in Melody are in :mod:`sy_bridge.builtin`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sy_bridge._brains import Brain, Candidate, Choice, RuleBrain
    from sy_bridge._conductor import Conductor, Performance, melodies
    from sy_bridge._errors import (
        ArtifactNameInvalid,
        FolderMissing,
        FolderUnusable,
        InputInvalid,
        InputMissing,
        InputTwice,
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

# Where each public name lives: a room is imported when the first of its names is used, so that
# help, and one operator, do not load the whole house.
_ROOMS = {
    "ArtifactNameInvalid": "_errors",
    "Brain": "_brains",
    "Candidate": "_brains",
    "Choice": "_brains",
    "Conductor": "_conductor",
    "FolderMissing": "_errors",
    "FolderUnusable": "_errors",
    "InputInvalid": "_errors",
    "InputMissing": "_errors",
    "InputTwice": "_errors",
    "InstrumentUnknown": "_errors",
    "MelodyMissing": "_errors",
    "NothingMatched": "_errors",
    "NothingToSay": "_errors",
    "OutputUnknown": "_errors",
    "Performance": "_conductor",
    "Pit": "_pit",
    "PitClosed": "_errors",
    "PitStats": "_pit",
    "PythonUnreadable": "_errors",
    "RuleBrain": "_brains",
    "RunUnknown": "_errors",
    "WrongKind": "_errors",
    "melodies": "_conductor",
}

__all__ = [
    "ArtifactNameInvalid",
    "Brain",
    "Candidate",
    "Choice",
    "Conductor",
    "FolderMissing",
    "FolderUnusable",
    "InputInvalid",
    "InputMissing",
    "InputTwice",
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


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'sy_bridge' has no attribute {name!r}")
    value = getattr(import_module(f"sy_bridge.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
