"""What the axes of an array mean to a layer, and what would make a shape fit.

A layer says beside its class what it takes, axis by axis:

    "batch? channels=in_channels height width"     the batch may be left out; the layer's attribute
                                                   `in_channels` says how many channels
    "... features=in_features"                     any axes may stand before
    "batch channels=num_channels ..."              … or after
    "batch steps features=30"                      a size may be a number

>>> axes = read("... features=20", None)
>>> label("f32", (64, 30), axes)
'f32[64 (batch), 30 (features)]'
>>> wrong((64, 30), axes)
Wrong(problem='it takes 20 features in the last axis, got 30', repair='give it 20 features')
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Shape = Sequence[Any]  # sizes; None where one is open


class Words(NamedTuple):
    """How a repair is written."""

    flatten: str = "nn.Flatten()"
    permute: str = "x.permute({})"
    insert: str = "x.unsqueeze({})"
    view: str = "x.view({})"


TORCH = Words()
KERAS = Words(
    flatten="layers.Flatten()",
    permute="keras.ops.transpose(x, ({}))",
    insert="keras.ops.expand_dims(x, {})",
    view="keras.ops.reshape(x, ({}))",
)


class Axes(NamedTuple):
    """What is taken: the axes' names, the sizes of some, and where other axes may stand."""

    names: tuple[str, ...]
    sizes: dict[str, int]
    attributes: dict[str, str]  # what the layer calls these sizes
    before: bool = False
    after: bool = False
    optional: bool = False  # the first axis may be left out

    def fits(self, rank: int) -> bool:
        """Whether so many axes may come."""
        k = len(self.names)
        if self.before or self.after:
            return rank >= k
        return rank == k or (self.optional and rank == k - 1)

    def of(self, rank: int) -> list[str]:
        """The names of so many axes, "" where an axis has none."""
        names = list(self.names)
        k = len(names)
        if self.optional and rank == k - 1:
            return names[1:]
        if self.before and rank > k:
            if rank == 4 and k == 1:
                return ["batch", "channels", "height", names[0]]
            return ["batch", *[""] * (rank - k - 1), *names]
        if self.after and rank > k:
            return [*names, *[""] * (rank - k)]
        return names if rank == k else [""] * rank


def axes(**specs: str) -> Any:
    """The attribute of a class that says so of its arguments, or of its weights."""
    return property(lambda layer: specs)


class Wrong(NamedTuple):
    """What does not fit, and what would."""

    problem: str = ""
    repair: str = ""


def read(spec: str, layer: Any) -> Axes:
    """A line of the form above; sizes are looked up on the layer."""
    names, sizes, attributes = [], {}, {}
    parts = spec.split()
    before, after = parts[:1] == ["..."], parts[-1:] == ["..."] and len(parts) > 1
    for part in parts[before : len(parts) - after]:
        name, _, size = part.partition("=")
        names.append(name.rstrip("?"))
        if size:
            n = int(size) if size.isdigit() else getattr(layer, size)
            if isinstance(n, int):
                sizes[names[-1]] = n
                attributes[names[-1]] = size
    optional = bool(names) and f"{names[0]}?" in parts
    return Axes(tuple(names), sizes, attributes, before, after, optional)


def fitting(specs: str | Sequence[str], layer: Any, rank: int) -> Axes:
    """Of several forms of input the one with so many axes, else the first."""
    found = [read(spec, layer) for spec in ([specs] if isinstance(specs, str) else specs)]
    return next((axes for axes in found if axes.fits(rank)), found[0])


def label(dtype: str, shape: Shape, axes: Axes | None = None) -> str:
    """A type with its axes named."""
    names = [""] * len(shape) if axes is None else axes.of(len(shape))
    sizes = [
        f"{'?' if n is None else n}" + (f" ({name})" if name else "")
        for n, name in zip(shape, names, strict=True)
    ]
    return f"{dtype}[{', '.join(sizes)}]"


#: The name of an axis and its size → a call that would make a layer that takes it, or None.
Maker = Callable[[str, int], str | None]


def wrong(
    shape: Shape, axes: Axes, words: Words = TORCH, maker: Maker = lambda name, n: None
) -> Wrong:
    """What is wrong with a shape; nothing, where it fits."""
    rank = len(shape)
    if not axes.fits(rank):
        return _wrong_rank(shape, axes, words)
    for at, name in enumerate(axes.of(rank)):
        size = axes.sizes.get(name)
        if size is not None and shape[at] not in (size, None):
            return _wrong_size(shape, axes, at, name, size, words, maker)
    return Wrong()


