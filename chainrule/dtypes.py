"""Element types and PyTorch's promotion rules.

Three levels take part in promotion, the stronger first: tensors with dimensions, tensors without
(shape `()`), Python numbers. A weaker level changes the result only if it is of a higher category
(bool < integer < float < complex).

>>> from chainrule import dtypes as dt
>>> dt.promote(dt.uint8, dt.int8)
chainrule.int16
>>> dt.promote(dt.float16, dt.bfloat16)
chainrule.float32
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.errors import DtypeError

BOOL, INTEGER, FLOAT, COMPLEX = 0, 1, 2, 3  # categories
NUMBER, SCALAR, ARRAY = (
    0,
    1,
    2,
)  # levels: a Python number, a tensor of shape (), a tensor with dimensions


class DType:
    """One element type: `name` as PyTorch spells it, `short` in the text form, `np` for NumPy."""

    __slots__ = ("category", "is_signed", "itemsize", "name", "np", "short")

    def __init__(self, name: str, short: str, np_type: Any, category: int, signed: bool) -> None:
        self.name, self.short, self.np = name, short, np.dtype(np_type)
        self.category, self.is_signed, self.itemsize = category, signed, self.np.itemsize

    @property
    def is_floating_point(self) -> bool:
        return self.category == FLOAT

    @property
    def is_complex(self) -> bool:
        return self.category == COMPLEX

    @property
    def is_differentiable(self) -> bool:
        """Whether values of this type carry gradients: real or complex, but no integers."""
        return self.category >= FLOAT

    def __repr__(self) -> str:
        return f"chainrule.{self.name}"

    def __eq__(self, other: object) -> bool:
        """Types are single objects; the name, as TensorFlow and Keras spell it, is equal too."""
        return self is other or (isinstance(other, str) and other == self.name)

    __hash__ = object.__hash__

    def __reduce__(self) -> str:
        return self.name

    def to_real(self) -> DType:
        """The type of the parts of a complex number; of others, the type itself."""
        return _PARTS.get(self, self)

    def to_complex(self) -> DType:
        """The complex type whose parts have this type (half types: complex64)."""
        return self if self.category == COMPLEX else complex128 if self is float64 else complex64


class _BFloat16(DType):
    """NumPy has no bfloat16; `ml_dtypes` has it, and is loaded when a value needs it."""

    __slots__ = ()

    def __init__(self) -> None:
        self.name, self.short = "bfloat16", "bf16"
        self.category, self.is_signed, self.itemsize = FLOAT, True, 2

    def __getattr__(self, name: str) -> Any:
        """Asked for what has no value yet: `np`, once."""
        if name != "np":
            raise AttributeError(f"a dtype has no {name!r}")
        import ml_dtypes

        self.np = np.dtype(ml_dtypes.bfloat16)
        return self.np


bool_ = DType("bool", "bool", np.bool_, BOOL, False)
uint8 = DType("uint8", "u8", np.uint8, INTEGER, False)
int8 = DType("int8", "i8", np.int8, INTEGER, True)
int16 = DType("int16", "i16", np.int16, INTEGER, True)
int32 = DType("int32", "i32", np.int32, INTEGER, True)
int64 = DType("int64", "i64", np.int64, INTEGER, True)
float16 = DType("float16", "f16", np.float16, FLOAT, True)
bfloat16: DType = _BFloat16()
float32 = DType("float32", "f32", np.float32, FLOAT, True)
float64 = DType("float64", "f64", np.float64, FLOAT, True)

complex64 = DType("complex64", "c64", np.complex64, COMPLEX, True)
complex128 = DType("complex128", "c128", np.complex128, COMPLEX, True)

ALL = (
    bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64, complex64,
    complex128,
)  # fmt: skip
REAL = tuple(d for d in ALL if d.category != COMPLEX)
_PARTS = {complex64: float32, complex128: float64}
BY_NAME = {d.name: d for d in ALL}
BY_SHORT = {d.short: d for d in ALL}
_BY_NUMPY = {d.np: d for d in ALL if d is not bfloat16}  # which `from_numpy` tries last
ALIASES = {
    "float": float32, "double": float64, "half": float16,
    "long": int64, "int": int32, "short": int16, "cfloat": complex64, "cdouble": complex128,
}  # fmt: skip

_default: DType = float32


def get_default_dtype() -> DType:
    """The element type of floats that a program does not type otherwise."""
    return _default


def set_default_dtype(d: DType) -> None:
    """Choose what `torch.tensor(1.0)` and the layers are made of."""
    global _default
    if not isinstance(d, DType) or not d.is_floating_point:
        raise DtypeError(f"only floating-point types are supported as the default type, got {d!r}")
    _default = d


def from_numpy(d: Any) -> DType:
    """The element type of a NumPy dtype; sizes that do not exist here are a clear error."""
    try:
        want = np.dtype(d)
        found = _BY_NUMPY.get(want)
    except TypeError:
        want = found = None
    if found is not None:
        return found
    if want is not None and want.kind == "V" and want == bfloat16.np:
        return bfloat16
    raise DtypeError(
        f"NumPy type {d} has no counterpart; supported: {', '.join(x.name for x in ALL)}. "
        "Convert with array.astype(...) first."
    )


def is_half(d: np.dtype) -> bool:
    """Whether a NumPy dtype is float16 or bfloat16 (whose kind is "V"), without loading either."""
    return d.itemsize == 2 and d.kind in "fV"


def as_dtype(d: Any) -> DType:
    """Accept a dtype, its name, a Python type (`float`, `int`, `bool`, `complex`) or NumPy's."""
    if isinstance(d, DType):
        return d
    if d is float:
        return _default
    if d is int:
        return int64
    if d is bool:
        return bool_
    if d is complex:
        return _default.to_complex()
    if isinstance(d, str):
        name = d.rpartition(".")[2]
        found = BY_NAME.get(name) or ALIASES.get(name)
        if found is not None:
            return found
        raise DtypeError(f"unknown dtype {d!r}; known: {', '.join(BY_NAME)}")
    return from_numpy(d)


