"""`keras.backend`: settings, and the few functions that old programs still call as `K.…`."""

from __future__ import annotations

from typing import Any

from chainrule.keras import naming, ops
from chainrule.keras import random as keras_random
from chainrule.keras.activations import relu, sigmoid, softmax, tanh
from chainrule.keras.losses import binary_crossentropy, categorical_crossentropy
from chainrule.keras.ops import (
    abs,
    arange,
    argmax,
    cast,
    cos,
    equal,
    exp,
    expand_dims,
    greater,
    log,
    max,
    maximum,
    mean,
    min,
    minimum,
    not_equal,
    ones,
    ones_like,
    prod,
    reshape,
    shape,
    sin,
    sqrt,
    square,
    squeeze,
    stack,
    std,
    sum,
    tile,
    transpose,
    zeros,
    zeros_like,
)
from chainrule.keras.settings import (
    epsilon,
    floatx,
    image_data_format,
    is_float_dtype,
    is_int_dtype,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    standardize_dtype,
)
from chainrule.keras.variables import Variable

__all__ = [
    "Variable", "abs", "arange", "argmax", "backend", "binary_crossentropy", "cast",
    "categorical_crossentropy", "clear_session", "clip", "concatenate", "cos", "dot", "epsilon",
    "equal", "exp", "expand_dims", "flatten", "floatx", "get_value", "greater", "image_data_format",
    "int_shape", "is_float_dtype", "is_int_dtype", "log", "max", "maximum", "mean", "min", "minimum", "ndim", "not_equal", "ones",
    "ones_like", "permute_dimensions", "pow", "prod", "random_normal", "random_uniform", "relu",
    "reshape", "result_type", "set_epsilon", "set_floatx", "set_image_data_format", "set_value",
    "shape", "sigmoid", "sin", "softmax", "sqrt", "square", "squeeze", "stack", "standardize_dtype", "std", "sum",
    "tanh", "tile", "transpose", "variable", "zeros", "zeros_like",
]  # fmt: skip


def backend() -> str:
    """The name of what computes.

    >>> backend()
    'chainrule'
    """
    return "chainrule"


def clear_session(free_memory: bool = True) -> None:
    """Give names from the beginning again: the next Dense is "dense"."""
    naming.reset()


def int_shape(x: Any) -> tuple[Any, ...]:
    return tuple(x.shape)


def ndim(x: Any) -> int:
    return len(x.shape)


def concatenate(tensors: Any, axis: int = -1) -> Any:
    return ops.concatenate(tensors, axis=axis)


def dot(x: Any, y: Any) -> Any:
    return ops.dot(x, y)


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    return ops.clip(x, min_value, max_value)


def pow(x: Any, a: Any) -> Any:
    return ops.power(x, a)


def flatten(x: Any) -> Any:
    return ops.reshape(x, (-1,))


def permute_dimensions(x: Any, pattern: Any) -> Any:
    return ops.transpose(x, axes=pattern)


def variable(value: Any, dtype: Any = None, name: str | None = None, **_: Any) -> Variable:
    return Variable(value, dtype=dtype, name=name)


def get_value(x: Any) -> Any:
    return ops.convert_to_numpy(x)


def set_value(x: Variable, value: Any) -> None:
    x.assign(value)


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    return keras_random.normal(shape, mean, stddev, dtype, seed)


def random_uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    return keras_random.uniform(shape, minval, maxval, dtype, seed)


def result_type(*dtypes: Any) -> str:
    """The type that numbers of these types meet in."""
    from_shapes = [ops.zeros((1,), d) for d in dtypes]
    total = from_shapes[0]
    for tensor in from_shapes[1:]:
        total = total + tensor
    return str(total.dtype.name)
