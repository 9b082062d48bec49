"""A tensor with a mask that says where it has values.

Functions of one value keep the mask; of two such tensors the masks must be equal, as in PyTorch.
Reductions see what the mask lets through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule import dtypes
from chainrule.masked import _ops
from chainrule.tensor import Tensor, functions
from chainrule.tensor.functions import where

_UNARY = (
    "abs", "acos", "acosh", "angle", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh",
    "deg2rad", "digamma", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "floor", "frac",
    "lgamma", "log", "log10", "log1p", "log2", "logit", "nan_to_num", "neg", "negative", "positive",
    "rad2deg", "reciprocal", "round", "rsqrt", "sigmoid", "sign", "sin", "sinc", "sinh", "sqrt",
    "square", "tan", "tanh", "trunc",
)  # fmt: skip
_BINARY = (
    "add", "atan2", "div", "divide", "eq", "floor_divide", "fmax", "fmin", "fmod", "ge", "gt", "le",
    "logaddexp", "lt", "maximum", "minimum", "mul", "multiply", "ne", "pow", "remainder", "sub",
    "subtract", "true_divide",
)  # fmt: skip
_REDUCTIONS = ("sum", "prod", "amax", "amin", "mean", "var", "std", "argmax", "argmin")


class MaskedTensor:
    """Data, and a bool for each element: whether it is there.

    >>> from chainrule import masked, tensor
    >>> m = masked.masked_tensor(tensor([1.0, 2.0, 3.0]), tensor([True, False, True]))
    >>> (m * 2).sum().to_tensor(0)
    tensor(8.)
    """

    def __init__(self, data: Tensor, mask: Tensor) -> None:
        if not isinstance(data, Tensor) or not isinstance(mask, Tensor):
            raise TypeError("data and mask must be tensors")
        if mask._dtype is not dtypes.bool_:
            raise TypeError(f"mask must have dtype bool, got {mask._dtype}")
        if data._shape != mask._shape:
            raise ValueError(
                "data and mask must have the same shape, got "
                f"{list(data._shape)} and {list(mask._shape)}"
            )
        self._data, self._mask = data, mask

    def get_data(self) -> Tensor:
        """The data, also where they count for nothing."""
        return self._data

    def get_mask(self) -> Tensor:
        """Where there are values."""
        return self._mask

    def to_tensor(self, value: Any) -> Tensor:
        """A plain tensor, with `value` where there is nothing."""
        out: Tensor = where(self._mask, self._data, value)
        return out

    @property
    def shape(self) -> Any:
        return self._data.shape

    @property
    def dtype(self) -> dtypes.DType:
        return self._data._dtype

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def grad(self) -> MaskedTensor | None:
        g = self._data.grad
        return None if g is None else MaskedTensor(g, self._mask)

    def backward(self) -> None:
        """Gradients of the values that are there."""
        functions.sum(where(self._mask, self._data, 0.0)).backward()

    def __getitem__(self, index: Any) -> MaskedTensor:
        return MaskedTensor(self._data[index], self._mask[index])

    #: `==` makes a tensor.
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        shown = where(self._mask, self._data, 0)
        return f"MaskedTensor(\n  data: {shown!r}\n  mask: {self._mask!r}\n)"


def _unary(name: str) -> Callable[..., MaskedTensor]:
    f = getattr(functions, name)

    def g(self: MaskedTensor, *args: Any, **kw: Any) -> MaskedTensor:
        return MaskedTensor(f(self._data, *args, **kw), self._mask)

    g.__name__, g.__doc__ = name, f.__doc__
    return g


def _binary(name: str) -> Callable[..., MaskedTensor]:
    f = getattr(functions, name)

    def g(self: MaskedTensor, other: Any, **kw: Any) -> MaskedTensor:
        if isinstance(other, MaskedTensor):
            if not functions.equal(self._mask, other._mask):
                raise ValueError(
                    "Input masks must match. If you need support for this, please open an issue on "
                    "Github."
                )
            other = other._data
        return MaskedTensor(f(self._data, other, **kw), self._mask)

    g.__name__, g.__doc__ = name, f.__doc__
    return g


def _reduction(name: str) -> Callable[..., MaskedTensor]:
    f = getattr(_ops, name)

    def g(self: MaskedTensor, dim: Any = None, keepdim: bool = False, **kw: Any) -> MaskedTensor:
        out = f(self._data, dim, keepdim=keepdim, mask=self._mask, **kw)
        over = _ops._canonical_dim(dim, self.ndim)
        there = functions.any(self._mask, over, keepdim) if over else self._mask
        return MaskedTensor(out, there)

    g.__name__, g.__doc__ = name, f.__doc__
    return g


_OPERATORS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "pow", "eq": "eq", "ne": "ne", "lt": "lt", "le": "le", "gt": "gt",
    "ge": "ge",
}  # fmt: skip

for _name in _UNARY:
    setattr(MaskedTensor, _name, _unary(_name))
for _name in _BINARY:
    setattr(MaskedTensor, _name, _binary(_name))
for _name in _REDUCTIONS:
    setattr(MaskedTensor, _name, _reduction(_name))
for _sign, _name in _OPERATORS.items():
    setattr(MaskedTensor, f"__{_sign}__", _binary(_name))
for _sign, _name in {"radd": "add", "rmul": "mul"}.items():
    setattr(MaskedTensor, f"__{_sign}__", _binary(_name))
setattr(MaskedTensor, "__neg__", _unary("neg"))  # noqa: B010  a method, as above


def is_masked_tensor(obj: Any, /) -> bool:
    """Whether this is a masked tensor."""
    return isinstance(obj, MaskedTensor)


def masked_tensor(data: Tensor, mask: Tensor, requires_grad: bool = False) -> MaskedTensor:
    """A masked tensor with data of its own."""
    own = data.detach().clone()
    return MaskedTensor(own.requires_grad_(requires_grad), mask)


def as_masked_tensor(data: Tensor, mask: Tensor) -> MaskedTensor:
    """A masked tensor of these very data: gradients go to them."""
    return MaskedTensor(data, mask)
