"""guide"""

from sy_dag._graph._node import Node, OnError
from sy_dag._graph._ref import Ref
from sy_dag._graph._trace import task
from sy_dag._graph._workflow import Workflow

__all__ = ["Node", "OnError", "Ref", "Workflow", "task"]
