"""Vision Transformer (Dosovitskiy et al., An Image is Worth 16x16 Words, arXiv:2010.11929)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.tensor import Parameter, Tensor
from chainrule.tensor.creation import empty, zeros
from chainrule.tensor.functions import cat
from chainrule.vision.models._family import Family
from chainrule.vision.models._initial import zero_bias
from chainrule.vision.ops.misc import MLP, Conv2dNormActivation

__all__ = [
    "VisionTransformer",
    "ViT_B_16_Weights", "ViT_B_32_Weights", "ViT_L_16_Weights", "ViT_L_32_Weights",
    "ViT_H_14_Weights",
    "vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14",
]  # fmt: skip

Layer = Callable[..., nn.Module]
_norm = partial(nn.LayerNorm, eps=1e-6)


class ConvStemConfig(NamedTuple):
    """A convolution of the stem that may stand for the patches (arXiv:2106.14881)."""

    out_channels: int
    kernel_size: int
    stride: int
    norm_layer: Layer = nn.BatchNorm2d
    activation_layer: Layer = nn.ReLU


class MLPBlock(MLP):
    """linear, gelu, linear, with dropout."""

    _version = 2

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, dropout=dropout)
        initialise_mlp(self)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict, *args: Any
    ) -> None:
        if (local_metadata.get("version") or 1) < 2:
            for i in range(2):
                for kind in ("weight", "bias"):
                    old = f"{prefix}linear_{i + 1}.{kind}"
                    if old in state_dict:
                        state_dict[f"{prefix}{3 * i}.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


def initialise_mlp(model: nn.Module) -> None:
    """Xavier's uniform weights, and biases near 0."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            init.xavier_uniform_(module.weight)
            if module.bias is not None:
                init.normal_(module.bias, std=1e-6)


class EncoderBlock(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)): (N, S, D)."""

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_layer: Layer = _norm,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(
            hidden_dim, num_heads, dropout=attention_dropout, batch_first=True
        )
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Tensor:
        _check_sequence(input)
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


def _check_sequence(x: Tensor) -> None:
    if x.dim() != 3:
        raise AssertionError(f"Expected (batch_size, seq_length, hidden_dim) got {x.shape}")


class Encoder(nn.Module):
    """Learned positions, blocks, a norm: (N, S, D)."""

    def __init__(
        self,
        seq_length: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_layer: Layer = _norm,
    ) -> None:
        super().__init__()
        self.pos_embedding = Parameter(empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        block = (num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer)
        self.layers = nn.Sequential(
            OrderedDict((f"encoder_layer_{i}", EncoderBlock(*block)) for i in range(num_layers))
        )
        self.ln = norm_layer(hidden_dim)

    def forward(self, input: Tensor) -> Tensor:
        _check_sequence(input)
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """Patches and a class token through an encoder: (N, 3, S, S) → (N, num_classes), S image_size.

    representation_size: width of a tanh layer before the classifier, if any. conv_stem_configs:
    convolutions in place of the cut into patches.
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        representation_size: int | None = None,
        norm_layer: Layer = _norm,
        conv_stem_configs: list[ConvStemConfig] | None = None,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise AssertionError("Input shape indivisible by patch size!")
        self.image_size = image_size
        self.patch_size = patch_size
        self.hidden_dim = hidden_dim
        self.mlp_dim = mlp_dim
        self.attention_dropout = attention_dropout
        self.dropout = dropout
        self.num_classes = num_classes
        self.representation_size = representation_size
        self.norm_layer = norm_layer
        self.conv_proj: nn.Module
        if conv_stem_configs is None:
            self.conv_proj = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
        else:
            self.conv_proj = _stem(conv_stem_configs, hidden_dim)
        self.class_token = Parameter(zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(
            self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout,
            attention_dropout, norm_layer,
        )  # fmt: skip
        heads: OrderedDict[str, nn.Module] = OrderedDict()
        if representation_size is not None:
            heads["pre_logits"] = nn.Linear(hidden_dim, representation_size)
            heads["act"] = nn.Tanh()
        heads["head"] = nn.Linear(representation_size or hidden_dim, num_classes)
        self.heads = nn.Sequential(heads)
        self._initialise()

    def _initialise(self) -> None:
        conv = self.conv_proj
        if isinstance(conv, nn.Conv2d):
            fan_in = conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]
            init.trunc_normal_(conv.weight, std=math.sqrt(1 / fan_in))
            zero_bias(conv)
        else:
            last = conv.conv_last
            init.normal_(last.weight, mean=0.0, std=math.sqrt(2.0 / last.out_channels))
            zero_bias(last)
        if self.representation_size is not None:
            before = self.heads.pre_logits
            init.trunc_normal_(before.weight, std=math.sqrt(1 / before.in_features))
            init.zeros_(before.bias)
        init.zeros_(self.heads.head.weight)
        init.zeros_(self.heads.head.bias)

    def _process_input(self, x: Tensor) -> Tensor:
        """(N, 3, S, S) → (N, patches, hidden_dim)."""
        n, _, height, width = x.shape
        for name, size in (("height", height), ("width", width)):
            if size != self.image_size:
                raise AssertionError(
                    f"Wrong image {name}! Expected {self.image_size} but got {size}!"
                )
        return self.conv_proj(x).reshape(n, self.hidden_dim, -1).permute(0, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self._process_input(x)
        x = cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1)
        return self.heads(self.encoder(x)[:, 0])


