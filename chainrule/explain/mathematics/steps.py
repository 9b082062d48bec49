"""Which values of the forward pass get a name: what is affine, activations, rows, states, sums."""

from __future__ import annotations

from chainrule.explain.mathematics.labels import Labels
from chainrule.explain.mathematics.naming import Names, letter, owner
from chainrule.explain.mathematics.products import moments
from chainrule.explain.mathematics.subject import Subject
from chainrule.explain.printing.write import value_of
from chainrule.ir.graph import depends_on, topological
from chainrule.ir.node import Node, TensorType

_MOVES = frozenset({
    "reshape", "permute", "broadcast_to", "slice", "cast", "copy", "stop_gradient", "item",
    "expand_dims", "boundary", "passing_to", "argument",
})  # fmt: skip
PRODUCTS = frozenset({"linear", "matmul", "contract", "conv", "conv_transpose"})


class Steps:
    """The named values of a forward pass.

    kinds    what each of them is: its letter
    number   l of every node: that of the last layer with parameters before it
    given    values that no formula tells: masks that were drawn, constants that are arrays
    """

    def __init__(self, subject: Subject, order: list[Node], labels: Labels, names: Names) -> None:
        self.subject, self.order, self.labels, self.names = subject, order, labels, names
        self.users: dict[Node, list[Node]] = {}
        for n in order:
            for i in dict.fromkeys(n.inputs):
                self.users.setdefault(i, []).append(n)
        leaves = [n for n in order if n.op.name == "input"]
        known = [*subject.inputs, *subject.target, *subject.names]
        self.given = self._given(known)
        self.bound = depends_on(order, known)
        self.kinds: dict[Node, str] = {}
        self.leaves = leaves
        self._choose()

    def _given(self, known: list[Node]) -> dict[Node, str]:
        """Largest parts of the graph that depend on chance, or on nothing."""
        bound = depends_on(self.order, known)
        found: dict[Node, str] = {}
        for n in self.order:
            if n in bound or not isinstance(n.type, TensorType) or not n.shape:
                continue
            if value_of(n) is not None or n.op.name in ("input", "const"):
                continue
            if n.op.name in _MOVES and any(u not in bound for u in self.users.get(n, [])):
                continue
            if any(u in bound for u in self.users.get(n, [])):
                inner = n
                while (
                    inner.op.name in ("reshape", "broadcast_to", "cast") and inner.inputs[0].shape
                ):
                    if value_of(inner.inputs[0]) is not None:
                        break
                    inner = inner.inputs[0]
                drawn = any(m.op.name == "random_uniform" for m in topological([inner]))
                found[inner] = "m" if drawn or inner.dtype.category == 0 else "c"
        return found

    # ------------------------------------------------------------------ choosing

    def _choose(self) -> None:
        active = self.labels.active
        outputs = set(self.subject.outputs)
        for n in self.order:
            if n not in active or not isinstance(n.type, TensorType) or n.op.name == "input":
                continue
            if n in self.given or n not in self.bound or n is self.subject.loss:
                continue
            kind = self._kind(n)
            if kind is not None:
                self.kinds[n] = kind
            elif n in outputs and n.op.name not in _MOVES:
                self.kinds[n] = "u"
        for n in list(self.kinds):
            if n.op.name in ("standardize", "rms_standardize"):
                mean, spread = moments(n)
                if mean is not spread:
                    self.kinds[mean] = r"\mu"
                self.kinds[spread] = r"v"
        for n in self.order:
            if n in self.kinds or n not in active or n not in self.bound:
                continue
            if isinstance(n.type, TensorType) and n.shape and n.dtype.is_floating_point:
                many = len(self.users.get(n, [])) > 1
                if many and n.op.name not in (*_MOVES, "input") and n not in self.given:
                    self.kinds[n] = "u"
        for n in self.subject.outputs:
            if n not in self.kinds and n.op.name != "input":
                self.kinds[n] = r"\hat{y}"

    def _weighted(self, n: Node) -> bool:
        """Whether a parameter, not more than moved, is an operand."""
        return any(i not in self.labels.active and self._depends(i) for i in n.inputs)

    def _depends(self, n: Node) -> bool:
        while n.op.name in _MOVES:
            n = n.inputs[0]
        return n in self.labels.weights

    def _kind(self, n: Node) -> str | None:
        name = n.op.name
        if name in ("standardize", "rms_standardize"):
            return r"\hat{x}"
        if name in PRODUCTS:
            if name != "linear" and not self._weighted(n):
                return self._scores(n)
            return None if self._is_part(n) else "z"
        if name in ("add", "mul", "sub") and self._weighted(n):
            inner = [i for i in n.inputs if i in self.labels.active]
            if inner and self._is_part(n):
                return None
            if name == "add" and inner and _bare(inner[0]).op.name in PRODUCTS:
                return "z"
            return "u" if n.shape else None
        if name == "softmax":
            return "P" if n in self.labels.matrix else "p"
        if name in ("max_pool", "sum_pool"):
            scaled = [u for u in self.users.get(n, []) if u.op.name in ("mul", "div")]
            return None if len(scaled) == 1 == len(self.users[n]) else "s"
        if name in ("mul", "div") and any(i.op.name == "sum_pool" for i in n.inputs):
            return "s"
        if name == "take" and n.inputs[0] not in self.labels.active:
            return "e"
        if n.shape and n.op.elementwise and (name == "tanh" or not n.op.is_primitive):
            active = [i for i in n.inputs if i in self.labels.active]
            return "a" if len(n.inputs) == 1 or len(active) == 1 else None
        if name == "add" and n.shape and n.dtype.is_floating_point:
            both = all(i in self.labels.active and i in self.bound for i in n.inputs)
            if both and not any(
                u.op.name == "add" and len(self.users[n]) == 1 for u in self.users.get(n, [])
            ):
                return "h"
        if name in ("sum", "mean") and n.shape and self._pooled(n):
            return "s"
        return None

    def _pooled(self, n: Node) -> bool:
        """A mean over places: features stay."""
        users = self.users.get(n, [])
        if len(users) == 1 and users[0].op.name in ("div", "mul") and n.op.name == "sum":
            return False
        labels = self.labels.natural(n)
        return any(isinstance(v, int) for v in labels) and n.ndim < n.inputs[0].ndim

    def _is_part(self, n: Node) -> bool:
        """W x, where W x + b follows; γ x̂, where γ x̂ + β follows."""
        users = self.users.get(n, [])
        while len(users) == 1 and users[0].op.name in ("reshape", "permute"):
            users = self.users.get(users[0], [])
        return len(users) == 1 and users[0].op.name == "add" and self._weighted(users[0])

    def _scores(self, n: Node) -> str | None:
        if n not in self.labels.matrix:
            return "u"
        left = n
        while left.op.name in (
            "mul",
            "div",
            "permute",
            "reshape",
            "broadcast_to",
            "matmul",
            "contract",
        ):
            nxt = [i for i in left.inputs if i in self.labels.active]
            if not nxt:
                break
            left = nxt[0]
            if left in self.kinds and self.kinds[left] == "P":
                return "O"
            if left in self.kinds:
                break
        follows = self.users.get(n, [])
        return (
            "S"
            if any(u.op.name in ("softmax", "mul", "add", "where", "div") for u in follows)
            else "O"
        )


