"""What is drawn of a model: its layers and the operations between them, containers with what they
contain, equal blocks in a row once.

The calls of the layers and the recorded graph say all of it. An item takes what a call was given,
gives what it returned; what the model itself computes in between (a residual sum, a softmax) is an
item too. A layer that only passes on what it takes (dropout in evaluation) stands in the chain.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Container
from typing import Any

from chainrule.explain.drawing.folding import (
    Diagram,
    Edge,
    Item,
    fold,
    fold_sequences,
    merge_chains,
)
from chainrule.explain.observe import Call, Observation, parameters_of
from chainrule.explain.printing.write import number, value_of
from chainrule.ir.graph import topological
from chainrule.ir.node import Node, TensorType
from chainrule.keras.layers.state import State as KerasLayer

#: Operations that a reader need not see: they change no value, and no shape that matters.
_HIDDEN = {"cast", "copy", "stop_gradient", "item", "boundary", "broadcast_to"}
_SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷"}
_CALLED = {"contract": "matmul", "permute": "transpose", "cat": "concatenate"}


def diagram(seen: Observation) -> Diagram:
    """What the first call that was seen did."""
    builder = _Builder(seen)
    root = builder.scope(seen.root, builder.given(seen.root, {})).done()
    names = _argument_names(seen.root)
    given = builder.nodes(seen.root.inputs)
    for item, node in zip(root.ins, builder.taken[seen.root], strict=True):
        item.title = ", ".join(names[i] for i, n in enumerate(given) if n is node and i in names)
    return root


def shape_text(shape: tuple[int, ...]) -> str:
    """2×3×4; a single number has no shape."""
    return "×".join(map(str, shape)) if shape else "scalar"


def _argument_names(call: Call) -> dict[int, str]:
    """Number of the tensor among the arguments → the argument's name, where there is one each."""
    symbols = getattr(call.layer, "inputs", None)  # of a model of Keras that is a graph
    if isinstance(call.layer, KerasLayer) and symbols and len(symbols) == len(call.inputs):
        return {i: str(t.name) for i, t in enumerate(symbols)}
    run = getattr(call.layer, "forward", None) or getattr(call.layer, "call", None)
    args, kwargs = call.given
    if run is None:
        return {}
    try:
        bound = inspect.signature(run).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):  # a signature that says nothing
        return {}
    flat: list[tuple[str, Any]] = []
    for name, value in bound.items():
        several = list(value.items()) if isinstance(value, dict) else None
        if isinstance(value, (list, tuple)):
            several = [(f"{name} {i}", v) for i, v in enumerate(value, 1)]
        flat += [(str(k), v) for k, v in several] if several is not None else [(name, value)]
    names: dict[int, list[str]] = {}
    for name, v in flat:
        names.setdefault(id(v), []).append(name)
    found = {}
    for i, t in enumerate(call.inputs):
        if names.get(id(t)):
            found[i] = names[id(t)].pop(0)
    return found


class _Builder:
    """Diagrams of all calls. A node is *live* if it comes from the data or out of a layer: what is
    made of parameters and constants alone (a mask) is not drawn."""

    def __init__(self, seen: Observation) -> None:
        self.seen = seen
        self.taken: dict[Call, list[Node]] = {}  # by each call drawn, in the order of its inputs
        outs = [n for call in seen.calls for n in self.nodes(call.outputs)]
        given = set(self.nodes(seen.root.inputs))
        out_of_layers = set(outs)
        self.live: set[Node] = set()
        for n in topological([*outs, *given]):
            if n in given or n in out_of_layers or any(i in self.live for i in n.inputs):
                self.live.add(n)

    def nodes(self, tensors: list[Any]) -> list[Node]:
        return self.seen.nodes_of(tensors)

    def given(self, call: Call, known: Container[Node]) -> list[Node]:
        """What a call took, each once; for what it wrote over in place, what was there before.
        `known` is what existed before the call."""
        found: dict[Node, None] = {}
        waiting = self.nodes(call.inputs)[::-1]
        while waiting:
            n = waiting.pop()
            before = [i for i in n.inputs if i in self.live]
            if n not in known and before and self.made_in(n, call):
                waiting += before[::-1]
            elif n in self.live:
                found[n] = None
        return list(found)

    def made_in(self, n: Node, call: Call) -> bool:
        """Whether a node came up in a call, or in one inside it."""
        at = self.seen.origin(n).call
        while at is not None and at is not call:
            at = at.parent
        return at is not None

    def scope(self, call: Call, given: list[Node]) -> _Scope:
        scope = _Scope(self, call, given)
        for child in call.children:
            scope.layer(child)
        for n in dict.fromkeys(self.nodes(call.outputs)):
            scope.result(n)
        self.taken[call] = scope.asked
        return scope


