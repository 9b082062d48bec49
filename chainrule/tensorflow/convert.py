"""What TensorFlow's functions take: tensors, and whatever can be made one.

Numbers and lists become tensors of TensorFlow's types (int32, float32). What is made of known
numbers only (shapes, sizes) is computed at once, so that using it as a shape is no look at a
recorded value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.data import elements as E
from chainrule.data.elements import TensorShape, as_type
from chainrule.keras.symbolic import FUNCTIONS, KerasTensor, apply, is_symbolic
from chainrule.strings import StringTensor, is_string
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor import functions as T
from chainrule.tensor.handle import become, from_array


def tensor(x: Any, dtype: Any = None) -> Any:
    """`x` as a tensor (strings as a StringTensor), in `dtype` where one is given."""
    if isinstance(x, Tensor):
        return x if dtype is None or x.dtype is dtype else x.to(as_type(dtype))
    if isinstance(x, StringTensor | KerasTensor):
        return x
    if isinstance(x, list | tuple) and any(
        isinstance(i, Tensor) and not isinstance(i, Count) for i in _flat(x)
    ):
        parts = [tensor(i) for i in x]
        wanted = as_type(dtype) if dtype is not None else None
        like = wanted or next((p.dtype for p, i in zip(parts, x, strict=True)
                               if isinstance(i, Tensor)), parts[0].dtype)  # fmt: skip
        return stacked([p.to(like) for p in parts], 0)
    if is_string(x):
        return StringTensor(x)
    array = E.raw(x)
    if dtype is not None:
        array = array.astype(as_type(dtype).np)
    return from_array(array)


def _flat(x: Any) -> Any:
    for i in x:
        if isinstance(i, list | tuple):
            yield from _flat(i)
        else:
            yield i


def stacked(parts: Sequence[Tensor], axis: int) -> Tensor:
    """Along a new axis; at once where all parts are known."""
    arrays = known(*parts)
    if arrays is not None:
        return from_array(np.stack(arrays, axis))
    return T.stack(list(parts), axis)


def known(*tensors: Any) -> list[np.ndarray] | None:
    """The values of tensors that have been computed and ask for no gradient, or None."""
    found = []
    for t in tensors:
        if not isinstance(t, Tensor):
            found.append(np.asarray(t))
        elif t.level or t.storage.trace is not None:
            return None
        else:
            found.append(t._concrete())
    return found


def floating(x: Any) -> Tensor:
    """`x` as a tensor of real numbers."""
    made: Tensor = tensor(x)
    return made if made.dtype.category >= dtypes.FLOAT else made.to(dtypes.float32)


def pair(x: Any, y: Any) -> tuple[Any, Any]:
    """Two operands: what is no tensor takes the type of the other one, if that holds it."""
    if isinstance(x, Tensor) == isinstance(y, Tensor):
        return tensor(x), tensor(y)
    if isinstance(x, Tensor):
        return x, like(y, x)
    return like(x, y), y


def like(value: Any, other: Any) -> Any:
    """What is no tensor, as one that goes with `other`."""
    made = tensor(value)
    if isinstance(made, Tensor) and isinstance(other, Tensor):
        keeps = made.dtype.category > other.dtype.category
        return made if keeps or made.dtype is other.dtype else made.to(other.dtype)
    return made


def sizes(shape: Any) -> tuple[int, ...]:
    """A shape out of numbers, tensors, or a tensor."""
    if isinstance(shape, Tensor):
        with no_grad():
            return tuple(int(n) for n in np.atleast_1d(shape.detach()._concrete()))
    if isinstance(shape, int | np.integer):
        return (int(shape),)
    return tuple(-1 if n is None else int(n) for n in shape)


def axes(axis: Any) -> Any:
    """An axis, or several, as Python's numbers."""
    if axis is None or isinstance(axis, int):
        return axis
    if isinstance(axis, Tensor):
        axis = axis._concrete().tolist()
    if isinstance(axis, int | np.integer):
        return int(axis)
    return tuple(int(a) for a in axis)


class Count(int):
    """A size: Python's number, with what programs ask a tensor for."""

    dtype = dtypes.int32
    shape = TensorShape(())

    def numpy(self) -> np.int32:
        return np.int32(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(int(self), dtype or np.int32)


class ShapeTensor(Tensor):
    """What `tf.shape` gives: sizes that are known, so that using them looks at nothing."""

    def __getitem__(self, index: Any) -> Any:
        found = self._concrete()[index]
        return Count(found) if np.ndim(found) == 0 else shape_tensor(found)

    def __iter__(self) -> Any:
        return (Count(n) for n in self._concrete().tolist())

    def tolist(self) -> Any:
        return self._concrete().tolist()


def _computed(name: str) -> Any:
    def operator(self: Tensor, other: Any) -> Any:
        arrays = known(self, other)
        if arrays is None or arrays[1].dtype.kind == "f":
            return getattr(super(ShapeTensor, self), name)(other)
        return shape_tensor(getattr(arrays[0], name)(arrays[1]))

    operator.__name__ = name
    return operator


for _name in ("add", "sub", "mul", "floordiv", "mod"):
    setattr(ShapeTensor, f"__{_name}__", _computed(f"__{_name}__"))
    setattr(ShapeTensor, f"__r{_name}__", _computed(f"__r{_name}__"))


def shape_tensor(numbers: Any, dtype: Any = dtypes.int32) -> Tensor:
    """Known sizes as a tensor."""
    made: Tensor = become(from_array(np.asarray(numbers, as_type(dtype).np)), ShapeTensor)
    return made


def symbolic(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that also takes the symbolic tensors of a functional model."""
    name = f"tf.{f.__name__}"
    FUNCTIONS[name] = f

    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        kwargs.pop("name", None)
        if is_symbolic(*args, *kwargs.values()):
            return apply(name, *args, **kwargs)
        return f(*args, **kwargs)

    return wrapper