def _wrong_rank(shape: Shape, axes: Axes, words: Words) -> Wrong:
    rank, k, names = len(shape), len(axes.names), axes.names
    least = "at least " if axes.before or axes.after else ""
    fewer = f", or {k - 1} without the batch" if axes.optional else ""
    came = f"{rank}: {_tuple(shape)}" if rank else "a single number"
    noun = "axis" if k == 1 else "axes"
    problem = f"it takes {least}{k} {noun} ({', '.join(names)}){fewer}; got {came}"
    for at in range(k if rank == k - 1 else 0):  # one is missing: which?
        full = [*shape[:at], 1, *shape[at:]]
        known = axes.sizes.get(names[at], 1)
        if known == 1 and not wrong(full, axes).problem and (at == 0 or names[at] in axes.sizes):
            return Wrong(problem, f"the {names[at]} axis is missing: {words.insert.format(at)}")
    if rank > k and None not in shape[1:] and k == 2:
        n = math.prod(shape[1:])
        size = next(iter(axes.sizes.values()), n)
        fits = "" if size == n else f", but it takes {size}"
        return Wrong(problem, f"put {words.flatten} before it: {n} {names[-1]}{fits}")
    if rank == 2 and k >= 3 and shape[1]:
        picture = _unflattened(shape[1], axes)
        if picture:
            view = words.view.format(", ".join(map(str, picture)))
            return Wrong(problem, f"the rows look like flattened pictures: {view}")
    return Wrong(problem)


def _unflattened(n: int, axes: Axes) -> list[int]:
    """A shape for rows of n numbers: squares (cubes) of the channels that are asked for."""
    channels = axes.sizes.get("channels", 1)
    sides = len(axes.names) - 2
    side = round((n / channels) ** (1 / sides))
    if "channels" not in axes.names or side < 2 or side**sides * channels != n:
        return []
    return [-1, *(channels if name == "channels" else side for name in axes.names[1:])]


def _wrong_size(
    shape: Shape, axes: Axes, at: int, name: str, size: int, words: Words, maker: Maker
) -> Wrong:
    rank = len(shape)
    where = "the last axis" if at == rank - 1 else f"axis {at}"
    n = shape[at]
    problem = f"it takes {size} {name} in {where}, got {n}"
    give = f"give it {size} {name}"
    made = maker(name, n)
    otherwise = f"{made}, or {give}" if made else give
    # without a channels axis at all: one picture per row
    if name == "channels" and size == 1 and axes.optional and rank == len(axes.names) - 1:
        return Wrong(problem, f"the channels axis is missing: {words.insert.format(at + 1)}")
    elsewhere = [i for i in range(rank) if shape[i] == size and i != at]
    if rank >= 3 and elsewhere and name in ("channels", "features"):
        other = elsewhere[-1] if at < rank - 1 else elsewhere[0]
        order = [i for i in range(rank) if i != other]
        order.insert(at, other)
        if order[0] == 0 or axes.of(rank)[0] != "batch":
            looks = _letters(rank, last=other == rank - 1) if name == "channels" else ""
            seen = f"the axes look like {looks}" if looks else f"axis {other} has {size}"
            moved = words.permute.format(", ".join(map(str, order)))
            return Wrong(problem, f"{seen}: {moved}")
    if rank == 2 and elsewhere and axes.before:
        moved = words.permute.format("1, 0")
        return Wrong(problem, f"axis 0 has {size}: {moved}; or {otherwise}")
    if axes.before and rank >= 3 and None not in shape[1:]:
        flat = math.prod(shape[1:])
        if flat == size:
            return Wrong(problem, f"put {words.flatten} before it: {flat} {name}")
        if rank == 4:
            also = maker(name, flat)
            takes = f", which {also} takes" if also else f", but it takes {size}"
            return Wrong(
                f"{problem}: the input has 4 axes (batch, channels, height, width)",
                f"{words.flatten} before it gives {flat} {name}{takes}",
            )
    return Wrong(problem, otherwise)


def _letters(rank: int, *, last: bool) -> str:
    places = {3: "L", 4: "HW", 5: "DHW"}.get(rank)
    if places is None:
        return ""
    return f"N{places}C" if last else f"NC{places}"


def _tuple(shape: Shape) -> str:
    return f"({', '.join('?' if n is None else str(n) for n in shape)}{',' * (len(shape) == 1)})"