def of_number(x: object) -> DType:
    """The dtype that a Python number has by itself."""
    if isinstance(x, (bool, np.bool_)):
        return bool_
    if isinstance(x, (int, np.integer)):
        return int64
    if isinstance(x, (complex, np.complexfloating)):
        return _default.to_complex()
    return _default


def _pair(a: DType, b: DType) -> DType:
    if a is b:
        return a
    if COMPLEX in (a.category, b.category):
        parts = [d.to_real() for d in (a, b) if d.category >= FLOAT]
        return complex128 if float64 in parts else complex64
    if a.category != b.category:
        return a if a.category > b.category else b
    if a.category == FLOAT:  # two halves of unlike make meet in float32
        return float32 if a.itemsize == b.itemsize else (a if a.itemsize > b.itemsize else b)
    if a.is_signed == b.is_signed:
        return a if a.itemsize > b.itemsize else b
    signed, unsigned = (a, b) if a.is_signed else (b, a)
    if signed.itemsize > unsigned.itemsize:
        return signed
    return {1: int16, 2: int32}.get(unsigned.itemsize, int64)


_PAIRS = {(a, b): _pair(a, b) for a in ALL for b in ALL}


def promote(a: DType, b: DType) -> DType:
    """The smallest type that holds both, as PyTorch has it."""
    return _PAIRS[a, b]


def result_type(args: Iterable[tuple[DType, int]]) -> DType:
    """Promote `(dtype, level)` pairs; see the module's text for the levels."""
    best: list[DType | None] = [None, None, None]
    for d, level in args:
        have = best[level]
        best[level] = d if have is None else _PAIRS[have, d]
    out: DType | None = best[ARRAY]
    for lower in (best[SCALAR], best[NUMBER]):
        if lower is None:
            continue
        if out is None:
            out = lower
        elif out.category < lower.category:
            out = out.to_complex() if out.category == FLOAT else _PAIRS[out, lower]
    if out is None:
        raise DtypeError("no argument to take a dtype from")
    return out


class finfo:
    """Limits of a floating point type, as `torch.finfo`.

    >>> finfo(float32).eps
    1.1920928955078125e-07
    """

    def __init__(self, dtype: DType | None = None) -> None:
        d = (dtype or _default).to_real()
        if not d.is_floating_point:
            raise TypeError(f"finfo takes a floating point dtype, got {d}; use iinfo for integers")
        info = _limits(d)
        self.dtype, self.bits = d.name, d.itemsize * 8
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.smallest_normal)
        self.resolution = float(info.resolution)

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        numbers = ", ".join(f"{n}={getattr(self, n):g}" for n in names)
        return f"finfo({numbers}, dtype={self.dtype})"


def _limits(d: DType) -> Any:
    if d is not bfloat16:
        return np.finfo(d.np)
    import ml_dtypes

    return ml_dtypes.finfo(d.np)  # type: ignore[no-untyped-call]  # it has no annotations


class iinfo:
    """Limits of an integer type, as `torch.iinfo`."""

    def __init__(self, dtype: DType) -> None:
        if dtype.category != INTEGER:
            raise TypeError(f"iinfo takes an integer dtype, got {dtype}")
        info = np.iinfo(dtype.np)
        self.dtype, self.bits, self.max, self.min = (
            dtype.name,
            info.bits,
            int(info.max),
            int(info.min),
        )

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


def can_cast(from_: DType, to: DType) -> bool:
    """Whether PyTorch converts without being asked: to a type of the same or a higher category.

    >>> can_cast(int64, float32), can_cast(float32, int64)
    (True, False)
    """
    if from_.category > to.category:
        return False
    return not (from_.category == to.category == INTEGER and from_.is_signed and not to.is_signed)
