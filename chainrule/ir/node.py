"""Graph nodes: frozen, typed, interned.

Interning makes identity equality, so that the second step of a training loop finds every node in a
dictionary, and a derived gradient or a compiled program is found again by the identity of the nodes
that it starts from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from chainrule.dtypes import DType
from chainrule.errors import GraphError
from chainrule.shapes import Shape

if TYPE_CHECKING:
    from chainrule.ir.op import Op


class TensorType(NamedTuple):
    """Shape and element type; prints as `f32[64, 10]`."""

    shape: Shape
    dtype: DType

    def __str__(self) -> str:
        return f"{self.dtype.short}[{', '.join(map(str, self.shape))}]"


Type = TensorType | tuple[TensorType, ...]


class Node:
    """One value of the program. Made by `intern`, never directly.

    Arithmetic on nodes records further nodes: it reaches the vocabulary by name, through the
    registry.
    """

    __slots__ = ("__weakref__", "attrs", "dtype", "inputs", "op", "shape", "type")

    op: Op
    inputs: tuple[Node, ...]
    attrs: tuple[tuple[str, Any], ...]
    type: Type
    shape: Shape
    dtype: DType

    def __init__(
        self, op: Op, inputs: tuple[Node, ...], attrs: tuple[Any, ...], type_: Type
    ) -> None:
        put = object.__setattr__
        put(self, "op", op)
        put(self, "inputs", inputs)
        put(self, "attrs", attrs)
        put(self, "type", type_)
        if isinstance(type_, TensorType):
            put(self, "shape", type_.shape)
            put(self, "dtype", type_.dtype)

    def __setattr__(self, name: str, value: object) -> None:
        raise GraphError(f"nodes are frozen: cannot set {name!r}")

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def attr(self, name: str) -> Any:
        """The attribute called `name`."""
        for k, v in self.attrs:
            if k == name:
                return v
        raise GraphError(f"{self.op.name} has no attribute {name!r}")

    def __repr__(self) -> str:
        if isinstance(self.type, TensorType):
            return f"<{self.op.name} : {self.type}>"
        return f"<{self.op.name} : ({', '.join(map(str, self.type))})>"

    # arithmetic: by name, so that the waist does not know the vocabulary
    def __add__(self, other: Any) -> Node:
        return self.op.registry["add"](self, other)

    def __radd__(self, other: Any) -> Node:
        return self.op.registry["add"](other, self)

    def __sub__(self, other: Any) -> Node:
        return self.op.registry["sub"](self, other)

    def __rsub__(self, other: Any) -> Node:
        return self.op.registry["sub"](other, self)

    def __mul__(self, other: Any) -> Node:
        return self.op.registry["mul"](self, other)

    def __rmul__(self, other: Any) -> Node:
        return self.op.registry["mul"](other, self)

    def __truediv__(self, other: Any) -> Node:
        return self.op.registry["div"](self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return self.op.registry["div"](other, self)

    def __pow__(self, other: Any) -> Node:
        return self.op.registry["pow"](self, other)

    def __rpow__(self, other: Any) -> Node:
        return self.op.registry["pow"](other, self)

    def __matmul__(self, other: Any) -> Node:
        return self.op.registry["matmul"](self, other)

    def __neg__(self) -> Node:
        return self.op.registry["neg"](self)

    def __lt__(self, other: Any) -> Node:
        return self.op.registry["lt"](self, other)

    def __le__(self, other: Any) -> Node:
        return self.op.registry["le"](self, other)

    def __gt__(self, other: Any) -> Node:
        return self.op.registry["gt"](self, other)

    def __ge__(self, other: Any) -> Node:
        return self.op.registry["ge"](self, other)

    def __and__(self, other: Any) -> Node:
        return self.op.registry["bitwise_and"](self, other)

    def __or__(self, other: Any) -> Node:
        return self.op.registry["bitwise_or"](self, other)

    def __invert__(self) -> Node:
        return self.op.registry["bitwise_not"](self)


_table: dict[tuple[Op, tuple[Node, ...], tuple[Any, ...]], Node] = {}
_TABLE_LIMIT = 400_000


def intern(
    op: Op, inputs: tuple[Node, ...], attrs: tuple[tuple[str, Any], ...], infer: Any
) -> Node:
    """The one node with this op, these inputs and these attributes.

    `infer()` gives the type and is called only when the node is new. Forgetting the table is always
    allowed: programs are then derived again, and nothing else changes.
    """
    key = (op, inputs, attrs)
    node = _table.get(key)
    if node is None:
        node = Node(op, inputs, attrs, infer())
        if len(_table) >= _TABLE_LIMIT:
            _table.clear()
        _table[key] = node
    return node


def table_size() -> int:
    """How many distinct nodes are known (for tests and `chainrule doctor`)."""
    return len(_table)
