"""Who listens to a subject: patterns in a tree of tokens, and what was found remembered."""

from __future__ import annotations

from typing import Generic, TypeVar

from sy_ipc._wire.subject import specificity

T = TypeVar("T")

MAX_REMEMBERED = 4096


class _Node(Generic[T]):
    __slots__ = ("branches", "here", "tail")

    def __init__(self) -> None:
        self.branches: dict[str, _Node[T]] = {}
        self.here: dict[int, tuple[str, T]] = {}  # by the order of entry
        self.tail: dict[int, tuple[str, T]] = {}  # of patterns that end in >


class Router(Generic[T]):
    """Finds the values entered under the patterns that a subject falls under.

    A subject seen before costs one look-up, however many patterns there are. Patterns and
    subjects must be valid. Belongs to one thread.

    >>> router = Router()
    >>> router.add("run.*.done", "one"); router.add("run.>", "two")
    >>> router.match("run.42.done"), router.best("run.42.done"), router.match("walk")
    (('one', 'two'), 'one', ())
    """

    __slots__ = ("_best", "_count", "_matched", "_root", "_sequence")

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._sequence = 0
        self._count = 0
        self._matched: dict[str, tuple[T, ...]] = {}
        self._best: dict[str, T | None] = {}

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"Router({self._count} patterns, {len(self._matched)} subjects remembered)"

    def add(self, pattern: str, value: T) -> None:
        """Enter *value* under *pattern*; the same pattern may hold many."""
        node, leaf = self._walk(pattern)
        self._sequence += 1
        self._count += 1
        (node.tail if leaf else node.here)[self._sequence] = (pattern, value)
        self._forget()

    def remove(self, pattern: str, value: T) -> bool:
        """Take *value* out from under *pattern*; return whether it was there."""
        path = self._path(pattern)
        if path is None:
            return False
        node, leaf = path[-1][1], pattern.endswith(">")
        entries = node.tail if leaf else node.here
        for number, (_, entered) in entries.items():
            if entered is value:
                del entries[number]
                self._count -= 1
                self._prune(path)
                self._forget()
                return True
        return False

    def match(self, subject: str) -> tuple[T, ...]:
        """Return every value whose pattern matches, in the order of entry."""
        found = self._matched.get(subject)
        if found is None:
            entries = sorted(self._find(subject).items())
            found = tuple(value for _, (_, value) in entries)
            if len(self._matched) >= MAX_REMEMBERED:
                self._matched.clear()
            self._matched[subject] = found
        return found

    def best(self, subject: str) -> T | None:
        """Return the value under the most specific pattern that matches, or None."""
        try:
            return self._best[subject]
        except KeyError:
            pass
        entries = self._find(subject)
        chosen = min(entries, key=lambda n: (specificity(entries[n][0]), n), default=None)
        if len(self._best) >= MAX_REMEMBERED:
            self._best.clear()
        value = self._best[subject] = None if chosen is None else entries[chosen][1]
        return value

    def exact(self, pattern: str) -> T | None:
        """Return the first value entered under exactly this *pattern*, or None."""
        path = self._path(pattern)
        if path is None:
            return None
        node = path[-1][1]
        entries = node.tail if pattern.endswith(">") else node.here
        return next((value for _, value in entries.values()), None)

    def patterns(self) -> list[str]:
        """Return every pattern that holds a value, sorted."""
        found: set[str] = set()
        waiting = [self._root]
        while waiting:
            node = waiting.pop()
            found.update(p for entries in (node.here, node.tail) for p, _ in entries.values())
            waiting.extend(node.branches.values())
        return sorted(found)

    def _walk(self, pattern: str) -> tuple[_Node[T], bool]:
        node = self._root
        for word in pattern.split("."):
            if word == ">":
                return node, True
            node = node.branches.setdefault(word, _Node())
        return node, False

    def _path(self, pattern: str) -> list[tuple[str, _Node[T]]] | None:
        path = [("", self._root)]
        for token in pattern.removesuffix(">").rstrip(".").split("."):
            if not token:
                break
            node = path[-1][1].branches.get(token)
            if node is None:
                return None
            path.append((token, node))
        return path

    def _prune(self, path: list[tuple[str, _Node[T]]]) -> None:
        while len(path) > 1:
            token, node = path.pop()
            if node.here or node.tail or node.branches:
                return
            del path[-1][1].branches[token]

    def _find(self, subject: str) -> dict[int, tuple[str, T]]:
        found: dict[int, tuple[str, T]] = {}
        level = [self._root]
        for token in subject.split("."):
            below: list[_Node[T]] = []
            for node in level:
                found.update(node.tail)
                below.extend(node.branches[t] for t in (token, "*") if t in node.branches)
            level = below
        for node in level:
            found.update(node.here)
        return found

    def _forget(self) -> None:
        self._matched.clear()
        self._best.clear()
