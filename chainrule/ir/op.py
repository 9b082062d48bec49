"""The record of an op, and the registry of all of them.

One op, one place: the row is the op, the columns are the fields. Everything that other frameworks
keep in one dictionary per transformation (type rule, value, gradient, formula, sampling domain) is
a field here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.dtypes import (
    ALL,
    BOOL,
    COMPLEX,
    FLOAT,
    INTEGER,
    DType,
    bfloat16,
    float16,
    float32,
    is_half,
)
from chainrule.errors import DtypeError, GraphError
from chainrule.ir import cost
from chainrule.ir.node import Node, TensorType, Type, intern

#: Every op by name. Filled by `chainrule.ops` at import, read by everybody.
registry: dict[str, Op] = {}

#: How many formulas each op remembers.
_EXPANSIONS = 20_000

Prepare = Callable[..., tuple[tuple[Node, ...], dict[str, Any]]]


#: What `Domain.dtypes` names.
_KINDS: dict[str, tuple[int, ...]] = {
    "float": (FLOAT,),
    "int": (INTEGER,),
    "logic": (BOOL, INTEGER),
    "number": (INTEGER, FLOAT),
    "any": (BOOL, INTEGER, FLOAT),
    "complex": (COMPLEX,),
}


class Domain:
    """Where an op may be sampled by the generated tests (see `chainrule.testing.sampling`).

    intervals  one for each data argument: (low, high); a number n, for indices 0 … n − 1; or
    "bool". One for all will do
    dtypes     what stands for the intervals: "float", "int", "logic" (bool, integers), "number"
    (integers, floats), "any"; and "complex", which is never meant by the others: "float complex"
    order      up to which order of differentiation the tests go
    cases      (shapes of the inputs…, attributes): the attributes as a dictionary, or a function of
    the dtype
    """

    __slots__ = ("cases", "dtypes", "intervals", "order")

    def __init__(
        self,
        *intervals: tuple[float, float] | int | str,
        dtypes: str = "float",
        order: int = 2,
        cases: Sequence[Any] = (),
    ) -> None:
        self.intervals, self.dtypes, self.order, self.cases = intervals, dtypes, order, tuple(cases)

    @property
    def types(self) -> tuple[DType, ...]:
        """The element types that `dtypes` stands for."""
        wanted = {c for kind in self.dtypes.split() for c in _KINDS[kind]}
        return tuple(d for d in ALL if d.category in wanted)


class Op:
    """One operation.

    name       as it prints
    formula    composites: a Python function of nodes, from which everything else follows
    infer      primitives: (*input nodes, **attributes) → type
    reference  primitives: (*arrays, **attributes) → array; the living definition, in NumPy
    gradient   (g, y, *inputs, **attributes) → cotangent per input (None: none flows); `g` belongs
    to output `y`
    relevance  (g, y, *inputs, how, **attributes) → as `gradient`, for layer-wise relevance
    propagation: the relevance of y is g · y, and what is given is to an input what g is to y. See
    `chainrule.ops.relevance`
    prepare    brings arguments into normal form (promotion, default attributes) before a node is
    made
    put        views only: (base, value, **attributes) → base with the view's part replaced
    wide       half types are computed in float32, formula and gradient as well, and rounded once
    analytic   the gradient rule is that of an analytic function, real for real numbers. Then
    x̄ = ȳ · conj f'(x) is the rule at the conjugates of `y` and the inputs, and they are what it is
    given. Rules of other ops (False) are right for complex numbers as they stand.
    flops      primitives: node → how many floating-point operations it takes, a rule of
    `chainrule.ir.cost` (for elementwise ops: one for each element of the result)
    tex        how the value is written; {0}, {1} … are the inputs, names are attributes; {over} the
    reduced axes as an
               index (nothing for all of them), {count} how many elements are reduced
    """

    def __init__(
        self,
        name: str,
        *,
        formula: Callable[..., Any] | None = None,
        infer: Callable[..., Type] | None = None,
        reference: Callable[..., Any] | None = None,
        gradient: Callable[..., Any] | None = None,
        prepare: Prepare | None = None,
        put: Callable[..., Node] | None = None,
        flops: cost.Rule | None = None,
        tex: str = "",
        doc: str = "",
        domain: Domain | None = None,
        elementwise: bool = False,
        wide: bool = True,
        analytic: bool = True,
        torch: str | None = None,
    ) -> None:
        if name in registry:
            raise GraphError(f"op {name!r} is defined twice: one op, one place")
        if (formula is None) == (reference is None):
            raise GraphError(
                f"op {name!r} needs a formula (composite) or a reference (primitive), not both"
            )
        self.name, self.formula, self.infer, self.reference = name, formula, infer, reference
        self.gradient, self.prepare, self.put, self.tex = gradient, prepare, put, tex
        self.domain, self.elementwise, self.wide, self.torch = domain, elementwise, wide, torch
        self.analytic = analytic
        self.relevance: Callable[..., Any] | None = None
        self.flops = cost.each if flops is None and elementwise and formula is None else flops
        #: Primitives whose domain does not name complex numbers refuse them.
        self.complex = formula is not None or domain is None or "complex" in domain.dtypes.split()
        #: Bit by bit: neither real nor complex numbers.
        self.whole = domain is not None and domain.dtypes == "logic"
        #: For a batch at once: (node, inputs, which have the batch, its size) → value. See
        #: `chainrule.ops.batching`.
        self.batch: Callable[..., Any] | None = None
        self.__doc__ = doc
        self.registry = registry
        self.expansion: dict[Node, Any] = {}
        registry[name] = self

    @property
    def is_primitive(self) -> bool:
        return self.formula is None

    def __call__(self, *args: Any, **attrs: Any) -> Node:
        """Make (or find) the node: data positional, attributes by keyword."""
        if self.prepare is not None:
            inputs, attrs = self.prepare(*args, **attrs)
        else:
            inputs = args
        return self.make(inputs, tuple(attrs.items()))

    def make(self, inputs: tuple[Node, ...], attrs: tuple[tuple[str, Any], ...]) -> Node:
        """Intern a node whose arguments are in normal form already."""
        return intern(self, inputs, attrs, lambda: self._type(inputs, dict(attrs)))

    def _type(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> Type:
        if not self.complex and any(map(is_complex, inputs)):
            kind = next(x.dtype for x in inputs if is_complex(x))
            raise DtypeError(
                f'"{self.torch or self.name}" not implemented for {kind}: it needs real numbers. '
                "Take real(), imag(), abs() or view_as_real() first"
            )
        if self.whole and any(x.dtype.category > INTEGER for x in inputs):
            raise DtypeError(
                f'"{self.torch or self.name}" not implemented for {inputs[0].dtype}: it needs '
                "integers or truth values"
            )
        if self.infer is not None:
            return self.infer(*inputs, **attrs)
        assert self.formula is not None
        out = self.formula(*inputs, **attrs)
        return out.type if isinstance(out, Node) else tuple(o.type for o in out)

    def expand(self, node: Node) -> Any:
        """A composite's node as its formula: one node, or a tuple. Found again once made."""
        out = self.expansion.get(node)
        if out is None:
            assert self.formula is not None
            out = self.formula(*_widened(self, node.inputs), **dict(node.attrs))
            if isinstance(node.type, TensorType):
                out = _cast(out, node.type)
            else:
                out = tuple(_cast(o, t) for o, t in zip(out, node.type, strict=True))
            if len(self.expansion) >= _EXPANSIONS:  # as with the table of nodes: only found again
                self.expansion.clear()
            self.expansion[node] = out
        return out

    def pull(
        self, g: Any, node: Node, rule: Callable[..., Any] | None = None, **more: Any
    ) -> tuple[Any, ...]:
        """Cotangents for the inputs of a node whose own is `g`, by the gradient rule of the op, or
        by another that takes `more`.
        """
        rule = rule or self.gradient
        assert rule is not None
        y, inputs = node, node.inputs
        if isinstance(node.type, TensorType):
            g, y, *wide = _widened(self, (g, y, *inputs))
            inputs = tuple(wide)
            if self.analytic and (is_complex(y) or any(map(is_complex, inputs))):
                y, inputs = conjugate(y), tuple(map(conjugate, inputs))
        out = rule(g, y, *inputs, **more, **dict(node.attrs))
        return out if isinstance(out, tuple) else (out,)

    def vjp(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: a gradient by hand, (g, y, *inputs, **attributes) → cotangents; tests compare
        it with the derived one.
        """
        self.gradient = f
        return f

    def lrp(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: how relevance is shared out, (g, y, *inputs, how, **attributes)."""
        self.relevance = f
        return f

    def evaluate(self, node: Node, arrays: Sequence[np.ndarray]) -> Any:
        """The value of one primitive node, by the reference. Half types are computed in float32 and
        rounded once.
        """
        assert self.reference is not None
        attrs = dict(node.attrs)
        if self.wide:
            arrays = [a.astype(np.float32) if is_half(a.dtype) else a for a in arrays]
        out = self.reference(*arrays, **attrs)
        if not isinstance(node.type, TensorType):
            return out
        want = node.dtype.np
        if type(out) is not np.ndarray:
            return np.asarray(out, want)
        return out if out.dtype == want else out.astype(want)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


_HALVES = (float16, bfloat16)


def is_complex(x: Node) -> bool:
    """Whether a node's value is an array of complex numbers."""
    return isinstance(x.type, TensorType) and x.dtype.category == COMPLEX


def conjugate(x: Node) -> Node:
    """x̄; real numbers are their own, and the conjugate of a conjugate is what it was."""
    if not is_complex(x):
        return x
    return x.inputs[0] if x.op.name == "conj" else registry["conj"](x)


def _is_half(x: Node) -> bool:
    return isinstance(x.type, TensorType) and x.dtype in _HALVES


def _widened(op: Op, xs: tuple[Node, ...]) -> tuple[Node, ...]:
    """Half types as float32."""
    if not op.wide or not any(map(_is_half, xs)):
        return xs
    wide = TensorType((), float32)
    return tuple(_cast(x, wide) if _is_half(x) else x for x in xs)


def _cast(x: Node, like: TensorType) -> Node:
    return x if x.dtype is like.dtype else registry["cast"](x, dtype=like.dtype)
