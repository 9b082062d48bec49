"""The layers of a model as a tree, and what each of them costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from chainrule.explain.costs.account import Account, Home, Share
from chainrule.explain.observe import Call, Observation, is_model, layers_of, parameters_of
from chainrule.ir.cost import FREE, Cost
from chainrule.nn import Module
from chainrule.tensor import Tensor

#: Below this share of both peaks, neither arithmetic nor memory is what a layer waits for.
_IDLE = 0.05


class Pass:
    """What a layer takes in one pass, or in one training step: sums over what is inside.

    flops   floating-point operations; `macs` are the multiply-adds of products among them
    bytes   read and written, parameters included, if each layer is one kernel
    seconds measured, each layer as a program of its own; None: not measured
    """

    def __init__(self) -> None:
        self.cost: Cost = FREE
        self.bytes = 0
        self.seconds: float | None = None

    @property
    def flops(self) -> int:
        return self.cost.flops

    @property
    def macs(self) -> int:
        return self.cost.macs

    def add(self, share: Share, seconds: float | None) -> None:
        """What one home takes."""
        self.cost += share.cost
        self.bytes += share.moved
        if seconds is not None:
            self.seconds = (self.seconds or 0.0) + seconds


class Row:
    """One layer: a line of the table.

    path         from the model down; "" is the model itself
    params       numbers in its parameters, and in those of what is inside; one that belongs to
                 several layers counts where it comes up first. `trainable` are those that training
                 changes, `param_bytes` the memory of all
    calls        how often it is called in a pass; costs are those of all calls
    shapes       shapes of the results of its last call
    forward      what a pass takes, in evaluation mode (a `Pass`)
    training     what a training step takes: forward and backward, in training mode; None: not asked
    kept         bytes of its values that the backward pass will read
    """

    def __init__(self, path: str, layer: Any, parent: Row | None) -> None:
        self.path, self.layer, self.parent = path, layer, parent
        self.kind = type(layer).__name__
        self.children: list[Row] = []
        self.first = math.inf
        self.calls = 0
        self.shapes: list[tuple[int, ...]] = []
        self.input_shapes: list[tuple[int, ...]] = []
        self.params = self.trainable = self.param_bytes = 0
        self.forward = Pass()
        self.training: Pass | None = None
        self.kept = 0
        self._peak: Any = None
        self._scale = 1.0

    @property
    def depth(self) -> int:
        """0 for the model."""
        return 0 if self.parent is None else self.parent.depth + 1

    @property
    def name(self) -> str:
        """The last part of the path; the class of the model."""
        if self.parent is None:
            return self.kind
        start = len(self.parent.path)
        return self.path[start:].lstrip("./") if self.parent.path else self.path

    @property
    def is_leaf(self) -> bool:
        """Whether it has no layers inside."""
        return not self.children

    @property
    def flops(self) -> int:
        return self.forward.flops

    @property
    def macs(self) -> int:
        return self.forward.macs

    @property
    def bytes(self) -> int:
        return self.forward.bytes

    @property
    def time(self) -> float | None:
        """Seconds of the forward pass, measured alone."""
        return self.forward.seconds

    @property
    def train_time(self) -> float | None:
        """Seconds of forward and backward pass, measured alone."""
        return None if self.training is None else self.training.seconds

    @property
    def compute_share(self) -> float | None:
        """Operations per second as a part of what the machine reaches at best."""
        seconds = self.forward.seconds
        return self.flops / seconds / self._peak.flops * self._scale if seconds else None

    @property
    def memory_share(self) -> float | None:
        """Bytes per second as a part of what memory gives at best. More than 1: from caches."""
        return self.bytes / self.time / self._peak.bandwidth if self.time else None

    @property
    def bound(self) -> str:
        """What it waits for: "compute" or "memory", whichever takes longer at the machine's best;
        "overhead" where it uses little of either; "" where there is nothing to do or to tell.
        """
        if self._peak is None or not (self.flops or self.bytes):
            return ""
        if self.time and max(self.compute_share or 0, self.memory_share or 0) < _IDLE:
            return "overhead"
        arithmetic = self.flops * self._scale / self._peak.flops
        return "compute" if arithmetic >= self.bytes / self._peak.bandwidth else "memory"

    def walk(self) -> Iterator[Row]:
        """This row and those inside."""
        yield self
        for child in self.children:
            yield from child.walk()

    def __repr__(self) -> str:
        return f"<{self.kind} {self.path!r}: {self.params:,} parameters, {self.flops:,} FLOPs>"


def rows_of(model: Any, seen: Sequence[Observation]) -> Row:
    """Rows for all layers that the model has, or called, with their calls and shapes."""
    root = Row("", model, None)
    by_path = {"": root}
    by_layer = {id(model): root}
    for path, layer in layers_of(model):
        if path:
            _hang(Row(path, layer, _parent_of(path, by_path)), by_path, by_layer)
    for k, one in enumerate(seen):
        for number, call in enumerate(one.calls):
            row = by_layer.get(id(call.layer))
            if row is None:
                row = Row(call.path, call.layer, _row_of_call(call.parent, by_layer, root))
                _hang(row, by_path, by_layer)
            row.first = min(row.first, number)
            if k == 0:
                row.calls += 1
            row.shapes, row.input_shapes = shapes_of(call.outputs), shapes_of(call.inputs)
    _sort(root)
    return root


def _hang(row: Row, by_path: dict[str, Row], by_layer: dict[int, Row]) -> None:
    assert row.parent is not None
    row.parent.children.append(row)
    by_path[row.path] = by_layer[id(row.layer)] = row


def _parent_of(path: str, by_path: dict[str, Row]) -> Row:
    ends = [i for i, c in enumerate(path) if c in "./"]
    return next((by_path[path[:i]] for i in reversed(ends) if path[:i] in by_path), by_path[""])


def _row_of_call(call: Call | None, by_layer: dict[int, Row], root: Row) -> Row:
    return root if call is None else by_layer.get(id(call.layer), root)


def _sort(row: Row) -> float:
    """Children in the order of their first calls; what is never called comes last."""
    firsts = {id(child): _sort(child) for child in row.children}
    row.children.sort(key=lambda child: firsts[id(child)])
    return min([row.first, *firsts.values()])


def count_parameters(model: Any, rows: dict[int, Row]) -> None:
    """Parameters (in Keras also what training does not change), each at the first layer that has
    it.
    """
    keras = not isinstance(model, Module)
    owned: set[int] = set()
    for row in sorted(rows.values(), key=lambda r: bool(r.children) * (1000 - r.depth)):
        if is_model(row.layer):  # first those with nothing inside, then from the inside out
            _own(row, row.layer, keras, owned)


def _own(row: Row, layer: Any, keras: bool, owned: set[int]) -> None:
    trainable = {id(t) for _, t in parameters_of(layer, trainable=True)}
    for _, t in parameters_of(layer, buffers=keras):
        if id(t) in owned:
            continue
        owned.add(id(t))
        n = math.prod(t.shape)
        at: Row | None = row
        while at is not None:
            at.params += n
            at.trainable += n * (id(t) in trainable)
            at.param_bytes += n * t.dtype.itemsize
            at = at.parent


def fill(account: Account, seconds: dict[Home, float], rows: dict[int, Row], root: Row) -> None:
    """What each home takes, for its layer and all around it."""
    training = account.training
    if training:
        for one in rows.values():
            one.training = Pass()
    for home, share in account.shares.items():
        layer = None if home.call is None else home.call.layer
        row: Row | None = rows.get(id(layer), root)
        while row is not None:
            if training:
                assert row.training is not None
                row.training.add(share, seconds.get(home))
                row.kept += share.kept
            else:
                row.forward.add(share, seconds.get(home))
            row = row.parent


def shapes_of(tensors: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """The shapes of tensors."""
    return [tuple(t.shape) for t in tensors]
