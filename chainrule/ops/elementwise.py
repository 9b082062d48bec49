"""Elementwise primitives, one row each: name, NumPy, gradient, TeX, law.

Broadcasting is part of every row; the chain rule sums a cotangent back to the shape of its input.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.dtypes import FLOAT, INTEGER, DType, float64
from chainrule.ir.cost import each, nothing
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Domain, Op, is_complex
from chainrule.ops import special
from chainrule.ops.complex import real_part, real_type, sgn
from chainrule.ops.core import (
    binary,
    elementwise_type,
    op,
    primitive,
    promote,
    promote_float,
    promote_last_two,
    truth_type,
    unary,
    zeros_like,
)
from chainrule.ops.relevance import How, as_gradient, identity, is_gate

# rows whose gradient names a row further down
cos: Op
cosh: Op
floor: Op
sign: Op
trunc: Op
where: Op

#: Where rows may be sampled: what is defined for complex numbers says so.
_FIELD, _RING, _ALL = "float complex", "number complex", "any complex"

# ------------------------------------------------------------------ arithmetic


def _sub(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.bitwise_xor(a, b) if a.dtype == bool else np.subtract(a, b)


def _neg(x: np.ndarray) -> np.ndarray:
    return ~x if x.dtype == bool else np.negative(x)


def _power(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.dtype.kind in "iu" and (b < 0).any():  # as PyTorch: 1/a truncated, so 0 but for a = ±1
        size = np.power(a, np.maximum(b, 0))
        unit = np.where(b % 2 == 0, 1, a)
        return np.where(b < 0, np.where(np.abs(a) == 1, unit, 0), size).astype(a.dtype)
    return np.power(a, b)


def _round(x: np.ndarray) -> np.ndarray:
    return np.rint(x) if x.dtype.kind in "fV" else x  # large integers do not fit into a float


add = binary("add", np.add, lambda g, y, a, b: (g, g), tex="{0} + {1}", doc="a + b", dtypes=_ALL)
sub = binary("sub", _sub, lambda g, y, a, b: (g, -g), tex="{0} - {1}", doc="a − b", dtypes=_ALL)
mul = binary(
    "mul", np.multiply, lambda g, y, a, b: (g * b, g * a),
    tex=r"{0} \cdot {1}", doc="a · b", dtypes=_ALL,
)  # fmt: skip
div = binary(
    "div", np.divide, lambda g, y, a, b: (g / b, -g * (a / b) / b),
    tex=r"\frac{{{0}}}{{{1}}}",
    doc="a / b, in floating point", prepare=promote_float, over=((-3, 3), (0.5, 3)),
    dtypes=_FIELD,
)  # fmt: skip
pow = binary(
    "pow", _power, lambda g, y, a, b: (_pow_base(g, a, b), _pow_exponent(g, y, a, b)),
    tex="{0}^{{{1}}}", doc="a to the power b", over=((0.3, 3), (-2, 2)), dtypes=_RING,
)  # fmt: skip
maximum = binary(
    "maximum", np.maximum, lambda g, y, a, b: (_wins(g, a, b, a > b), _wins(g, a, b, b > a)),
    tex=r"\max({0}, {1})",
    doc="The larger of both; NaN wins; equal arguments share the gradient.", order=1, dtypes="any",
)  # fmt: skip
minimum = binary(
    "minimum", np.minimum, lambda g, y, a, b: (_wins(g, a, b, a < b), _wins(g, a, b, b < a)),
    tex=r"\min({0}, {1})",
    doc="The smaller of both; NaN wins; equal arguments share the gradient.", order=1, dtypes="any",
)  # fmt: skip
remainder = binary(
    "remainder", np.remainder, lambda g, y, a, b: (g, -g * floor(a / b)),
    tex=r"{0} \bmod {1}",
    doc="a − b ⌊a/b⌋: the sign of b", over=((3.2, 3.6), (2.2, 2.9)), order=1, dtypes="float",
)  # fmt: skip
fmod = binary(
    "fmod", np.fmod, lambda g, y, a, b: (g, -g * trunc(a / b)),
    tex=r"\operatorname{{fmod}}({0}, {1})",
    doc="a − b trunc(a/b): the sign of a", over=((3.2, 3.6), (2.2, 2.9)), order=1, dtypes="float",
)  # fmt: skip
floor_divide = binary(
    "floor_divide", np.floor_divide, lambda g, y, a, b: (zeros_like(a), zeros_like(b)),
    tex=r"\lfloor {0} / {1} \rfloor",
    doc="⌊a / b⌋, with derivative 0", over=((-9, 9), (0.7, 3)), dtypes="any", order=0,
)  # fmt: skip
atan2 = binary(
    "atan2", np.arctan2, lambda g, y, a, b: (g * b / (a * a + b * b), -g * a / (a * a + b * b)),
    tex=r"\operatorname{{atan2}}({0}, {1})", doc="the angle of the point (b, a)",
    prepare=promote_float, over=((0.3, 3), (0.3, 3)),
)  # fmt: skip
neg = unary("neg", _neg, lambda g, y, x: -g, tex="-{0}", doc="−x", prepare=promote, dtypes=_RING)
abs = unary(
    "abs",
    np.abs,
    lambda g, y, x: g * (sgn(x) if is_complex(x) else sign(x)),
    tex=r"\lvert {0} \rvert",
    doc="|x|, a real number, with derivative 0 at 0",
    prepare=promote,
    infer=real_type,
    over=(0.2, 3),
    dtypes=_RING,
    analytic=False,
)


neg.lrp(as_gradient)
abs.lrp(as_gradient)


@mul.lrp
def _(g: Node, y: Node, a: Node, b: Node, *, how: How) -> tuple[Node | None, Node | None]:
    """Half for each of two factors (Achtibat et al. 2024), but all for what a gate lets through
    (Arras et al. 2017).
    """
    if how.active != (True, True):
        return g * b, g * a
    if is_gate(a) != is_gate(b):
        return (None, g * a) if is_gate(a) else (g * b, None)
    return g * b * 0.5, g * a * 0.5


@div.lrp
def _(g: Node, y: Node, a: Node, b: Node, *, how: How) -> tuple[Node | None, Node | None]:
    """All for the numerator: what divides is a constant."""
    return (g / b, None) if how.active[0] else (None, identity(g, y, b, how=how))


@pow.lrp
def _(g: Node, y: Node, a: Node, b: Node, *, how: How) -> tuple[Node | None, Node | None]:
    """All for the base."""
    first = how.active[0]
    share = identity(g, y, a if first else b, how=how)
    return (share, None) if first else (None, share)


def _pow_base(g: Node, a: Node, b: Node) -> Node:
    """b a^(b-1), and 0 where b = 0 (also at a = 0)."""
    return where(eq(b, 0), zeros_like(g), g * b * pow(a, b - 1))


def _pow_exponent(g: Node, y: Node, a: Node, b: Node) -> Node:
    """a^b log a, and 0 at a = 0 for b ≥ 0."""
    safe = where(eq(a, 0), 1, a)
    return where(eq(a, 0) & ge(real_part(b), 0), zeros_like(g), g * y * log(safe))


def _wins(g: Node, a: Node, b: Node, first: Node) -> Node:
    return where(first, g, where(eq(a, b), g * 0.5, zeros_like(g)))


# ------------------------------------------------------------------ steps: derivative 0 almost
# everywhere

_ZERO = lambda g, y, x: zeros_like(x)  # noqa: E731  a row of the table below
sign = unary(
    "sign", np.sign, _ZERO,
    tex=r"\operatorname{{sgn}}({0})",
    doc="−1, 0 or 1", prepare=promote, over=(0.2, 3), dtypes="number",
)  # fmt: skip
floor = unary(
    "floor", np.floor, _ZERO,
    tex=r"\lfloor {0} \rfloor",
    doc="largest integer ≤ x", prepare=promote, over=(0.1, 0.9), dtypes="number",
)  # fmt: skip
ceil = unary(
    "ceil", np.ceil, _ZERO,
    tex=r"\lceil {0} \rceil",
    doc="smallest integer ≥ x", prepare=promote, over=(0.1, 0.9), dtypes="number",
)  # fmt: skip
round = unary(
    "round", _round, _ZERO,
    tex=r"\operatorname{{round}}({0})",
    doc="nearest integer, halves to even", prepare=promote, over=(0.1, 0.4), dtypes="number",
)  # fmt: skip
trunc = unary(
    "trunc", np.trunc, _ZERO,
    tex=r"\operatorname{{trunc}}({0})",
    doc="x without its fraction", prepare=promote, over=(0.1, 0.9), dtypes="number",
)  # fmt: skip

# ------------------------------------------------------------------ exponentials and roots

exp = unary(
    "exp", np.exp, lambda g, y, x: g * y, tex="e^{{{0}}}", doc="e to the power x", dtypes=_FIELD
)
expm1 = unary(
    "expm1", np.expm1, lambda g, y, x: g * (y + 1),
    tex="e^{{{0}}} - 1", doc="eˣ − 1, exact near 0", dtypes=_FIELD,
)  # fmt: skip
log = unary(
    "log", np.log, lambda g, y, x: g / x,
    tex=r"\log {0}", doc="natural logarithm", dtypes=_FIELD, over=(0.3, 3),
)  # fmt: skip
log1p = unary(
    "log1p", np.log1p, lambda g, y, x: g / (x + 1),
    tex=r"\log(1 + {0})", doc="log(1 + x), exact near 0", dtypes=_FIELD, over=(-0.7, 3),
)  # fmt: skip
log2 = unary(
    "log2", np.log2, lambda g, y, x: g / (x * 0.6931471805599453),
    tex=r"\log_2 {0}", doc="logarithm to base 2", dtypes=_FIELD, over=(0.3, 3),
)  # fmt: skip
log10 = unary(
    "log10", np.log10, lambda g, y, x: g / (x * 2.302585092994046),
    tex=r"\log_{{10}} {0}", doc="logarithm to base 10", dtypes=_FIELD, over=(0.3, 3),
)  # fmt: skip
sqrt = unary(
    "sqrt", np.sqrt, lambda g, y, x: g / (y * 2),
    tex=r"\sqrt{{{0}}}", doc="the root ≥ 0", dtypes=_FIELD, over=(0.3, 3),
)  # fmt: skip

# ------------------------------------------------------------------ circular and hyperbolic
# functions

sin = unary("sin", np.sin, lambda g, y, x: g * cos(x), tex=r"\sin {0}", doc="sine", dtypes=_FIELD)
cos = unary(
    "cos", np.cos, lambda g, y, x: -g * sin(x), tex=r"\cos {0}", doc="cosine", dtypes=_FIELD
)
tan = unary(
    "tan", np.tan, lambda g, y, x: g * (y * y + 1),
    tex=r"\tan {0}", doc="tangent", dtypes=_FIELD, over=(-1.2, 1.2),
)  # fmt: skip
asin = unary(
    "asin", np.arcsin, lambda g, y, x: g / sqrt(1 - x * x),
    tex=r"\arcsin {0}", doc="inverse sine", dtypes=_FIELD, over=(-0.8, 0.8),
)  # fmt: skip
acos = unary(
    "acos", np.arccos, lambda g, y, x: -g / sqrt(1 - x * x),
    tex=r"\arccos {0}", doc="inverse cosine", dtypes=_FIELD, over=(-0.8, 0.8),
)  # fmt: skip
atan = unary(
    "atan", np.arctan, lambda g, y, x: g / (x * x + 1),
    tex=r"\arctan {0}", doc="inverse tangent", dtypes=_FIELD,
)  # fmt: skip
sinh = unary(
    "sinh",
    np.sinh,
    lambda g, y, x: g * cosh(x),
    tex=r"\sinh {0}",
    doc="(eˣ − e⁻ˣ)/2",
    dtypes=_FIELD,
)
cosh = unary(
    "cosh",
    np.cosh,
    lambda g, y, x: g * sinh(x),
    tex=r"\cosh {0}",
    doc="(eˣ + e⁻ˣ)/2",
    dtypes=_FIELD,
)
tanh = unary(
    "tanh", np.tanh, lambda g, y, x: g * (1 - y * y),
    tex=r"\tanh {0}", doc="sinh x / cosh x", dtypes=_FIELD,
)  # fmt: skip
asinh = unary(
    "asinh", np.arcsinh, lambda g, y, x: g / sqrt(x * x + 1),
    tex=r"\operatorname{{arsinh}} {0}", doc="inverse of sinh", dtypes=_FIELD,
)  # fmt: skip
acosh = unary(
    "acosh", np.arccosh,
    lambda g, y, x: g / (sqrt(x - 1) * sqrt(x + 1)) if is_complex(x) else g / sqrt(x * x - 1),
    tex=r"\operatorname{{arcosh}} {0}", doc="inverse of cosh", dtypes=_FIELD, over=(1.3, 4),
)  # fmt: skip
atanh = unary(
    "atanh", np.arctanh, lambda g, y, x: g / (1 - x * x),
    tex=r"\operatorname{{artanh}} {0}", doc="inverse of tanh", dtypes=_FIELD, over=(-0.8, 0.8),
)  # fmt: skip

# ------------------------------------------------------------------ special functions

_TWO_OVER_ROOT_PI, _ROOT_PI_OVER_TWO = 1.1283791670955126, 0.8862269254527580
erf = unary(
    "erf", special.erf, lambda g, y, x: g * exp(-(x * x)) * _TWO_OVER_ROOT_PI,
    tex=r"\operatorname{{erf}}({0})", doc="the error function, 2/√π ∫₀ˣ e^{−t²} dt",
)  # fmt: skip
erfinv = unary(
    "erfinv", special.erfinv, lambda g, y, x: g * exp(y * y) * _ROOT_PI_OVER_TWO,
    tex=r"\operatorname{{erf}}^{{-1}}({0})", doc="the inverse of erf", over=(-0.8, 0.8),
)  # fmt: skip
lgamma = unary(
    "lgamma", special.lgamma, lambda g, y, x: g * digamma(x),
    tex=r"\log \Gamma({0})", doc="log |Γ(x)|", over=(0.5, 4),
)  # fmt: skip


@primitive(
    lambda x, *, n: TensorType(x.shape, x.dtype),
    prepare=promote_float,
    domain=Domain((0.5, 4.0), cases=[((3, 4), {"n": 0})]),
    flops=each,
    tex=r"\psi^{{({n})}}({0})",
)
def polygamma(x: np.ndarray, *, n: int) -> np.ndarray:
    """ψ⁽ⁿ⁾(x): derivative n + 1 of log Γ."""
    return special.polygamma(x, n=n)


@polygamma.vjp
def _(g: Node, y: Node, x: Node, *, n: int) -> Node:
    return g * polygamma(x, n=n + 1)


def digamma(x: Node) -> Node:
    """ψ(x) = (log Γ)'(x)"""
    return polygamma(x, n=0)


