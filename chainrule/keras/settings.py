"""Keras's global settings: the float type, the small number, the layout of images."""

from __future__ import annotations

from typing import Any

from chainrule import dtypes
from chainrule.dtypes import DType

_FLOATS = ("float16", "bfloat16", "float32", "float64")

_state: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
}


def floatx() -> str:
    """The type of weights and of float data, by name.

    >>> floatx()
    'float32'
    """
    return str(_state["floatx"])


def set_floatx(value: str) -> None:
    if value not in _FLOATS:
        raise ValueError(f"floatx must be one of {', '.join(_FLOATS)}, got {value!r}")
    _state["floatx"] = value


def epsilon() -> float:
    """The small number that keeps logarithms and divisions finite (1e-7)."""
    return float(_state["epsilon"])


def set_epsilon(value: float) -> None:
    _state["epsilon"] = float(value)


def image_data_format() -> str:
    """`"channels_last"` or `"channels_first"`: where convolutions look for the channels."""
    return str(_state["image_data_format"])


def set_image_data_format(data_format: str) -> None:
    _state["image_data_format"] = standardize_data_format(data_format)


def standardize_data_format(data_format: str | None) -> str:
    if data_format is None:
        return image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"data_format must be 'channels_last' or 'channels_first', got {data_format!r}"
        )
    return data_format


def to_dtype(name: Any) -> DType:
    """The element type that a name, a DType or a NumPy type means; None means `floatx`."""
    if name is None:
        return dtypes.as_dtype(floatx())
    if isinstance(name, DTypePolicy):
        return dtypes.as_dtype(name.variable_dtype)
    return dtypes.as_dtype(name)


def dtype_name(dtype: Any) -> str:
    """Keras's name of an element type: a plain string.

    >>> dtype_name(dtypes.float32)
    'float32'
    """
    return to_dtype(dtype).name


def standardize_dtype(dtype: Any) -> str:
    """Keras's name of what a program calls a type: a name, a DType, a NumPy or a Python type.

    >>> standardize_dtype(float), standardize_dtype(None), standardize_dtype("half")
    ('float32', 'float32', 'float16')
    """
    python = {bool: "bool", int: "int32", float: floatx(), str: "string"}
    if isinstance(dtype, type) and dtype in python:
        return python[dtype]
    return "string" if dtype == "string" else dtype_name(dtype)


def is_float_dtype(dtype: Any) -> bool:
    """Whether numbers of this type have fractions.

    >>> is_float_dtype("bfloat16"), is_float_dtype("int8")
    (True, False)
    """
    return standardize_dtype(dtype).startswith(("float", "bfloat"))


def is_int_dtype(dtype: Any) -> bool:
    """Whether this is a type of integers, signed or not (a truth value is none)."""
    return standardize_dtype(dtype).startswith(("int", "uint"))


class DTypePolicy:
    """Which type a layer computes in and which its weights have: `mixed_bfloat16` computes in
    bfloat16.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.compute_dtype = name.removeprefix("mixed_")
        self.variable_dtype = "float32" if name.startswith("mixed_") else name
        if self.compute_dtype not in dtypes.BY_NAME:
            raise ValueError(f"unknown dtype policy {name!r}")

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


def to_policy(value: Any) -> DTypePolicy:
    """The policy that a layer's `dtype` argument means; None means the global one."""
    if isinstance(value, DTypePolicy):
        return value
    if value is None:
        return DTypePolicy(_state.get("dtype_policy") or floatx())
    if isinstance(value, str) and value.startswith("mixed_"):
        return DTypePolicy(value)
    return DTypePolicy(dtype_name(value))


def dtype_policy() -> DTypePolicy:
    """The policy of layers that name none."""
    return to_policy(None)


def set_dtype_policy(policy: str | DTypePolicy) -> None:
    _state["dtype_policy"] = to_policy(policy).name
