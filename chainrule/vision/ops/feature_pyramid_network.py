"""Features of several sizes, each enriched by the coarser ones (Lin et al., arXiv:1612.03144)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.vision.ops.misc import Conv2dNormActivation


class ExtraFPNBlock(nn.Module):
    """Adds levels to a pyramid: override `forward`."""

    def forward(
        self, results: list[Tensor], x: list[Tensor], names: list[str]
    ) -> tuple[list[Tensor], list[str]]:
        """results, x: the pyramid and what it was made from, finest first. Both lists of the answer
        are those of the argument with more at their ends."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")


class FeaturePyramidNetwork(nn.Module):
    """An ordered dictionary of features, finest first → one of `out_channels` each, same names.

        inner_i = 1×1 convolution of x_i + inner_{i+1} enlarged;  result_i = 3×3 convolution of it

    in_channels_list: of each level. extra_blocks: adds levels. norm_layer: after each convolution.

    >>> from chainrule import ones
    >>> pyramid = FeaturePyramidNetwork([4, 8], 3)
    >>> out = pyramid({"fine": ones(1, 4, 8, 8), "coarse": ones(1, 8, 4, 4)})
    >>> {name: tuple(level.shape) for name, level in out.items()}
    {'fine': (1, 3, 8, 8), 'coarse': (1, 3, 4, 4)}
    """

    _version = 2

    def __init__(
        self,
        in_channels_list: list[int],
        out_channels: int,
        extra_blocks: ExtraFPNBlock | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.inner_blocks = nn.ModuleList()
        self.layer_blocks = nn.ModuleList()
        for in_channels in in_channels_list:
            if in_channels == 0:
                raise ValueError("in_channels=0 is currently not supported")
            options = {"norm_layer": norm_layer, "activation_layer": None}
            inner = Conv2dNormActivation(in_channels, out_channels, 1, padding=0, **options)  # type: ignore[arg-type]  # mypy reads one type for all options
            layer = Conv2dNormActivation(out_channels, out_channels, 3, **options)  # type: ignore[arg-type]  # the same
            self.inner_blocks.append(inner)
            self.layer_blocks.append(layer)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                initial_values(module)
        if extra_blocks is not None and not isinstance(extra_blocks, ExtraFPNBlock):
            raise TypeError(
                f"extra_blocks should be of type ExtraFPNBlock not {type(extra_blocks)}"
            )
        self.extra_blocks = extra_blocks

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, local_metadata: dict, *args: Any
    ) -> None:
        if (local_metadata.get("version") or 1) < 2:  # the convolutions were not in a Sequential
            for block in ("inner_blocks", "layer_blocks"):
                for i in range(len(self.inner_blocks)):
                    for kind in ("weight", "bias"):
                        old = f"{prefix}{block}.{i}.{kind}"
                        if old in state_dict:
                            state_dict[f"{prefix}{block}.{i}.0.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    def get_result_from_inner_blocks(self, x: Tensor, idx: int) -> Tensor:
        """The 1×1 convolution of level `idx`, of `x`."""
        return self.inner_blocks[idx](x)

    def get_result_from_layer_blocks(self, x: Tensor, idx: int) -> Tensor:
        """The 3×3 convolution of level `idx`, of `x`."""
        return self.layer_blocks[idx](x)

    def forward(self, x: dict[str, Tensor]) -> dict[str, Tensor]:
        names, levels = list(x), list(x.values())
        inner = self.get_result_from_inner_blocks(levels[-1], -1)
        results = [self.get_result_from_layer_blocks(inner, -1)]
        for i in range(len(levels) - 2, -1, -1):
            lateral = self.get_result_from_inner_blocks(levels[i], i)
            inner = lateral + F.interpolate(inner, size=lateral.shape[-2:], mode="nearest")
            results.insert(0, self.get_result_from_layer_blocks(inner, i))
        if self.extra_blocks is not None:
            results, names = self.extra_blocks(results, levels, names)
        return OrderedDict(zip(names, results, strict=True))


def initial_values(conv: nn.Conv2d) -> None:
    """Kaiming's uniform distribution, and biases of 0."""
    nn.init.kaiming_uniform_(conv.weight, a=1)
    if conv.bias is not None:
        nn.init.constant_(conv.bias, 0)


class LastLevelMaxPool(ExtraFPNBlock):
    """Another level "pool": every other place of the last one."""

    def forward(
        self, results: list[Tensor], x: list[Tensor], names: list[str]
    ) -> tuple[list[Tensor], list[str]]:
        names.append("pool")
        results.append(F.max_pool2d(results[-1], kernel_size=1, stride=2, padding=0))
        return results, names


class LastLevelP6P7(ExtraFPNBlock):
    """Two more levels, "p6" and "p7", by convolutions (RetinaNet)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.p6 = nn.Conv2d(in_channels, out_channels, 3, 2, 1)
        self.p7 = nn.Conv2d(out_channels, out_channels, 3, 2, 1)
        for conv in (self.p6, self.p7):
            initial_values(conv)
        self.use_P5 = in_channels == out_channels

    def forward(
        self, results: list[Tensor], x: list[Tensor], names: list[str]
    ) -> tuple[list[Tensor], list[str]]:
        p6 = self.p6(results[-1] if self.use_P5 else x[-1])
        results.extend([p6, self.p7(F.relu(p6))])
        names.extend(["p6", "p7"])
        return results, names
