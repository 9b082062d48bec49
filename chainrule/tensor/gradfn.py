"""`x.grad_fn`: which operation a tensor comes from, by PyTorch's names.

Gradients are derived from the graph, not by these objects: they are for programs that print, name
or walk the graph (`next_functions`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.ir.node import Node
from chainrule.tensor.handle import Tensor
from chainrule.tensor.trace import Trace, state

#: Our ops' names, where PyTorch's are others.
_NAMES = {
    "reshape": "View", "amax": "Max", "amin": "Min", "copy": "Clone", "contract": "Mm",
    "matmul": "Mm", "slice": "Slice", "broadcast_to": "Expand", "cast": "ToCopy", "take": "Index",
    "take_along": "Gather", "norm2": "LinalgVectorNorm", "put": "IndexPut", "permute": "Permute",
    "conv": "Convolution", "convolution": "Convolution", "cross_entropy_rows": "NllLoss",
    "squared_error": "MseLoss", "layer_norm": "NativeLayerNorm", "stop_gradient": "None",
}  # fmt: skip


class GradFn:
    """One operation of the graph."""

    def __init__(self, node: Node | None, trace: Trace | None) -> None:
        self._node, self._trace = node, trace
        self.metadata: dict[Any, Any] = {}

    def name(self) -> str:
        """PyTorch's name of the operation's gradient."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """Where the gradient goes on: operations, leaves (`AccumulateGrad`), or None."""
        if self._node is None or self._trace is None:
            return ()
        flowing = _flowing(self._trace)
        carrying = _carrying(self._node, flowing)
        return tuple(
            (_of(n, self._trace, flowing) if n in carrying else None, 0) for n in self._node.inputs
        )

    def register_hook(self, hook: Callable[..., Any]) -> Any:
        """Leaves only: for operations the gradients of inputs belong to the input tensors."""
        raise NotImplementedError(
            "grad_fn.register_hook(grad_inputs, grad_outputs): use register_prehook for the "
            "gradient of the result, or register_hook on the tensors that the operation reads"
        )

    def register_prehook(self, hook: Callable[..., Any]) -> Any:
        """Call hook((gradient,)) when the gradient of the operation's result is known; a tuple that
        it returns replaces it.
        """
        if self._node is None or self._trace is None:
            raise RuntimeError("this operation is not part of a graph any more")
        return engine.add_hook(self._trace, self._node, lambda g: _first(hook((g,))))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradFn) and other._node is self._node is not None

    def __hash__(self) -> int:
        return hash(self._node)


class AccumulateGrad(GradFn):
    """A leaf: its gradient is added to `.grad`."""

    def __init__(self, variable: Tensor) -> None:
        super().__init__(None, None)
        self.variable = variable

    def name(self) -> str:
        """PyTorch's name."""
        return "torch::autograd::AccumulateGrad"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and other.variable is self.variable

    def __hash__(self) -> int:
        return id(self.variable)

    def register_hook(self, hook: Callable[..., Any]) -> Any:
        """Call hook((), ()) once the gradient was added to `.grad`."""
        return self.variable.register_post_accumulate_grad_hook(lambda t: hook((), (t.grad,)))

    def register_prehook(self, hook: Callable[..., Any]) -> Any:
        """Call hook((gradient,)) before it is added; a tuple that it returns replaces it."""
        return self.variable.register_hook(lambda g: _first(hook((g,))))


def _first(answer: Any) -> Any:
    """What a hook of an operation with one result gave."""
    return answer[0] if isinstance(answer, tuple) else answer


class Engine:
    """What `backward` tells this module, which it imports: how a hook is put on a value."""

    add_hook: Callable[[Trace, Node, Callable[[Tensor], Any]], Any]


engine = Engine()

_kinds: dict[str, type[GradFn]] = {}


def _kind(name: str) -> type[GradFn]:
    """The class of one operation: programs look at `type(x.grad_fn).__name__`."""
    found = _kinds.get(name)
    if found is None:
        title = _NAMES.get(name) or name.title().replace("_", "")
        found = _kinds[name] = type(f"{title}Backward0", (GradFn,), {})
    return found


def name_of(n: Node) -> str:
    """PyTorch's name of the operation that gave a value; of a leaf, what adds up its gradient."""
    return "AccumulateGrad" if n.op.name == "input" else _kind(n.op.name).__name__


def _flowing(trace: Trace) -> dict[Node, tuple[Tensor | None, Any]]:
    """The inputs that a gradient goes on from: the leaf, or the closed trace behind."""
    return {e.node: (e.tensor, e.history) for e in trace.inputs if e.flows}


def _carrying(root: Node, flowing: dict[Node, Any]) -> set[Node]:
    """The nodes below `root` that a gradient reaches a leaf through."""
    carrying = set(flowing)
    done: set[Node] = set()
    stack = [root]
    while stack:
        n = stack[-1]
        if n in done:
            stack.pop()
            continue
        todo = [i for i in n.inputs if i not in done]
        if todo and n.op.name != "stop_gradient":
            stack.extend(todo)
            continue
        stack.pop()
        done.add(n)
        if n.op.name != "stop_gradient" and any(i in carrying for i in n.inputs):
            carrying.add(n)
    return carrying


def _of(n: Node, trace: Trace, flowing: dict[Node, tuple[Tensor | None, Any]]) -> GradFn:
    if n in flowing:
        tensor, history = flowing[n]
        if history is not None:
            behind, node = history
            return _of(node, behind, _flowing(behind))
        assert tensor is not None
        return AccumulateGrad(tensor)
    if n.op.name == "item":
        written = getattr(trace.watched.get(n.inputs[0]), "name", None)
        if written is not None:  # an autograd.Function
            name = f"{written}Backward"
            if name not in _kinds:
                _kinds[name] = type(name, (GradFn,), {})
            return _kinds[name](n, trace)
    return _kind(n.op.name)(n, trace)


def grad_fn(self: Tensor) -> GradFn | None:
    """The operation that this tensor comes from; None for leaves and where no gradient flows."""
    if not self.level or self.leaf:
        return None
    if self.history is not None:
        trace, node = self.history
        return _of(node, trace, _flowing(trace))
    if self.node is None:
        return _kind("none")(None, None)
    return _of(self.node, state.trace, _flowing(state.trace))
