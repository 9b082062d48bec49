"""What a transform of samples is: pictures, masks, boxes and labels in tuples, lists, dictionaries.

A subclass defines `transform(inpt, params)`, which is called with each part that it knows, and
`make_params(flat_inputs)`, which draws once for the whole sample.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.nn import Module
from chainrule.pytree import tree_flatten, tree_unflatten
from chainrule.tensor import Tensor
from chainrule.vision import tv_tensors
from chainrule.vision.draws import draws
from chainrule.vision.images import is_image
from chainrule.vision.transforms.v2 import functional as F
from chainrule.vision.transforms.v2.functional import is_pure_tensor

Check = type | Callable[[Any], bool]
Picture = (tv_tensors.Image, tv_tensors.Video)


class Transform(Module):
    """A transform of one image, or of a sample with an image in it.

    Where a sample has several plain tensors and neither an image nor a PIL image, the first is the
    image; the others (labels, say) stay.
    """

    _transformed_types: tuple[Check, ...] = (Tensor, is_image)

    def __init__(self) -> None:
        super().__init__()

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raises for samples that the transform cannot do."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """What is drawn for one sample."""
        return {}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """One part of the sample."""
        raise NotImplementedError(f"{type(self).__name__} should define transform(inpt, params)")

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat, spec = tree_flatten(sample)
        self.check_inputs(flat)
        if not self._wanted():
            return sample
        chosen = self._needs_transform_list(flat)
        params = self.make_params([x for x, yes in zip(flat, chosen, strict=True) if yes])
        done = [
            self.transform(x, params) if yes else x for x, yes in zip(flat, chosen, strict=True)
        ]
        return tree_unflatten(done, spec)

    def _wanted(self) -> bool:
        """Whether this sample is transformed at all."""
        return True

    def _needs_transform_list(self, flat_inputs: list[Any]) -> list[bool]:
        take_tensor = not has_any(flat_inputs, *Picture, is_image)
        chosen = []
        for inpt in flat_inputs:
            yes = check_type(inpt, self._transformed_types)
            if yes and is_pure_tensor(inpt):
                yes, take_tensor = take_tensor, False
            chosen.append(yes)
        return chosen

    def extra_repr(self) -> str:
        kinds = (bool, int, float, str, tuple, list, enum.Enum)
        shown = (
            f"{name}={value}"
            for name, value in vars(self).items()
            if not name.startswith("_") and name != "training" and isinstance(value, kinds)
        )
        return ", ".join(shown)


class RandomTransform(Transform):
    """A transform that is done with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        super().__init__()
        self.p = p

    def _wanted(self) -> bool:
        return draws().share() < self.p


# Questions about a sample


def check_type(obj: Any, types_or_checks: tuple[Check, ...]) -> bool:
    """Whether `obj` is of one of the types, or one of the checks says yes."""
    for one in types_or_checks:
        if isinstance(obj, one) if isinstance(one, type) else one(obj):
            return True
    return False


def has_any(flat_inputs: list[Any], *types_or_checks: Check) -> bool:
    """Whether some part is of one of the types."""
    return any(check_type(inpt, types_or_checks) for inpt in flat_inputs)


def has_all(flat_inputs: list[Any], *types_or_checks: Check) -> bool:
    """Whether there is a part of each of the types."""
    return all(has_any(flat_inputs, one) for one in types_or_checks)


def query_chw(flat_inputs: list[Any]) -> tuple[int, int, int]:
    """(channels, height, width) of the sample's pictures."""
    found = {
        tuple(F.get_dimensions(inpt))
        for inpt in flat_inputs
        if check_type(inpt, (is_pure_tensor, is_image, *Picture))
    }
    if not found:
        raise TypeError("No image or video was found in the sample")
    if len(found) > 1:
        raise ValueError(f"Found multiple CxHxW dimensions in the sample: {sorted(found)}")
    channels, height, width = found.pop()
    return channels, height, width


