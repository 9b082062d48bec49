"""Images of several sizes in one tensor."""

from __future__ import annotations

from typing import Any

from chainrule.tensor import Tensor


class ImageList:
    """tensors: (N, C, H, W), padded at the bottom and the right; image_sizes: what each fills."""

    def __init__(self, tensors: Tensor, image_sizes: list[tuple[int, int]]) -> None:
        self.tensors = tensors
        self.image_sizes = image_sizes

    def to(self, device: Any) -> ImageList:
        """On `device`."""
        return ImageList(self.tensors.to(device), self.image_sizes)
