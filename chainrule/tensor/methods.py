"""Attaching functions to `Tensor`: methods, in-place forms, operators, and `out=`.

Each function is written once, in `functions.py`; the forms that PyTorch derives from it are derived
here.
"""

from __future__ import annotations

import importlib
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import devices, dtypes, faces, ops, shapes
from chainrule.dtypes import DType
from chainrule.runtime.random import Generator, packed, unpacked
from chainrule.tensor import autocast, chance, creation, fromdata, functions, indexing, overriding
from chainrule.tensor import backward as engine
from chainrule.tensor import storage as storages
from chainrule.tensor.calling import public, takes_axis, with_names
from chainrule.tensor.gradfn import grad_fn
from chainrule.tensor.handle import TENSOR_TYPES, Tensor
from chainrule.tensor.hooks import RemovableHandle
from chainrule.tensor.mutate import assign
from chainrule.tensor.printing import text
from chainrule.tensor.record import apply, detach
from chainrule.tensor.sharing import is_shared, share_memory
from chainrule.tensor.trace import Storage, one_piece

#: Functions that take no tensor first, or that `Tensor` spells otherwise.
_NO_METHOD = {
    "atleast_2d", "atleast_3d", "block_diag", "cartesian_prod", "chain_matmul", "column_stack",
    "combinations", "dstack", "isin", "row_stack", "trapezoid", "trapz", "cumulative_trapezoid",
    "broadcast_tensors", "broadcast_shapes", "cat", "concat", "concatenate", "stack", "hstack",
    "vstack", "einsum", "tensordot", "cdist", "atleast_1d", "polygamma", "view_as_shape", "where",
    "copy_into", "gather_rows", "to_dtype", "result_type", "rsub", "bucketize", "searchsorted",
    "kron", "one_hot", "complex", "polar", "real", "imag", "view_as_complex", "view_as_real",
}  # fmt: skip

#: In-place forms: x.add_(y) is x ← add(x, y).
_IN_PLACE = [
    "abs", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul", "addmm", "addmv", "addr",
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "asin", "asinh", "atan",
    "atan2", "arctan2", "atanh", "baddbmm", "bitwise_and", "bitwise_left_shift", "bitwise_not",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clamp", "clamp_max", "clamp_min",
    "clip", "copysign", "cos", "cosh", "cumprod", "cumsum", "deg2rad", "digamma", "div", "divide",
    "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "fix", "floor", "floor_divide", "fmod",
    "frac", "hypot", "index_add", "index_copy", "index_fill", "index_put", "lerp", "lgamma",
    "log", "log10", "log1p", "log2", "logit", "logical_and", "logical_not", "logical_or",
    "logical_xor", "masked_fill", "masked_scatter", "mul", "multiply", "nan_to_num", "neg",
    "negative", "pow", "rad2deg", "reciprocal", "relu", "remainder", "round", "rsqrt", "scatter",
    "scatter_add", "scatter_reduce", "sigmoid", "sign", "sin", "sinc", "sinh", "sqrt", "square",
    "sub", "subtract", "tan", "tanh", "tril", "triu", "true_divide", "trunc", "xlogy", "eq", "ne",
    "lt", "le", "gt", "ge", "not_equal", "less", "less_equal", "greater", "greater_equal", "sgn",
    "float_power", "conj_physical", "addbmm", "ldexp", "heaviside", "mvlgamma", "index_reduce",
    "put", "renorm",
]  # fmt: skip

#: Those that PyTorch also has as functions: torch.relu_(x).
_IN_PLACE_FUNCTIONS = [
    "abs", "acos", "acosh", "addmv", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctanh", "asin", "asinh", "atan", "atanh", "ceil", "clamp", "clamp_max", "clamp_min",
    "clip", "conj_physical", "cos", "cosh", "deg2rad", "erf", "erfc", "exp", "exp2", "expm1",
    "fix", "floor", "frac", "gcd", "i0", "index_put", "lcm", "ldexp", "log", "log10", "log1p",
    "log2", "logit", "nan_to_num", "neg", "negative", "rad2deg", "reciprocal", "relu", "round",
    "rsqrt", "sigmoid", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "xlogy",
]  # fmt: skip


