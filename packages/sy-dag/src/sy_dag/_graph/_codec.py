"""A workflow as JSON data and back, with a schema version."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from sy_commons import SymphonyError
from sy_dag._errors import DefinitionInvalid
from sy_dag._graph._node import REQUIRED, Input, Node, OnError, Output
from sy_dag._graph._ref import Ref, format_text, parse_text

if TYPE_CHECKING:
    from sy_dag._graph._workflow import Workflow

SCHEMA = 1
_PICKLE = "$pickle"  # cannot be the key of plain data: such tables are pickled themselves
W = TypeVar("W", bound="Workflow")


def to_dict(workflow: Workflow) -> dict[str, Any]:
    """Return the definition of *workflow* as JSON data."""
    return {
        "schema": SCHEMA,
        "name": workflow.name,
        "version": workflow.version,
        "description": workflow.description,
        "inputs": {name: _input(i) for name, i in workflow.inputs.items()},
        "nodes": {name: _node(node) for name, node in workflow.nodes.items()},
        "outputs": {name: _output(o) for name, o in workflow.outputs.items()},
    }


def to_json(workflow: Workflow) -> str:
    """Return the definition as indented JSON."""
    return json.dumps(to_dict(workflow), ensure_ascii=False, indent=2) + "\n"


def from_json(make: type[W], text: str | bytes) -> W:
    """Return the workflow that *text* describes."""
    try:
        definition = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DefinitionInvalid(reason=str(error)) from error
    return from_dict(make, definition)


def from_dict(make: type[W], definition: Mapping[str, Any]) -> W:
    """Return the workflow that *definition* describes, checked as it is built."""
    version = definition.get("schema") if isinstance(definition, Mapping) else None
    if version != SCHEMA:
        raise DefinitionInvalid(reason=f"its schema is {version!r}, and {SCHEMA} is known here")
    try:
        return _built(make, definition)
    except SymphonyError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DefinitionInvalid(reason=f"{type(error).__name__}: {error}") from error


def _built(make: type[W], definition: Mapping[str, Any]) -> W:
    workflow = make(
        definition["name"],
        version=definition["version"],
        description=definition["description"],
    )
    for name, body in definition["inputs"].items():
        default = decode(body["default"]) if "default" in body else REQUIRED
        workflow.input(name, body["type"], default=default, description=body.get("description", ""))
    for name, body in definition["nodes"].items():
        workflow.add(_read_node(name, body))
    for name, body in definition["outputs"].items():
        workflow.output(name, decode(body["value"]), artifact=body.get("artifact"))
    return workflow


def encode(value: Any) -> Any:
    """Return an argument as JSON data: references as ``$text``, what JSON cannot say pickled.

    >>> encode({"root": Ref("inputs", ("path",)), "price": "$5"})
    {'root': '$inputs.path', 'price': '$$5'}
    """
    if value is None or isinstance(value, bool) or type(value) in (int, float):
        return value
    if isinstance(value, Ref) or type(value) is str:
        return format_text(value)
    if type(value) is list:
        return [encode(part) for part in value]
    if type(value) is dict and _PICKLE not in value and all(type(key) is str for key in value):
        return {key: encode(part) for key, part in value.items()}
    return {_PICKLE: base64.b64encode(pickle.dumps(value, protocol=5)).decode()}


def decode(data: Any) -> Any:
    """Return the argument that :func:`encode` wrote. What was pickled is as trusted as code."""
    if isinstance(data, str):
        return parse_text(data)
    if isinstance(data, list):
        return [decode(part) for part in data]
    if isinstance(data, dict):
        if data.keys() == {_PICKLE}:
            return pickle.loads(base64.b64decode(data[_PICKLE]))  # noqa: S301 - see the docstring
        return {key: decode(part) for key, part in data.items()}
    return data


def _input(declaration: Input) -> dict[str, Any]:
    body: dict[str, Any] = {"type": declaration.type}
    if not declaration.required:
        body["default"] = encode(declaration.default)
    if declaration.description:
        body["description"] = declaration.description
    return body


def _output(output: Output) -> dict[str, Any]:
    body = {"value": encode(output.value)}
    return body if output.artifact is None else body | {"artifact": output.artifact}


def _node(node: Node) -> dict[str, Any]:
    body: dict[str, Any] = {"kind": node.kind, "runner": node.runner}
    if node.arguments:
        body["with"] = encode(dict(node.arguments))
    if node.map:
        body["map"] = encode(dict(node.map))
    if node.on_error != OnError():
        error = node.on_error
        body["on_error"] = {
            "retries": error.retries,
            "backoff": encode(error.backoff),
            "then": error.then.value,
            "fallback": error.fallback,
        }
    body |= {"timeout_s": node.timeout_s} if node.timeout_s is not None else {}
    body |= {"after": list(node.after)} if node.after else {}
    body |= {"only": "fallback"} if node.only_fallback else {}
    body |= {"priority": node.priority} if node.priority else {}
    body |= {"tags": sorted(node.tags)} if node.tags else {}
    return body | ({"where": node.where} if node.where != "inline" else {})


def _read_node(name: str, body: Mapping[str, Any]) -> Node:
    error = dict(body.get("on_error", {}))
    if "backoff" in error:
        error["backoff"] = decode(error["backoff"])
    return Node(
        name,
        body["kind"],
        body["runner"],
        arguments=decode(body.get("with", {})),
        map=decode(body.get("map", {})),
        on_error=OnError(**error),
        timeout_s=body.get("timeout_s"),
        after=tuple(body.get("after", ())),
        only_fallback=body.get("only") == "fallback",
        priority=body.get("priority", 0),
        tags=frozenset(body.get("tags", ())),
        where=body.get("where", "inline"),
    )
