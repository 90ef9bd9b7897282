"""Melodies: workflows as TOML, with errors that name file, line and node."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from sy_dag._errors import (
    Listing,
    MelodySyntax,
    MelodyUnreadable,
    Problem,
    WorkflowInvalid,
    nearest,
)
from sy_dag._graph import _check
from sy_dag._graph._node import REQUIRED, Input, Node, OnError, Then
from sy_dag._graph._places import line_of, lines
from sy_dag._graph._ref import parse_text

if TYPE_CHECKING:
    from sy_dag._graph._workflow import Workflow

W = TypeVar("W", bound="Workflow")
_Path = tuple[str, ...]
_LIMIT_BYTES = 16 << 20
_AT = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")

_TOP = ("melody", "inputs", "nodes", "outputs")
_MELODY = {"name": str, "version": str, "description": str}
_INPUT = {"type": str, "default": object, "description": str}
_OUTPUT = {"value": object, "artifact": str}
_NODE = {
    "operator": str,
    "instrument": str,
    "with": dict,
    "map": dict,
    "on_error": dict,
    "only": str,
    "timeout_s": (int, float),
    "after": list,
    "priority": int,
    "tags": list,
    "description": str,
}
_ON_ERROR = {"retries": int, "backoff": str, "then": str, "fallback": str}
_KINDS = {
    str: "text",
    int: "a whole number",
    dict: "a table",
    list: "a list",
    (int, float): "a number",
}


def load(make: type[W], path: Path) -> W:
    """Return the workflow in the melody file at *path*."""
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            raise MelodyUnreadable(file=str(path), reason=f"it has more than {_LIMIT_BYTES} bytes")
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MelodyUnreadable(file=str(path), reason=reason) from error
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is not UTF-8"
        raise MelodyUnreadable(file=str(path), reason=reason) from error
    return read(make, text, str(path))


def read(make: type[W], text: str, source: str) -> W:
    """Return the workflow that the melody *text* describes."""
    text = text.replace("\r\n", "\n").removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax(text, source, str(error)) from None
    except RecursionError:
        raise _syntax(text, source, "it is nested too deeply (at line 1, column 1)") from None
    reader = _Reader(make, document, _Places(text, source))
    workflow: W = reader.read()
    problems = [*reader.problems, *_check.problems(workflow)]
    if problems:
        problems.sort(key=lambda problem: _line_number(problem.place))
        raise WorkflowInvalid(source=source, problems=Listing(problems), cycle=workflow.shape.cycle)
    return workflow


class _Places:
    """Says ``file:line`` of a key; reads the text for it at the first question."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._lines: dict[_Path, int] | None = None

    def __call__(self, path: _Path) -> str:
        if not path:
            return self._source
        if self._lines is None:
            self._lines = lines(self._text)
        line = line_of(self._lines, path)
        return self._source if line is None else f"{self._source}:{line}"


