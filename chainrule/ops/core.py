"""How an op is written: `unary`, `binary`, `primitive` for the closed list, `op` for formulas.

    exp = unary("exp", np.exp, lambda g, y, x: g * y, tex=r"e^{{{0}}}", doc="e to the power x.")

    @op(tex=r"\\operatorname{{softmax}}({0})")
    def softmax(x, *, axis=-1):
        e = exp(x - stop_gradient(amax(x, axis=axis, keepdim=True)))
        return e / sum(e, axis=axis, keepdim=True)

Data are positional, attributes are keywords.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.dtypes import DType
from chainrule.errors import DtypeError
from chainrule.ir.cost import Rule, nothing
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Domain, Op, Prepare
from chainrule.shapes import Shape, broadcast

Number = (bool, int, float, complex)


# ------------------------------------------------------------------ leaves


def _input_type(*, index: int, shape: Shape, dtype: DType, scope: str = "x") -> TensorType:
    return TensorType(shape, dtype)


def _no_reference(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a graph input has no value of its own: a program binds it")


_input = Op(
    "input",
    infer=_input_type,
    reference=_no_reference,
    flops=nothing,
    doc="Value number `index` from outside.",
)


def input(*, index: int, shape: Shape, dtype: DType, scope: str = "x") -> Node:
    """Input `index` of a graph. `scope` keeps inputs of different graphs apart: x trace, arg loop
    body, ct cotangent.
    """
    attrs: tuple[tuple[str, Any], ...] = (("index", index), ("shape", shape), ("dtype", dtype))
    return _input.make((), attrs if scope == "x" else (*attrs, ("scope", scope)))


_const = Op(
    "const",
    infer=lambda *, value, dtype: TensorType((), dtype),
    reference=lambda *, value, dtype: dtype.np.type(value),
    flops=nothing,
    tex="{value}",
    doc="A number known when the graph is made.",
)


def const(value: complex, dtype: DType) -> Node:
    """A scalar constant of a given type."""
    if dtype.category == dtypes.COMPLEX:
        return _const.make((), (("value", complex(value)), ("dtype", dtype)))
    if isinstance(value, complex):
        value = value.real
    if dtype.category == dtypes.FLOAT:
        value = float(value)
        if value != value:
            value = math.nan  # one object: NaN is found in a dictionary by identity only
        if value == 0.0 and str(value) == "-0.0":  # equal to 0.0 as a key: keep them apart
            return const(0.0, dtype).__neg__()
    elif dtype.category == dtypes.INTEGER:
        value = int(
            np.int64(value).astype(dtype.np)
        )  # what does not fit wraps around, as in PyTorch
    else:
        value = bool(value)
    return _const.make((), (("value", value), ("dtype", dtype)))


# ------------------------------------------------------------------ arguments in normal form


def level(x: Any) -> tuple[DType, int]:
    """What an argument brings to promotion."""
    if isinstance(x, Node):
        return x.dtype, dtypes.ARRAY if x.shape else dtypes.SCALAR
    if isinstance(x, Number):
        return dtypes.of_number(x), dtypes.NUMBER
    raise TypeError(f"expected a tensor or a number, got {type(x).__name__}: {x!r}")


def convert(x: Any, dtype: DType) -> Node:
    """A node of this dtype: numbers become constants, nodes are cast where they must be."""
    if isinstance(x, Node):
        return x if x.dtype is dtype else cast(x, dtype)
    return const(x, dtype)


def cast(x: Node, dtype: DType) -> Node:
    """`x` with another element type."""
    return x if x.dtype is dtype else x.op.registry["cast"](x, dtype=dtype)


def promote(*args: Any, **attrs: Any) -> tuple[tuple[Node, ...], dict[str, Any]]:
    """All data arguments in their common type."""
    first = args[0]
    if isinstance(first, Node) and all(
        isinstance(a, Node) and a.dtype is first.dtype for a in args
    ):
        return args, attrs
    common = dtypes.result_type(level(a) for a in args)
    return tuple(convert(a, common) for a in args), attrs


def promote_float(*args: Any, **attrs: Any) -> tuple[tuple[Node, ...], dict[str, Any]]:
    """All data arguments in their common type, integers and bools in the default floating point
    type.
    """
    common = dtypes.result_type(level(a) for a in args)
    if common.category < dtypes.FLOAT:
        common = dtypes.get_default_dtype()
    return tuple(convert(a, common) for a in args), attrs


def promote_last_two(c: Any, a: Any, b: Any) -> tuple[tuple[Node, ...], dict[str, Any]]:
    """A condition, and two values in their common type."""
    (x, y), _ = promote(a, b)
    if not isinstance(c, Node):
        c = const(c, dtypes.bool_)
    if c.dtype is not dtypes.bool_:
        raise DtypeError(f"where expected condition to be a boolean tensor, but got {c.dtype}")
    return (c, x, y), {}


# ------------------------------------------------------------------ makers


def elementwise_type(*xs: Node, **_: Any) -> TensorType:
    """Broadcast shapes, one dtype."""
    return TensorType(broadcast(*(x.shape for x in xs)), xs[0].dtype)


def truth_type(*xs: Node, **_: Any) -> TensorType:
    """Broadcast shapes, bool."""
    return TensorType(broadcast(*(x.shape for x in xs)), dtypes.bool_)


def zeros_like(x: Node) -> Node:
    """0 of the same shape and type (the derivative of steps)."""
    return full_like(x, 0)


def full_like(x: Node, value: complex) -> Node:
    """One number, in the shape and type of x."""
    c = const(value, x.dtype)
    return c if not x.shape else x.op.registry["broadcast_to"](c, shape=x.shape)


def unary(
    name: str,
    reference: Callable[..., Any],
    gradient: Callable[..., Any] | None,
    *,
    tex: str,
    doc: str,
    over: tuple[float, float] = (-3.0, 3.0),
    prepare: Prepare = promote_float,
    infer: Callable[..., TensorType] = elementwise_type,
    dtypes: str = "float",
    order: int = 2,
    analytic: bool = True,
    torch: str | None = None,
) -> Op:
    """An elementwise primitive of one argument; gradient(g, y, x)."""
    return Op(
        name,
        infer=infer,
        reference=reference,
        gradient=gradient,
        prepare=prepare,
        tex=tex,
        doc=doc,
        elementwise=True,
        domain=Domain(over, dtypes=dtypes, order=order),
        analytic=analytic,
        torch=torch or name,
    )


def binary(
    name: str,
    reference: Callable[..., Any],
    gradient: Callable[..., Any] | None,
    *,
    tex: str,
    doc: str,
    over: tuple[tuple[float, float], tuple[float, float]] = ((-3.0, 3.0), (-3.0, 3.0)),
    prepare: Prepare = promote,
    infer: Callable[..., TensorType] = elementwise_type,
    dtypes: str = "float",
    order: int = 2,
    torch: str | None = None,
) -> Op:
    """An elementwise primitive of two arguments; gradient(g, y, a, b) → (for a, for b)."""
    return Op(
        name,
        infer=infer,
        reference=reference,
        gradient=gradient,
        prepare=prepare,
        tex=tex,
        doc=doc,
        elementwise=True,
        domain=Domain(*over, dtypes=dtypes, order=order),
        torch=torch or name,
    )


def _freeze(v: Any) -> Any:
    return tuple(_freeze(i) for i in v) if isinstance(v, (list, tuple)) else v


def _filler(f: Callable[..., Any], prepare: Prepare | None) -> Prepare:
    """Normal form for a formula: attributes complete, in the order of the signature, lists as
    tuples.
    """
    spec = [
        (p.name, p.default)
        for p in inspect.signature(f).parameters.values()
        if p.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    known = {name for name, _ in spec}

    def fill(*args: Any, **attrs: Any) -> tuple[tuple[Node, ...], dict[str, Any]]:
        if prepare is not None:
            args, _ = prepare(*args)
        unknown = attrs.keys() - known
        if unknown:
            raise TypeError(f"{f.__name__}() got unexpected attributes {sorted(unknown)}")
        full = {}
        for name, default in spec:
            v = attrs.get(name, default)
            if v is inspect.Parameter.empty:
                raise TypeError(f"{f.__name__}() needs the attribute {name!r}")
            full[name] = _freeze(v)
        return args, full

    return fill


def op(
    *,
    tex: str = "",
    prepare: Prepare | None = None,
    domain: Domain | None = None,
    elementwise: bool = False,
    analytic: bool = True,
    torch: str | None = None,
    name: str | None = None,
) -> Callable[[Callable[..., Any]], Op]:
    """Decorator: a composite, given by its formula. Type, value, gradient and every backend follow
    from it.
    """

    def make(f: Callable[..., Any]) -> Op:
        return Op(
            name or f.__name__,
            formula=f,
            prepare=_filler(f, prepare),
            tex=tex,
            doc=inspect.getdoc(f) or "",
            domain=domain,
            elementwise=elementwise,
            analytic=analytic,
            torch=torch,
        )

    return make


def primitive(
    infer: Callable[..., Any],
    *,
    flops: Rule | None = None,
    tex: str = "",
    prepare: Prepare | None = None,
    domain: Domain | None = None,
    wide: bool = True,
    analytic: bool = True,
    torch: str | None = None,
) -> Callable[[Callable[..., Any]], Op]:
    """Decorator: a primitive, given by its NumPy reference. Its gradient: `@name.vjp`."""

    def make(f: Callable[..., Any]) -> Op:
        return Op(
            f.__name__,
            infer=infer,
            reference=f,
            flops=flops,
            prepare=_filler(f, prepare),
            tex=tex,
            doc=inspect.getdoc(f) or "",
            domain=domain,
            wide=wide,
            analytic=analytic,
            torch=torch,
        )

    return make
