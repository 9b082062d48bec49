"""Arithmetic on shapes: broadcasting, axes, windows. Pure functions of tuples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chainrule.errors import ShapeError

Shape = tuple[int, ...]


def size(shape: Sequence[int]) -> int:
    """Number of elements."""
    return math.prod(shape)


def broadcast(*shapes: Shape) -> Shape:
    """The common shape: axes are aligned at the right, an axis of size 1 stretches.

    >>> broadcast((3, 1), (4,))
    (3, 4)
    """
    first = shapes[0]
    if all(s == first for s in shapes):
        return first
    rank = max(len(s) for s in shapes)
    out = [1] * rank
    for s in shapes:
        for i, n in zip(range(rank - 1, -1, -1), reversed(s), strict=False):
            if n != 1:
                if out[i] not in (1, n):
                    raise ShapeError(
                        _mismatch(shapes, i - rank), repair=_broadcast_repair(shapes, i - rank)
                    )
                out[i] = n
    return tuple(out)


def stretches(shape: Shape, to: Shape) -> bool:
    """Whether an array of one shape broadcasts to another, given one.

    >>> stretches((3, 1), (2, 3, 4)), stretches((2, 4), (1, 4))
    (True, False)
    """
    return len(shape) <= len(to) and all(
        n in (1, m) for n, m in zip(reversed(shape), reversed(to), strict=False)
    )


def _mismatch(shapes: Sequence[Shape], axis: int) -> str:
    sizes = [s[axis] for s in shapes if len(s) >= -axis]
    a, b = next(((x, y) for x in sizes for y in sizes if x != y and 1 not in (x, y)), (0, 0))
    text = " and ".join(str(tuple(s)) for s in shapes)
    rank = max(len(s) for s in shapes)
    return (
        f"The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton "
        f"dimension {rank + axis}: shapes {text} do not broadcast. Reshape, or insert an axis with "
        "unsqueeze(), so that the axes line up."
    )


def _broadcast_repair(all_shapes: Sequence[Shape], clash: int) -> str:
    """What would line up two shapes of which an axis clashes."""
    several = [s for s in dict.fromkeys(all_shapes) if size(s) != 1]
    if len(several) != 2:
        return ""
    a, b = several
    for longer, shorter, name in ((a, b, "b"), (b, a, "a")):
        free = len(longer) - len(shorter)
        for after in range(1, free + 1):  # axes of 1 behind it
            if stretches((*shorter, *(1,) * after), longer):
                colons = ", ".join([":"] * len(shorter) + ["None"] * after)
                return (
                    f"axes are aligned at the right; if {name} belongs to the first axes: "
                    f"{name}[{colons}] ({', '.join(map(str, (*shorter, *(1,) * after)))})"
                )
    if len(a) == len(b) == 2 and a == b[::-1]:
        return "one is the other transposed: a + b.mT"
    if len(a) == len(b):
        differ = [
            i for i, (m, n) in enumerate(zip(a, b, strict=True)) if m != n and 1 not in (m, n)
        ]
        if differ == [1] and len(a) > 2:
            kind = {3: "Conv1d", 4: "Conv2d", 5: "Conv3d"}.get(len(a))
            if kind:
                return (
                    "for a residual sum the channels (axis 1) must be equal: bring one branch from "
                    f"{a[1]} to {b[1]} with nn.{kind}({a[1]}, {b[1]}, 1), or the other way round"
                )
        if differ == [len(a) - 1]:
            return (
                f"for a residual sum the last axis must be equal: bring one branch from {a[-1]} to "
                f"{b[-1]} with nn.Linear({a[-1]}, {b[-1]}), or the other way round"
            )
        if len(a) > 2 and differ and min(differ) > 1 and a[:2] == b[:2]:
            return (
                "the pictures have other sizes: one branch pads or strides differently (padding="
                "'same' keeps the size)"
            )
    return ""


def window_repair(
    tail: Sequence[int], window: Sequence[int], dilation: Sequence[int], what: str = "kernel"
) -> str:
    """What would make windows fit."""
    short = [d * (k - 1) + 1 - n for n, k, d in zip(tail, window, dilation, strict=True)]
    needed = [-(-max(n, 0) // 2) for n in short]
    padding = needed[0] if len({*needed}) == 1 else tuple(needed)
    return (
        f"nothing would be left of {tuple(tail)}: padding={padding}, a smaller {what}, a larger "
        "input, or fewer layers that shrink before it"
    )


def join_repair(all_shapes: Sequence[Shape], along: int, call: str = "cat(…, dim={})") -> str:
    """What would make shapes join along an axis."""
    ranks = {len(s) for s in all_shapes}
    if len(ranks) == 1:
        differ = [i for i in range(ranks.pop()) if len({s[i] for s in all_shapes}) > 1]
        if len(differ) == 1:
            return f"only axis {differ[0]} differs: {call.format(differ[0])}"
        return f"axes {', '.join(map(str, differ))} differ: only the joined one ({along}) may"
    low, high = min(ranks), max(ranks)
    if high - low == 1:
        return f"one has an axis more: x.unsqueeze({along}) for the smaller one"
    return "give them the same number of axes first: reshape or flatten"


def _reshape_repair(shape: Shape, new: Sequence[int]) -> str:
    total = size(shape)
    want = [int(n) for n in new]
    if want.count(-1) == 1:
        known = math.prod(n for n in want if n != -1)
        at = want.index(-1)
        if shape and len(want) == 2 and at == 0 and total % shape[0] == 0:
            return (
                f"{known} does not divide {total}; to keep the first axis: "
                f"x.reshape({shape[0]}, -1) gives ({shape[0]}, {total // shape[0]})"
            )
        return f"{known} does not divide {total}"
    for at, n in enumerate(want):
        others = math.prod(want[:at] + want[at + 1 :])
        if n > 0 and others > 0 and total % others == 0:
            full = [*want[:at], -1, *want[at + 1 :]]
            return (
                f"{math.prod(want)} elements are asked for; {total // others} on axis {at} would "
                f"fit: x.reshape({', '.join(map(str, full))})"
            )
    return f"{math.prod(want)} elements are asked for, there are {total}"


def axis(a: int, rank: int, what: str = "dim") -> int:
    """A non-negative axis, or IndexError with the range that is allowed."""
    limit = max(rank, 1)
    if not -limit <= a < limit:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got "
            f"{a})"
        )
    return a % limit


def axes(a: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Sorted, distinct axes; None or () means all of them."""
    if a is None:
        return tuple(range(rank))
    if isinstance(a, int):
        return (axis(a, rank),) if rank else ()
    found = [axis(int(i), rank) for i in a]
    if len(set(found)) != len(found):
        raise ShapeError(f"dim {tuple(a)} names an axis twice")
    return tuple(sorted(found)) if rank else ()


