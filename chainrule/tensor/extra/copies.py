"""Views as copies: `transpose_copy(x, 0, 1)` is `x.transpose(0, 1).clone()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.tensor import functions
from chainrule.tensor.calling import public
from chainrule.tensor.functions import clone
from chainrule.tensor.handle import Tensor
from chainrule.tensor.storage import as_strided


def _copy(f: Callable[..., Any], name: str) -> Callable[..., Any]:
    def g(input: Tensor, *args: Any, **kw: Any) -> Any:
        seen = f(input, *args, **kw)
        return clone(seen) if isinstance(seen, Tensor) else tuple(map(clone, seen))

    g.__name__ = g.__qualname__ = name
    g.__doc__ = f"`{name.removesuffix('_copy')}` as a value of its own."
    return public(g)


def _same(input: Tensor) -> Tensor:
    return input


def _slice(
    input: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Tensor:
    at = [slice(None)] * input.ndim
    at[dim] = slice(start, end, step)
    out: Tensor = input[tuple(at)]
    return out


alias_copy, detach_copy = _copy(_same, "alias_copy"), _copy(lambda x: x.detach(), "detach_copy")
as_strided_copy = _copy(as_strided, "as_strided_copy")
diagonal_copy = _copy(functions.diagonal, "diagonal_copy")
expand_copy = _copy(functions.expand, "expand_copy")
narrow_copy = _copy(functions.narrow, "narrow_copy")
permute_copy = _copy(functions.permute, "permute_copy")
select_copy, slice_copy = _copy(functions.select, "select_copy"), _copy(_slice, "slice_copy")
split_copy = _copy(functions.split, "split_copy")
split_with_sizes_copy = _copy(functions.split, "split_with_sizes_copy")
squeeze_copy = _copy(functions.squeeze, "squeeze_copy")
t_copy = _copy(functions.t, "t_copy")
transpose_copy = _copy(functions.transpose, "transpose_copy")
unbind_copy = _copy(functions.unbind, "unbind_copy")
unfold_copy = _copy(functions.unfold, "unfold_copy")
unsqueeze_copy = _copy(functions.unsqueeze, "unsqueeze_copy")
view_as_complex_copy = _copy(functions.view_as_complex, "view_as_complex_copy")
view_as_real_copy = _copy(functions.view_as_real, "view_as_real_copy")
view_copy = _copy(functions.view_as_shape, "view_copy")
