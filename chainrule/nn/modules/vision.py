"""Layers that pad, resize and rearrange, and distances."""

from __future__ import annotations

from typing import Any

from chainrule.nn import functional as F
from chainrule.nn.modules.module import Module
from chainrule.nn.modules.simple import FunctionLayer, layer
from chainrule.tensor import Tensor


class Flatten(Module):
    """Axes start_dim … end_dim as one; keeps the batch axis by default."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One axis as several."""

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        if not isinstance(dim, int) or not all(isinstance(n, int) for n in unflattened_size):
            raise TypeError(
                f"unflatten takes an int and a tuple of ints, got {dim!r} and {unflattened_size!r}"
            )
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


# ------------------------------------------------------------------ padding


class _Pad(Module):
    """Abstract: subclasses say `rank` and `mode`."""

    rank = 0
    mode = "constant"

    def __init__(self, padding: Any) -> None:
        super().__init__()
        n = 2 * self.rank
        self.padding = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * n
        if len(self.padding) != n:
            raise ValueError(f"padding needs 1 or {n} numbers, got {padding}")

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """Abstract."""

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_Pad):
    """Abstract."""


_AXES = {1: "last axis", 2: "last two axes", 3: "last three axes"}


def _pads(name: str, base: type[_Pad], mode: str, doc: str) -> list[Any]:
    return [
        type(
            f"{name}{n}d",
            (base,),
            {"rank": n, "mode": mode, "__doc__": doc.format(_AXES[n]), "__module__": __name__},
        )
        for n in (1, 2, 3)
    ]


ConstantPad1d, ConstantPad2d, ConstantPad3d = _pads(
    "ConstantPad", _ConstantPad, "constant", "A number around the {}."
)
ZeroPad1d, ZeroPad2d, ZeroPad3d = _pads(
    "ZeroPad", _ZeroPad, "constant", "Zeros around the {}."
)
ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = _pads(
    "ReflectionPad", _Pad, "reflect", "The {}, mirrored at the edges."
)
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = _pads(
    "ReplicationPad", _Pad, "replicate", "The edges of the {}, repeated."
)
CircularPad1d, CircularPad2d, CircularPad3d = _pads(
    "CircularPad", _Pad, "circular", "The {} as a ring in each direction."
)

# ------------------------------------------------------------------ resizing and rearranging


class Upsample(Module):
    """Resize (N, C, …): see functional.interpolate"""

    def __init__(
        self, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
        align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.name = type(self).__name__
        self.size, self.mode, self.align_corners = size, mode, align_corners
        self.recompute_scale_factor = recompute_scale_factor
        if isinstance(scale_factor, tuple):
            self.scale_factor: Any = tuple(float(f) for f in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        how = (
            f"scale_factor={self.scale_factor!r}"
            if self.scale_factor is not None
            else f"size={self.size!r}"
        )
        return f"{how}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Upsample with mode "nearest"."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Upsample with mode "bilinear" and align_corners."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


def _row(name: str, function: Any, settings: str, shown: str, doc: str) -> Any:
    return layer(name, function, settings, shown=shown, doc=doc, module=__name__)


PixelShuffle = _row(
    "PixelShuffle", F.pixel_shuffle, "upscale_factor", "upscale_factor",
    "(C r², H, W) → (C, H r, W r)",
)  # fmt: skip
PixelUnshuffle = _row(
    "PixelUnshuffle", F.pixel_unshuffle, "downscale_factor", "downscale_factor",
    "The inverse of PixelShuffle",
)  # fmt: skip
ChannelShuffle = _row(
    "ChannelShuffle", F.channel_shuffle, "groups", "groups", "Channels of g groups interleaved"
)
CosineSimilarity = _row(
    "CosineSimilarity", F.cosine_similarity, "dim eps", "", "x₁ · x₂/(‖x₁‖ ‖x₂‖)"
)
PairwiseDistance = _row(
    "PairwiseDistance", F.pairwise_distance, "p eps keepdim", "", "‖x₁ − x₂ + ε‖ₚ"
)


class _Columns(FunctionLayer):
    """Abstract."""

    def extra_repr(self) -> str:
        return ", ".join(f"{n}={getattr(self, n)}" for n in self.settings.parameters)


Unfold = layer(
    "Unfold", F.unfold, "kernel_size dilation padding stride", doc="Windows as columns",
    module=__name__, base=_Columns,
)  # fmt: skip
Fold = layer(
    "Fold", F.fold, "output_size kernel_size dilation padding stride",
    doc="The transpose of Unfold", module=__name__, base=_Columns,
)  # fmt: skip
