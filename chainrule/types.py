"""`torch.types`: names for type hints."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO, Any, TypeAlias

from chainrule import names
from chainrule.devices import device
from chainrule.dtypes import DType
from chainrule.tensor import Size, Tensor

Number: TypeAlias = int | float | bool
Device: TypeAlias = device | str | int | None
FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
Storage: TypeAlias = Any

_int, _float, _bool, _complex = int, float, bool, complex
_dtype, _device, _size = DType, device, Size | Sequence[int]
_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]

__getattr__ = names.later(__name__)
