"""What all networks have in common: the picture that goes in, the classifier on top, weights.

A network is written as a `body`, a function from the picture to its features. `Frame` checks the
arguments, which mean the same everywhere:

* `include_top`: with the classifier for `classes` classes (and `classifier_activation`); else the
  features, or with `pooling` ("avg", "max") their mean or largest value per channel.
* `weights`: "imagenet" (downloaded once), None (by chance), or a file.
* `input_tensor`, `input_shape`: the picture; its size is free where there is no classifier.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainrule.keras import activations, layers
from chainrule.keras.applications.imagenet_utils import obtain_input_shape
from chainrule.keras.files import get_file
from chainrule.keras.models import Model
from chainrule.keras.settings import image_data_format
from chainrule.keras.sources import get_source_inputs
from chainrule.keras.symbolic import KerasTensor

_STORE = "https://storage.googleapis.com/"
Body = Callable[[Any], Any]
Head = Callable[[Any, int, Any], Any]


@dataclass(frozen=True)
class Trained:
    """Where trained weights are: a folder, and a file's name and hash with the classifier and
    without it.
    """

    folder: str
    top: tuple[str, str | None]
    bare: tuple[str, str | None]

    def fetch(self, include_top: bool) -> str:
        """The path of the file, downloaded unless it is there."""
        name, digest = self.top if include_top else self.bare
        address = f"{_STORE}{self.folder}/{name}"
        return get_file(name, address, cache_subdir="models", file_hash=digest)


def kernels(folder: str, name: str, top: str, bare: str) -> Trained:
    """Files as most networks have them."""
    file = f"{name}_weights_tf_dim_ordering_tf_kernels"
    where = f"tensorflow/keras-applications/{folder}"
    return Trained(where, (f"{file}.h5", top), (f"{file}_notop.h5", bare))


def channels() -> int:
    """The axis of channels of a batch of pictures."""
    return 3 if image_data_format() == "channels_last" else 1


def only_channels_last(title: str) -> None:
    """Raises ValueError where pictures have their channels first."""
    if image_data_format() == "channels_first":
        raise ValueError(
            f"{title} does not support the `channels_first` image data format; call "
            "keras.config.set_image_data_format('channels_last')"
        )


def same_pad(x: Any, kernel: int | tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Zeros before and after each axis of a picture, with which a convolution of stride 2 is
    "same" as TensorFlow has it.
    """
    sizes = [s for i, s in enumerate(x.shape) if i not in (0, channels())]
    half = [k // 2 for k in ((kernel, kernel) if isinstance(kernel, int) else kernel)]
    odd = [1, 1] if sizes[0] is None else [1 - s % 2 for s in sizes]
    return (half[0] - odd[0], half[0]), (half[1] - odd[1], half[1])


def divisible(v: float, by: int = 8) -> int:
    """A number of channels near `v` that `by` divides, and not less than nine tenths of it.

    >>> divisible(36), divisible(11)
    (40, 16)
    """
    new = max(by, int(v + by / 2) // by * by)
    return new + by if new < 0.9 * v else new


def pooled(x: Any, pooling: str | None, names: tuple[str | None, str | None]) -> Any:
    """The features, or one number per channel; `names` are those of the layers that pool."""
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name=names[0])(x)
    return layers.GlobalMaxPooling2D(name=names[1])(x) if pooling == "max" else x


def dense_head(
    gap: str | None = "avg_pool", dropout: float = 0.0, kernel_initializer: Any = "glorot_uniform"
) -> Head:
    """Mean of each channel, dropout, one dense layer."""

    def head(x: Any, classes: int, activation: Any) -> Any:
        x = layers.GlobalAveragePooling2D(name=gap)(x)
        if dropout:
            x = layers.Dropout(dropout, name="top_dropout")(x)
        return layers.Dense(
            classes, activation=activation, kernel_initializer=kernel_initializer,
            name="predictions",
        )(x)  # fmt: skip

    return head


class Frame:
    """The arguments of a network, checked; `image` is where its body begins."""

    def __init__(
        self,
        include_top: bool,
        weights: Any,
        input_tensor: Any,
        input_shape: Any,
        pooling: str | None,
        classes: int,
        classifier_activation: Any,
        *,
        size: int,
        least: int = 32,
        fixed: bool | None = None,
    ) -> None:
        if not (weights in ("imagenet", None) or os.path.exists(weights)):
            raise ValueError(
                "The `weights` argument should be either `None` (random initialization), "
                "'imagenet' (pre-training on ImageNet), or the path to the weights file to be "
                f"loaded. Received: weights={weights}"
            )
        if weights == "imagenet" and include_top and classes != 1000:
            raise ValueError(
                'If using `weights="imagenet"` with `include_top=True`, `classes` should be 1000. '
                f"Received classes={classes}"
            )
        if include_top and weights is not None:
            allowed = (activations.get("softmax"), activations.get(None))
            if activations.get(classifier_activation) not in allowed:
                raise ValueError(
                    "Only `None` and `softmax` activations are allowed for the "
                    "`classifier_activation` argument when using pretrained weights, with "
                    f"`include_top=True`; Received: {classifier_activation=}"
                )
        self.include_top, self.weights, self.pooling = include_top, weights, pooling
        self.classes, self.activation = classes, classifier_activation
        fixed = include_top if fixed is None else fixed
        self.shape = obtain_input_shape(
            input_shape, size, least, image_data_format(), fixed, weights
        )
        self.input_tensor = input_tensor
        if input_tensor is None:
            self.image = layers.Input(shape=self.shape)
        elif isinstance(input_tensor, KerasTensor):
            self.image = input_tensor
        else:
            self.image = layers.Input(tensor=input_tensor, shape=self.shape)

    def finish(
        self,
        x: Any,
        name: str | None,
        trained: Trained | None,
        *,
        head: Head,
        names: tuple[str | None, str | None] = (None, None),
    ) -> Any:
        """The model from the picture to what stands on the features `x`, with its weights."""
        if self.include_top:
            x = head(x, self.classes, self.activation)
        else:
            x = pooled(x, self.pooling, names)
        return self.model(x, name, trained)

    def model(self, x: Any, name: str | None, trained: Trained | None) -> Any:
        """The model from the picture to `x`, with its weights."""
        inputs = self.image if self.input_tensor is None else get_source_inputs(self.image)
        if isinstance(inputs, list) and len(inputs) == 1:
            inputs = inputs[0]
        model = Model(inputs, x, name=name)
        if self.weights == "imagenet" and trained is not None:
            model.load_weights(trained.fetch(self.include_top))
        elif self.weights is not None:
            model.load_weights(self.weights)
        return model


def network(
    title: str,
    name: str,
    body: Body,
    trained: Trained,
    *,
    size: int = 224,
    least: int = 32,
    head: Head | None = None,
    names: tuple[str | None, str | None] = (None, None),
    check: Callable[[str], None] | None = None,
) -> Callable[..., Any]:
    """The function that makes a network from its body."""
    top = head or dense_head()
    default = name

    def make(
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str = default,
    ) -> Any:
        if check is not None:
            check(title)
        frame = Frame(
            include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, size=size, least=least,
        )  # fmt: skip
        return frame.finish(body(frame.image), name, trained, head=top, names=names)

    make.__name__ = make.__qualname__ = title
    make.__doc__ = f"""{title}: pictures of {size} × {size}, 1000 classes of ImageNet.

    The arguments mean what `chainrule.keras.applications.base` says.
    """
    return make
