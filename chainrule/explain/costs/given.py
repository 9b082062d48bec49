"""What a model is called with: tensors that the user gave, or some of the right shapes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.dtypes import DType, get_default_dtype
from chainrule.keras import tree
from chainrule.nn import Module
from chainrule.tensor import Tensor
from chainrule.tensor.creation import as_tensor
from chainrule.tensor.handle import from_array


def is_shape(x: Any) -> bool:
    """Whether it is one shape: whole numbers."""
    return isinstance(x, (tuple, list)) and bool(x) and all(type(n) is int for n in x)


def is_shapes(x: Any) -> bool:
    """Whether it is several shapes."""
    return isinstance(x, (tuple, list)) and bool(x) and all(map(is_shape, x))


def arguments(
    model: Any, x: Any, input_size: Any, dtypes: Sequence[DType] | None
) -> tuple[Any, dict[str, Any]]:
    """Arguments to call the model with; None: nothing is known of them."""
    keras = not isinstance(model, Module)
    if x is None:
        if input_size is None:
            known = _known_inputs(model) if keras else None
            if known is None:
                return None, {}
            return (known,), {}
        sizes = [tuple(input_size)] if is_shape(input_size) else [tuple(s) for s in input_size]
        kinds = list(dtypes) if dtypes is not None else [get_default_dtype()] * len(sizes)
        if len(kinds) != len(sizes):
            raise ValueError(f"{len(sizes)} shapes, but {len(kinds)} dtypes came")
        made = [_filled(s, d) for s, d in zip(sizes, kinds, strict=True)]
        return ((made[0] if len(made) == 1 else made,) if keras else tuple(made)), {}
    x = _as_tensors(x)
    if keras:
        return (x,), {}
    if isinstance(x, dict):
        names = inspect.signature(model.forward).parameters
        if all(k in names for k in x) or any(p.kind is p.VAR_KEYWORD for p in names.values()):
            return (), x
        return (x,), {}
    return (tuple(x) if isinstance(x, (tuple, list)) else (x,)), {}


def _known_inputs(model: Any) -> Any:
    """Inputs of a Keras model that knows their shapes; axes that it does not know have size 1."""
    if not getattr(model, "inputs", None):
        return None
    return tree.map_structure(
        lambda t: _filled(tuple(n or 1 for n in t.shape), _dtype_of(t)), model.input
    )


def _dtype_of(t: Any) -> DType:
    found = t.dtype if isinstance(t.dtype, DType) else as_tensor(np.zeros((), str(t.dtype))).dtype
    return found


def _filled(shape: tuple[int, ...], dtype: DType) -> Tensor:
    """Normal numbers; zeros where a number is an index or a truth value. The program's own random
    numbers are not touched.
    """
    if dtype.is_floating_point or dtype.is_complex:
        array = np.random.Generator(np.random.Philox(0)).standard_normal(shape, np.float32)
        return from_array(array.astype(dtype.np), dtype)
    return from_array(np.zeros(shape, dtype.np), dtype)


def _as_tensors(x: Any) -> Any:
    if isinstance(x, dict):
        return {k: _as_tensors(v) for k, v in x.items()}
    if isinstance(x, (tuple, list)):
        return [_as_tensors(v) for v in x]
    if isinstance(x, np.ndarray):  # as data sets come; models compute in the default type
        return as_tensor(x.astype(np.float32) if x.dtype == np.float64 else x)
    return x