class _Reader:
    def __init__(self, make: type[Any], document: dict[str, Any], place: _Places) -> None:
        self.make = make
        self.document = document
        self.place = place
        self.problems: list[Problem] = []

    def read(self) -> Any:
        document = self._table(self.document, dict.fromkeys(_TOP, dict), ())
        head = self._table(document.get("melody", {}), _MELODY, ("melody",))
        if not head.get("name"):
            self._problem(
                "dag.melody", "the melody has no name", "write name in [melody]", ("melody",)
            )
        workflow = self.make(
            head.get("name") or "melody",
            version=head.get("version", "0"),
            description=head.get("description", ""),
        )
        workflow._place = self.place  # noqa: SLF001 - a melody's workflow knows its lines
        self._inputs(workflow, document.get("inputs", {}))
        self._nodes(workflow, document.get("nodes", {}))
        self._outputs(workflow, document.get("outputs", {}))
        return workflow

    def _inputs(self, workflow: Workflow, tables: Mapping[str, Any]) -> None:
        for name, body in tables.items():
            path = ("inputs", name)
            fields = self._table(body, _INPUT, path)
            declaration = Input(
                name,
                fields.get("type", "any"),
                fields.get("default", REQUIRED),
                fields.get("description", ""),
            )
            problem = _check.input_problem(declaration, workflow.inputs)
            if problem is not None:
                self.problems.append(attrs.evolve(problem, place=self.place((*path, "type"))))
                declaration = attrs.evolve(declaration, type="any")
            workflow._inputs[name] = declaration  # noqa: SLF001 - also a faulty one: the rest is read on

    def _nodes(self, workflow: Workflow, tables: Mapping[str, Any]) -> None:
        if not tables and not self.problems:
            self._problem("dag.melody", "the melody has no nodes", "write a table [nodes.NAME]", ())
        for name, body in tables.items():
            path = ("nodes", name)
            problem = _check.name_problem(name, ())
            if problem is not None:
                self.problems.append(attrs.evolve(problem, place=self.place(path)))
                continue
            workflow.add(self._node(name, self._table(body, _NODE, path, name), path))

    def _node(self, name: str, fields: dict[str, Any], path: _Path) -> Node:
        kind, runner = self._runner(name, fields, path)
        return Node(
            name,
            kind,
            runner,
            arguments=self._values(fields.get("with", {}), (*path, "with"), name),
            map=self._values(fields.get("map", {}), (*path, "map"), name),
            on_error=self._on_error(fields.get("on_error", {}), (*path, "on_error"), name),
            timeout_s=fields.get("timeout_s"),
            after=self._words(fields, "after", path, name),
            only_fallback=self._only(fields, path, name),
            priority=fields.get("priority", 0),
            tags=frozenset(self._words(fields, "tags", path, name)),
        )

    def _runner(self, name: str, fields: Mapping[str, Any], path: _Path) -> tuple[str, str]:
        given = [kind for kind in ("operator", "instrument") if fields.get(kind)]
        if len(given) != 1:
            text = "it is both an operator and an instrument" if given else "nothing says what runs"
            mend = 'write either operator = "…" or instrument = "…"'
            self._problem("dag.melody", text, mend, path, name)
        kind = given[0] if given else "operator"
        return kind, fields.get(kind, "")

    def _on_error(self, body: Mapping[str, Any], path: _Path, node: str) -> OnError:
        fields = self._table(body, _ON_ERROR, path, node)
        then = fields.get("then", "fail")
        if then not in tuple(Then):
            mend = nearest(then, [known.value for known in Then])
            self._problem("dag.melody", f"then = {then!r} is unknown", mend, (*path, "then"), node)
            then = "fail"
        return OnError(
            fields.get("retries", 0),
            fields.get("backoff", "exponential"),
            Then(then),
            fields.get("fallback"),
        )

    def _only(self, fields: Mapping[str, Any], path: _Path, node: str) -> bool:
        only = fields.get("only")
        if only not in (None, "fallback"):
            mend = 'the one there is: only = "fallback"'
            self._problem("dag.melody", f"only = {only!r} is unknown", mend, (*path, "only"), node)
        return only == "fallback"

    def _words(
        self, fields: Mapping[str, Any], key: str, path: _Path, node: str
    ) -> tuple[str, ...]:
        words = fields.get(key, [])
        if all(isinstance(word, str) for word in words):
            return tuple(words)
        self._problem("dag.melody", f"{key} is a list of names", "", (*path, key), node)
        return ()

    def _outputs(self, workflow: Workflow, tables: Mapping[str, Any]) -> None:
        for name, body in tables.items():
            path = ("outputs", name)
            fields = self._table(body, _OUTPUT, path)
            if "value" not in fields:
                self._problem(
                    "dag.melody", f"output {name!r} has no value", 'write value = "$node"', path
                )
            value = self._value(fields.get("value"), (*path, "value"), "")
            workflow.output(name, value, artifact=fields.get("artifact"))

    def _table(
        self, body: Any, known: Mapping[str, Any], path: _Path, node: str = ""
    ) -> dict[str, Any]:
        """Return the known fields of a table that have the right type; complain of all others."""
        if not isinstance(body, dict):
            self._problem("dag.melody", f"{'.'.join(path)} is a table", "", path, node)
            return {}
        fields = {}
        for key, value in body.items():
            if key not in known:
                mend = nearest(key, known)
                self._problem("dag.melody", f"unknown key {key!r}", mend, (*path, key), node)
            elif not isinstance(value, known[key]) or (
                isinstance(value, bool) and known[key] is not object
            ):
                wanted = _KINDS[known[key]]
                self._problem("dag.melody", f"{key} is {wanted}", "", (*path, key), node)
            else:
                fields[key] = value
        return fields

    def _values(self, values: Mapping[str, Any], path: _Path, node: str) -> dict[str, Any]:
        return {key: self._value(value, (*path, key), node) for key, value in values.items()}

    def _value(self, value: Any, path: _Path, node: str) -> Any:
        if isinstance(value, dict):
            return self._values(value, path, node)
        if isinstance(value, list):
            return [self._value(part, path, node) for part in value]
        if not isinstance(value, str):
            return value
        try:
            return parse_text(value)
        except ValueError:
            mend = "write $node.part, or $$ for a dollar sign itself"
            self._problem("dag.melody", f"{value!r} is no reference", mend, path, node)
            return value

    def _problem(self, code: str, text: str, mend: str, path: _Path, node: str = "") -> None:
        nodes = (node,) if node else ()
        self.problems.append(Problem(code, text, mend, nodes, self.place(path)))


def _syntax(text: str, source: str, message: str) -> MelodySyntax:
    match = _AT.search(message)
    reason = message[: match.start()] if match else message
    if match and match[1]:
        line, column = int(match[1]), int(match[2])
    else:
        line = text.count("\n") + 1
        column = len(text) - text.rfind("\n")
    return MelodySyntax(file=source, line=line, column=column, reason=reason)


def _line_number(place: str) -> int:
    _, _, line = place.rpartition(":")
    return int(line) if line.isdecimal() else 0
