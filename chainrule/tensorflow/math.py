"""`tf.math`, and the arithmetic at the top level: elementwise functions and reductions."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import dtypes, special
from chainrule.data.elements import as_type
from chainrule.names import later
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T
from chainrule.tensorflow.arrays import (
    argmax,
    argmin,
    cumsum,
)
from chainrule.tensorflow.convert import axes, floating, pair, symbolic, tensor

# Elementwise --------------------------------------------------------------------------------------


def _one(name: str, f: Callable[[Any], Any], formula: str, real: bool = False) -> Any:
    take = floating if real else tensor

    def function(x: Any, name: str | None = None) -> Any:
        return f(take(x))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{formula}, element by element."
    return symbolic(function)


def _two(name: str, f: Callable[[Any, Any], Any], formula: str) -> Any:
    def function(x: Any, y: Any, name: str | None = None) -> Any:
        return f(*pair(x, y))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{formula}, element by element."
    return symbolic(function)


abs = _one("abs", T.abs, "|x|")
acos = _one("acos", T.acos, "arccos x", True)
acosh = _one("acosh", T.acosh, "arcosh x", True)
asin = _one("asin", T.asin, "arcsin x", True)
asinh = _one("asinh", T.asinh, "arsinh x", True)
atan = _one("atan", T.atan, "arctan x", True)
atanh = _one("atanh", T.atanh, "artanh x", True)
ceil = _one("ceil", T.ceil, "⌈x⌉")
conj = _one("conj", T.conj, "the complex conjugate")
cos = _one("cos", T.cos, "cos x", True)
cosh = _one("cosh", T.cosh, "cosh x", True)
digamma = _one("digamma", T.digamma, "ψ(x)", True)
erf = _one("erf", T.erf, "erf x", True)
erfc = _one("erfc", T.erfc, "1 - erf x", True)
erfinv = _one("erfinv", T.erfinv, "the x of erf x", True)
exp = _one("exp", T.exp, "eˣ", True)
expm1 = _one("expm1", T.expm1, "eˣ - 1", True)
floor = _one("floor", T.floor, "⌊x⌋")
imag = _one("imag", T.imag, "the imaginary part")
is_finite = _one("is_finite", T.isfinite, "whether x is a number")
is_inf = _one("is_inf", T.isinf, "whether x is infinite")
is_nan = _one("is_nan", T.isnan, "whether x is no number")
lbeta = _one(
    "lbeta", lambda x: T.lgamma(x).sum(-1) - T.lgamma(x.sum(-1)), "ln B(x) of the last axis", True
)
lgamma = _one("lgamma", T.lgamma, "ln |Γ(x)|", True)
log = _one("log", T.log, "ln x", True)
log1p = _one("log1p", T.log1p, "ln (1 + x)", True)
log_sigmoid = _one("log_sigmoid", F.logsigmoid, "ln σ(x)", True)
logical_not = _one("logical_not", lambda x: ~x.to(dtypes.bool_), "not x")
ndtri = _one("ndtri", special.ndtri, "the quantile of the normal distribution", True)
negative = _one("negative", T.neg, "-x")
real = _one("real", lambda x: T.real(x) if x.dtype.is_complex else x, "the real part")
reciprocal = _one("reciprocal", T.reciprocal, "1 / x", True)
rint = _one("rint", T.round, "x rounded, halves to even")
round = _one(
    "round", lambda x: T.round(x) if x.dtype.is_floating_point else x, "x rounded, halves to even"
)
rsqrt = _one("rsqrt", T.rsqrt, "1 / √x", True)
sigmoid = _one("sigmoid", T.sigmoid, "σ(x)", True)
sign = _one("sign", T.sign, "the sign of x")
sin = _one("sin", T.sin, "sin x", True)
sinh = _one("sinh", T.sinh, "sinh x", True)
softplus = _one("softplus", F.softplus, "ln (1 + eˣ)", True)
softsign = _one("softsign", F.softsign, "x / (1 + |x|)", True)
sqrt = _one("sqrt", T.sqrt, "√x", True)
square = _one("square", lambda x: x * x, "x²")
tan = _one("tan", T.tan, "tan x", True)
tanh = _one("tanh", T.tanh, "tanh x", True)
angle = _one("angle", T.angle, "the argument of x")

add = _two("add", lambda x, y: x + y, "x + y")
subtract = _two("subtract", lambda x, y: x - y, "x - y")
multiply = _two("multiply", lambda x, y: x * y, "x y")
divide = truediv = _two("divide", lambda x, y: x / y, "x / y")
floordiv = _two("floordiv", lambda x, y: x // y, "⌊x / y⌋")
floormod = mod = _two("floormod", lambda x, y: x % y, "x - y ⌊x / y⌋")
truncatediv = _two(
    "truncatediv", lambda x, y: T.div(x, y, rounding_mode="trunc"), "x / y towards 0"
)
truncatemod = _two("truncatemod", T.fmod, "the rest of truncatediv")
divide_no_nan = _two(
    "divide_no_nan",
    lambda x, y: _where_nonzero(y, x, lambda a, b: a / b),
    "x / y, and 0 where y is 0",
)
multiply_no_nan = _two(
    "multiply_no_nan",
    lambda x, y: T.where(y == 0, creation.zeros_like(y), x * y),
    "x y, and 0 where y is 0",
)
xdivy = _two(
    "xdivy",
    lambda x, y: _where_nonzero(x, y, lambda a, b: b / a, True),
    "x / y, and 0 where x is 0",
)
xlogy = _two("xlogy", T.xlogy, "x ln y, and 0 where x is 0")
xlog1py = _two("xlog1py", special.xlog1py, "x ln (1 + y), and 0 where x is 0")
pow = _two("pow", lambda x, y: x**y, "xʸ")
maximum = _two("maximum", T.maximum, "the larger of x and y")
minimum = _two("minimum", T.minimum, "the smaller of x and y")
squared_difference = _two("squared_difference", lambda x, y: (x - y) * (x - y), "(x - y)²")
atan2 = _two("atan2", T.atan2, "the angle of the point (y, x)")
igamma = _two("igamma", special.gammainc, "the lower incomplete gamma function")
igammac = _two("igammac", special.gammaincc, "the upper incomplete gamma function")
polygamma = _two("polygamma", lambda a, x: special.polygamma(int(a), x), "ψ⁽ᵃ⁾(x)")
zeta = _two("zeta", special.zeta, "Hurwitz's ζ(x, q)")
less = _two("less", lambda x, y: x < y, "x < y")
less_equal = _two("less_equal", lambda x, y: x <= y, "x ≤ y")
greater = _two("greater", lambda x, y: x > y, "x > y")
greater_equal = _two("greater_equal", lambda x, y: x >= y, "x ≥ y")
logical_and = _two("logical_and", T.logical_and, "x and y")
logical_or = _two("logical_or", T.logical_or, "x or y")
logical_xor = _two("logical_xor", T.logical_xor, "x or y, not both")
equal = _two("equal", lambda x, y: x == y, "x = y")
not_equal = _two("not_equal", lambda x, y: x != y, "x ≠ y")


def _where_nonzero(
    divisor: Any, x: Any, f: Callable[[Any, Any], Any], of_first: bool = False
) -> Any:
    zero = divisor == 0
    safe = T.where(zero, creation.ones_like(divisor), divisor)
    made = f(safe, x) if of_first else f(x, safe)
    return T.where(zero, creation.zeros_like(made), made)


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Any:
    """A number times a tensor."""
    return multiply(scalar, x)


def add_n(inputs: Any, name: str | None = None) -> Any:
    """The sum of tensors of one shape."""
    total = tensor(inputs[0])
    for x in inputs[1:]:
        total = total + tensor(x)
    return total


accumulate_n = add_n

# Reductions ---------------------------------------------------------------------------------------


def _reduction(name: str, f: Callable[[Any, Any, bool], Any], meaning: str) -> Any:
    def function(
        input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
    ) -> Any:
        x = tensor(input_tensor)
        where = axes(axis)
        every = tuple(builtins.range(x.ndim)) if where is None else where
        return f(x, every, keepdims) if every != () else f(x.reshape(1), 0, False)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{meaning} along `axis` (a number, several, or None: all)."
    return symbolic(function)


def _whole_mean(x: Any, axis: Any, keep: bool) -> Any:
    if x.dtype.is_floating_point or x.dtype.is_complex:
        return x.mean(axis, keepdim=keep)
    return T.floor(x.to(dtypes.float64).mean(axis, keepdim=keep)).to(x.dtype)


def _truth(f: Callable[[Any, Any, bool], Any]) -> Callable[[Any, Any, bool], Any]:
    return lambda x, axis, keep: f(x.to(dtypes.uint8), axis, keep).to(dtypes.bool_)


def _product(x: Any, axis: Any, keep: bool) -> Any:
    where = (axis,) if isinstance(axis, int) else axis
    for a in sorted((a % x.ndim for a in where), reverse=True):
        x = x.prod(a, keepdim=keep)
    return x


def _same_type(f: Callable[[Any, Any, bool], Any]) -> Callable[[Any, Any, bool], Any]:
    return lambda x, axis, keep: f(x, axis, keep).to(x.dtype)


reduce_sum = _reduction("reduce_sum", _same_type(lambda x, a, k: x.sum(a, keepdim=k)), "The sum")
reduce_mean = _reduction("reduce_mean", _whole_mean, "The mean")
reduce_max = _reduction("reduce_max", lambda x, a, k: x.amax(a, keepdim=k), "The largest")
reduce_min = _reduction("reduce_min", lambda x, a, k: x.amin(a, keepdim=k), "The smallest")
reduce_prod = _reduction("reduce_prod", _same_type(_product), "The product")
reduce_any = _reduction(
    "reduce_any", _truth(lambda x, a, k: x.amax(a, keepdim=k)), "Whether any is true"
)
reduce_all = _reduction(
    "reduce_all", _truth(lambda x, a, k: x.amin(a, keepdim=k)), "Whether all are true"
)
reduce_variance = _reduction(
    "reduce_variance", lambda x, a, k: x.var(a, correction=0, keepdim=k), "The variance"
)
reduce_std = _reduction(
    "reduce_std", lambda x, a, k: x.std(a, correction=0, keepdim=k), "The standard deviation"
)
reduce_logsumexp = _reduction(
    "reduce_logsumexp", lambda x, a, k: T.logsumexp(x, a, keepdim=k), "ln Σ eˣ"
)
reduce_euclidean_norm = _reduction(
    "reduce_euclidean_norm", lambda x, a, k: T.sqrt((x * x).sum(a, keepdim=k)), "√Σ x²"
)


@symbolic
def count_nonzero(
    input: Any, axis: Any = None, keepdims: Any = None, dtype: Any = dtypes.int64,
    name: str | None = None,
) -> Any:  # fmt: skip
    """How many elements are not 0."""
    return reduce_sum((tensor(input) != 0).to(dtypes.int64), axis, bool(keepdims)).to(
        as_type(dtype)
    )


@symbolic
def cumprod(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Any:
    """Running products: without the element itself if exclusive, from the end if reverse."""
    t, axis = tensor(x), int(axes(axis))
    t = T.flip(t, (axis,)) if reverse else t
    if exclusive:
        head = creation.ones_like(t.narrow(axis, 0, 1))
        t = T.cat([head, t.narrow(axis, 0, int(t.shape[axis]) - 1)], axis)
    out = T.cumprod(t, axis)
    return T.flip(out, (axis,)) if reverse else out


@symbolic
def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None) -> Any:
    """x / √max(Σ x², epsilon) along `axis`."""
    t = floating(x)
    where = tuple(builtins.range(t.ndim)) if axis is None else axes(axis)
    return t * T.rsqrt(T.clamp((t * t).sum(where, keepdim=True), min=epsilon))


@symbolic
def softmax(logits: Any, axis: Any = None, name: str | None = None) -> Any:
    """eˣ / Σ eˣ along `axis`, the last by default."""
    return F.softmax(floating(logits), -1 if axis is None else int(axis))


@symbolic
def log_softmax(logits: Any, axis: Any = None, name: str | None = None) -> Any:
    """x - ln Σ eˣ along `axis`, the last by default."""
    return F.log_softmax(floating(logits), -1 if axis is None else int(axis))


def top_k(
    input: Any,
    k: Any = 1,
    sorted: bool = True,
    index_type: Any = dtypes.int32,
    name: str | None = None,
) -> Any:
    """The k largest elements of the last axis, and where they stand."""
    return TopK(*_top_k(input, int(k), as_type(index_type)))


@symbolic
def _top_k(x: Any, k: int, index_type: Any) -> Any:
    values, indices = T.topk(tensor(x), k)
    return values, indices.to(index_type)


class TopK(tuple[Any, ...]):
    """`(values, indices)`."""

    def __new__(cls, values: Any, indices: Any) -> TopK:
        return super().__new__(cls, (values, indices))

    @property
    def values(self) -> Any:
        return self[0]

    @property
    def indices(self) -> Any:
        return self[1]


@symbolic
def in_top_k(targets: Any, predictions: Any, k: int, name: str | None = None) -> Any:
    """Whether the class that is named is among the k most likely ones."""
    p, t = floating(predictions), tensor(targets, dtypes.int64)
    own = T.gather(p, 1, t.unsqueeze(1))
    return (p > own).to(dtypes.int32).sum(1) < k


@symbolic
def bincount(
    arr: Any, weights: Any = None, minlength: Any = None, maxlength: Any = None,
    dtype: Any = dtypes.int32, name: str | None = None, axis: Any = None,
    binary_output: bool = False,
) -> Any:  # fmt: skip
    """How often each whole number is there."""
    x = tensor(arr).reshape(-1)
    w = None if weights is None else tensor(weights).reshape(-1)
    out = T.bincount(x, w, int(minlength or 0))
    if maxlength is not None:
        out = out[: int(maxlength)]
    return out if w is not None else out.to(as_type(dtype))


def confusion_matrix(
    labels: Any, predictions: Any, num_classes: Any = None, weights: Any = None,
    dtype: Any = dtypes.int32, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Row: the class it is; column: the class it was taken for."""
    a = tensor(labels).detach()._concrete().reshape(-1)
    b = tensor(predictions).detach()._concrete().reshape(-1)
    n = (
        int(max(a.max(initial=0), b.max(initial=0))) + 1
        if num_classes is None
        else int(num_classes)
    )
    w = None if weights is None else tensor(weights)._concrete().reshape(-1)
    counts = np.bincount(a.astype(np.int64) * n + b.astype(np.int64), w, n * n).reshape(n, n)
    return fromdata.from_owned(counts.astype(as_type(dtype).np))


