"""Tensors that know what they are: an image, a mask, boxes, points or a video.

`chainrule.vision.transforms.v2` does with each what suits it. What is computed from one is a plain
tensor, but for `clone`, `to`, `detach` and `requires_grad_`; `wrap` makes it the same kind again.
"""

from __future__ import annotations

import threading
from enum import Enum
from typing import Any

from chainrule.dtypes import DType
from chainrule.tensor import Tensor
from chainrule.tensor.creation import as_tensor
from chainrule.tensor.overriding import DisableTorchFunctionSubclass
from chainrule.vision.images import is_image
from chainrule.vision.transforms.functional import pil_to_tensor

__all__ = [
    "BoundingBoxFormat",
    "BoundingBoxes",
    "Image",
    "KeyPoints",
    "Mask",
    "TVTensor",
    "Video",
    "is_rotated_bounding_format",
    "set_return_type",
    "wrap",
]

#: What keeps its kind: the names of `clone`, `to`, `detach`, `requires_grad_`, `pin_memory`.
_KEEPING = {"clone", "to", "_to", "detach", "requires_grad_", "pin_memory"}
_here = threading.local()


def _plain(data: Any, dtype: DType | None, requires_grad: bool | None) -> Tensor:
    """`data` as a tensor; images become (C, H, W)."""
    if requires_grad is None:
        requires_grad = isinstance(data, Tensor) and data.requires_grad
    if is_image(data):
        data = pil_to_tensor(data)
    with DisableTorchFunctionSubclass():
        found: Tensor = as_tensor(data, dtype=dtype)
        if isinstance(found, TVTensor):
            found = found.as_subclass(Tensor)
        return found.requires_grad_() if requires_grad and not found.requires_grad else found


