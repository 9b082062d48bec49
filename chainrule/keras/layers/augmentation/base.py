"""What layers that change images share.

A layer is called on images (height, width, channels), on a batch of them, or on a dict with
"images" and, as there are, "labels", "bounding_boxes" ({"boxes", "labels"}) and
"segmentation_masks". `get_random_transformation` draws the numbers of a change, and the
`transform_…` methods apply them to each part. What is drawn is data of the recorded program: a new
angle is no new program.
"""

from __future__ import annotations

from typing import Any, ClassVar

from chainrule.keras.arrays import to_tensor
from chainrule.keras.layers.augmentation import boxes as box_tools
from chainrule.keras.layers.preprocessing.data_layer import DataLayer
from chainrule.keras.random import SeedGenerator, uniform
from chainrule.keras.settings import standardize_data_format, to_dtype
from chainrule.keras.symbolic import KerasTensor
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T

FILL_MODES = ("reflect", "wrap", "constant", "nearest")


class BaseImagePreprocessingLayer(DataLayer):
    """Base class of the layers that change images; a subclass defines `transform_images`."""

    _USE_BASE_FACTOR = True
    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (-1, 1)
    interpolation: str
    seed: int | None

    def __init__(
        self,
        factor: Any = None,
        bounding_box_format: str | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bounding_box_format = bounding_box_format
        self.data_format = standardize_data_format(data_format)
        if self._USE_BASE_FACTOR:
            self._set_factor(factor or 0.0)
        elif factor is not None:
            raise ValueError(
                f"Layer {type(self).__name__} does not take a `factor` argument. Received: "
                f"factor={factor}"
            )

    # arguments ------------------------------------------------------------------------------------

    def _set_factor(self, factor: Any) -> None:
        self.factor = self._pair(factor, "factor", self._FACTOR_BOUNDS)

    @staticmethod
    def _pair(factor: Any, name: str, bounds: tuple[float, float]) -> tuple[float, float]:
        """The least and the largest value: of one number ± that, within the bounds."""
        low, high = bounds
        problem = (
            f"The `{name}` argument should be a number (or a list of two numbers) in the range "
            f"[{low}, {high}]. Received: {name}={factor}"
        )
        if isinstance(factor, tuple | list):
            if len(factor) != 2 or factor[0] > high or factor[1] < low:
                raise ValueError(problem)
            least, most = sorted(factor)
            return least, most
        if not isinstance(factor, int | float) or factor < low or factor > high:
            raise ValueError(problem)
        return max(-abs(factor), low), abs(factor)

    def _set_value_range(self, value_range: Any) -> None:
        if not isinstance(value_range, tuple | list) or len(value_range) != 2:
            raise ValueError(
                "The `value_range` argument should be a list of two numbers. Received: "
                f"value_range={value_range}"
            )
        self.value_range = sorted(value_range)

    @staticmethod
    def _given(factor: Any) -> Any:
        """A factor as a config has it."""
        return tuple(factor) if isinstance(factor, list) else factor

    def _set_seed(self, seed: int | None) -> None:
        self.seed = seed
        self.generator = SeedGenerator(seed)

    def _set_filling(self, fill_mode: str, interpolation: str, fill_value: float) -> None:
        if fill_mode not in FILL_MODES:
            raise NotImplementedError(
                f"Unknown `fill_mode` {fill_mode}. Expected of one {FILL_MODES}."
            )
        if interpolation not in ("nearest", "bilinear"):
            raise NotImplementedError(
                f"Unknown `interpolation` {interpolation}. Expected of one ('nearest', 'bilinear')."
            )
        self.fill_mode = fill_mode
        self.interpolation = interpolation
        self.fill_value = fill_value

    # a call ---------------------------------------------------------------------------------------

    def _convert_leaf(self, leaf: Any) -> Any:
        return leaf

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def _output_dtype(self, tensor: Any) -> str:
        return self.compute_dtype

    def compute_output_spec(self, data: Any, **kwargs: Any) -> Any:
        if not isinstance(data, dict):
            return KerasTensor(self.compute_output_shape(data.shape), self.compute_dtype)
        images = data["images"]
        shape = self.compute_output_shape(images.shape)
        return {**data, "images": KerasTensor(shape, self.compute_dtype)}

    def call(self, data: Any, training: bool = True) -> Any:
        chosen = self.get_random_transformation(data, training=training)
        if not isinstance(data, dict):
            return self._images(data, chosen, training)
        out = dict(data)
        single = data["images"].ndim == 3
        out["images"] = self._images(data["images"], chosen, training)
        if "bounding_boxes" in data:
            if not self.bounding_box_format:
                raise ValueError(
                    "You passed an input with a 'bounding_boxes' key, but you didn't specify a "
                    "bounding box format. Pass a `bounding_box_format` argument to your "
                    f"{type(self).__name__} layer, e.g. `bounding_box_format='xyxy'`."
                )
            inner = {k: _lifted(v) if single else v for k, v in data["bounding_boxes"].items()}
            found = self.transform_bounding_boxes(inner, chosen, training)
            out["bounding_boxes"] = {k: v[0] if single else v for k, v in found.items()}
        if "labels" in data:
            labels = _lifted(data["labels"]) if single else data["labels"]
            labels = self.transform_labels(labels, chosen, training)
            out["labels"] = labels[0] if single else labels
        if "segmentation_masks" in data:
            masks = data["segmentation_masks"]
            masks = masks.unsqueeze(0) if single else masks
            masks = self.transform_segmentation_masks(masks, chosen, training)
            out["segmentation_masks"] = masks[0] if single else masks
        return out

    def _images(self, images: Tensor, chosen: Any, training: bool) -> Tensor:
        if images.ndim not in (3, 4):
            raise ValueError(
                "Expected image tensor to have rank 3 (single image) or 4 (batch of images). "
                f"Received: data.shape={tuple(images.shape)}"
            )
        x = as_images(images, self.compute_dtype)
        if images.ndim == 3:
            return self.transform_images(x.unsqueeze(0), chosen, training)[0]
        return self.transform_images(x, chosen, training)

    def transform_single_image(self, image: Any, transformation: Any, training: bool = True) -> Any:
        """One image, changed."""
        return self._images(to_tensor(image), transformation, training)

    # what subclasses define -----------------------------------------------------------------------

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The numbers of a random change; None where nothing changes."""
        return None

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """A batch of images, changed."""
        raise NotImplementedError(f"{type(self).__name__} does not define transform_images")

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """Labels after the change: as they are, for most."""
        return labels

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        """Boxes after the change: as they are, where no pixel moves."""
        return bounding_boxes

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        """Masks after the change: as they are, where no pixel moves."""
        return segmentation_masks

    # help -----------------------------------------------------------------------------------------

    @staticmethod
    def _shape(data: Any) -> tuple[int, ...]:
        images = data["images"] if isinstance(data, dict) else data
        if len(images.shape) not in (3, 4):
            raise ValueError(
                "Expected the input image to be rank 3 or 4. Received "
                f"inputs.shape={tuple(images.shape)}"
            )
        return tuple(int(n) for n in images.shape)

    def _batch(self, data: Any) -> int:
        shape = self._shape(data)
        return shape[0] if len(shape) == 4 else 1

    def _size(self, data: Any) -> tuple[int, int]:
        """Height and width."""
        shape = self._shape(data)
        return shape[-2:] if self.data_format == "channels_first" else shape[-3:-1]  # type: ignore[return-value]  # two of them

    def _uniform(self, shape: Any, low: float, high: float, seed: Any = None) -> Tensor:
        return uniform(shape, low, high, "float32", seed=self.generator if seed is None else seed)

    @property
    def _height_axis(self) -> int:
        return -2 if self.data_format == "channels_first" else -3

    @property
    def _channel_axis(self) -> int:
        return -3 if self.data_format == "channels_first" else -1

    def _rescaled(self, images: Tensor, source: Any, target: Any) -> Tensor:
        """Values of one range in another one."""
        if tuple(source) == tuple(target):
            return images
        share = (images - source[0]) / (source[1] - source[0])
        return share * (target[1] - target[0]) + target[0]

    _transform_value_range = _rescaled

    def _boxes(self, bounding_boxes: Any, size: Any, after: Any, change: Any) -> Any:
        """Boxes as left, top, right, bottom, changed, clipped and in their own format again."""
        own = self.bounding_box_format or "xyxy"
        if len(bounding_boxes["boxes"].shape) == 2:  # of one image
            lifted = {name: to_tensor(v).unsqueeze(0) for name, v in bounding_boxes.items()}
            return {n: v[0] for n, v in self._boxes(lifted, size, after, change).items()}
        found = box_tools.convert_format(bounding_boxes, own, "xyxy", *size)
        found = {**found, "boxes": change(found["boxes"])}
        found = box_tools.clip_to_image_size(found, after[0], after[1], "xyxy")
        return box_tools.convert_format(found, "xyxy", own, *after)


def as_images(images: Any, dtype: str) -> Tensor:
    """Images in the type that a layer computes in."""
    x: Tensor = to_tensor(images)
    return x.to(to_dtype(dtype))


def _lifted(value: Any) -> Any:
    return value.unsqueeze(0) if isinstance(value, Tensor) else T.stack([value])
