"""`keras.ops.core`: loops, branches, writing at places, conversions."""

from chainrule.keras.ops.control import (
    associative_scan,
    cast,
    cond,
    custom_gradient,
    dtype,
    fori_loop,
    is_tensor,
    map,
    saturate_cast,
    scan,
    scatter,
    scatter_update,
    slice,
    slice_update,
    stop_gradient,
    switch,
    vectorized_map,
    while_loop,
)
from chainrule.keras.ops.making import convert_to_numpy, convert_to_tensor
from chainrule.keras.ops.shaping import shape, unstack

__all__ = [
    "associative_scan", "cast", "cond", "convert_to_numpy", "convert_to_tensor",
    "custom_gradient", "dtype", "fori_loop", "is_tensor", "map", "saturate_cast", "scan",
    "scatter", "scatter_update", "shape", "slice", "slice_update", "stop_gradient", "switch",
    "unstack", "vectorized_map", "while_loop",
]  # fmt: skip
