"""`torch.nn.common_types`: names for type hints."""

from __future__ import annotations

from typing import TypeAlias

from chainrule.tensor import Tensor

_scalar_or_tuple_any_t: TypeAlias = int | tuple[int, ...]
_scalar_or_tuple_1_t = _scalar_or_tuple_2_t = _scalar_or_tuple_any_t
_scalar_or_tuple_3_t = _scalar_or_tuple_4_t = _scalar_or_tuple_any_t
_size_any_t = _size_1_t = _size_2_t = _size_3_t = _size_4_t = _size_6_t = _scalar_or_tuple_any_t
_size_any_opt_t: TypeAlias = int | tuple[int | None, ...]
_size_2_opt_t = _size_3_opt_t = _size_any_opt_t
_ratio_any_t: TypeAlias = float | tuple[float, ...]
_ratio_2_t = _ratio_3_t = _ratio_any_t
_tensor_list_t: TypeAlias = Tensor | list[Tensor]
_maybe_indices_t = _tensor_list_t
