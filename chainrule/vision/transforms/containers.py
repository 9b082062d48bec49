"""Transforms made of transforms, of which some are done by chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule.nn import Module
from chainrule.vision.draws import draws
from chainrule.vision.transforms.base import Transform, TransformModule


class RandomTransforms(Transform):
    """What `RandomOrder` and `RandomChoice` share: a sequence of transforms."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence")
        self.transforms = transforms

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class RandomOrder(RandomTransforms):
    """All of `transforms`, in an order drawn anew for each image."""

    def __call__(self, img: Any) -> Any:
        for i in draws().shuffled(len(self.transforms)):
            img = self.transforms[i](img)
        return img


class RandomChoice(RandomTransforms):
    """One of `transforms`, with probabilities proportional to `p`."""

    def __init__(
        self, transforms: Sequence[Callable[[Any], Any]], p: Sequence[float] | None = None
    ) -> None:
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise TypeError("Argument p should be a sequence")
        self.p = p

    def __call__(self, *args: Any) -> Any:
        return self.transforms[draws().choice(len(self.transforms), self.p)](*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()}(p={self.p})"


class RandomApply(TransformModule):
    """All of `transforms`, with probability p; none of them otherwise."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]] | Module, p: float = 0.5) -> None:
        super().__init__()
        self.transforms: Any = transforms
        self.p = p

    def forward(self, img: Any) -> Any:
        if self.p >= draws().share():
            for transform in self.transforms:
                img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}(\n    p={self.p}{lines}\n)"
