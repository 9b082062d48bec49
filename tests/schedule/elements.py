"""Runs a function of values, (builder, *values) → value, over arrays, in vectors or numbers."""

from collections.abc import Callable

import numpy as np
from native import run_kernel

from chainrule.backends.llvm.target import Target
from chainrule.schedule.build import Builder
from chainrule.schedule.interpret import numpy_kind
from chainrule.schedule.loops import Value


def elements(
    f: Callable[..., Value],
    arrays: list[np.ndarray],
    kinds: list[str],
    to: str,
    target: Target,
    lanes: int = 4,
) -> np.ndarray:
    """f of each element (of as many arrays as it takes); arrays are filled up to whole vectors."""
    size = arrays[0].size
    extent = -(-size // lanes)
    padded = [np.resize(a, extent * lanes) for a in arrays]
    for a, kind in zip(padded, kinds, strict=True):
        assert a.dtype == numpy_kind(kind), (a.dtype, kind)
    b = Builder()
    sources = [b.buffer(f"x{i}", k, extent * lanes, "in") for i, k in enumerate(kinds)]
    y = b.buffer("y", to, extent * lanes, "out")
    with b.kernel("k", extent) as i:
        at = b.mul(i, lanes)
        value = f(b, *(b.load(s, at, lanes) for s in sources))
        b.store(y, at, value if value.type.lanes == lanes else b.splat(value, lanes))
    out = np.zeros(extent * lanes, numpy_kind(to))
    run_kernel(b.finish(), {"y": out, **{f"x{i}": a for i, a in enumerate(padded)}}, target)
    return out[:size]
