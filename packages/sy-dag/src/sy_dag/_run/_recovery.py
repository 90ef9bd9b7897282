"""Taking a stored run up again: which facts are in force, and the values they left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from sy_dag._errors import JournalDamaged
from sy_dag._graph._codec import encode
from sy_dag._graph._order import needs
from sy_dag._graph._ref import INPUTS, refs_in
from sy_dag._graph._workflow import Workflow
from sy_dag._run._codec import decode_value
from sy_dag._run._core import Core
from sy_dag._run._data import Data, Hole, Items
from sy_dag._run._facts import Began, Completed, Expanded, Instruction, Omit, StandIn
from sy_dag._run._journal import Header, Redefined, Story
from sy_dag._run._places import Places
from sy_dag._run._plan import Lane, Plan, make_plan
from sy_dag._run._results import ResultStore
from sy_dag._run._states import NodeState


@attrs.frozen(eq=False)
class Stand:
    """Where a stored run stands: its definition, the code behind it, the facts in force."""

    header: Header
    definition: Mapping[str, Any]
    runners: Mapping[str, str]
    facts: list[Any]


def stand(story: Story) -> Stand:
    """Return where the run of *story* stands; of changed definitions the last one."""
    header = story.header
    definition: dict[str, Any] = header.definition
    runners = header.runners
    facts: list[Any] = []
    for record in story.records:
        if isinstance(record, Redefined):
            old, new = Workflow.from_dict(definition), Workflow.from_dict(record.definition)
            facts = carried(old, new, facts)
            definition, runners = record.definition, record.runners
        else:
            facts.append(record)
    return Stand(header, definition, runners, facts)


def plan_to_look_at(workflow: Workflow) -> Plan:
    """Return a plan that is good for replaying, where nothing will run."""
    lanes = [Lane.INLINE] * len(workflow.nodes)
    return make_plan(workflow.shape, workflow.nodes, lanes)


def replayed(
    plan: Plan, run_id: str, facts: list[Any], places: Places
) -> tuple[Core, list[Instruction]]:
    """Return a core that knows *facts*, and what they did to values."""
    core = Core(plan, run_id, places)
    return core, core.replay(facts)


def carried(old: Workflow, new: Workflow, facts: list[Any]) -> list[Any]:
    """Return those of *facts* that still hold for the *new* definition: finished nodes stay.

    Items of a node that maps stay as long as it maps over the same; what failed or was skipped is
    tried again as it is now.
    """
    plan = plan_to_look_at(old)
    core, _ = replayed(plan, "", facts, Places(plan, {}))
    states = dict(zip(plan.shape.names, core.states, strict=True))
    kept: set[str] = set()
    for name in old.order():
        if name not in new:
            continue
        before, now = old.nodes[name], new.nodes[name]
        sources = {ref.node for ref in refs_in(now.map)} - {INPUTS}
        same_map = encode(dict(before.map)) == encode(dict(now.map))
        complete = states[name] is NodeState.COMPLETED
        if same_map and sources <= kept and (complete or name_expanded(core, name)):
            kept.add(name)
    whole = {name for name in kept if states[name] is NodeState.COMPLETED}
    partial = {name for name in kept - whole if sources_complete(new, name, whole)}
    return [
        fact
        for fact in facts
        if isinstance(fact, Began)
        or (isinstance(fact, Completed | Expanded) and fact.node in whole | partial)
    ]


def name_expanded(core: Core, name: str) -> bool:
    """Tell whether the node called *name* maps and knows its items."""
    return core.plan.shape.index[name] in core.fans


def sources_complete(workflow: Workflow, name: str, complete: set[str]) -> bool:
    """Tell whether everything that the node maps over is complete."""
    return {ref.node for ref in refs_in(workflow.nodes[name].map)} - {INPUTS} <= complete


async def fetch(facts: Sequence[Completed], results: ResultStore) -> dict[str, bytes]:
    """Return what the result store keeps of *facts*, by key."""
    keys = dict.fromkeys(fact.stored for fact in facts if fact.stored is not None)
    return {key: await results.get(key) for key in keys}


def wanted(
    core: Core, workflow: Workflow, facts: Sequence[Any], effects: Sequence[Instruction]
) -> list[Completed]:
    """Return the facts whose values an output, or a node that may still run, takes."""
    index = core.plan.shape.index
    asked_for = _asked_for(core, workflow)
    for effect in reversed(effects):
        if type(effect) is StandIn and effect.node in asked_for:
            asked_for.add(effect.fallback)
    return [fact for fact in facts if type(fact) is Completed and index[fact.node] in asked_for]


def load(  # noqa: PLR0913, PLR0917 - what is known of a run, in the order it is found out
    data: Data,
    core: Core,
    facts: Sequence[Any],
    effects: Sequence[Instruction],
    needed: Sequence[Completed],
    fetched: Mapping[str, bytes],
) -> None:
    """Put into *data* what finished nodes gave: the values of those *needed*, references of all."""
    index = core.plan.shape.index
    for i, fan in core.fans.items():
        data.set_items(i, fan.keys)
    values = {
        id(fact): decode_value(fact.value if fact.stored is None else fetched[fact.stored])
        for fact in needed
    }
    for fact in facts:
        if type(fact) is Completed:
            i = index[fact.node]
            k = -1 if fact.item is None else core.fans[i].index[fact.item]
            data.keep(i, k, values.get(id(fact)), fact.reference)
    _apply(data, effects)
    _expand_again(data, core)


def _apply(data: Data, effects: Sequence[Instruction]) -> None:
    for effect in effects:
        if type(effect) is Omit:
            items = data.values[effect.node]
            if type(items) is Items:
                items.values[effect.item] = Hole(items.keys[effect.item], effect.error)
        elif type(effect) is StandIn:
            data.stand_in(effect.node, effect.fallback)


def _expand_again(data: Data, core: Core) -> None:
    """Find the items' arguments again; their keys have to be those that were journaled."""
    for i, fan in core.fans.items():
        if core.states[i] is NodeState.COMPLETED or not fan.open:
            continue
        if data.expand(i) != fan.keys:
            name = core.plan.shape.names[i]
            raise JournalDamaged(
                path=core.run_id, offset=0, reason=f"the items of {name} are not the journaled ones"
            )