def attention_operands(steps: Steps) -> dict[Node, str]:
    """Q, K and V: what scores and their products are made of."""
    found: dict[Node, str] = {}
    for n in steps.order:
        if n in steps.labels.matrix and n.op.name in ("contract", "matmul"):
            inner = n.op.expand(n) if n.op.name == "matmul" else n
            a, b = (_still(i, steps) for i in inner.inputs)
            if steps.kinds.get(n) == "S":
                found.setdefault(a, "Q")
                found.setdefault(b, "K")
            elif steps.kinds.get(a) == "P":
                found.setdefault(b, "V")
    return {n: s for n, s in found.items() if n not in steps.kinds and n.op.name != "input"}


def _still(n: Node, steps: Steps) -> Node:
    """Past factors and transposes that belong to the scores."""
    while True:
        if n.op.name == "permute" and n.attr("order")[-2:] == (n.ndim - 1, n.ndim - 2):
            n = n.inputs[0]
        elif n.op.name in ("mul", "div") and any(value_of(i) is not None for i in n.inputs):
            n = next(i for i in n.inputs if value_of(i) is None)
        elif n.op.name == "mul" and any(i not in steps.bound for i in n.inputs):
            n = next(i for i in n.inputs if i in steps.bound)
        elif n.op.name in ("broadcast_to", "cast") and n.inputs[0].shape == n.shape:
            n = n.inputs[0]
        else:
            return n


def name_parameters(steps: Steps) -> dict[Node, str]:
    """W^{(l)}, b^{(l)}, γ^{(l)}, E: in order of their use."""
    out: dict[Node, str] = {}
    for n in steps.order:
        path = steps.subject.names.get(n)
        if path is None:
            continue
        uses = uses_of(n, steps)
        table = any(u.op.name == "take" for u in uses)
        normal = any(
            u.op.name in ("mul", "add") and not any(_bare(i).op.name in PRODUCTS for i in u.inputs)
            for u in uses
        )
        home = owner(path)
        above = steps.names.above(home, steps.names.number(home))
        out[n] = steps.names.new(letter(path, table=table, scale=normal), above)
    return out


def _bare(n: Node) -> Node:
    """Past what only moves it."""
    while n.op.name in _MOVES and n.inputs:
        n = n.inputs[0]
    return n


def uses_of(n: Node, steps: Steps) -> list[Node]:
    out: list[Node] = []
    stack = [n]
    while stack:
        for u in steps.users.get(stack.pop(), []):
            if u.op.name in _MOVES:
                stack.append(u)
            else:
                out.append(u)
    return out
