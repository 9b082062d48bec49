"""Keras's global settings: the float type, the small number, the layout of images."""

from __future__ import annotations

import operator
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
    python = {bool: "bool", int: "int32", float: floatx(), str: "string", "int": "int32"}
    if isinstance(dtype, type | str) and dtype in python:
        return python[dtype]
    return "string" if dtype == "string" else dtype_name(dtype)


def standardize_shape(shape: Any) -> tuple[int | None, ...]:
    """A shape as a tuple of ints, with None where a size is open.

    >>> standardize_shape([None, 3])
    (None, 3)
    """
    if shape is None:
        raise ValueError("Undefined shapes are not supported.")
    if not hasattr(shape, "__iter__"):
        raise ValueError(f"Cannot convert '{shape}' to a shape.")
    sizes = tuple(shape)
    for size in sizes:
        if size is None:
            continue
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise ValueError(
                f"Cannot convert '{sizes}' to a shape. Found invalid dimension '{size}'."
            )
        if size < 0:
            raise ValueError(
                f"Cannot convert '{sizes}' to a shape. Negative dimensions are not allowed."
            )
    return tuple(None if size is None else operator.index(size) for size in sizes)


def shape_equal(a_shape: Any, b_shape: Any) -> bool:
    """Whether two shapes agree, wherever both sizes are known."""
    return len(a_shape) == len(b_shape) and all(
        a is None or b is None or a == b for a, b in zip(a_shape, b_shape, strict=True)
    )


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
    """Which type a layer computes in and which its weights have.

    The name of a type is both; `mixed_bfloat16` (or `mixed_float16`) computes in two bytes and
    keeps weights in float32. Without a name it is the global policy.

    >>> DTypePolicy("mixed_bfloat16").compute_dtype
    'bfloat16'
    """

    #: Keras quantises models; nothing here does.
    quantization_mode: str | None = None

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = dtype_policy().name
        if not isinstance(name, str):
            raise TypeError(
                f"'name' must be a string, such as 'mixed_bfloat16'; got {name!r} of type "
                f"{type(name).__name__}"
            )
        self._name = name
        mixed = name in ("mixed_float16", "mixed_bfloat16")
        plain = name.removeprefix("mixed_") if mixed else name
        try:
            self._compute_dtype = standardize_dtype(plain)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Cannot convert {name!r} to a dtype policy; there are 'mixed_float16', "
                "'mixed_bfloat16' and the names of types, such as 'float32'"
            ) from error
        self._variable_dtype = "float32" if mixed else self._compute_dtype

    @property
    def name(self) -> str:
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The type in which a layer computes, and of its outputs."""
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The type of a layer's weights."""
        return self._variable_dtype

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and self._name == other._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'


class FloatDTypePolicy(DTypePolicy):
    """`DTypePolicy`, by its earlier name."""


def to_policy(value: Any) -> DTypePolicy:
    """The policy that a `dtype` argument means: a policy, a name or a type; None is the global one.

    >>> to_policy("float16").variable_dtype
    'float16'
    """
    if isinstance(value, DTypePolicy):
        return value
    if value is None:
        return dtype_policy()
    if isinstance(value, str):
        return DTypePolicy(value)
    try:
        return DTypePolicy(standardize_dtype(value))
    except (TypeError, ValueError) as error:
        raise ValueError(
            "Cannot interpret `dtype` argument: it must be a name, such as 'float32', or a "
            f"DTypePolicy, got {value!r}"
        ) from error


def dtype_policy() -> DTypePolicy:
    """The policy of layers that name none."""
    return _state.get("dtype_policy") or DTypePolicy(floatx())


def set_dtype_policy(policy: str | DTypePolicy) -> None:
    """Set the policy of layers that name none."""
    if not isinstance(policy, str | DTypePolicy):
        raise ValueError(
            "Invalid `policy` argument: it must be a name, such as 'mixed_bfloat16', or a "
            f"DTypePolicy, got {policy!r} of type {type(policy).__name__}"
        )
    _state["dtype_policy"] = to_policy(policy)


def enable_flash_attention() -> None:
    """Attention layers promise that nobody asks for their scores. (Large attention is computed
    without its matrix of scores in any case.)
    """
    _state["flash_attention"] = True


def disable_flash_attention() -> None:
    """Attention layers may be asked for their scores, as they may unless told otherwise."""
    _state["flash_attention"] = False


def is_flash_attention_enabled() -> bool:
    """Whether `enable_flash_attention` holds."""
    return bool(_state.get("flash_attention"))
