"""Chains, kinds and element types, blur and noise, boxes kept in order."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.dtypes import DType, float32
from chainrule.nn import Module
from chainrule.pytree import tree_flatten, tree_unflatten
from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import values
from chainrule.vision import tv_tensors
from chainrule.vision.draws import draws
from chainrule.vision.images import is_image
from chainrule.vision.transforms import functional as v1
from chainrule.vision.transforms.colour import GaussianBlur as _Blur
from chainrule.vision.transforms.fixed import LinearTransformation as _Linear
from chainrule.vision.transforms.v2 import functional as F
from chainrule.vision.transforms.v2.base import (
    Picture,
    Transform,
    get_bounding_boxes,
    get_keypoints,
    has_any,
    is_array,
    is_pure_tensor,
    labels_getter,
    two_floats,
)

_getter = labels_getter  # an argument has its name


# Chains


class Compose(Transform):
    """One transform after the other, each with all parts of the sample."""

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__()
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence of callables")
        if not transforms:
            raise ValueError("Pass at least one transform")
        self.transforms = transforms

    def forward(self, *inputs: Any) -> Any:
        several = len(inputs) > 1
        for transform in self.transforms:
            result = transform(*inputs)
            inputs = result if several else (result,)
        return inputs if several else inputs[0]

    def extra_repr(self) -> str:
        return "\n".join(f"    {transform}" for transform in self.transforms)


class RandomApply(Transform):
    """All of `transforms`, with probability p; none of them otherwise."""

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__()
        if not isinstance(transforms, Sequence | Module):
            raise TypeError("Argument transforms should be a sequence of callables or a ModuleList")
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        self.transforms: Any = transforms
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        several = len(inputs) > 1
        if draws().share() >= self.p:
            return inputs if several else inputs[0]
        for transform in self.transforms:
            result = transform(*inputs)
            inputs = result if several else (result,)
        return inputs if several else inputs[0]

    def extra_repr(self) -> str:
        return "\n".join(f"    {transform}" for transform in self.transforms)


class RandomChoice(Transform):
    """One of `transforms`, with probabilities proportional to `p`."""

    def __init__(
        self, transforms: Sequence[Callable[..., Any]], p: list[float] | None = None
    ) -> None:
        super().__init__()
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence of callables")
        weights = [1.0] * len(transforms) if p is None else p
        if len(weights) != len(transforms):
            raise ValueError(
                f"Length of p doesn't match the number of transforms: {len(weights)} != "
                f"{len(transforms)}"
            )
        self.transforms = transforms
        self.p = [share / sum(weights) for share in weights]

    def forward(self, *inputs: Any) -> Any:
        return self.transforms[draws().choice(len(self.transforms), self.p)](*inputs)


class RandomOrder(Transform):
    """All of `transforms`, in random order."""

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__()
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence of callables")
        self.transforms = transforms

    def forward(self, *inputs: Any) -> Any:
        several = len(inputs) > 1
        for i in draws().permutation(len(self.transforms)):
            result = self.transforms[i](*inputs)
            inputs = result if several else (result,)
        return inputs if several else inputs[0]


class Identity(Transform):
    """Everything as it is."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return inpt


class Lambda(Transform):
    """Any function, of the parts of the sample that are of one of `types`."""

    _transformed_types = (object,)

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        super().__init__()
        self.lambd = lambd
        self.types = types or self._transformed_types

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self.lambd(inpt) if isinstance(inpt, self.types) else inpt

    def extra_repr(self) -> str:
        name = getattr(self.lambd, "__name__", None)
        extra = [name] if name else []
        return ", ".join([*extra, f"types={[kind.__name__ for kind in self.types]}"])


# Kinds and element types


class ToTensor(Transform):
    """PIL images and arrays to float tensors; better `ToImage`, then `ToDtype`."""

    _transformed_types = (is_image, is_array)

    def __init__(self) -> None:
        warnings.warn(
            "The transform `ToTensor()` is deprecated and will be removed in a future release. "
            "Instead, please use `v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, "
            "scale=True)])`.Output is equivalent up to float precision.",
            stacklevel=2,
        )
        super().__init__()

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return v1.to_tensor(inpt)