# ------------------------------------------------------------------ truth

eq = binary(
    "eq", np.equal, None,
    tex="{0} = {1}", doc="a = b", infer=truth_type, dtypes=_ALL, order=0,
)  # fmt: skip
lt = binary(
    "lt", np.less, None,
    tex="{0} < {1}", doc="a < b", infer=truth_type, dtypes="any", order=0,
)  # fmt: skip
le = binary(
    "le", np.less_equal, None,
    tex=r"{0} \le {1}", doc="a ≤ b", infer=truth_type, dtypes="any", order=0,
)  # fmt: skip
ne = binary(
    "ne", np.not_equal, None,
    tex=r"{0} \ne {1}", doc="a ≠ b", infer=truth_type, dtypes=_ALL, order=0,
)  # fmt: skip
gt = binary(
    "gt", np.greater, None,
    tex="{0} > {1}", doc="a > b", infer=truth_type, dtypes="any", order=0,
)  # fmt: skip
ge = binary(
    "ge", np.greater_equal, None,
    tex=r"{0} \ge {1}", doc="a ≥ b", infer=truth_type, dtypes="any", order=0,
)  # fmt: skip
bitwise_and = binary(
    "bitwise_and", np.bitwise_and, None,
    tex=r"{0} \wedge {1}", doc="and, bit by bit", dtypes="logic", order=0,
)  # fmt: skip
bitwise_or = binary(
    "bitwise_or", np.bitwise_or, None,
    tex=r"{0} \vee {1}", doc="or, bit by bit", dtypes="logic", order=0,
)  # fmt: skip
bitwise_xor = binary(
    "bitwise_xor", np.bitwise_xor, None,
    tex=r"{0} \oplus {1}", doc="exclusive or, bit by bit", dtypes="logic", order=0,
)  # fmt: skip
bitwise_not = unary(
    "bitwise_not", np.bitwise_not, None,
    tex=r"\neg {0}", doc="not, bit by bit", prepare=promote, dtypes="logic", order=0,
)  # fmt: skip
shift_left = binary(
    "shift_left", np.left_shift, None,
    tex=r"{0} \ll {1}",
    doc="a · 2ᵇ", dtypes="int", order=0, over=((0, 9), (0, 3)), torch="bitwise_left_shift",
)  # fmt: skip
shift_right = binary(
    "shift_right", np.right_shift, None,
    tex=r"{0} \gg {1}",
    doc="⌊a / 2ᵇ⌋", dtypes="int", order=0, over=((0, 99), (0, 3)), torch="bitwise_right_shift",
)  # fmt: skip