def _asked_for(core: Core, workflow: Workflow) -> set[int]:
    index = core.plan.shape.index
    names: set[str] = set()
    done = (NodeState.COMPLETED, NodeState.SKIPPED)
    for name, node in workflow.nodes.items():
        if core.states[index[name]] not in done:
            names.update(needs(node))
    for output in workflow.outputs.values():
        names.update(ref.node for ref in refs_in(output.value))
    names.discard(INPUTS)
    return {index[name] for name in names}


def differences(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    old_runners: Mapping[str, str],
    new_runners: Mapping[str, str],
) -> list[str]:
    """Return in words how two definitions, and the code behind them, differ; [] if not.

    >>> old = {"nodes": {"a": {"kind": "operator", "runner": "x"}}}
    >>> differences(old, {"nodes": {}}, {}, {})
    ['node a was removed']
    """
    found = [
        f"{key}: {old.get(key)!r} became {new.get(key)!r}"
        for key in ("name", "version", "inputs", "outputs")
        if old.get(key) != new.get(key)
    ]
    before, now = old["nodes"], new["nodes"]
    found += [f"node {name} was removed" for name in before if name not in now]
    found += [f"node {name} was added" for name in now if name not in before]
    for name in before:
        if name not in now:
            continue
        for key in dict.fromkeys((*before[name], *now[name])):
            was, is_now = before[name].get(key), now[name].get(key)
            if was != is_now:
                found.append(f"node {name}: {key} was {was!r} and is {is_now!r}")
        if old_runners.get(name) != new_runners.get(name):
            found.append(
                f"node {name}: its code changed "
                f"({old_runners.get(name)} became {new_runners.get(name)})"
            )
    return found