class PILToTensor(Transform):
    """PIL images to tensors (C, H, W)."""

    _transformed_types = (is_image,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.pil_to_tensor(inpt)


class ToImage(Transform):
    """Tensors, arrays and PIL images to `tv_tensors.Image`."""

    _transformed_types = (is_pure_tensor, is_image, is_array)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.to_image(inpt)


class ToPILImage(Transform):
    """Tensors and arrays to PIL images."""

    _transformed_types = (is_pure_tensor, tv_tensors.Image, is_array)

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.to_pil_image(inpt, self.mode)


class ToPureTensor(Transform):
    """TVTensors to plain tensors."""

    _transformed_types = (tv_tensors.TVTensor,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return inpt.as_subclass(Tensor)


class ToDtype(Transform):
    """Another element type, for pictures or (a dictionary) for each kind; `scale` for ranges."""

    _transformed_types = (Tensor,)

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, dict | DType):
            raise ValueError(f"dtype must be a dict or a torch.dtype, got {type(dtype)} instead")
        self.dtype = dtype
        self.scale = scale

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        picture = is_pure_tensor(inpt) or isinstance(inpt, Picture)
        if isinstance(self.dtype, DType):
            return F.to_dtype(inpt, self.dtype, self.scale) if picture else inpt
        if type(inpt) not in self.dtype and "others" not in self.dtype:
            raise ValueError(
                f"No dtype was specified for type {type(inpt)}. If you only need to convert the "
                "dtype of images or videos, you can just pass e.g. dtype=torch.float32. If you're "
                'passing a dict as dtype, you can use "others" as a catch-all key e.g. dtype='
                '{tv_tensors.Mask: torch.int64, "others": None} to pass-through the rest of the '
                "inputs."
            )
        dtype = self.dtype.get(type(inpt), self.dtype.get("others"))
        if dtype is not None:
            return F.to_dtype(inpt, dtype, self.scale)
        if self.scale and picture:
            warnings.warn(
                "scale was set to True but no dtype was specified for images or videos: no scaling "
                "will be done.",
                stacklevel=2,
            )
        return inpt


class ConvertImageDtype(Transform):
    """Another element type, the range of values scaled along."""

    def __init__(self, dtype: DType = float32) -> None:
        super().__init__()
        self.dtype = dtype

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.to_dtype(inpt, self.dtype, True) if isinstance(inpt, Tensor) else inpt


# Pictures


class Normalize(Transform):
    """(x - mean) / std for each channel."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = list(mean)
        self.std = list(std)
        self.inplace = inplace

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        if has_any(flat_inputs, is_image):
            raise TypeError(f"{type(self).__name__}() does not support PIL images.")

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.normalize(inpt, self.mean, self.std, self.inplace)


class GaussianBlur(Transform):
    """Blurred by a bell whose width is drawn."""

    get_params = staticmethod(_Blur.get_params)

    def __init__(
        self, kernel_size: int | Sequence[int], sigma: float | Sequence[float] = (0.1, 2.0)
    ) -> None:
        super().__init__()
        self.kernel_size = v1.pair(
            kernel_size, "Kernel size should be a tuple/list of two integers"
        )
        if any(n <= 0 or n % 2 == 0 for n in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        self.sigma = two_floats(sigma, "sigma")
        if not 0.0 < self.sigma[0] <= self.sigma[1]:
            raise ValueError(
                f"sigma values should be positive and of the form (min, max). Got {self.sigma}"
            )

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        width = self.get_params(self.sigma[0], self.sigma[1])
        return {"sigma": [width, width]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.gaussian_blur(inpt, self.kernel_size, **params)


class GaussianNoise(Transform):
    """Normal noise added."""

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean = mean
        self.sigma = sigma
        self.clip = clip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if isinstance(inpt, tv_tensors.TVTensor) and not isinstance(inpt, Picture):
            return inpt
        return F.gaussian_noise(inpt, self.mean, self.sigma, self.clip)


class LinearTransformation(Transform):
    """(x - mean_vector) @ transformation_matrix, for whitening."""

    _transformed_types = (is_pure_tensor, *Picture)

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        self._v1 = _Linear(transformation_matrix, mean_vector)
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        if has_any(flat_inputs, is_image):
            raise TypeError(f"{type(self).__name__}() does not support PIL images.")

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if is_pure_tensor(inpt):
            return self._v1(inpt)
        return tv_tensors.wrap(self._v1(inpt.as_subclass(Tensor)), like=inpt)


class UniformTemporalSubsample(Transform):
    """`num_samples` frames of a video."""

    _transformed_types = (is_pure_tensor, tv_tensors.Video)

    def __init__(self, num_samples: int) -> None:
        super().__init__()
        self.num_samples = num_samples

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.uniform_temporal_subsample(inpt, self.num_samples)


# Boxes and points


class ConvertBoundingBoxFormat(Transform):
    """Boxes in another format."""

    _transformed_types = (tv_tensors.BoundingBoxes,)

    def __init__(self, format: Any) -> None:
        super().__init__()
        self.format = format

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.convert_bounding_box_format(inpt, new_format=self.format)


class ClampBoundingBoxes(Transform):
    """Boxes cut off at the edge of the image."""

    _transformed_types = (tv_tensors.BoundingBoxes,)

    def __init__(self, clamping_mode: str | None = "auto") -> None:
        super().__init__()
        self.clamping_mode = clamping_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.clamp_bounding_boxes(inpt, clamping_mode=self.clamping_mode)


class ClampKeyPoints(Transform):
    """Points moved to the edge of the image where they lie outside."""

    _transformed_types = (tv_tensors.KeyPoints,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.clamp_keypoints(inpt)


class SetClampingMode(Transform):
    """Whether later transforms keep boxes inside the image."""

    _transformed_types = (tv_tensors.BoundingBoxes,)

    def __init__(self, clamping_mode: str | None) -> None:
        super().__init__()
        if clamping_mode not in (None, "soft", "hard"):
            raise ValueError(f"clamping_mode must be soft, hard or None, got {clamping_mode}")
        self.clamping_mode = clamping_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return tv_tensors.wrap(
            inpt.as_subclass(Tensor), like=inpt, clamping_mode=self.clamping_mode
        )


class _Sanitize(Transform):
    """Parts of the sample cut down to the rows that are good."""

    _labels_getter: Callable[[Any], Any]
    _kinds: tuple[type, ...]

    def _good(self, flat: list[Any]) -> Tensor:
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        labels = self._labels_getter(sample)
        several: list[Any] = list(labels) if isinstance(labels, tuple | list) else [labels]
        for label in several:
            if label is not None and not isinstance(label, Tensor):
                raise ValueError(
                    "The labels in the input to forward() must be a tensor or None, got "
                    f"{type(label)} instead."
                )
        flat, spec = tree_flatten(sample)
        good = self._good(flat)
        for label in several:
            if label is not None and label.shape[0] != good.shape[0]:
                raise ValueError(
                    f"Number of boxes or points ({good.shape[0]}) must match the number of labels. "
                    f"Found labels with shape={tuple(label.shape)}."
                )
        done = []
        for inpt in flat:
            part: Any = inpt
            own = isinstance(inpt, self._kinds) and len(part) == len(good)
            if own or any(part is label for label in several if label is not None):
                rows = from_owned(values(part)[values(good)])
                kept = isinstance(part, tv_tensors.TVTensor)
                part = tv_tensors.wrap(rows, like=part) if kept else rows
            done.append(part)
        return tree_unflatten(done, spec)


class SanitizeBoundingBoxes(_Sanitize):
    """Without boxes that are too small or lie outside, and without their masks and labels."""

    _kinds = (tv_tensors.BoundingBoxes, tv_tensors.Mask)

    def __init__(
        self, min_size: float = 1.0, min_area: float = 1.0, labels_getter: Any = "default"
    ) -> None:
        super().__init__()
        if min_size < 1:
            raise ValueError(f"min_size must be >= 1, got {min_size}.")
        if min_area < 1:
            raise ValueError(f"min_area must be >= 1, got {min_area}.")
        self.min_size = min_size
        self.min_area = min_area
        self.labels_getter = labels_getter
        self._labels_getter = _getter(labels_getter)

    def _good(self, flat: list[Any]) -> Tensor:
        boxes = get_bounding_boxes(flat)
        good = F.valid_boxes(boxes, boxes.format, boxes.canvas_size, self.min_size, self.min_area)
        return from_owned(good)


class SanitizeKeyPoints(_Sanitize):
    """Without points outside of the image, and without their labels."""

    _kinds = (tv_tensors.KeyPoints,)

    def __init__(self, labels_getter: Any = None) -> None:
        super().__init__()
        self.labels_getter = labels_getter
        self._labels_getter = _getter(labels_getter)

    def _good(self, flat: list[Any]) -> Tensor:
        return F.sanitize_keypoints(get_keypoints(flat))[1]
