"""MaxViT (Tu et al., Multi-Axis Vision Transformer, arXiv:2204.01697)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.tensor import Parameter, Tensor
from chainrule.tensor.creation import empty
from chainrule.tensor.handle import from_array
from chainrule.vision.models._family import Family
from chainrule.vision.models._initial import zero_bias
from chainrule.vision.models.swin_transformer import relative_positions
from chainrule.vision.ops.misc import Conv2dNormActivation, SqueezeExcitation
from chainrule.vision.ops.stochastic_depth import StochasticDepth

__all__ = ["MaxVit", "MaxVit_T_Weights", "maxvit_t"]

Layer = Callable[..., nn.Module]
Size = tuple[int, int]


def _get_conv_output_shape(input_size: Size, kernel_size: int, stride: int, padding: int) -> Size:
    """The size after a convolution."""
    height, width = ((n - kernel_size + 2 * padding) // stride + 1 for n in input_size)
    return height, width


def _make_block_input_shapes(input_size: Size, n_blocks: int) -> list[Size]:
    """The size in each block; the stem and each block halve it."""
    size = _get_conv_output_shape(input_size, 3, 2, 1)
    sizes = []
    for _ in range(n_blocks):
        size = _get_conv_output_shape(size, 3, 2, 1)
        sizes.append(size)
    return sizes


class MBConv(nn.Module):
    """x + (norm, wider, depthwise, squeeze and excitation, narrower), x pooled and projected where
    the shapes differ."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        expansion_ratio: float,
        squeeze_ratio: float,
        stride: int,
        activation_layer: Layer,
        norm_layer: Layer,
        p_stochastic_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.proj: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            proj = [nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=1, bias=True)]
            pool = [nn.AvgPool2d(kernel_size=3, stride=stride, padding=1)] if stride == 2 else []
            self.proj = nn.Sequential(*pool, *proj)
        wide, squeezed = int(out_channels * expansion_ratio), int(out_channels * squeeze_ratio)
        self.stochastic_depth: nn.Module = nn.Identity()
        if p_stochastic_dropout:
            self.stochastic_depth = StochasticDepth(p_stochastic_dropout, mode="row")
        conv = partial(
            Conv2dNormActivation,
            activation_layer=activation_layer,
            norm_layer=norm_layer,
            inplace=None,
        )
        self.layers = nn.Sequential(
            OrderedDict(
                pre_norm=norm_layer(in_channels),
                conv_a=conv(in_channels, wide, kernel_size=1, stride=1, padding=0),
                conv_b=conv(wide, wide, kernel_size=3, stride=stride, padding=1, groups=wide),
                squeeze_excitation=SqueezeExcitation(wide, squeezed, activation=nn.SiLU),
                conv_c=nn.Conv2d(wide, out_channels, kernel_size=1, bias=True),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x) + self.stochastic_depth(self.layers(x))


class RelativePositionalMultiHeadAttention(nn.Module):
    """Attention within groups, with a learned bias of the relative position: (N, G, P, D)."""

    relative_position_index: Tensor

    def __init__(self, feat_dim: int, head_dim: int, max_seq_len: int) -> None:
        super().__init__()
        if feat_dim % head_dim != 0:
            raise ValueError(f"feat_dim: {feat_dim} must be divisible by head_dim: {head_dim}")
        self.n_heads = feat_dim // head_dim
        self.head_dim = head_dim
        self.size = math.isqrt(max_seq_len)
        self.max_seq_len = max_seq_len
        self.to_qkv = nn.Linear(feat_dim, self.n_heads * head_dim * 3)
        self.scale_factor = feat_dim**-0.5
        self.merge = nn.Linear(head_dim * self.n_heads, feat_dim)
        rows = (2 * self.size - 1) ** 2
        self.relative_position_bias_table = Parameter(empty(rows, self.n_heads))
        index = from_array(relative_positions(self.size, self.size))
        self.register_buffer("relative_position_index", index)
        init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def get_relative_positional_bias(self) -> Tensor:
        """(1, heads, P, P)."""
        bias = self.relative_position_bias_table[self.relative_position_index.view(-1)]
        bias = bias.view(self.max_seq_len, self.max_seq_len, -1)
        return bias.permute(2, 0, 1).unsqueeze(0)

    def forward(self, x: Tensor) -> Tensor:
        n, groups, places, width = x.shape
        heads = (n, groups, places, 3, self.n_heads, self.head_dim)
        q, k, v = self.to_qkv(x).reshape(heads).permute(3, 0, 1, 4, 2, 5).unbind(0)
        scores = q @ (k * self.scale_factor).transpose(-2, -1)
        weights = F.softmax(scores + self.get_relative_positional_bias(), dim=-1)
        out = (weights @ v).permute(0, 1, 3, 2, 4).reshape(n, groups, places, width)
        return self.merge(out)


class SwapAxes(nn.Module):
    """`x.swapaxes(a, b)` as a layer."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x: Tensor) -> Tensor:
        return x.swapaxes(self.a, self.b)


class WindowPartition(nn.Module):
    """(N, C, H, W) → (N, windows, p², C)."""

    def forward(self, x: Tensor, p: int) -> Tensor:
        n, channels, height, width = x.shape
        x = x.reshape(n, channels, height // p, p, width // p, p).permute(0, 2, 4, 3, 5, 1)
        return x.reshape(n, (height // p) * (width // p), p * p, channels)


class WindowDepartition(nn.Module):
    """The way back of `WindowPartition`."""

    def forward(self, x: Tensor, p: int, h_partitions: int, w_partitions: int) -> Tensor:
        n, _, _, channels = x.shape
        x = x.reshape(n, h_partitions, w_partitions, p, p, channels).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(n, channels, h_partitions * p, w_partitions * p)


class PartitionAttentionLayer(nn.Module):
    """Attention in windows ("window"), or among the same places of all windows ("grid")."""

    def __init__(
        self,
        in_channels: int,
        head_dim: int,
        partition_size: int,
        partition_type: str,
        grid_size: Size,
        mlp_ratio: int,
        activation_layer: Layer,
        norm_layer: Layer,
        attention_dropout: float,
        mlp_dropout: float,
        p_stochastic_dropout: float,
    ) -> None:
        super().__init__()
        if partition_type not in ("grid", "window"):
            raise ValueError("partition_type must be either 'grid' or 'window'")
        self.n_heads = in_channels // head_dim
        self.head_dim = head_dim
        self.n_partitions = grid_size[0] // partition_size
        self.partition_type = partition_type
        self.grid_size = grid_size
        grid = partition_type == "grid"
        sizes = (partition_size, self.n_partitions)
        self.p, self.g = sizes[::-1] if grid else sizes
        self.partition_op = WindowPartition()
        self.departition_op = WindowDepartition()
        self.partition_swap = SwapAxes(-2, -3) if grid else nn.Identity()
        self.departition_swap = SwapAxes(-2, -3) if grid else nn.Identity()
        self.attn_layer = nn.Sequential(
            norm_layer(in_channels),
            RelativePositionalMultiHeadAttention(in_channels, head_dim, partition_size**2),
            nn.Dropout(attention_dropout),
        )
        self.mlp_layer = nn.Sequential(
            nn.LayerNorm(in_channels),
            nn.Linear(in_channels, in_channels * mlp_ratio),
            activation_layer(),
            nn.Linear(in_channels * mlp_ratio, in_channels),
            nn.Dropout(mlp_dropout),
        )
        self.stochastic_dropout = StochasticDepth(p_stochastic_dropout, mode="row")

    def forward(self, x: Tensor) -> Tensor:
        height, width = self.grid_size
        if height % self.p or width % self.p:
            raise AssertionError(
                "Grid size must be divisible by partition size. Got grid size of "
                f"{self.grid_size} and partition size of {self.p}"
            )
        x = self.partition_swap(self.partition_op(x, self.p))
        x = x + self.stochastic_dropout(self.attn_layer(x))
        x = x + self.stochastic_dropout(self.mlp_layer(x))
        return self.departition_op(
            self.departition_swap(x), self.p, height // self.p, width // self.p
        )


class MaxVitLayer(nn.Module):
    """A convolution block, attention in windows, attention over the grid."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        squeeze_ratio: float,
        expansion_ratio: float,
        stride: int,
        norm_layer: Layer,
        activation_layer: Layer,
        head_dim: int,
        mlp_ratio: int,
        mlp_dropout: float,
        attention_dropout: float,
        p_stochastic_dropout: float,
        partition_size: int,
        grid_size: Size,
    ) -> None:
        super().__init__()
        attention = partial(
            PartitionAttentionLayer,
            in_channels=out_channels,
            head_dim=head_dim,
            partition_size=partition_size,
            grid_size=grid_size,
            mlp_ratio=mlp_ratio,
            activation_layer=activation_layer,
            norm_layer=nn.LayerNorm,
            attention_dropout=attention_dropout,
            mlp_dropout=mlp_dropout,
            p_stochastic_dropout=p_stochastic_dropout,
        )
        self.layers = nn.Sequential(
            OrderedDict(
                MBconv=MBConv(
                    in_channels,
                    out_channels,
                    expansion_ratio,
                    squeeze_ratio,
                    stride,
                    activation_layer,
                    norm_layer,
                    p_stochastic_dropout,
                ),
                window_attention=attention(partition_type="window"),
                grid_attention=attention(partition_type="grid"),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class MaxVitBlock(nn.Module):
    """`n_layers` layers, the first of which halves the size."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        squeeze_ratio: float,
        expansion_ratio: float,
        norm_layer: Layer,
        activation_layer: Layer,
        head_dim: int,
        mlp_ratio: int,
        mlp_dropout: float,
        attention_dropout: float,
        partition_size: int,
        input_grid_size: Size,
        n_layers: int,
        p_stochastic: list[float],
    ) -> None:
        super().__init__()
        if len(p_stochastic) != n_layers:
            raise ValueError(
                f"p_stochastic must have length n_layers={n_layers}, got "
                f"p_stochastic={p_stochastic}."
            )
        self.grid_size = _get_conv_output_shape(input_grid_size, kernel_size=3, stride=2, padding=1)
        self.layers = nn.ModuleList(
            MaxVitLayer(
                in_channels=in_channels if i == 0 else out_channels,
                out_channels=out_channels,
                squeeze_ratio=squeeze_ratio,
                expansion_ratio=expansion_ratio,
                stride=2 if i == 0 else 1,
                norm_layer=norm_layer,
                activation_layer=activation_layer,
                head_dim=head_dim,
                mlp_ratio=mlp_ratio,
                mlp_dropout=mlp_dropout,
                attention_dropout=attention_dropout,
                p_stochastic_dropout=p,
                partition_size=partition_size,
                grid_size=self.grid_size,
            )
            for i, p in enumerate(p_stochastic)
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class MaxVit(nn.Module):
    """A stem and blocks: (N, 3, *input_size) → (N, num_classes).

    ValueError where a block's size is not divisible by `partition_size`.
    """

    def __init__(
        self,
        input_size: Size,
        stem_channels: int,
        partition_size: int,
        block_channels: list[int],
        block_layers: list[int],
        head_dim: int,
        stochastic_depth_prob: float,
        norm_layer: Layer | None = None,
        activation_layer: Layer = nn.GELU,
        squeeze_ratio: float = 0.25,
        expansion_ratio: float = 4,
        mlp_ratio: int = 4,
        mlp_dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
        sizes = _make_block_input_shapes(input_size, len(block_channels))
        for i, size in enumerate(sizes):
            if size[0] % partition_size or size[1] % partition_size:
                raise ValueError(
                    f"Input size {size} of block {i} is not divisible by partition size "
                    f"{partition_size}. Consider changing the partition size or the input size.\n"
                    f"Current configuration yields the following block input sizes: {sizes}."
                )
        conv = partial(Conv2dNormActivation, kernel_size=3)
        self.stem = nn.Sequential(
            conv(
                3,
                stem_channels,
                stride=2,
                norm_layer=norm,
                activation_layer=activation_layer,
                bias=False,
                inplace=None,
            ),
            conv(stem_channels, stem_channels, norm_layer=None, activation_layer=None, bias=True),
        )
        self.partition_size = partition_size
        size = _get_conv_output_shape(input_size, kernel_size=3, stride=2, padding=1)
        chances = np.linspace(0, stochastic_depth_prob, sum(block_layers)).tolist()
        self.blocks = nn.ModuleList()
        width = stem_channels
        for out, layers in zip(block_channels, block_layers, strict=True):
            block = MaxVitBlock(
                in_channels=width,
                out_channels=out,
                squeeze_ratio=squeeze_ratio,
                expansion_ratio=expansion_ratio,
                norm_layer=norm,
                activation_layer=activation_layer,
                head_dim=head_dim,
                mlp_ratio=mlp_ratio,
                mlp_dropout=mlp_dropout,
                attention_dropout=attention_dropout,
                partition_size=partition_size,
                input_grid_size=size,
                n_layers=layers,
                p_stochastic=chances[:layers],
            )
            self.blocks.append(block)
            width, size, chances = out, block.grid_size, chances[layers:]
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.Tanh(),
            nn.Linear(width, num_classes, bias=False),
        )
        self._init_weights()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(x)

    def _init_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                init.normal_(module.weight, std=0.02)
                zero_bias(module)
            elif isinstance(module, nn.BatchNorm2d):
                init.constant_(module.weight, 1)
                init.constant_(module.bias, 0)


def _maxvit(**kwargs: Any) -> MaxVit:
    return MaxVit(kwargs.pop("input_size", (224, 224)), **kwargs)


def _input_size(weights: Any) -> dict[str, Any]:
    return {"input_size": weights.meta["min_size"]}


_family = Family(__name__, "arXiv:2204.01697", _maxvit)
MaxVit_T_Weights = _family.weights("MaxVit_T_Weights")
maxvit_t = _family.builder(
    "maxvit_t",
    MaxVit_T_Weights,
    "MaxViT-T",
    with_weights=_input_size,
    stem_channels=64,
    block_channels=[64, 128, 256, 512],
    block_layers=[2, 2, 5, 2],
    head_dim=32,
    stochastic_depth_prob=0.2,
    partition_size=7,
)
