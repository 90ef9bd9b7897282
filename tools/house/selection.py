"""Turn what a user typed into packages, and say what was meant where it names none."""

from __future__ import annotations

import difflib
from pathlib import Path

from house.places import ROOT, Package, find_package, packages


class Unknown(Exception):
    """A word on the command line names nothing; the text suggests what was meant."""


def select(names: list[str], root: Path = ROOT) -> list[Package]:
    """Return the packages that *names* name, once each and in their order; all where none is."""
    if not names:
        return packages(root)
    chosen = {package.name: package for name in names for package in [_find(name, root)]}
    return list(chosen.values())


def _find(name: str, root: Path) -> Package:
    found = find_package(name, root)
    if found is None:
        known = [package.name for package in packages(root)]
        raise Unknown(explain(f"no package {name!r}", name, known))
    return found


def explain(what: str, word: str, known: list[str]) -> str:
    """Return *what* with the closest of *known*, and all of them.

    >>> print(explain("no package 'dga'", "dga", ["sy-dag", "sy-ipc"]))
    no package 'dga'
      hint: did you mean sy-dag? There are sy-dag, sy-ipc
    """
    short = {name.removeprefix("sy-"): name for name in known}
    close = difflib.get_close_matches(word.removeprefix("sy-"), [*short, *known], n=1, cutoff=0.5)
    meant = f"did you mean {short.get(close[0], close[0])}? " if close else ""
    return f"{what}\n  hint: {meant}There are {', '.join(known)}"