def query_size(flat_inputs: list[Any]) -> tuple[int, int]:
    """(height, width) of the sample's pictures, masks and boxes."""
    found = {
        tuple(F.get_size(inpt))
        for inpt in flat_inputs
        if check_type(inpt, (is_pure_tensor, is_image, tv_tensors.TVTensor))
    }
    if not found:
        raise TypeError("No image, video, mask, bounding box of keypoint was found in the sample")
    if len(found) > 1:
        raise ValueError(f"Found multiple HxW dimensions in the sample: {sorted(found)}")
    height, width = found.pop()
    return height, width


def get_bounding_boxes(flat_inputs: list[Any]) -> Any:
    """The first boxes of the sample."""
    for inpt in flat_inputs:
        if isinstance(inpt, tv_tensors.BoundingBoxes):
            return inpt
    raise ValueError("No bounding boxes were found in the sample")


def get_keypoints(flat_inputs: list[Any]) -> Any:
    """The first points of the sample."""
    for inpt in flat_inputs:
        if isinstance(inpt, tv_tensors.KeyPoints):
            return inpt
    raise ValueError("No keypoints were found in the sample")


def labels_getter(given: Any) -> Callable[[Any], Any]:
    """ "default", a function of the sample, or None, as a function that finds the labels."""
    if given == "default":
        return _likely_labels
    if callable(given):
        getter: Callable[[Any], Any] = given
        return getter
    if given is None:
        return lambda _: None
    raise ValueError(
        f"labels_getter should either be 'default', a callable, or None, but got {given}."
    )


def _likely_labels(inputs: Any) -> Any:
    if isinstance(inputs, tuple | list):
        inputs = inputs[1]
    if is_pure_tensor(inputs):
        return inputs
    if not isinstance(inputs, Mapping):
        raise ValueError(
            "When using the default labels_getter, the input passed to forward must be a "
            "dictionary or a two-tuple whose second item is a dictionary or a tensor, but got "
            f"{inputs} instead."
        )
    keys = [key for key in inputs if key.lower() == "labels"]
    keys = keys or [key for key in inputs if "label" in key.lower()]
    if not keys:
        raise ValueError(
            "Could not infer where the labels are in the sample. Try passing a callable as the "
            "labels_getter parameter? If there are no labels in the sample by design, pass "
            "labels_getter=None."
        )
    return inputs[keys[0]]


# Arguments


def fills(given: Any) -> dict[Any, Any]:
    """What lies outside of the image, for each kind: one value for all, or a dictionary."""
    table = given if isinstance(given, dict) else {"others": given}
    for value in table.values():
        if value is not None and not isinstance(value, int | float | tuple | list):
            raise TypeError(
                "Got inappropriate fill arg, only Numbers, tuples, lists and dicts are allowed."
            )
    return {
        kind: value if value is None or isinstance(value, int | float) else [*map(float, value)]
        for kind, value in table.items()
    }


def fill_of(table: dict[Any, Any], inpt: Any) -> Any:
    """The fill for this kind of part."""
    return table.get(type(inpt), table.get("others"))


def two_floats(given: Any, name: str) -> list[float]:
    """A number or a sequence of one or two, as two floats."""
    if not isinstance(given, int | float | Sequence):
        raise TypeError(f"{name} should be a number or a sequence of numbers. Got {type(given)}")
    values = [given] if isinstance(given, int | float) else list(given)
    if len(values) not in (1, 2):
        raise ValueError(f"If {name} is a sequence its length should be 1 or 2. Got {len(values)}")
    if not all(isinstance(value, int | float) for value in values):
        raise ValueError(f"{name} should be a sequence of numbers. Got {given}")
    return [float(values[0]), float(values[-1])]


def is_array(inpt: Any) -> bool:
    """Whether it is a NumPy array."""
    return isinstance(inpt, np.ndarray)
