"""Dropout layers: active in training mode only."""

from __future__ import annotations

from typing import Any

from chainrule.nn import functional as F
from chainrule.nn.modules.module import Module
from chainrule.tensor import Tensor


class _DropoutNd(Module):
    """Abstract: subclasses say `function`."""

    function: Any

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        return type(self).function(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """In training, elements are set to 0 with probability p and the rest divided by 1 − p; else x

    Any shape, floating dtype. The mask comes from the stream "dropout" of random numbers, so that
    it does not depend on what else was drawn. Raises ValueError for p outside [0, 1].

    Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors"
    (2012).

    >>> import chainrule as torch
    >>> layer = torch.nn.Dropout(0.5)
    >>> sorted(set(layer(torch.ones(100)).tolist())), layer.eval()(torch.ones(2))
    ([0.0, 2.0], tensor([1., 1.]))
    """

    function = staticmethod(F.dropout)


class Dropout1d(_DropoutNd):
    """Whole channels of (N, C, L)."""

    function = staticmethod(F.dropout1d)


class Dropout2d(_DropoutNd):
    """Whole channels of (N, C, H, W)."""

    function = staticmethod(F.dropout2d)


class Dropout3d(_DropoutNd):
    """Whole channels of (N, C, D, H, W)."""

    function = staticmethod(F.dropout3d)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps mean and variance under SELU (Klambauer et al. 2017)"""

    function = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_DropoutNd):
    """AlphaDropout of whole channels."""

    function = staticmethod(F.feature_alpha_dropout)