class TVTensor(Tensor):
    """What the kinds share. Made from anything that `as_tensor` takes, or from a PIL image."""

    def __new__(
        cls,
        data: Any,
        *,
        dtype: DType | None = None,
        device: Any = None,
        requires_grad: bool | None = None,
    ) -> Any:
        return cls._checked(_plain(data, dtype, requires_grad)).as_subclass(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Everything was done when it was made."""

    @classmethod
    def _checked(cls, tensor: Tensor) -> Tensor:
        """The tensor in the shape that this kind has."""
        return tensor

    def _about(self) -> dict[str, Any]:
        """What it knows besides its numbers."""
        return {}

    @classmethod
    def wrap(cls, tensor: Tensor, like: Any, **kwargs: Any) -> Any:
        """`tensor` as this kind, with what `like` knows, or what is given."""
        out = tensor.as_subclass(cls)
        vars(out).update({**like._about(), **kwargs})
        return out

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not all(issubclass(cls, t) for t in types):
            return NotImplemented
        with DisableTorchFunctionSubclass():
            out = func(*args, **(kwargs or {}))
            like = next((a for a in _flat(args) if isinstance(a, cls)), None)
            if out is like or like is None:
                return out
            if getattr(_here, "keep", False) or func.__name__ in _KEEPING:
                return _kept(cls, out, like)
            if isinstance(out, cls):
                return out.as_subclass(Tensor)
            return out

    def __repr__(self, **_: Any) -> str:
        with DisableTorchFunctionSubclass():
            text = repr(self.as_subclass(Tensor))
        about = "".join(f", {name}={value}" for name, value in self._about().items())
        return f"{type(self).__name__}{text.removeprefix('tensor')[:-1]}{about})"

    def __deepcopy__(self, memo: Any) -> Any:
        with DisableTorchFunctionSubclass():
            copied = self.detach().clone().requires_grad_(self.requires_grad)
            return type(self).wrap(copied, like=self)


def _flat(args: Any) -> Any:
    for a in args:
        if isinstance(a, list | tuple):
            yield from a
        else:
            yield a


def _kept(cls: Any, out: Any, like: Any) -> Any:
    if isinstance(out, Tensor):
        return cls.wrap(out, like=like)
    if type(out) in (tuple, list):
        return type(out)(_kept(cls, part, like) for part in out)
    return out


def _at_least(tensor: Tensor, axes: int) -> Tensor:
    if tensor.ndim < axes - 1:
        raise ValueError(f"expected {axes} axes or more, got {tensor.ndim}")
    return tensor.unsqueeze(0) if tensor.ndim == axes - 1 else tensor


class Image(TVTensor):
    """An image (…, C, H, W)."""

    @classmethod
    def _checked(cls, tensor: Tensor) -> Tensor:
        return _at_least(tensor, 3)


class Video(TVTensor):
    """A video (…, T, C, H, W)."""

    @classmethod
    def _checked(cls, tensor: Tensor) -> Tensor:
        return _at_least(tensor, 4)


class Mask(TVTensor):
    """A mask (…, H, W): of classes, or one for each object."""


class BoundingBoxFormat(Enum):
    """What the numbers of a box are: corners, corner and size, or middle and size; R: an angle."""

    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWH = "CXCYWH"
    XYWHR = "XYWHR"
    CXCYWHR = "CXCYWHR"
    XYXYXYXY = "XYXYXYXY"


def is_rotated_bounding_format(format: BoundingBoxFormat | str) -> bool:
    """Whether boxes of this format may be turned."""
    if not isinstance(format, BoundingBoxFormat | str):
        raise ValueError(f"format should be str or BoundingBoxFormat, got {type(format)}")
    name = format if isinstance(format, str) else format.value
    return name in ("XYWHR", "CXCYWHR", "XYXYXYXY")


class BoundingBoxes(TVTensor):
    """Boxes (N, 4) in an image of `canvas_size` (height, width), in one of the formats.

    `clamping_mode` says whether transforms keep them inside the image: "soft", "hard" or None.
    """

    format: BoundingBoxFormat
    canvas_size: tuple[int, int]
    clamping_mode: str | None

    def __new__(
        cls,
        data: Any,
        *,
        format: BoundingBoxFormat | str,
        canvas_size: tuple[int, int],
        clamping_mode: str | None = "soft",
        dtype: DType | None = None,
        device: Any = None,
        requires_grad: bool | None = None,
    ) -> Any:
        tensor = _plain(data, dtype, requires_grad)
        if is_rotated_bounding_format(format) and not tensor.is_floating_point():
            raise ValueError(
                f"Rotated bounding boxes should be floating point tensors, got {tensor.dtype}."
            )
        if tensor.ndim not in (1, 2):
            raise ValueError(f"Expected a 1D or 2D tensor, got {tensor.ndim}D")
        if clamping_mode not in (None, "hard", "soft"):
            raise ValueError(f"clamping_mode must be None, hard or soft, got {clamping_mode}.")
        out = (tensor.unsqueeze(0) if tensor.ndim == 1 else tensor).as_subclass(cls)
        out.format = BoundingBoxFormat[format.upper()] if isinstance(format, str) else format
        out.canvas_size = tuple(canvas_size)
        out.clamping_mode = clamping_mode
        return out

    def _about(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "canvas_size": self.canvas_size,
            "clamping_mode": self.clamping_mode,
        }


class KeyPoints(TVTensor):
    """Points (…, 2) = (x, y) in an image of `canvas_size` (height, width)."""

    canvas_size: tuple[int, int]

    def __new__(
        cls,
        data: Any,
        *,
        canvas_size: tuple[int, int],
        dtype: DType | None = None,
        device: Any = None,
        requires_grad: bool | None = None,
    ) -> Any:
        tensor = _plain(data, dtype, requires_grad)
        tensor = tensor.unsqueeze(0) if tensor.ndim == 1 else tensor
        if tensor.shape[-1] != 2:
            raise ValueError(f"Expected a tensor of shape (..., 2), not {tuple(tensor.shape)}")
        out = tensor.as_subclass(cls)
        out.canvas_size = tuple(canvas_size)
        return out

    def _about(self) -> dict[str, Any]:
        return {"canvas_size": self.canvas_size}


def wrap(wrappee: Tensor, *, like: Any, **kwargs: Any) -> Any:
    """`wrappee` as the kind that `like` is, with what `like` knows, or what is given."""
    return type(like).wrap(wrappee, like=like, **kwargs)


class set_return_type:
    """Whether what is computed from a TVTensor is one too: "TVTensor", or "Tensor" (the default).

    As a `with` block, until its end; as a call, until the next.
    """

    def __init__(self, return_type: str) -> None:
        kept = {"tensor": False, "tvtensor": True}
        if return_type.lower() not in kept:
            raise ValueError(f"return_type must be 'TVTensor' or 'Tensor', got {return_type}")
        self.before = getattr(_here, "keep", False)
        _here.keep = kept[return_type.lower()]

    def __enter__(self) -> set_return_type:
        return self

    def __exit__(self, *_: object) -> None:
        _here.keep = self.before
