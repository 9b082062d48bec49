"""ConvNeXt, tiny to extra large (Liu, Mao, Wu, Feichtenhofer, Darrell, Xie 2022)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.keras import initializers, layers, ops, random
from chainrule.keras.applications.base import Frame, Trained, channels, only_channels_last, pooled
from chainrule.keras.applications.imagenet_utils import DEVIATIONS, MEANS, decode_predictions
from chainrule.keras.applications.imagenet_utils import unchanged as preprocess_input
from chainrule.keras.layers import Layer
from chainrule.keras.models import Sequential

#: Blocks of each stage, channels of each stage, hash of the weights with and without top.
_SIZES: dict[str, tuple[tuple[int, ...], tuple[int, ...], str, str]] = {
    "Tiny": ((3, 3, 9, 3), (96, 192, 384, 768),
             "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
             "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"),
    "Small": ((3, 3, 27, 3), (96, 192, 384, 768),
              "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
              "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab"),
    "Base": ((3, 3, 27, 3), (128, 256, 512, 1024),
             "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
             "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45"),
    "Large": ((3, 3, 27, 3), (192, 384, 768, 1536),
              "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
              "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd"),
    "XLarge": ((3, 3, 27, 3), (256, 512, 1024, 2048),
               "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
               "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05"),
}  # fmt: skip


class StochasticDepth(Layer):
    """While training, x is left out for some pictures, and larger for the others."""

    def __init__(self, drop_path_rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drop_path_rate = drop_path_rate

    def call(self, x: Any, training: Any = None) -> Any:
        if not training:
            return x
        kept = 1 - self.drop_path_rate
        draws = random.uniform((x.shape[0],) + (1,) * (len(x.shape) - 1), 0, 1)
        return x / kept * ops.floor(kept + draws)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "drop_path_rate": self.drop_path_rate}


class LayerScale(Layer):
    """x times a learned number for each channel, which begins at `init_values`."""

    def __init__(self, init_values: float, projection_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.init_values = init_values
        self.projection_dim = projection_dim

    def build(self, input_shape: Any = None) -> None:
        self.gamma = self.add_weight(
            shape=(self.projection_dim,),
            initializer=initializers.Constant(self.init_values),
            trainable=True,
        )
        self.built = True

    def call(self, x: Any) -> Any:
        return x * self.gamma

    def get_config(self) -> dict[str, Any]:
        own = {"init_values": self.init_values, "projection_dim": self.projection_dim}
        return {**super().get_config(), **own}


def _norm(name: str | None) -> Any:
    return layers.LayerNormalization(epsilon=1e-6, name=name)


def _block(x: Any, filters: int, name: str) -> Any:
    """7 × 7 depthwise, then two dense layers over the channels, plus x."""
    y = layers.Conv2D(
        filters, 7, padding="same", groups=filters, name=f"{name}_depthwise_conv"
    )(x)  # fmt: skip
    y = _norm(f"{name}_layernorm")(y)
    y = layers.Dense(4 * filters, name=f"{name}_pointwise_conv_1")(y)
    y = layers.Activation("gelu", name=f"{name}_gelu")(y)
    y = layers.Dense(filters, name=f"{name}_pointwise_conv_2")(y)
    y = LayerScale(1e-6, filters, name=f"{name}_layer_scale")(y)
    return x + layers.Activation("linear", name=f"{name}_identity")(y)


def _body(x: Any, depths: tuple[int, ...], widths: tuple[int, ...], name: str) -> Any:
    stem = [
        layers.Conv2D(widths[0], 4, strides=4, name=f"{name}_stem_conv"),
        _norm(f"{name}_stem_layernorm"),
    ]
    between = [Sequential(stem, name=f"{name}_stem")]
    for i, width in enumerate(widths[1:]):
        smaller = [
            _norm(f"{name}_downsampling_layernorm_{i}"),
            layers.Conv2D(width, 2, strides=2, name=f"{name}_downsampling_conv_{i}"),
        ]
        between.append(Sequential(smaller, name=f"{name}_downsampling_block_{i}"))
    for i, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        x = between[i](x)
        for j in range(depth):
            x = _block(x, width, f"{name}_stage_{i}_block_{j}")
    return x


def _convnext(which: str) -> Callable[..., Any]:
    depths, widths, top, bare = _SIZES[which]
    title = f"ConvNeXt{which}"
    default = f"convnext_{which.lower()}"

    def make(
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str = default,
    ) -> Any:
        only_channels_last(title)
        frame = Frame(
            include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, size=224,
        )  # fmt: skip
        x = frame.image
        if include_preprocessing and frame.shape[channels() - 1] == 3:
            x = layers.Normalization(
                mean=[255 * m for m in MEANS], variance=[(255 * d) ** 2 for d in DEVIATIONS],
                name=f"{name}_prestem_normalization",
            )(x)  # fmt: skip
        x = _body(x, depths, widths, name)
        if include_top:
            x = layers.GlobalAveragePooling2D(name=f"{name}_head_gap")(x)
            x = _norm(f"{name}_head_layernorm")(x)
            x = layers.Dense(classes, activation=classifier_activation, name=f"{name}_head_dense")(
                x
            )
        else:
            x = _norm(None)(pooled(x, pooling, (None, None)))
        trained = Trained(
            "tensorflow/keras-applications/convnext",
            (f"{name}.h5", top), (f"{name}_notop.h5", bare),
        )  # fmt: skip
        return frame.model(x, name, trained)

    make.__name__ = make.__qualname__ = title
    make.__doc__ = f"""{title}: pictures of 224 × 224, pixels from 0 to 255.

    The arguments mean what `chainrule.keras.applications.base` says; without
    `include_preprocessing` the pixels must be normalised by the program.
    """
    return make


ConvNeXtTiny = _convnext("Tiny")
ConvNeXtSmall = _convnext("Small")
ConvNeXtBase = _convnext("Base")
ConvNeXtLarge = _convnext("Large")
ConvNeXtXLarge = _convnext("XLarge")

__all__ = ["ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge",
           "decode_predictions", "preprocess_input"]  # fmt: skip