def _segments(name: str, reduce: str) -> Any:
    def function(data: Any, segment_ids: Any, num_segments: Any = None, name: Any = None) -> Any:
        x, ids = tensor(data), tensor(segment_ids, dtypes.int64)
        n = int(ids.detach().max().item()) + 1 if num_segments is None else int(num_segments)
        base = creation.zeros((n, *x.shape[ids.ndim :]), dtype=x.dtype)
        rows = x.reshape(-1, *x.shape[ids.ndim :])
        if reduce == "sum":
            return T.index_add(base, 0, ids.reshape(-1), rows)
        return T.index_reduce(base, 0, ids.reshape(-1), rows, reduce, include_self=False)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The {reduce} of the rows of each segment."
    return function


segment_sum = unsorted_segment_sum = _segments("segment_sum", "sum")
segment_mean = unsorted_segment_mean = _segments("segment_mean", "mean")
segment_max = unsorted_segment_max = _segments("segment_max", "amax")
segment_min = unsorted_segment_min = _segments("segment_min", "amin")
segment_prod = unsorted_segment_prod = _segments("segment_prod", "prod")


@symbolic
def cumulative_logsumexp(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Any:
    """Running ln Σ eˣ."""
    if exclusive or reverse:
        raise NotImplementedError("cumulative_logsumexp runs forward and includes the element")
    return T.logcumsumexp(floating(x), int(axes(axis)))


__getattr__ = later(__name__)
__all__ = ["argmax", "argmin", "cumsum"]
