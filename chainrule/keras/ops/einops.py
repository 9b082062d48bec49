"""`keras.ops.rearrange`: axes in another order, split and joined, by a pattern."""

from __future__ import annotations

import math
import re
from typing import Any

from chainrule.keras.arrays import to_tensor
from chainrule.keras.symbolic import function


def _groups(side: str) -> list[list[str]]:
    found = re.findall(r"\(([^)]*)\)|(\S+)", side)
    return [inner.split() if not single else [single] for inner, single in found]


def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """`"b (h w) c -> b c h w"`, with h=… given: names are axes, brackets join them.

    >>> import numpy as np
    >>> rearrange(np.zeros((2, 6, 3)), "b (h w) c -> b c h w", h=2).shape
    torch.Size([2, 3, 2, 3])
    """
    return _rearrange(tensor, pattern=pattern, lengths=axes_lengths)


@function
def _rearrange(tensor: Any, pattern: str, lengths: dict[str, int]) -> Any:
    x = to_tensor(tensor)
    left, right = (_groups(side) for side in pattern.split("->"))
    if len(left) != x.ndim:
        raise ValueError(f"the pattern {pattern!r} names {len(left)} axes, got {x.ndim}")
    sizes = dict(lengths)
    for names, n in zip(left, x.shape, strict=True):
        known = math.prod(sizes[k] for k in names if k in sizes)
        unknown = [k for k in names if k not in sizes]
        if len(unknown) > 1:
            raise ValueError(f"the sizes of {', '.join(unknown)} are not known: name all but one")
        if unknown:
            sizes[unknown[0]] = int(n) // known
        if math.prod(sizes[k] for k in names) != n:
            raise ValueError(f"an axis of size {n} is not {' x '.join(names)} of {sizes}")
    before = [k for names in left for k in names]
    after = [k for names in right for k in names]
    if sorted(before) != sorted(after):
        raise ValueError(f"both sides of {pattern!r} need the same names")
    out = x.reshape([sizes[k] for k in before]).permute([before.index(k) for k in after])
    return out.reshape([math.prod(sizes[k] for k in names) for names in right])
