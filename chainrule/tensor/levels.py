"""Transforms of functions that are under way: batches (vmap) and arguments (grad).

Inside vmap a tensor is one sample: its node is a graph input that only the transform knows, of the
scope "of …". What the function records is ordinary, at the shapes of one sample; when it returns,
`whole` gives what it recorded for all samples (`chainrule.autodiff.batch`). So a function that is
mapped may do all that is recorded: views, writing in place, gradients, another vmap. A value
cannot be looked at, as there is none for one sample.

Inside grad an argument is the tensor under another name (`ops.argument`), so that the same tensor,
reached another way, is a constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.autodiff.batch import batched
from chainrule.autodiff.reverse import through
from chainrule.dtypes import DType, bool_
from chainrule.ir.graph import topological
from chainrule.ir.node import Node
from chainrule.tensor.handle import Tensor, from_array, node_of, result
from chainrule.tensor.trace import HIDING, Storage, Trace, grad_inputs, one_piece, state, walking


class Vmap:
    """A batch that is computed as if it were one sample.

    mapping  node of one sample → node of all, with the batch as first axis
    """

    def __init__(self, size: int, randomness: str) -> None:
        self.size, self.randomness = size, randomness
        self.trace = trace = state.here.trace
        trace.opened += 1
        if trace.scopes is None:
            trace.scopes = {}
        self.scope = f"{HIDING}vmap {trace.opened}"
        self.first = len(trace.storages)
        self.mapping: dict[Node, Node] = {}
        self.marker = self.stand_in(ops.full((size,), False, bool_))

    def stand_in(self, whole: Node) -> Node:
        """The one sample of a batch, as a node."""
        one = ops.input(
            index=len(self.mapping), shape=whole.shape[1:], dtype=whole.dtype, scope=self.scope
        )
        self.mapping[one] = whole
        return one

    def enter(self, t: Tensor, axis: int = 0) -> Tensor:
        """A tensor whose `axis` is the batch, as one sample of it."""
        node = node_of(t)
        if axis:
            node = ops.permute(node, order=(axis, *(a for a in range(node.ndim) if a != axis)))
        return result(self.stand_in(node), state.here.trace, 1 if t.level else 0)

    def whole(self, nodes: Sequence[Node]) -> list[Node | None]:
        """The values for all samples; None: they are all the same."""
        return batched(nodes, self.mapping, self.size)

    def holds(self, node: Node) -> bool:
        """Whether a value differs from sample to sample of this batch."""
        return self.scope in self.trace.hidden(node)

    def draws(self) -> int:
        """How many random numbers are drawn where one sample draws one."""
        if self.randomness == "error":
            raise RuntimeError(
                "vmap: called random operation while in randomness error mode. Please either use "
                "the 'same' or 'different' randomness flags on vmap or perform the randomness "
                "operation out of vmap"
            )
        return self.size if self.randomness == "different" else 1

    def deal(self, make: Callable[[], np.ndarray], dtype: DType) -> Tensor:
        """Numbers that are drawn at once, for every sample of all batches that are under way."""
        lanes = state.here.lanes
        sizes = [level.draws() for level in lanes]
        many = np.stack([make() for _ in range(math.prod(sizes))])
        t: Tensor = from_array(many.reshape(*sizes, *many.shape[1:]), dtype)
        for level in lanes:
            t = level.enter(t) if level.randomness == "different" else t[0]
        return t

    def text(self, t: Tensor) -> str:
        """What a sample prints as: all of them."""
        (whole,) = self.whole([node_of(t)])
        assert whole is not None
        depth = state.here.lanes.index(self) + 1
        with outside(self):
            inner = repr(given_back(whole, t.level))
        lines = inner.replace("\n", "\n    ")
        return f"BatchedTensor(lvl={depth}, bdim=0, value=\n    {lines}\n)"

    def check_write(self, s: Storage, value: Node) -> None:
        """What was there before has room for one value, not for a batch."""
        if not self.holds(value) or (s.node is not None and self.holds(s.node)):
            return
        trace = self.trace
        if s.array is None and any(x is s for x in trace.storages[self.first :]):
            return
        raise RuntimeError(
            "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a "
            "Tensor `other` in extra_args that has more elements than `self`. This happened due to "
            "`other` being vmapped over but `self` not being vmapped over in a vmap. Please try to "
            "use out-of-place operators instead of inplace arithmetic."
        )


class Grad:
    """Arguments that a function is differentiated by."""

    def __init__(self) -> None:
        trace = state.here.trace
        trace.opened += 1
        self.index = trace.opened

    def enter(self, t: Tensor) -> Tensor:
        """A tensor under a name of its own."""
        if not t._dtype.is_floating_point and not getattr(t._dtype, "is_complex", False):
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        node = node_of(t)
        return result(ops.argument(node, index=self.index), state.here.trace, 1)


@contextmanager
def batch(size: int, randomness: str) -> Iterator[Vmap]:
    """vmap is under way. Nothing that it records is computed of itself."""
    here = state.here
    with walking():
        level = Vmap(size, randomness)
        here.levels.append(level)
        here.lanes.append(level)
        try:
            yield level
        finally:
            here.levels.pop()
            here.lanes.pop()


@contextmanager
def outside(level: Vmap) -> Iterator[None]:
    """Record as if `level` and what is inside of it were not there: on whole batches."""
    here = state.here
    levels, lanes = here.levels, here.lanes
    here.levels = levels[: levels.index(level)]
    here.lanes = [x for x in here.levels if isinstance(x, Vmap)]
    try:
        yield
    finally:
        here.levels, here.lanes = levels, lanes


@contextmanager
def arguments() -> Iterator[Grad]:
    """grad is under way: what is recorded has a gradient."""
    here = state.here
    before, here.grad = here.grad, True
    level = Grad()
    here.levels.append(level)
    try:
        yield level
    finally:
        here.levels.pop()
        here.grad = before


def innermost(t: Tensor) -> Vmap | None:
    """The innermost batch of which a tensor is one sample."""
    lanes = state.here.lanes
    if lanes:
        node = node_of(t)
        for level in reversed(lanes):
            if level.holds(node):
                found: Vmap = level
                return found
    return None


def every_sample(t: Tensor) -> Tensor:
    """What a tensor stands for: itself, or all samples of the batches of which it is one (the
    outermost batch first). For a look that does not say which sample it saw.
    """
    level = innermost(t)
    if level is None:
        return t
    (whole,) = level.whole([node_of(t)])
    assert whole is not None
    with outside(level):
        return every_sample(given_back(whole, t.level))


_followed: dict[tuple[Any, ...], bool] = {}


def leads_on(node: Node, trace: Trace) -> bool:
    """Whether a gradient of a value goes on to something outside: a leaf, or an earlier trace."""
    ends = tuple(
        e.node
        for e in grad_inputs(trace)
        if e.history is None or leads_on(e.history[1], e.history[0])
    )
    if not ends:
        return False
    key = (node, ends)
    found = _followed.get(key)
    if found is None:
        if len(_followed) > 4096:
            _followed.clear()
        wanted = set(ends)

        def below(n: Node) -> tuple[Node, ...]:
            return () if n.op.name == "stop_gradient" else through(n)

        found = _followed[key] = any(n in wanted for n in topological([node], below=below))
    return found


def given_back(node: Node, level: int) -> Tensor:
    """A result of a transform, with a gradient where one goes on outside of it."""
    here = state.here
    trace = here.trace
    if level and not here.grad:
        return result(ops.stop_gradient(node), trace, 0)
    if level and not here.levels and not leads_on(node, trace):
        level = 0
    return result(node, trace, 1 if level else 0)


__all__ = [
    "Grad", "Vmap", "arguments", "batch", "every_sample", "given_back", "innermost", "one_piece",
    "outside",
]  # fmt: skip