def reduced(shape: Shape, over: tuple[int, ...], keepdim: bool) -> Shape:
    """The shape that is left when `over` is summed away."""
    if keepdim:
        return tuple(1 if i in over else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in over)


def reshaped(shape: Shape, new: Sequence[int]) -> Shape:
    """Resolve one -1 in `new`.

    >>> reshaped((4, 6), (-1, 8))
    (3, 8)
    """
    want = tuple(int(n) for n in new)
    total = size(shape)
    if -1 in want:
        known = math.prod(n for n in want if n != -1)
        if want.count(-1) > 1:
            raise ShapeError(f"only one dimension can be inferred, got shape {want}")
        if known == 0 and total == 0:
            raise ShapeError(
                f"cannot reshape {shape} into {want}: -1 could be any size; write it out"
            )
        if known and total % known == 0:
            want = tuple(total // known if n == -1 else n for n in want)
    if any(n < 0 for n in want) or size(want) != total:
        raise ShapeError(
            f"shape '{list(new)}' is invalid for input of size {total}: {shape} has {total} "
            "elements",
            repair=_reshape_repair(shape, new),
        )
    return want


def permuted(shape: Shape, order: Sequence[int]) -> tuple[int, ...]:
    """A checked permutation with non-negative entries."""
    if len(order) != len(shape):
        raise ShapeError(f"permute needs {len(shape)} axes for shape {shape}, got {tuple(order)}")
    full = tuple(axis(int(i), len(shape)) for i in order)
    if len(set(full)) != len(full):
        raise ShapeError(f"permute order {tuple(order)} names an axis twice")
    return full


def window_count(length: int, size: int, stride: int, dilation: int) -> int:
    """How many windows fit: (length - dilation (size - 1) - 1) // stride + 1."""
    return (length - dilation * (size - 1) - 1) // stride + 1


def ntuple(x: int | Sequence[int], n: int, what: str) -> tuple[int, ...]:
    """An int repeated n times, or a checked sequence of n ints."""
    if isinstance(x, (list, tuple)):
        if len(x) == 1:
            return (int(x[0]),) * n
        if len(x) != n:
            raise ShapeError(f"{what} needs 1 or {n} numbers, got {tuple(x)}")
        return tuple(int(i) for i in x)
    return (int(x),) * n  # type: ignore[arg-type]  # narrowed above: not a sequence


def unpack(size: tuple[Any, ...]) -> Shape:
    """Sizes given as PyTorch takes them, (2, 3), ((2, 3),) or ([2, 3],), as (2, 3).

    >>> unpack(([2, 3],))
    (2, 3)
    """
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    return tuple(n if type(n) is int else int(n) for n in size)
