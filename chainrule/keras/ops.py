"""`keras.ops`: NumPy's names on tensors, and on the symbolic tensors of the functional API."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.keras import activations
from chainrule.keras import losses as L
from chainrule.keras.settings import to_dtype
from chainrule.keras.symbolic import KerasTensor, apply, function
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T
from chainrule.training.tree import map_leaves

relu, relu6, sigmoid, tanh = (
    activations.relu,
    activations.relu6,
    activations.sigmoid,
    activations.tanh,
)
softmax, log_softmax, gelu = activations.softmax, activations.log_softmax, activations.gelu
silu, swish, elu, selu = activations.silu, activations.silu, activations.elu, activations.selu
softplus, softsign, leaky_relu = activations.softplus, activations.softsign, activations.leaky_relu
hard_sigmoid, log_sigmoid = activations.hard_sigmoid, activations.log_sigmoid


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None) -> Any:
    """A tensor of an array, a number or nested lists."""
    if isinstance(x, KerasTensor):
        return x
    return L.to_tensor(x, None if dtype is None else to_dtype(dtype))


def convert_to_numpy(x: Any) -> np.ndarray:
    """The values as a NumPy array."""
    return np.array(x.detach().numpy()) if isinstance(x, Tensor) else np.asarray(x)


def shape(x: Any) -> tuple[Any, ...]:
    """The shape as a tuple; open sizes of a symbolic tensor are None."""
    return tuple(x.shape)


def is_tensor(x: Any) -> bool:
    return isinstance(x, Tensor | KerasTensor)


def _elementwise(name: str, implementation: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return implementation(*(_tensor(a) for a in args), **kwargs)

    call.__name__ = name
    return function(call)


def _tensor(x: Any) -> Any:
    return L.to_tensor(x) if isinstance(x, np.ndarray | list) else x


def _first(x: Any) -> Tensor:
    return L.to_tensor(x)


exp, log, sqrt = (_elementwise(n, getattr(T, n)) for n in ("exp", "log", "sqrt"))
sin, cos, rsqrt = (_elementwise(n, getattr(T, n)) for n in ("sin", "cos", "rsqrt"))
absolute = abs = _elementwise("absolute", T.abs)
sign, floor, ceil = (_elementwise(n, getattr(T, n)) for n in ("sign", "floor", "ceil"))
round, log1p, expm1 = (_elementwise(n, getattr(T, n)) for n in ("round", "log1p", "expm1"))
isnan, isinf, isfinite = (_elementwise(n, getattr(T, n)) for n in ("isnan", "isinf", "isfinite"))
erf = _elementwise("erf", T.erf)
square = _elementwise("square", lambda x: x * x)
negative = _elementwise("negative", lambda x: -x)
reciprocal = _elementwise("reciprocal", lambda x: 1.0 / x)
logical_not = _elementwise("logical_not", lambda x: ~x.bool())


def _binary(name: str, implementation: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def call(x1: Any, x2: Any) -> Any:
        x1, x2 = _tensor(x1), _tensor(x2)
        if not isinstance(x1, Tensor) and not isinstance(x2, Tensor):
            x1 = _first(x1)
        return implementation(x1, x2)

    call.__name__ = name
    return function(call)


def _both_tensors(implementation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def call(a: Any, b: Any) -> Any:
        like = a if isinstance(a, Tensor) else b
        if not isinstance(a, Tensor):
            a = creation.from_owned(np.array(a, like.dtype.np))
        if not isinstance(b, Tensor):
            b = creation.from_owned(np.array(b, like.dtype.np))
        return implementation(a, b)

    return call


add = _binary("add", lambda a, b: a + b)
subtract = _binary("subtract", lambda a, b: a - b)
multiply = _binary("multiply", lambda a, b: a * b)
divide = true_divide = _binary("true_divide", lambda a, b: a / b)
floor_divide = _binary("floor_divide", lambda a, b: a // b)
mod = _binary("mod", lambda a, b: a % b)
power = _binary("power", lambda a, b: a**b)
maximum = _binary("maximum", _both_tensors(T.maximum))
minimum = _binary("minimum", _both_tensors(T.minimum))
equal = _binary("equal", lambda a, b: a == b)
not_equal = _binary("not_equal", lambda a, b: a != b)
less = _binary("less", lambda a, b: a < b)
less_equal = _binary("less_equal", lambda a, b: a <= b)
greater = _binary("greater", lambda a, b: a > b)
greater_equal = _binary("greater_equal", lambda a, b: a >= b)
logical_and = _binary("logical_and", lambda a, b: a & b)
logical_or = _binary("logical_or", lambda a, b: a | b)


@function
def divide_no_nan(x1: Any, x2: Any) -> Any:
    """x1 / x2, and 0 where x2 is 0."""
    x1, x2 = _first(x1), _first(x2)
    zero = x2 == 0
    return T.where(zero, x1 * 0.0, x1 / T.where(zero, x2 * 0.0 + 1.0, x2))


@function
def matmul(x1: Any, x2: Any) -> Any:
    """The matrix product."""
    return _first(x1) @ _first(x2)


@function
def dot(x1: Any, x2: Any) -> Any:
    """NumPy's dot: the last axis of x1 with the second to last of x2."""
    x1, x2 = _first(x1), _first(x2)
    if x1.ndim == 0 or x2.ndim == 0:
        return x1 * x2
    return x1 @ x2 if x2.ndim <= 2 else T.tensordot(x1, x2, ([x1.ndim - 1], [x2.ndim - 2]))