def _in_place(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def g(self: Tensor, *args: Any, **kw: Any) -> Tensor:
        with one_piece:
            return assign(self, f(self, *args, **kw))

    g.__doc__ = f"In place: {f.__doc__}"
    g.__name__ = f"{f.__name__}_"
    return g


# ------------------------------------------------------------------ methods that only tensors have


def _to(self: Tensor, *args: Any, **kw: Any) -> Tensor:
    """Another dtype or device: to(torch.float64), to("cpu"), to(other)."""
    dtype: DType | None = kw.get("dtype")
    devices.check(kw.get("device"))
    flags = []
    other = kw.get("other")
    for a in args if other is None else (*args, other):
        if isinstance(a, DType):
            dtype = a
        elif isinstance(a, Tensor):
            dtype = a._dtype
        elif isinstance(a, bool):
            flags.append(a)
        else:
            devices.check(a)
    out = self if dtype is None else functions.to_dtype(self, dtype)
    if out is self and (kw.get("copy") or flags[1:2] == [True]):
        out = functions.clone(out)
    layout = kw.get("memory_format")
    return out if layout is None else functions.contiguous(out, layout)


def _type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """Without argument the type's name, as torch.FloatTensor; with one, a conversion."""
    if dtype is None:
        return "torch." + TENSOR_TYPES[self._dtype.name]
    if isinstance(dtype, str) and dtype.endswith("Tensor"):
        dtype = next(dtypes.BY_NAME[k] for k, v in TENSOR_TYPES.items() if dtype.endswith("." + v))
    if isinstance(dtype, type):
        dtype = getattr(dtype, "dtype", dtype)
    return functions.to_dtype(self, dtypes.as_dtype(dtype))


def _convert(d: DType) -> Callable[..., Tensor]:
    def f(self: Tensor, memory_format: Any = None) -> Tensor:
        return functions.to_dtype(self, d)

    return f


def _cuda(self: Tensor, *args: Any, **kw: Any) -> Tensor:
    devices.check("cuda")
    return self


def _backward(
    self: Tensor,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradient of this value to the `.grad` of every leaf that it depends on."""
    targets = None if inputs is None else ([inputs] if isinstance(inputs, Tensor) else list(inputs))
    engine.backward([self], [gradient], retain_graph, create_graph, targets)


def _register_hook(self: Tensor, hook: Callable[[Tensor], Any]) -> RemovableHandle:
    """Call hook(gradient) when this tensor's gradient is known; what it returns replaces the
    gradient.
    """
    if not self.level:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self.leaf:
        if self._hooks is None:
            self._hooks = OrderedDict()
        hooks = self._hooks
    else:
        hooks = engine.watch(self).functions
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def _register_post_accumulate(self: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Call hook(self) once `.grad` was added to; leaves only."""
    if not self.leaf:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    if self._hooks is None:
        self._hooks = OrderedDict()
    handle = RemovableHandle(self._hooks)
    self._hooks[handle.id] = engine.AfterAccumulate(hook)
    return handle


def _retain_grad(self: Tensor) -> None:
    """Keep `.grad` of a computed tensor, too."""
    if not self.level:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if not self.leaf:
        engine.watch(self).retain = True
        self._hooks = OrderedDict()  # says so: see `retains_grad`


def _detach_(self: Tensor) -> Tensor:
    """Forget where this tensor comes from."""
    self.level, self.leaf, self.history, self.detached = 0, True, None, 1
    self.seen_in, self.node = -1, None
    return self


def _set_data(self: Tensor, source: Any = None) -> Tensor:
    self.data = creation.empty(0, dtype=self._dtype) if source is None else source
    return self


# ------------------------------------------------------------------ filling in place


def _fill(self: Tensor, value: Any) -> Tensor:
    """Every element = value."""
    v = value if isinstance(value, Tensor) else creation.full((), value, dtype=self._dtype)
    return functions.copy_into(self, v, uniform=v.numel() == 1)


def _zero(self: Tensor) -> Tensor:
    """Every element = 0."""
    return _fill(self, 0)


def _copy(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Every element = src, which broadcasts."""
    return functions.copy_into(self, src)


def _random(self: Tensor, kind: str, generator: Generator | None, **bounds: Any) -> Tensor:
    dtype = self._dtype if self._dtype.is_differentiable or kind == "integers" else dtypes.float32
    return chance.draw(kind, self._shape, dtype, generator, **bounds)


def _uniform(
    self: Tensor,
    from_: float = 0.0,
    to: float = 1.0,
    *,
    generator: Generator | None = None,
    **kw: Any,
) -> Tensor:
    """Uniform numbers in [from, to)."""
    low, high = float(kw.get("from", kw.get("a", from_))), float(kw.get("b", to))
    if self._dtype.is_complex:  # both parts
        _uniform(functions.view_as_real(self), low, high, generator=generator)
        return self
    if low > high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}"
        )
    return assign(self, _random(self, "uniform", generator) * (high - low) + low)


def _normal(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Normal numbers."""
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    return assign(self, _random(self, "normal", generator) * float(std) + float(mean))


def _bernoulli(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """1 with probability p, else 0."""
    if isinstance(p, Tensor):
        stays = _random(self, "uniform", generator) < p
    else:
        stays = _random(self, "bernoulli", generator, p=p)
    return assign(self, functions.to_dtype(stays, self._dtype))


def _exponential(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Exponentially distributed numbers: −log(1 − u) / λ."""
    if lambd <= 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    return assign(self, _random(self, "exponential", generator) / lambd)


def _log_normal(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Numbers whose logarithm is normal."""
    if std <= 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    return assign(self, functions.exp(_random(self, "normal", generator) * std + mean))


def _cauchy(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """median + sigma · tan(π (u − ½))"""
    if sigma <= 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    return assign(
        self, functions.tan((_random(self, "uniform", generator) - 0.5) * np.pi) * sigma + median
    )


def _geometric(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """How many trials of probability p until the first success: ⌈log(1 − u) / log(1 − p)⌉"""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    u = _random(self, "uniform", generator)
    trials = functions.ceil(functions.log1p(-u) / math.log1p(-p))
    return assign(self, functions.to_dtype(functions.clamp(trials, min=1), self._dtype))


def _random_integers(
    self: Tensor, from_: int = 0, to: int | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Integers in [from, to), or over the whole range of the dtype."""
    if to is None and from_:
        from_, to = 0, from_
    if to is None:
        to = (
            2**24
            if self._dtype is dtypes.float32
            else (2**53 if self._dtype.is_floating_point else 2 ** (8 * self.itemsize - 1))
        )
        to = 2 if self._dtype is dtypes.bool_ else to
    return assign(self, _random(self, "integers", generator, low=int(from_), high=int(to)))


def _new(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def g(
        self: Tensor,
        *args: Any,
        dtype: DType | None = None,
        device: Any = None,
        requires_grad: bool = False,
        **kw: Any,
    ) -> Tensor:
        return f(
            *args, dtype=dtype or self._dtype, device=device, requires_grad=requires_grad, **kw
        )

    return g


# ------------------------------------------------------------------ operators


def _number_or_tensor(x: Any, like: Tensor) -> Any:
    if isinstance(x, (np.ndarray, list, tuple)) and faces.speaks_tensorflow(2):
        made = creation.as_tensor(x)  # TensorFlow takes lists, and gives them the tensor's type
        keeps = made.dtype.category > like.dtype.category
        return made if keeps else made.to(like.dtype)
    if isinstance(x, np.ndarray):
        return creation.as_tensor(x)
    return x if isinstance(x, (Tensor, bool, int, float, complex, np.generic)) else None


def _operator(op: Any, swapped: bool = False) -> Callable[[Tensor, Any], Any]:
    def f(self: Tensor, other: Any) -> Any:
        if type(other) is not Tensor:
            given, other = other, _number_or_tensor(other, self)
            if other is None:
                asked = overriding.relevant_to((given,), {})
                return overriding.handle(f, asked, (self, given), {}) if asked else NotImplemented
        return apply(op, other, self) if swapped else apply(op, self, other)

    f.__name__ = f"r{op.name}" if swapped else op.name
    return f


def _augmented(op: Any) -> Callable[[Tensor, Any], Any]:
    def f(self: Tensor, other: Any) -> Any:
        other = _number_or_tensor(other, self)
        if other is None:
            return NotImplemented
        if faces.rebinds():
            return apply(op, self, other)
        with one_piece:
            return assign(self, apply(op, self, other))

    return f


def _sub_operator(self: Tensor, other: Any) -> Any:
    other = _number_or_tensor(other, self)
    return NotImplemented if other is None else functions.sub(self, other)


def _pow_operator(self: Tensor, other: Any) -> Any:
    other = _number_or_tensor(other, self)
    return NotImplemented if other is None else functions.pow(self, other)


_product = autocast.lower(functions.matmul)


def _matmul(self: Tensor, other: Any) -> Any:
    other = _number_or_tensor(other, self)
    return _product(self, other) if isinstance(other, Tensor) else NotImplemented


def _contains(self: Tensor, x: Any) -> bool:
    if not isinstance(x, (Tensor, bool, int, float, complex, np.generic)):
        raise RuntimeError(
            f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(x)}."
        )
    return bool((self == x).any())


def _reversed(self: Tensor) -> Tensor:
    return functions.flip(self, 0) if self._shape else self


def _array_wrap(
    self: Tensor, array: Any, context: Any = None, return_scalar: bool = False
) -> Tensor:
    """What NumPy's functions make of a tensor: np.sin(x) is a tensor again."""
    found = np.asarray(array)
    return fromdata.from_owned(found.astype(np.uint8) if found.dtype == bool else found.copy())


def _iter(self: Tensor) -> Any:
    if not self._shape:
        raise TypeError("iteration over a 0-d tensor")
    return iter(functions.unbind(self, 0))


_OPERATORS = {
    "add": ops.add,
    "mul": ops.mul,
    "truediv": ops.div,
    "floordiv": ops.floor_divide,
    "mod": ops.remainder,
    "and": ops.bitwise_and,
    "or": ops.bitwise_or,
    "xor": ops.bitwise_xor,
    "lshift": ops.shift_left,
    "rshift": ops.shift_right,
}
_COMPARISONS = {"eq": ops.eq, "ne": ops.ne, "lt": ops.lt, "le": ops.le, "gt": ops.gt, "ge": ops.ge}


def public_functions() -> dict[str, Any]:
    """What `functions.py` offers, by name."""
    found = {
        name: f
        for name, f in vars(functions).items()
        if not name.startswith("_") and name in functions.__all__
    }
    found.update((name, autocast.lower(found[name])) for name in autocast.LOWER & found.keys())
    found.update((name, autocast.full(found[name])) for name in autocast.FULL & found.keys())
    return found


def function_forms() -> dict[str, Any]:
    """All functions as a program calls them, those that make tensors included."""
    made = {name: getattr(creation, name) for name in creation.__all__}
    made["as_strided"] = storages.as_strided
    return {name: public(f) for name, f in {**public_functions(), **made}.items()}


def in_place_functions() -> dict[str, Any]:
    """torch.relu_(x) and the like: the methods, as functions."""
    return {
        f"{name}_": getattr(Tensor, f"{name}_") for name in (*_IN_PLACE_FUNCTIONS, "fill", "zero")
    }


#: Methods whose functions are loaded when a program first calls one: room → names.
_LATER = {
    "linalg.legacy": (
        "cholesky", "cholesky_inverse", "cholesky_solve", "det", "geqrf", "inverse", "logdet", "lu",
        "lu_solve", "matrix_exp", "matrix_power", "orgqr", "ormqr", "pinverse", "qr", "slogdet",
        "svd", "triangular_solve",
    ),
    "tensor.extra.numbers": ("frexp", "i0", "igamma", "igammac", "nextafter"),
    "tensor.extra.counting": ("histogram", "nonzero_static"),
    "tensor.extra.copies": ("narrow_copy",),
    "tensor.extra.rare": (
        "as_strided_scatter", "dim_order", "eig", "gcd", "lcm", "lstsq", "map2_",
        "map_", "solve", "swapdims_", "symeig", "unsafe_split_with_sizes",
    ),
    "nn.functional": ("hardshrink", "prelu"),
    "sparse": ("to_sparse", "to_sparse_csr"),
}  # fmt: skip


def _later(room: str, name: str) -> Callable[..., Any]:
    def f(self: Tensor, *args: Any, **kw: Any) -> Any:
        return getattr(importlib.import_module(f"chainrule.{room}"), name)(self, *args, **kw)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"`torch.{name}` of this tensor."
    return f


def attach() -> None:
    """Give `Tensor` its methods."""

    def put(name: str, f: Any) -> None:
        assert name not in Tensor.__slots__, name
        setattr(Tensor, name, f)

    table = public_functions()
    for name, f in table.items():
        if name not in _NO_METHOD:
            put(name, with_names(f) if takes_axis(f) else f)
    for room, names in _LATER.items():
        for name in names:
            put(name, _later(room, name))
    for name in ("i0", "igamma", "igammac", "nextafter"):
        put(name + "_", _in_place(_later("tensor.extra.numbers", name)))
    for name in ("gcd", "lcm"):
        put(name + "_", _in_place(_later("tensor.extra.rare", name)))
    for name in ("ipu", "maia", "mkldnn", "mtia", "vulkan", "xla", "xpu"):
        put(f"is_{name}", property(lambda self: False))
    for name in _IN_PLACE:
        put(name + "_", _in_place(table[name]))
    for name, op in _OPERATORS.items():
        put(f"__{name}__", _operator(op))
        put(f"__r{name}__", _operator(op, swapped=True))
        put(f"__i{name}__", _augmented(op))
    for name, op in _COMPARISONS.items():
        put(f"__{name}__", _operator(op))
    put("__div__", Tensor.__truediv__)  # put there above
    put("__idiv__", Tensor.__itruediv__)  # type: ignore[attr-defined]
    put("__sub__", _sub_operator)
    put("__rsub__", _operator(ops.sub, swapped=True))
    put("__isub__", _augmented(ops.sub))
    put("__pow__", _pow_operator)
    put("__rpow__", _operator(ops.pow, swapped=True))
    put("__ipow__", _augmented(ops.pow))
    put("__matmul__", _matmul)
    put("__neg__", functions.neg)
    put("__pos__", lambda self: self)
    put("__abs__", functions.abs)
    put("__invert__", functions.bitwise_not)
    put("__getitem__", indexing.getitem)
    put("__setitem__", indexing.setitem)
    put("__contains__", _contains)
    put("__iter__", _iter)
    put("__reversed__", _reversed)
    put("__array_wrap__", _array_wrap)
    put("__repr__", text)
    put("__array_priority__", 1000)
    put("as_strided", storages.as_strided)
    for name, f in _METHODS.items():
        put(name, f)
    put("T", property(lambda self: functions.permute(self, *reversed(range(self.ndim)))))
    put("mH", property(functions.adjoint))
    put("real", property(functions.real, _set_part(functions.real)))
    put("imag", property(functions.imag, _set_part(functions.imag)))
    put("mT", property(lambda self: functions.transpose(self, -2, -1)))
    put("H", property(lambda self: functions.conj(functions.t(self))))
    put("grad_fn", property(grad_fn))
    generator: Any = Generator
    generator.get_state = _generator_state
    generator.set_state = _set_generator_state
    generator.clone_state = generator.graphsafe_get_state = _generator_copy
    called: Any = Storage
    called.__call__ = storages.typed
    overriding.attach()


def _resize(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Another shape, with the elements that fit; views of the old value keep it."""
    if self.level:
        raise RuntimeError("cannot resize variables that require grad")
    shape = shapes.unpack(sizes)
    old = self._concrete().reshape(-1)
    new = np.zeros(shapes.size(shape), self._dtype.np)
    n = min(old.size, new.size)
    new[:n] = old[:n]
    self.data = fromdata.from_owned(new.reshape(shape))
    return self


def _new_empty_strided(self: Tensor, size: Any, stride: Any, **kw: Any) -> Tensor:
    """`new_empty`: where the elements stand is decided by the compiler, not by strides."""
    return self.new_empty(size, **kw)


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    return functions.where(condition, self, other)


def _in_place_shape(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """squeeze_, t_ …: the handle becomes the view."""

    def g(self: Tensor, *args: Any, **kw: Any) -> Tensor:
        v = f(self, *args, **kw)
        for name in (
            "_shape",
            "chain",
            "strides",
            "base",
            "node",
            "seen_in",
            "version",
            "level",
            "leaf",
        ):
            setattr(self, name, getattr(v, name))
        return self

    return g


def _set_part(part: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Any], None]:
    """z.real = …, z.imag = …"""

    def f(self: Tensor, value: Any) -> None:
        _copy(part(self), value)

    return f


def _map_to_dtype(self: Tensor, other: Tensor) -> Tensor:
    return functions.to_dtype(self, other._dtype)


def _array_namespace(self: Tensor, /, *, api_version: str | None = None) -> Any:
    """The functions of the Python array API standard: a room above this one, found by name."""
    if api_version not in (None, "2021.12", "2022.12", "2023.12"):
        raise ValueError(f"array API version {api_version!r} is unknown here; 2023.12 is")
    return importlib.import_module("chainrule.array_api")


def _to_device(self: Tensor, device: Any, /, *, stream: Any = None) -> Tensor:
    """The array API's name of `to`."""
    return _to(self, device)


def _generator_state(self: Generator) -> Tensor:
    """Where a generator is, as bytes in a uint8 tensor: what `set_state` takes."""
    return fromdata.from_owned(packed(self.snapshot()))


def _set_generator_state(self: Generator, new_state: Tensor) -> Generator:
    """Go on where `get_state` was called."""
    if not isinstance(new_state, Tensor):
        raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
    self.restore(unpacked(new_state._concrete()))
    return self


def _generator_copy(self: Generator) -> Generator:
    """Another generator, at the same place."""
    twin = Generator()
    twin.restore(self.snapshot())
    return twin


def _as_tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else creation.as_tensor(x)


def _is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both are the same elements of the same storage."""
    return (
        self.storage is tensor.storage
        and self._shape == tensor._shape
        and functions.stride(self) == functions.stride(tensor)
        and storages.storage_offset(self) == storages.storage_offset(tensor)
    )


_METHODS: dict[str, Any] = {
    "backward": _backward,
    "register_hook": _register_hook,
    "retain_grad": _retain_grad,
    "register_post_accumulate_grad_hook": _register_post_accumulate,
    "detach": detach,
    "detach_": _detach_,
    "set_": _set_data,
    "to": _to,
    "type": _type,
    "type_as": _map_to_dtype,
    "cuda": _cuda,
    "cpu": lambda self, **kw: self,
    "pin_memory": lambda self, device=None: self,
    "is_pinned": lambda self: False,
    "share_memory_": share_memory,
    "float": _convert(dtypes.float32),
    "double": _convert(dtypes.float64),
    "half": _convert(dtypes.float16),
    "bfloat16": _convert(dtypes.bfloat16),
    "long": _convert(dtypes.int64),
    "int": _convert(dtypes.int32),
    "short": _convert(dtypes.int16),
    "char": _convert(dtypes.int8),
    "byte": _convert(dtypes.uint8),
    "bool": _convert(dtypes.bool_),
    "cfloat": _convert(dtypes.complex64),
    "to_dense": lambda self, dtype=None, *, masked_grad=None: _to(self, dtype=dtype),
    "cdouble": _convert(dtypes.complex128),
    "view": functions.view_as_shape,
    "view_as": lambda self, other: functions.view_as_shape(self, other._shape),
    "reshape_as": lambda self, other: functions.reshape(self, other._shape),
    "expand_as": lambda self, other: functions.expand(self, *other._shape),
    "where": _where_method,
    "copy_": _copy,
    "fill_": _fill,
    "zero_": _zero,
    "fill_diagonal_": lambda self, value: (functions.diagonal(self).fill_(value), self)[1],
    "uniform_": _uniform,
    "normal_": _normal,
    "bernoulli_": _bernoulli,
    "exponential_": _exponential,
    "log_normal_": _log_normal,
    "cauchy_": _cauchy,
    "geometric_": _geometric,
    "random_": _random_integers,
    "bernoulli": creation.bernoulli,
    "multinomial": creation.multinomial,
    "new_tensor": lambda self, data, **kw: fromdata.copied(data, **{"dtype": self._dtype, **kw}),
    "new_zeros": _new(creation.zeros),
    "new_ones": _new(creation.ones),
    "new_empty": _new(creation.empty),
    "new_full": lambda self, size, fill_value, **kw: creation.full(
        size, fill_value, **{"dtype": self._dtype, **kw}
    ),
    "new": lambda self, *size: creation.empty(*size, dtype=self._dtype),
    "dim": lambda self: self.ndim,
    "ndimension": lambda self: self.ndim,
    "nelement": functions.numel,
    "element_size": lambda self: self._dtype.itemsize,
    "get_device": lambda self: -1,
    "is_signed": lambda self: self._dtype.is_signed,
    "is_same_size": lambda self, other: self._shape == other._shape,
    "is_shared": is_shared,
    "resize_": _resize,
    "new_empty_strided": _new_empty_strided,
    "resize_as_": lambda self, other: _resize(self, other._shape),
    "has_names": lambda self: False,
    "__nonzero__": lambda self: bool(self),
    "__long__": lambda self: int(self),
    "is_cpu": property(lambda self: True),
    "is_distributed": lambda self: False,
    "const_data_ptr": lambda self: self.data_ptr(),
    "is_inference": lambda self: False,
    "squeeze_": _in_place_shape(functions.squeeze),
    "unsqueeze_": _in_place_shape(functions.unsqueeze),
    "t_": _in_place_shape(functions.t),
    "transpose_": _in_place_shape(functions.transpose),
    "swapaxes_": _in_place_shape(functions.transpose),
    "storage_offset": storages.storage_offset,
    "untyped_storage": lambda self: storages.UntypedStorage(self.storage),
    "_typed_storage": lambda self: storages.TypedStorage(self.storage),
    "sum_to_size": lambda self, *size: apply(_sum_to, self, shape=shapes.unpack(size)),
    "apply_": lambda self, f: self.copy_(
        fromdata.from_owned(np.vectorize(f, otypes=[self._dtype.np])(self._concrete()))
    ),
    "split_with_sizes": functions.split,
    "polygamma": lambda self, n: functions.polygamma(n, self),
    "polygamma_": _in_place(lambda self, n: functions.polygamma(n, self)),
    "kron": functions.kron,
    "__rmatmul__": lambda self, other: functions.matmul(_as_tensor(other), self),
    "__array_namespace__": _array_namespace,
    "to_device": _to_device,
    "__rdiv__": lambda self, other: functions.reciprocal(self) * other,
    "is_set_to": _is_set_to,
}


def _sum_to(x: Any, *, shape: tuple[int, ...]) -> Any:
    from_lead = len(x.shape) - len(shape)
    over = tuple(range(from_lead)) + tuple(
        i + from_lead for i, n in enumerate(shape) if n == 1 and x.shape[i + from_lead] != 1
    )
    return ops.reshape(ops.sum(x, axis=over) if over else x, shape=shape)
