"""The graph for the eye."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sy_dag._graph._workflow import Workflow


def mermaid(workflow: Workflow) -> str:
    """Return *workflow* as a Mermaid flow chart; what flows is solid, mere order dotted."""
    graph = workflow.shape
    lines = ["flowchart TD"]
    for i, name in enumerate(graph.names):
        node = workflow.nodes[name]
        left, right = ("[[", "]]") if node.map else ("[", "]")
        lines.append(f'    n{i}{left}"{name}<br/>{_escaped(node.label)}"{right}')
    for j, before in enumerate(graph.waits):
        for i in before:
            lines.append(f"    n{i} {'-->' if i in graph.data[j] else '-.->'} n{j}")  # noqa: PERF401 - reads better
    for i, name in enumerate(graph.names):
        fallback = workflow.nodes[name].on_error.fallback
        if fallback is not None and fallback in graph.index:
            lines.append(f"    n{i} -. fails .-> n{graph.index[fallback]}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
