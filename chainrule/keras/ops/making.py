"""`keras.ops`: making arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.keras.arrays import to_tensor
from chainrule.keras.ops.promotion import (
    result_type,
    type_of,
)
from chainrule.keras.settings import floatx, to_dtype
from chainrule.keras.symbolic import KerasTensor, apply, function
from chainrule.tensor import Tensor, creation, fromdata


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """A tensor of an array, a number or nested lists."""
    if isinstance(x, KerasTensor):
        return x
    return to_tensor(x, None if dtype is None else to_dtype(dtype))


def convert_to_numpy(x: Any) -> np.ndarray:
    """The values as a NumPy array."""
    if not isinstance(x, Tensor):
        return np.asarray(x)
    return np.array(x.detach().numpy(force=True))


def array(x: Any, dtype: Any = None) -> Any:
    """`convert_to_tensor`."""
    return convert_to_tensor(x, dtype)


def sizes(shape: Any) -> tuple[int, ...]:
    """A shape out of a number, numbers or a tensor."""
    if isinstance(shape, int | np.integer):
        return (int(shape),)
    if isinstance(shape, Tensor) and not shape.ndim:
        return (int(shape.item()),)
    return tuple(int(n) for n in shape)


def zeros(shape: Any, dtype: Any = None) -> Tensor:
    """All zero."""
    return creation.zeros(sizes(shape), dtype=to_dtype(dtype))


def ones(shape: Any, dtype: Any = None) -> Tensor:
    """All one."""
    return creation.ones(sizes(shape), dtype=to_dtype(dtype))


def empty(shape: Any, dtype: Any = None) -> Tensor:
    """Zeros: no numbers are left to chance."""
    return zeros(shape, dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """All the same."""
    if isinstance(fill_value, int | float):
        return creation.full(sizes(shape), fill_value, dtype=to_dtype(dtype))
    return to_tensor(fill_value).to(to_dtype(dtype)).expand(sizes(shape))


def _like(x: Any, dtype: Any) -> Any:
    return to_tensor(x).dtype if dtype is None else to_dtype(dtype)


@function
def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of the same shape."""
    return creation.zeros_like(to_tensor(x), dtype=_like(x, dtype))


@function
def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones of the same shape."""
    return creation.ones_like(to_tensor(x), dtype=_like(x, dtype))


@function
def empty_like(x: Any, dtype: Any = None) -> Any:
    """`zeros_like`."""
    return creation.zeros_like(to_tensor(x), dtype=_like(x, dtype))


@function
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """The same number everywhere, in the same shape."""
    return full(tuple(to_tensor(x).shape), fill_value, _like(x, dtype))


def eye(N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> Tensor:
    """Ones on a diagonal."""
    rows, columns = int(N), None if M is None else int(M)
    made: Tensor = fromdata.from_owned(np.eye(rows, columns, int(k), np.float32))
    return made.to(to_dtype(dtype))


def identity(n: Any, dtype: Any = None) -> Tensor:
    """Ones on the diagonal of a square."""
    return eye(n, dtype=dtype)


def tri(N: Any, M: Any = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Ones on and below a diagonal."""
    made: Tensor = fromdata.from_owned(np.tri(N, M, k, np.float32))
    return made.to(to_dtype(dtype))


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Tensor:
    """Numbers at equal distances."""
    given = [v for v in (start, stop, step) if v is not None]
    if dtype is None:
        kinds = [getattr(v, "dtype", type(v)) for v in given]
        dtype = result_type(*(k if k is not int else "int32" for k in kinds))
    if stop is None:
        start, stop = 0, start
    numbers = [float(v) if isinstance(v, Tensor) and v.dtype.is_floating_point else
               int(v) if isinstance(v, Tensor) else v
               for v in (start, stop, 1 if step is None else step)]  # fmt: skip
    made = np.arange(*numbers)
    return fromdata.from_owned(made).to(to_dtype(dtype))


def _spaced(x: Any) -> Any:
    return x.detach().numpy() if isinstance(x, Tensor) else x


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    """`num` numbers from start to stop (and the distance between two)."""
    wanted = to_dtype(_space_type(start, stop, dtype))
    a, b = _spaced(start), _spaced(stop)
    if isinstance(start, KerasTensor) or isinstance(stop, KerasTensor):
        return apply("linspace", start, stop, num=num, endpoint=endpoint, dtype=dtype, axis=axis)
    made, step = np.linspace(a, b, num, endpoint=endpoint, retstep=True, axis=axis)
    out = fromdata.from_owned(np.asarray(made)).to(wanted)
    return (out, fromdata.from_owned(np.asarray(step)).to(wanted)) if retstep else out


function(linspace)


def _space_type(start: Any, stop: Any, dtype: Any) -> Any:
    if dtype is not None:
        return dtype
    return result_type(type_of(start), type_of(stop), float)


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10, dtype: Any = None,
    axis: int = 0,
) -> Any:  # fmt: skip
    """`num` powers of `base` with exponents from start to stop."""
    return _logspace(start, stop, num=num, endpoint=endpoint, base=base, dtype=dtype, axis=axis)


@function
def _logspace(start: Any, stop: Any, **options: Any) -> Any:
    dtype, base = options.pop("dtype"), options.pop("base")
    wanted = to_dtype(_space_type(start, stop, dtype))
    made = np.logspace(
        _spaced(start), _spaced(stop), options["num"], options["endpoint"], base,
        axis=options["axis"],
    )  # fmt: skip
    return fromdata.from_owned(made).to(wanted)


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """`num` numbers from start to stop, each so many times the one before."""
    return _geomspace(start, stop, num=num, endpoint=endpoint, dtype=dtype, axis=axis)


@function
def _geomspace(start: Any, stop: Any, **options: Any) -> Any:
    wanted = to_dtype(_space_type(start, stop, options.pop("dtype")))
    made = np.geomspace(_spaced(start), _spaced(stop), **options)
    return fromdata.from_owned(np.asarray(made)).to(wanted)


def _window(name: str, f: Callable[[int], np.ndarray]) -> Any:
    def call(x: Any) -> Any:
        return fromdata.from_owned(f(int(x))).to(to_dtype(floatx()))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"NumPy's window `{name}` of x points."
    return function(call)


bartlett, hamming = _window("bartlett", np.bartlett), _window("hamming", np.hamming)
hanning, blackman = _window("hanning", np.hanning), _window("blackman", np.blackman)


@function
def kaiser(x: Any, beta: Any) -> Any:
    """NumPy's window `kaiser` of x points."""
    return fromdata.from_owned(np.kaiser(int(x), float(beta))).to(to_dtype(floatx()))


@function
def meshgrid(*x: Any, indexing: str = "xy") -> Any:
    """Coordinates of a grid; the first two axes change places unless indexing is "ij"."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing parameter must be 'xy' or 'ij', got {indexing!r}")
    axes = [to_tensor(a).reshape(-1) for a in x]
    n = len(axes)
    swapped = indexing == "xy" and n > 1
    order = [1, 0, *range(2, n)] if swapped else list(range(n))
    shape = [int(axes[i].shape[0]) for i in order]
    out = []
    for i, a in enumerate(axes):
        place = [1] * n
        place[order.index(i)] = -1
        out.append(a.reshape(place).expand(tuple(shape)))
    return out