class _Scope:
    """Inside one call: which item gives which node, as far as its calls have been drawn."""

    def __init__(self, builder: _Builder, call: Call, given: list[Node]) -> None:
        self.builder, self.call = builder, call
        self.diagram = Diagram()
        self.given = set(given)
        self.gives: dict[Node, tuple[Item, int]] = {}
        self.asked: list[Node] = []
        self.inputs: list[Item] = []

    def layer(self, child: Call) -> None:
        builder = self.builder
        takes = builder.given(child, self.gives)
        inside = None
        if child.children:
            inside = builder.scope(child, takes).done()
            takes = builder.taken[child]
        item = Item(
            "layer",
            child.kind,
            _detail(child.layer, container=bool(child.children)),
            _below(child.path, self.call.path),
            sum(p.numel() for _, p in parameters_of(child.layer)),
            inside=inside,
        )
        self._add(item, takes)
        for i, n in enumerate(dict.fromkeys(builder.nodes(child.outputs))):
            self.gives[n] = item, i

    def result(self, node: Node) -> None:
        """What the call gives back: an end of the drawing."""
        if node in self.builder.live:
            self._add(Item("output", ""), [node])

    def done(self) -> Diagram:
        d = self.diagram
        d.items = [*self.inputs, *d.items]
        merge_chains(d)
        fold(d)
        fold_sequences(d)
        return d

    def _add(self, item: Item, takes: list[Node]) -> None:
        found = [(n, self._source(n)) for n in takes]
        self.diagram.items.append(item)
        for into, (n, source) in enumerate(found):
            self.diagram.edges.append(Edge(*source, item, into, _type_text(n)))

    def _source(self, node: Node) -> tuple[Item, int]:
        """Who gives a node: operations on the way become items."""
        waiting = [node]
        while waiting:
            n = waiting[-1]
            if n in self.gives:
                waiting.pop()
                continue
            live = [i for i in dict.fromkeys(n.inputs) if i in self.builder.live]
            if n in self.given or not live or not self._own(n):
                self._port(n)
                continue
            missing = [i for i in live if i not in self.gives]
            if missing:
                waiting += reversed(missing)
            elif n.op.name in _HIDDEN:
                self.gives[n] = self.gives[live[0]]
            else:
                item = self._op(n, live)
                self._add(item, live)
                self.gives[n] = item, 0
        return self.gives[node]

    def _own(self, n: Node) -> bool:
        """Whether this call computed it, or something called in it; else it came from outside."""
        return self.call.parent is None or self.builder.made_in(n, self.call)

    def _port(self, n: Node) -> None:
        item = Item("input", "")
        self.inputs.append(item)
        self.asked.append(n)
        self.gives[n] = item, 0

    def _op(self, n: Node, live: list[Node]) -> Item:
        sign = _SIGNS.get(n.op.name)
        name = _CALLED.get(n.op.name, n.op.name.strip("_").replace("_", " "))
        if sign is not None and len(live) == 2:
            return Item("join", sign)
        others = [i for i in n.inputs if i not in self.builder.live]
        if sign is not None and len(others) == 1:
            known = self.builder.seen.names.get(others[0])
            value = value_of(others[0])
            if known is not None:
                return Item("op", f"{sign} {_below(known, self.call.path)}")
            if value is not None and n.inputs[0] in live:
                return Item("op", f"{sign} {_short(value)}")
        return Item("op", sign or name)


def _short(value: Any) -> str:
    tex = number(value)
    return tex if re.fullmatch(r"-?[\d.]+", tex) else f"{float(value):.3g}"


def _below(path: str, container: str) -> str:
    """A path without its container's."""
    inner = path.removeprefix(container) if container else path
    return inner.lstrip("./")


def _type_text(n: Node) -> str:
    return shape_text(n.shape) if isinstance(n.type, TensorType) else ""


# ---------------------------------------------------------------------- what a layer is like


def _detail(layer: Any, container: bool) -> str:
    """What the drawing says of a layer's settings."""
    parts = []
    kernel = _sides(layer, "kernel_size", "pool_size")
    if kernel:
        parts.append(kernel)
    stride = _sides(layer, "stride", "strides")
    if stride and stride != kernel and stride.strip("1×"):
        each = set(stride.split("×"))
        parts.append(f"stride {each.pop() if len(each) == 1 else stride}")
    heads = getattr(layer, "num_heads", None)
    if isinstance(heads, int):
        parts.append(f"{heads} heads")
    rate = getattr(layer, "rate", getattr(layer, "p", None))
    if isinstance(rate, float):
        parts.append(f"p = {rate:g}")
    activation = getattr(layer, "activation", None)
    name = getattr(activation, "__name__", type(activation).__name__)
    if activation is not None and not container and name not in ("linear", "str", "function"):
        parts.append(name)
    return ", ".join(parts)


def _sides(layer: Any, *names: str) -> str:
    for name in names:
        v = getattr(layer, name, None)
        if isinstance(v, int) and not isinstance(v, bool):
            return f"{v}×{v}" if "2" in type(layer).__name__ else str(v)
        if isinstance(v, (list, tuple)) and v and all(isinstance(n, int) for n in v):
            return "×".join(map(str, v))
    return ""
