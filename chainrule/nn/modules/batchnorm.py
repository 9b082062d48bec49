"""Batch and instance normalisation, with running statistics."""

from __future__ import annotations

from typing import Any

from chainrule.dtypes import DType, int64
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.modules.lazy import LazyModuleMixin
from chainrule.nn.modules.make import parameter
from chainrule.nn.modules.module import Module
from chainrule.nn.modules.simple import SPACE
from chainrule.nn.parameter import UninitializedBuffer, UninitializedParameter
from chainrule.tensor import Tensor
from chainrule.tensor.creation import ones, tensor, zeros
from chainrule.tensor.mutate import count_up


class _NormBase(Module):
    """Weight, bias, running mean and variance. Abstract: subclasses say `ranks`."""

    _version = 2
    ranks: tuple[int, ...] = ()

    @property
    def _takes(self) -> dict[str, list[str]]:
        return {"input": [f"batch channels=num_features {SPACE[r - 2]}" for r in self.ranks]}

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True, device: Any = None,
        dtype: DType | None = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.register_parameter(
            "weight", parameter((num_features,), dtype, device) if affine else None
        )
        self.register_parameter(
            "bias", parameter((num_features,), dtype) if affine and bias else None
        )
        self.register_buffer(
            "running_mean", zeros(num_features, dtype=dtype) if track_running_stats else None
        )
        self.register_buffer(
            "running_var", ones(num_features, dtype=dtype) if track_running_stats else None
        )
        self.register_buffer(
            "num_batches_tracked", tensor(0, dtype=int64) if track_running_stats else None
        )
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batch seen."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in self.ranks:
            wanted = " or ".join(f"{r}D" for r in self.ranks)
            raise ValueError(f"expected {wanted} input (got {input.ndim}D input)")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: Any,
        unexpected_keys: Any,
        error_msgs: Any,
    ) -> None:
        """Files of version 1 have no count of batches: it starts at 0."""
        key = prefix + "num_batches_tracked"
        if (
            (local_metadata.get("version") or 1) < 2
            and self.track_running_stats
            and key not in state_dict
        ):
            state_dict[key] = tensor(0, dtype=int64)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class _BatchNorm(_NormBase):
    """Abstract."""

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        if input.shape[1] != self.num_features:
            raise ValueError(
                f"expected input with {self.num_features} channels on axis 1, got shape "
                f"{tuple(input.shape)}; the layer has "
                f"num_features={self.num_features}"
            )
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            if not count_up(self.num_batches_tracked):
                self.num_batches_tracked.add_(1)
            if self.momentum is None:  # a plain average over all batches
                factor = 1.0 / float(self.num_batches_tracked)
        batch = self.training or self.running_mean is None
        keep = not self.training or self.track_running_stats
        return F.batch_norm(
            input, self.running_mean if keep else None, self.running_var if keep else None,
            self.weight, self.bias, batch, factor, self.eps,
        )  # fmt: skip


class BatchNorm1d(_BatchNorm):
    """(x − μ)/√(σ² + ε) · weight + bias per channel of (N, C) or (N, C, L)

    In training μ, σ² are the batch's, and running values move by `momentum`; in evaluation they are
    the running values. See BatchNorm2d.

    >>> import chainrule as torch
    >>> torch.nn.BatchNorm1d(3).eval()(torch.ones(1, 3)).shape
    torch.Size([1, 3])
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """(x − μ)/√(σ² + ε) · weight + bias per channel of (N, C, H, W)

    In training μ and σ² = Σ (x − μ)²/n are the batch's, over N, H, W, and the running values move:
    r ← (1 − momentum) r + momentum · (μ or σ² n/(n − 1)); momentum=None averages over all batches.
    In evaluation the running values stand for μ, σ² (with track_running_stats=False the batch's
    always). weight starts at 1, bias at 0. Raises ValueError for another rank, other channels, or
    one value per channel in training.

    Ioffe and Szegedy, "Batch normalization" (2015).

    >>> import chainrule as torch
    >>> layer = torch.nn.BatchNorm2d(3)
    >>> y = layer(torch.randn(4, 3, 5, 5) * 7 + 1)
    >>> y.shape, layer.num_batches_tracked
    (torch.Size([4, 3, 5, 5]), tensor(1))
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """BatchNorm1d for (N, C, D, H, W)."""

    ranks = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch norm over all processes: here there is one, so it is the ordinary one."""

    ranks = (2, 3, 4, 5)


class _InstanceNorm(_NormBase):
    """Abstract."""

    @property
    def _takes(self) -> dict[str, Any]:
        return {"input": f"batch? channels=num_features {SPACE[max(self.ranks) - 2]}"}

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: Any = None, dtype: DType | None = None, *,
        bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        single = input.ndim == self.ranks[0]
        x = input.unsqueeze(0) if single else input
        if self.affine and x.shape[1] != self.num_features:
            raise ValueError(
                f"expected input's size at dim=1 to match num_features ({self.num_features}), but "
                f"got: {x.shape[1]}."
            )
        y = F.instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, self.momentum or 0.0, self.eps,
        )  # fmt: skip
        return y.squeeze(0) if single else y


class InstanceNorm1d(_InstanceNorm):
    """(x − μ)/√(σ² + ε) per sample and channel of (N, C, L) (Ulyanov et al. 2016)"""

    ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """InstanceNorm1d for (N, C, H, W)."""

    ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """InstanceNorm1d for (N, C, D, H, W)."""

    ranks = (4, 5)


class _LazyNorm(LazyModuleMixin, _NormBase):
    """Abstract: num_features from the first input."""

    def __init__(
        self, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: DType | None = None, *,
        bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(0, eps, momentum, False, False, device, dtype)
        self.affine, self.track_running_stats = affine, track_running_stats
        if affine:
            self.weight = UninitializedParameter(dtype=dtype)
        if affine and bias:
            self.bias = UninitializedParameter(dtype=dtype)
        if track_running_stats:
            self.running_mean, self.running_var = (
                UninitializedBuffer(dtype=dtype),
                UninitializedBuffer(dtype=dtype),
            )
            self.num_batches_tracked = tensor(0, dtype=int64)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.num_features:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        lead = 1 if input.ndim == max(self.ranks) or isinstance(self, _BatchNorm) else 0
        self.num_features = input.shape[lead]
        if not self.has_uninitialized_params():  # a state dict was loaded
            return
        for member in (self.weight, self.bias, self.running_mean, self.running_var):
            if member is not None:
                member.materialize((self.num_features,))
        self.reset_parameters()


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """BatchNorm1d that takes num_features from its first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """BatchNorm2d that takes num_features from its first input."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """BatchNorm3d that takes num_features from its first input."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """InstanceNorm1d that takes num_features from its first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """InstanceNorm2d that takes num_features from its first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """InstanceNorm3d that takes num_features from its first input."""

    cls_to_become = InstanceNorm3d