@function
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Sums of products over the given axes."""
    return T.tensordot(_first(x1), _first(x2), axes)


def einsum(subscripts: str, *operands: Any) -> Any:
    """Sums of products by Einstein's convention."""
    return _einsum(list(operands), subscripts=subscripts)


@function
def _einsum(operands: Any, subscripts: str) -> Any:
    return T.einsum(subscripts, *(_first(x) for x in operands))


def _axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def _reduction(name: str, implementation: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = _first(x)
        axes = tuple(range(x.ndim)) if axis is None else _axes(axis)
        return implementation(x, axes, keepdims)

    call.__name__ = name
    return function(call)


def _float(x: Tensor) -> Tensor:
    return x if x.dtype.is_floating_point else x.to(to_dtype(None))


sum = _reduction("sum", lambda x, axes, keep: x.sum(axes, keepdim=keep))
mean = _reduction("mean", lambda x, axes, keep: _float(x).mean(axes, keepdim=keep))
max = amax = _reduction("max", lambda x, axes, keep: x.amax(axes, keepdim=keep))
min = amin = _reduction("min", lambda x, axes, keep: x.amin(axes, keepdim=keep))
var = _reduction("var", lambda x, axes, keep: _float(x).var(axes, correction=0, keepdim=keep))
std = _reduction("std", lambda x, axes, keep: _float(x).std(axes, correction=0, keepdim=keep))
logsumexp = _reduction("logsumexp", lambda x, axes, keep: T.logsumexp(x, axes, keepdim=keep))
any = _reduction("any", lambda x, axes, keep: x.bool().float().amax(axes, keepdim=keep).bool())
all = _reduction("all", lambda x, axes, keep: x.bool().float().amin(axes, keepdim=keep).bool())


@function
def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The product of the elements."""
    x = _first(x)
    return x.prod() if axis is None else x.prod(axis, keepdim=keepdims)


@function
def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Where the largest element stands."""
    return _first(x).argmax(axis, keepdim=keepdims).to(to_dtype("int32"))


@function
def argmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Where the smallest element stands."""
    return _first(x).argmin(axis, keepdim=keepdims).to(to_dtype("int32"))


@function
def cumsum(x: Any, axis: Any = None) -> Any:
    """Running sums."""
    x = _first(x)
    return T.cumsum(x.reshape(-1), 0) if axis is None else T.cumsum(x, axis)


@function
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The Euclidean norm."""
    if ord not in (None, 2, "fro"):
        raise NotImplementedError(f"norm with ord={ord!r} is not available")
    x = _first(x)
    axes = tuple(range(x.ndim)) if axis is None else _axes(axis)
    return T.sqrt((x * x).sum(axes, keepdim=keepdims))


@function
def reshape(x: Any, newshape: Any) -> Any:
    """Another shape for the same elements; one size may be -1."""
    new = (newshape,) if isinstance(newshape, int) else tuple(newshape)
    x = _first(x)
    if None in new:  # the open batch of a symbolic tensor, written out by the program
        new = tuple(-1 if n is None else n for n in new)
    return x.reshape(new)


@function
def transpose(x: Any, axes: Any = None) -> Any:
    """Axes in another order, by default reversed."""
    x = _first(x)
    return x.permute(tuple(axes) if axes is not None else tuple(reversed(range(x.ndim))))


@function
def expand_dims(x: Any, axis: Any) -> Any:
    """A new axis of size 1."""
    x = _first(x)
    axes = sorted(axis) if isinstance(axis, list | tuple) else [axis]
    for a in axes:
        x = x.unsqueeze(a)
    return x


@function
def squeeze(x: Any, axis: Any = None) -> Any:
    """Without an axis of size 1 (or all of them)."""
    x = _first(x)
    return x.squeeze() if axis is None else x.squeeze(_axes(axis))


@function
def concatenate(xs: Any, axis: int = 0) -> Any:
    """One after the other along `axis`."""
    return T.cat([_first(x) for x in xs], axis)


@function
def stack(x: Any, axis: int = 0) -> Any:
    """Along a new axis."""
    return T.stack([_first(item) for item in x], axis)


@function
def unstack(x: Any, num: int | None = None, axis: int = 0) -> Any:
    """The slices along `axis`."""
    return list(T.unbind(_first(x), axis))


@function
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Equal parts, or parts between the given positions."""
    x = _first(x)
    size = int(x.shape[axis])
    if isinstance(indices_or_sections, int):
        if size % indices_or_sections:
            raise ValueError(
                f"{size} elements cannot be split into {indices_or_sections} equal parts"
            )
        return list(T.split(x, size // indices_or_sections, axis))
    edges = [0, *indices_or_sections, size]
    return list(T.split(x, [b - a for a, b in pairwise(edges)], axis))


@function
def tile(x: Any, repeats: Any) -> Any:
    """Repeated along each axis."""
    return T.tile(_first(x), (repeats,) if isinstance(repeats, int) else tuple(repeats))


@function
def repeat(x: Any, repeats: int, axis: Any = None) -> Any:
    """Each element several times."""
    x = _first(x)
    return T.repeat_interleave(
        x.reshape(-1) if axis is None else x, repeats, 0 if axis is None else axis
    )


@function
def broadcast_to(x: Any, shape: Any) -> Any:
    """Sizes of 1 repeated up to `shape`."""
    return _first(x).expand(tuple(shape))


@function
def flip(x: Any, axis: Any = None) -> Any:
    """In reverse order."""
    x = _first(x)
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
    return T.flip(x, tuple(axes))


@function
def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """Moved along, what falls off coming back at the other end."""
    return T.roll(_first(x), shift, axis)


@function
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """More elements at the edges; pairs per axis."""
    x = _first(x)
    pairs = [(pad_width, pad_width)] * x.ndim if isinstance(pad_width, int) else list(pad_width)
    flat = [n for pair in reversed(pairs) for n in pair]
    if mode != "constant":
        return F.pad(x, flat, mode={"symmetric": "reflect"}.get(mode, mode))
    return F.pad(x, flat, value=0.0 if constant_values is None else constant_values)


@function
def take(x: Any, indices: Any, axis: Any = None) -> Any:
    """Elements at the given positions along `axis`."""
    x = _first(x)
    if axis is None:
        x, axis = x.reshape(-1), 0
    if isinstance(indices, int):
        return x.movedim(axis, 0)[indices]
    indices = _first(indices).long()
    flat = T.index_select(x, axis, indices.reshape(-1))
    axis %= x.ndim
    return flat.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


@function
def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Any:
    """Elements at positions of their own for each row."""
    return T.gather(_first(x), axis, _first(indices).long())


@function
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition holds, else x2."""
    return T.where(_first(condition).bool(), _tensor(x1), _tensor(x2))


@function
def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """Between two bounds."""
    return T.clamp(_first(x), x_min, x_max)


def cast(x: Any, dtype: Any) -> Any:
    """In another type."""
    return _cast(x, dtype=dtype)


@function
def _cast(x: Any, dtype: Any) -> Any:
    return _first(x).to(to_dtype(dtype))


@function
def one_hot(
    x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    """Indicator vectors of class numbers."""
    hot = F.one_hot(_first(x).long(), num_classes).to(to_dtype(dtype))
    return hot if axis == -1 else hot.movedim(-1, axis)


@function
def top_k(x: Any, k: int, sorted: bool = True) -> Any:
    """The k largest elements of the last axis, and where they stand."""
    values, indices = T.topk(_first(x), k)
    return values, indices.to(to_dtype("int32"))


@function
def sort(x: Any, axis: int = -1) -> Any:
    """In ascending order."""
    return T.sort(_first(x), axis)[0]


@function
def argsort(x: Any, axis: int = -1) -> Any:
    """The positions in ascending order of the elements."""
    return T.argsort(_first(x), axis).to(to_dtype("int32"))


@function
def stop_gradient(x: Any) -> Any:
    """The value, without its derivative."""
    return _first(x).detach()


@function
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    return _first(x).transpose(axis1, axis2)


@function
def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """An axis at another place."""
    return _first(x).movedim(source, destination)


@function
def ravel(x: Any) -> Any:
    """All elements along one axis."""
    return _first(x).reshape(-1)


@function
def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of the same shape."""
    return creation.zeros_like(_first(x), dtype=None if dtype is None else to_dtype(dtype))


@function
def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones of the same shape."""
    return creation.ones_like(_first(x), dtype=None if dtype is None else to_dtype(dtype))


@function
def tril(x: Any, k: int = 0) -> Any:
    """Zero above the diagonal."""
    return T.tril(_first(x), k)


@function
def triu(x: Any, k: int = 0) -> Any:
    """Zero below the diagonal."""
    return T.triu(_first(x), k)


@function
def normalize(x: Any, axis: int = -1, order: int = 2, epsilon: float = 1e-12) -> Any:
    """Vectors along `axis` divided by their length."""
    x = _first(x)
    return x * T.rsqrt(T.clamp((x * x).sum(axis, keepdim=True), min=epsilon))


def zeros(shape: Any, dtype: Any = None) -> Tensor:
    """All zero."""
    return creation.zeros(_sizes(shape), dtype=to_dtype(dtype))


def ones(shape: Any, dtype: Any = None) -> Tensor:
    """All one."""
    return creation.ones(_sizes(shape), dtype=to_dtype(dtype))


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """All the same."""
    return creation.full(_sizes(shape), fill_value, dtype=to_dtype(dtype))


def eye(n: int, m: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Ones on a diagonal."""
    return creation.from_owned(np.eye(n, m, k, to_dtype(dtype).np))


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Tensor:
    """Numbers at equal distances."""
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    if dtype is None:
        whole = builtins.all(isinstance(v, int) for v in (start, stop, step))
        dtype = "int32" if whole else None
    return creation.arange(start, stop, step, dtype=to_dtype(dtype))


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None
) -> Tensor:
    """`num` numbers from start to stop."""
    return creation.from_owned(np.linspace(start, stop, num, endpoint, dtype=to_dtype(dtype).np))


def array(x: Any, dtype: Any = None) -> Any:
    """`convert_to_tensor`."""
    return convert_to_tensor(x, dtype)


def _sizes(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-(t log p + (1 - t) log(1 - p)), element by element."""
    target, output = _first(target), _first(output)
    return L._binary(target, output, from_logits)


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """-Σ t log p along `axis`."""
    return L.categorical_crossentropy(target, output, from_logits, axis=axis)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """-log p of the class that the target names."""
    return L.sparse_categorical_crossentropy(target, output, from_logits, axis=axis)


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """`f` on each slice along the first axis, and the results stacked."""
    count = len(next(iter(xs.values())) if isinstance(xs, dict) else xs)
    results = [f(map_leaves(lambda x, i=i: x[i], xs)) for i in range(count)]
    return map_leaves(lambda *parts: T.stack(parts), *results)


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """`map`."""
    return map(function, elements)


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """One of two computations; looks at `pred`."""
    return true_fn() if builtins.bool(pred) else false_fn()


def getitem(x: Any, key: Any) -> Any:
    """x[key]."""
    return apply("getitem", x, key)
