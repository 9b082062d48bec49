"""`assert_close`: values, shapes and dtypes compared; the error shows where they differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from chainrule import dtypes
from chainrule.dtypes import DType
from chainrule.tensor import Tensor
from chainrule.tensor.creation import as_tensor

#: Relative and absolute tolerance of values of a dtype; of others both are 0.
TOLERANCES = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.bfloat16: (1.6e-2, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
}
_BY_COMPLEX = {"complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7)}

Message = str | Callable[[str], str] | None


def tolerances(
    *kinds: DType, rtol: float | None = None, atol: float | None = None
) -> tuple[float, float]:
    """The tolerances given, or the widest of those of these dtypes."""
    if (rtol is None) != (atol is None):
        raise ValueError(
            "Either both 'rtol' and 'atol' can be specified or none of them, but got "
            f"rtol={rtol} and atol={atol}"
        )
    if rtol is not None and atol is not None:
        return rtol, atol
    found = [TOLERANCES.get(d) or _BY_COMPLEX.get(d.name, (0.0, 0.0)) for d in kinds]
    return max(r for r, _ in found), max(a for _, a in found)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Message = None,
) -> None:
    """|actual − expected| ≤ atol + rtol · |expected|, everywhere; in sequences and mappings, too.

    Raises AssertionError that says how many elements differ and where most, TypeError for what
    cannot be compared.

    >>> import chainrule as torch
    >>> assert_close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.5]))
    Traceback (most recent call last):
        ...
    AssertionError: Tensor-likes are not close!
    <BLANKLINE>
    Mismatched elements: 1 / 2 (50.0%)
    Greatest absolute difference: 0.5 at index (1,) (up to 1e-05 allowed)
    Greatest relative difference: 0.2 at index (1,) (up to 1.3e-06 allowed)
    """
    options = _Options(
        allow_subclasses, rtol, atol, equal_nan, check_dtype, check_layout, check_stride, msg
    )
    options.compare(actual, expected, ())


class _Options:
    def __init__(
        self, allow_subclasses: bool, rtol: float | None, atol: float | None, equal_nan: bool,
        check_dtype: bool, check_layout: bool, check_stride: bool, msg: Message,
    ) -> None:  # fmt: skip
        self.allow_subclasses, self.rtol, self.atol = allow_subclasses, rtol, atol
        self.equal_nan, self.check_dtype = equal_nan, check_dtype
        self.check_layout, self.check_stride, self.msg = check_layout, check_stride, msg

    def fail(self, text: str, place: tuple[Any, ...]) -> NoReturn:
        if place:
            where = "".join(f"[{p!r}]" for p in place)
            text += f"\n\nThe failure occurred for item {where}"
        if self.msg is not None:
            text = self.msg(text) if callable(self.msg) else self.msg
        raise AssertionError(text)

    def compare(self, a: Any, b: Any, place: tuple[Any, ...]) -> None:
        if _is_sequence(a) and _is_sequence(b):
            if len(a) != len(b):
                self.fail(f"The length of the sequences mismatch: {len(a)} != {len(b)}", place)
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                self.compare(x, y, (*place, i))
        elif isinstance(a, Mapping) and isinstance(b, Mapping):
            if set(a) != set(b):
                missing, more = sorted(set(b) - set(a), key=str), sorted(set(a) - set(b), key=str)
                text = "The keys of the mappings do not match:"
                text += f"\nMissing keys in the actual mapping: {missing}" if missing else ""
                text += f"\nAdditional keys in the actual mapping: {more}" if more else ""
                self.fail(text, place)
            for key in a:
                self.compare(a[key], b[key], (*place, key))
        elif a is None or b is None:
            if a is not b:
                self.fail(f"None mismatch: {a} is not {b}", place)
        elif type(a) is bool and type(b) is bool:
            if a is not b:
                self.fail(f"Booleans mismatch: {a} is not {b}", place)
        elif _is_number(a) and _is_number(b):
            self.numbers(a, b, place)
        else:
            self.tensors(a, b, place)

    def numbers(self, a: Any, b: Any, place: tuple[Any, ...]) -> None:
        if self.check_dtype and type(a) is not type(b):
            self.fail(f"The types of the numbers do not match: {type(a)} != {type(b)}", place)
        kinds = [
            dtypes.float64 if isinstance(x, (float, complex)) else dtypes.int64 for x in (a, b)
        ]
        rtol, atol = tolerances(*kinds, rtol=self.rtol, atol=self.atol)
        if a == b or (self.equal_nan and a != a and b != b):
            return
        distance = abs(a - b)
        if distance <= atol + rtol * abs(b) and math.isfinite(distance):
            return
        if rtol == atol == 0:
            self.fail(f"Scalars are not equal!\n\nExpected {b} but got {a}.\n"
                      f"Absolute difference: {distance}\n"
                      f"Relative difference: {_ratio(distance, b)}", place)  # fmt: skip
        self.fail(
            f"Scalars are not close!\n\nExpected {b} but got {a}.\n"
            f"Absolute difference: {distance} (up to {atol} allowed)\n"
            f"Relative difference: {_ratio(distance, b)} (up to {rtol} allowed)",
            place,
        )

    def tensors(self, a: Any, b: Any, place: tuple[Any, ...]) -> None:
        if not self.allow_subclasses and type(a) is not type(b):
            raise TypeError(
                f"No comparison pair was able to handle inputs of type {type(a)} and {type(b)}."
            )
        try:
            x, y = as_tensor(a).detach(), as_tensor(b).detach()
        except Exception as error:
            raise TypeError(
                f"No comparison pair was able to handle inputs of type {type(a)} and {type(b)}."
            ) from error
        if x.shape != y.shape:
            self._attribute("shape", x.shape, y.shape, place)
        if self.check_layout and x.layout != y.layout:
            self._attribute("layout", x.layout, y.layout, place)
        if self.check_dtype and x.dtype is not y.dtype:
            self._attribute("dtype", x.dtype, y.dtype, place)
        if self.check_stride and x.stride() != y.stride():
            self._attribute("stride()", x.stride(), y.stride(), place)
        rtol, atol = tolerances(x.dtype, y.dtype, rtol=self.rtol, atol=self.atol)
        self.values(np.asarray(x._concrete()), np.asarray(y._concrete()), rtol, atol, place)

    def _attribute(self, name: str, a: Any, b: Any, place: tuple[Any, ...]) -> NoReturn:
        self.fail(f"The values for attribute '{name}' do not match: {a} != {b}.", place)

    def values(
        self, a: np.ndarray, b: np.ndarray, rtol: float, atol: float, place: tuple[Any, ...]
    ) -> None:
        wide = np.complex128 if "c" in (a.dtype.kind, b.dtype.kind) else np.float64
        exact = a.dtype.kind in "iub" and b.dtype.kind in "iub"
        u, v = (a, b) if exact else (a.astype(wide), b.astype(wide))
        with np.errstate(all="ignore"):
            same = u == v
            if self.equal_nan:
                same = same | ((u != u) & (v != v))
            distance = np.abs(u.astype(wide) - v.astype(wide))
            near = same | (np.isfinite(distance) & (distance <= atol + rtol * np.abs(v)))
            if near.all():
                return
            ratio = distance / np.abs(v.astype(wide))
        wrong, total = int((~near).sum()), near.size
        kind = "equal" if rtol == atol == 0 else "close"
        text = f"{'Tensor-likes' if a.ndim else 'Scalars'} are not {kind}!\n\n"
        if not a.ndim:
            text += f"Expected {b.item()} but got {a.item()}.\n"
        else:
            text += f"Mismatched elements: {wrong} / {total} ({wrong / total:.1%})\n"
        for name, found, bound in (("absolute", distance, atol), ("relative", ratio, rtol)):
            shown = np.where(near, 0.0, np.where(np.isnan(found), np.inf, found))
            at = np.unravel_index(int(np.argmax(shown)), shown.shape)
            allowed = "" if kind == "equal" else f" (up to {bound} allowed)"
            index = tuple(int(i) for i in at)
            greatest = float(found[at])
            if a.ndim:
                text += f"Greatest {name} difference: {greatest} at index {index}{allowed}\n"
            else:
                text += f"{name.capitalize()} difference: {greatest}{allowed}\n"
        self.fail(text.rstrip("\n"), place)


def _is_sequence(x: Any) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, (str, Tensor))


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float, complex, np.generic)) and not isinstance(x, bool)


def _ratio(distance: float, b: Any) -> float:
    return float(distance / abs(b)) if b else math.inf


def assert_allclose(
    actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None,
    equal_nan: bool = True, msg: str = "",
) -> None:  # fmt: skip
    """`assert_close` as PyTorch had it once: of anything that a tensor can be made of."""
    x, y = as_tensor(actual), as_tensor(expected)
    assert_close(
        x, y, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, check_stride=False,
        msg=msg or None,
    )  # fmt: skip