def _select(c: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`numpy.where`; a number or 0, as in gradients, without a branch for each element."""
    if a.dtype != np.float32 or any(b.strides) or not b.size or b.flat[0] or np.signbit(b.flat[0]):
        return np.where(c, a, b)
    bits = np.asarray(np.multiply(np.asarray(a, order="C").view(np.int32), c))
    return np.broadcast_to(bits.view(np.float32), np.broadcast_shapes(bits.shape, b.shape))


where = Op(
    "where",
    infer=lambda c, a, b: elementwise_type(a, b, c),
    reference=_select,
    gradient=lambda g, y, c, a, b: (None, where(c, g, zeros_like(g)), where(c, zeros_like(g), g)),
    prepare=promote_last_two,
    elementwise=True,
    flops=nothing,
    tex=r"\begin{{cases}}{1} & {0}\\ {2} & \text{{otherwise}}\end{{cases}}",
    doc="a where the condition holds, else b; no gradient comes from the side not taken",
    domain=Domain("bool", (-3, 3), (-3, 3), dtypes=_ALL),
)


# ------------------------------------------------------------------ identities with a meaning for
# the chain rule


@primitive(
    lambda x, *, dtype: TensorType(x.shape, dtype),
    flops=nothing,
    tex="{0}",
    wide=False,
    domain=Domain(
        (-3, 3), dtypes=_ALL, cases=[((3, 4), {"dtype": float64}), ((), {"dtype": float64})]
    ),
)
def cast(x: np.ndarray, *, dtype: DType) -> np.ndarray:
    """The same numbers in another element type; towards integers, fractions are cut, towards real
    numbers, imaginary parts.
    """
    if x.dtype.kind == "c" and dtype.category in (INTEGER, FLOAT):
        x = x.real
    return x.astype(dtype.np)


@cast.vjp
def _(g: Node, y: Node, x: Node, *, dtype: DType) -> Node:
    return cast(g, dtype=x.dtype)


def _same(x: Any, *rest: Any, **_: Any) -> Any:
    return x


stop_gradient = Op(
    "stop_gradient",
    infer=elementwise_type,
    reference=_same,
    gradient=lambda g, y, x: None,
    flops=nothing,
    tex="{0}",
    doc="x, taken as a constant by the chain rule",
    wide=False,
    domain=Domain((-3, 3), dtypes=_ALL, order=0),
)
copy = Op(
    "copy",
    infer=elementwise_type,
    reference=_same,
    gradient=lambda g, y, x: g,
    flops=nothing,
    tex="{0}",
    doc="x as a value of its own: a place that may be overwritten without touching x",
    wide=False,
    domain=Domain((-3, 3), dtypes=_ALL),
)

passing_to = Op(
    "passing_to",
    infer=lambda x, y: elementwise_type(x),
    reference=_same,
    gradient=lambda g, z, x, y: (None, g),
    flops=nothing,
    tex="{0}",
    doc="The value of the first; gradients go to the second, whose value it replaces unnoticed.",
    wide=False,
    domain=Domain((-3, 3), (-3, 3), dtypes=_ALL, order=0, cases=[((3, 4), (3, 4), {})]),
)

# ------------------------------------------------------------------ formulas

_SMALL = Domain((-3.0, 3.0), dtypes=_FIELD)


@op(tex=r"{0}^2", prepare=promote, elementwise=True, domain=_SMALL, torch="square")
def square(x: Node) -> Node:
    """x²"""
    return x * x


@op(
    tex=r"\frac{{1}}{{{0}}}",
    prepare=promote_float,
    elementwise=True,
    domain=Domain((0.3, 3.0)),
    torch="reciprocal",
)
def reciprocal(x: Node) -> Node:
    """1/x"""
    return 1.0 / x


@reciprocal.vjp
def _(g: Node, y: Node, x: Node) -> Node:
    return -g * y * y


@op(
    tex=r"\frac{{1}}{{\sqrt{{{0}}}}}",
    prepare=promote_float,
    elementwise=True,
    domain=Domain((0.3, 3.0)),
    torch="rsqrt",
)
def rsqrt(x: Node) -> Node:
    """1/√x"""
    return 1.0 / sqrt(x)


@rsqrt.vjp
def _(g: Node, y: Node, x: Node) -> Node:
    return g * (y * y * y) * -0.5


@op(
    tex=r"\text{{nan}}({0})",
    prepare=promote,
    elementwise=True,
    domain=Domain((-3.0, 3.0), order=0),
    torch="isnan",
)
def isnan(x: Node) -> Node:
    """Whether x is not a number: only NaN differs from itself."""
    return ne(x, x)


@op(
    tex=r"{0} \in \mathbb{{R}}",
    prepare=promote,
    elementwise=True,
    domain=Domain((-3.0, 3.0), order=0),
    torch="isfinite",
)
def isfinite(x: Node) -> Node:
    """Whether x is a number and not infinite: only those give x − x = 0."""
    return eq(x - x, 0)


@op(
    tex=r"{0} = \pm\infty",
    prepare=promote,
    elementwise=True,
    domain=Domain((-3.0, 3.0), order=0),
    torch="isinf",
)
def isinf(x: Node) -> Node:
    """Whether x is +∞ or −∞."""
    return eq(abs(x), float("inf")) if x.dtype.is_differentiable else ne(x, x)


@op(
    tex=r"\operatorname{{clamp}}({0}, {1}, {2})",
    prepare=promote,
    elementwise=True,
    torch="clamp",
    domain=Domain((-3, 3), (-2, -1), (1, 2), order=1, dtypes="number"),
)
def clamp(x: Node, low: Node, high: Node) -> Node:
    """min(max(x, low), high); the gradient passes where low ≤ x ≤ high."""
    return minimum(maximum(x, low), high)


@clamp.vjp
def _(g: Node, y: Node, x: Node, low: Node, high: Node) -> tuple[Node, Node, Node]:
    zero = zeros_like(g)
    inside = ge(x, low) & le(x, high)
    return (
        where(inside, g, zero),
        where(lt(x, low) & lt(low, high), g, zero),
        where(gt(x, high) | lt(high, low), g, zero),
    )


@op(
    tex=r"\max({0}, {1})",
    prepare=promote,
    elementwise=True,
    torch="clamp_min",
    domain=Domain((-3, 3), (-1, 1), order=1, dtypes="number"),
)
def clamp_min(x: Node, low: Node) -> Node:
    """max(x, low); the gradient passes where x ≥ low."""
    return maximum(x, low)


@clamp_min.vjp
def _(g: Node, y: Node, x: Node, low: Node) -> tuple[Node, Node]:
    zero = zeros_like(g)
    return where(ge(x, low), g, zero), where(lt(x, low), g, zero)


@op(
    tex=r"\min({0}, {1})",
    prepare=promote,
    elementwise=True,
    torch="clamp_max",
    domain=Domain((-3, 3), (-1, 1), order=1, dtypes="number"),
)
def clamp_max(x: Node, high: Node) -> Node:
    """min(x, high); the gradient passes where x ≤ high."""
    return minimum(x, high)


@clamp_max.vjp
def _(g: Node, y: Node, x: Node, high: Node) -> tuple[Node, Node]:
    zero = zeros_like(g)
    return where(le(x, high), g, zero), where(gt(x, high), g, zero)


@op(
    tex=r"{0} + {2}({1} - {0})",
    prepare=promote,
    elementwise=True,
    torch="lerp",
    domain=Domain((-3, 3), (-3, 3), (0, 1)),
)
def lerp(a: Node, b: Node, t: Node) -> Node:
    """a + t (b − a)"""
    return a + t * (b - a)


@op(
    tex=r"\log(e^{{{0}}} + e^{{{1}}})",
    prepare=promote_float,
    elementwise=True,
    torch="logaddexp",
    domain=Domain((-3.0, 3.0), (-3.0, 3.0), dtypes=_FIELD),
)
def logaddexp(a: Node, b: Node) -> Node:
    """log(eᵃ + eᵇ), by the larger of the two, so that nothing overflows."""
    m = where(ge(real_part(a), real_part(b)), a, b) if is_complex(a) else maximum(a, b)
    m = stop_gradient(m)
    m = where(isfinite(m), m, 0)
    return m + log(exp(a - m) + exp(b - m))