def _stem(configs: list[ConvStemConfig], hidden_dim: int) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for i, config in enumerate(configs):
        layers[f"conv_bn_relu_{i}"] = Conv2dNormActivation(
            channels,
            config.out_channels,
            kernel_size=config.kernel_size,
            stride=config.stride,
            norm_layer=config.norm_layer,
            activation_layer=config.activation_layer,
        )
        channels = config.out_channels
    layers["conv_last"] = nn.Conv2d(channels, hidden_dim, kernel_size=1)
    return nn.Sequential(layers)


def _vision_transformer(size: tuple[int, ...], **kwargs: Any) -> VisionTransformer:
    patch, layers, heads, hidden, mlp = size
    image = kwargs.pop("image_size", 224)
    return VisionTransformer(image, patch, layers, heads, hidden, mlp, **kwargs)


def _image_size(weights: Any) -> dict[str, Any]:
    return {"image_size": weights.meta["min_size"][0]}


_family = Family(__name__, "arXiv:2010.11929", _vision_transformer)
ViT_B_16_Weights = _family.weights("ViT_B_16_Weights")
ViT_B_32_Weights = _family.weights("ViT_B_32_Weights")
ViT_L_16_Weights = _family.weights("ViT_L_16_Weights")
ViT_L_32_Weights = _family.weights("ViT_L_32_Weights")
ViT_H_14_Weights = _family.weights("ViT_H_14_Weights")


def _row(
    name: str, weights: Any, *size: int, legacy: str | None = "IMAGENET1K_V1"
) -> Callable[..., VisionTransformer]:
    title = name.replace("vit", "ViT", 1).replace("_", "-").upper().replace("VIT", "ViT")
    return _family.builder(name, weights, title, size, legacy=legacy, with_weights=_image_size)


# patch, layers, heads, width, width of the mlp
vit_b_16 = _row("vit_b_16", ViT_B_16_Weights, 16, 12, 12, 768, 3072)
vit_b_32 = _row("vit_b_32", ViT_B_32_Weights, 32, 12, 12, 768, 3072)
vit_l_16 = _row("vit_l_16", ViT_L_16_Weights, 16, 24, 16, 1024, 4096)
vit_l_32 = _row("vit_l_32", ViT_L_32_Weights, 32, 24, 16, 1024, 4096)
vit_h_14 = _row("vit_h_14", ViT_H_14_Weights, 14, 32, 16, 1280, 5120, legacy=None)


def interpolate_embeddings(
    image_size: int,
    patch_size: int,
    model_state: OrderedDict[str, Tensor],
    interpolation_mode: str = "bicubic",
    reset_heads: bool = False,
) -> OrderedDict[str, Tensor]:
    """A state dict for images of another size: its positions are resized as an image is.

    reset_heads: leave out the classifier where the positions had to be changed. ValueError for
    positions that are no square and a class token.
    """
    positions = model_state["encoder.pos_embedding"]
    n, length, hidden = positions.shape
    if n != 1:
        raise ValueError(f"Unexpected position embedding shape: {positions.shape}")
    side = image_size // patch_size
    if side**2 + 1 == length:
        return model_state
    old = math.isqrt(length - 1)
    if old * old != length - 1:
        raise ValueError(
            "seq_length is not a perfect square! Instead got seq_length_1d * seq_length_1d = "
            f"{old * old} and seq_length = {length - 1}"
        )
    grid = positions[:, 1:, :].permute(0, 2, 1).reshape(1, hidden, old, old)
    grid = F.interpolate(grid, size=side, mode=interpolation_mode, align_corners=True)
    grid = grid.reshape(1, hidden, side * side).permute(0, 2, 1)
    model_state["encoder.pos_embedding"] = cat([positions[:, :1, :], grid], dim=1)
    if reset_heads:
        kept = ((k, v) for k, v in model_state.items() if not k.startswith("heads"))
        return OrderedDict(kept)
    return model_state
