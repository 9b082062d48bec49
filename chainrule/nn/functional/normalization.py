"""Normalisation layers as functions."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import ops, shapes
from chainrule.dtypes import finfo
from chainrule.errors import ShapeError
from chainrule.ir.node import Node
from chainrule.tensor import Tensor, autocast, no_grad
from chainrule.tensor.functions import mean as _mean
from chainrule.tensor.functions import norm as _norm
from chainrule.tensor.functions import var as _var
from chainrule.tensor.handle import node_of
from chainrule.tensor.mutate import update
from chainrule.tensor.record import apply, steady, varying
from chainrule.tensor.trace import state


def _affine(
    y: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...]
) -> Tensor:
    if weight is not None:
        y = y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


@autocast.same
def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    bias: Tensor | None = None, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """(x − μ)/√(σ² + ε) over the last axes, then weight and bias"""
    y: Tensor = apply(_layer_norm, input, weight, bias, tail=tuple(normalized_shape), eps=eps)
    return y


def _layer_norm(
    x: Node, weight: Node | None, bias: Node | None, *, tail: tuple[int, ...], eps: float
) -> Node:
    n = len(tail)
    if x.shape[x.ndim - n :] != tail:
        raise ShapeError(
            f"Given normalized_shape={list(tail)}, expected input with shape [*, "
            f"{', '.join(map(str, tail))}], but got "
            f"input of size{list(x.shape)}"
        )
    y = ops.standardize(x, axis=tuple(range(x.ndim - n, x.ndim)), eps=eps)
    return _scaled(y, weight, bias, tail)


def _scaled(y: Node, weight: Node | None, bias: Node | None, shape: tuple[int, ...]) -> Node:
    if weight is not None:
        y = y * _reshaped(weight, shape)
    return y if bias is None else y + _reshaped(bias, shape)


def _reshaped(x: Node, shape: tuple[int, ...]) -> Node:
    return x if x.shape == shape else ops.reshape(x, shape=shape)


@autocast.same
def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:  # fmt: skip
    """x/√(mean x² + ε) over the last axes, then weight"""
    epsilon = float(finfo(input.dtype).eps) if eps is None else eps
    n = len(tuple(normalized_shape))
    if not n:
        raise RuntimeError("Expected normalized_shape to be at least 1-dimensional, got []")
    if tuple(input.shape[-n:]) != tuple(normalized_shape):
        raise RuntimeError(
            f"Given normalized_shape={list(normalized_shape)}, expected input with shape "
            f"[*, {', '.join(map(str, normalized_shape))}], but got input of size "
            f"{list(input.shape)}"
        )
    y: Tensor = apply(
        ops.rms_standardize, input, axis=tuple(range(input.ndim - n, input.ndim)), eps=epsilon
    )
    return _affine(y, weight, None, tuple(normalized_shape))


def _channels(x: Tensor, n: int) -> tuple[int, ...]:
    return (1, n, *(1,) * (x.ndim - 2))


@autocast.same
def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """(x − μ)/√(σ² + ε) per channel (axis 1), of the batch in training, of the running values else

    In training the running values move: r ← (1 − momentum) r + momentum · batch (the variance with
    n − 1).
    """
    if input.ndim == 1 and not input.shape[0]:  # PyTorch lets nothing through as nothing
        return input * 1
    c = input.shape[1]
    shape = _channels(input, c)
    axes = (0, *range(2, input.ndim))
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "Expected running_mean and running_var to be defined when training=False"
            )
        y: Tensor = apply(
            _standing_norm, input, running_mean, running_var, weight, bias, shape=shape, eps=eps
        )
        return y
    per = shapes.size([input.shape[a] for a in axes])
    if per == 1:
        raise ValueError(
            "Expected more than 1 value per channel when training, got input size "
            f"{input.size()}"
        )
    if running_mean is not None and running_var is not None:
        running, dtype = (running_mean, running_var), running_mean.dtype
        _check_batches(input, running)
        with no_grad():
            if steady(("batch_norm", c, per), momentum):
                update(running, _moved, input, axes=axes, momentum=momentum)
            else:  # a number that changes is data, not a part of the program
                rates = varying(1 - momentum, dtype), varying(momentum, dtype)
                update(running, _moved, input, *rates, axes=axes)
    return apply(_batch_norm, input, weight, bias, axes=axes, shape=shape, eps=eps)


def _check_batches(input: Tensor, running: tuple[Tensor, Tensor]) -> None:
    """Inside vmap, statistics that all samples share cannot follow each of them."""
    for level in state.here.lanes:
        if level.holds(node_of(input)) and not all(level.holds(node_of(r)) for r in running):
            raise RuntimeError(
                "Batch norm got a batched tensor as input while the running_mean or running_var, "
                "which will be updated in place, were not batched.\nIf you are using a module and "
                "do not need eval mode, please set `track_running_stats` to be False. If you are "
                "using a prebuilt module and do not need eval mode, replace its batch norm layers, "
                "by GroupNorm for example."
            )


def _standing_norm(
    x: Node,
    mean: Node,
    var: Node,
    weight: Node | None,
    bias: Node | None,
    *,
    shape: tuple[int, ...],
    eps: float,
) -> Node:
    scale = ops.rsqrt(var + eps)
    y = (x - ops.reshape(mean, shape=shape)) * ops.reshape(scale, shape=shape)
    return _scaled(y, weight, bias, shape)


def _batch_norm(
    x: Node,
    weight: Node | None,
    bias: Node | None,
    *,
    axes: tuple[int, ...],
    shape: tuple[int, ...],
    eps: float,
) -> Node:
    return _scaled(ops.standardize(x, axis=axes, eps=eps), weight, bias, shape)


def _moved(
    mean: Node,
    var: Node,
    x: Node,
    *rates: Node,
    axes: tuple[int, ...],
    momentum: float = 0.0,
) -> tuple[Node, Node]:
    """Running values after a batch."""
    keep, rate = rates or (1 - momentum, momentum)
    return (
        mean * keep + ops.mean(x, axis=axes, keepdim=False) * rate,
        var * keep + ops.var(x, axis=axes, correction=1, keepdim=False) * rate,
    )


@autocast.same
def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """(x − μ)/√(σ² + ε) per sample and channel"""
    axes = tuple(range(2, input.ndim))
    shape = _channels(input, input.shape[1])
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if shapes.size(input.shape[2:]) == 1:
        raise ValueError(
            "Expected more than 1 spatial element when training, got input size "
            f"{input.size()}"
        )
    if running_mean is not None and running_var is not None:
        with no_grad():
            running_mean.mul_(1 - momentum).add_(_mean(_mean(input.detach(), axes), 0) * momentum)
            running_var.mul_(1 - momentum).add_(_mean(_var(input.detach(), axes), 0) * momentum)
    y: Tensor = apply(ops.standardize, input, axis=axes, eps=eps)
    return _affine(y, weight, bias, shape)


@autocast.same
def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """(x − μ)/√(σ² + ε) per sample and group of channels"""
    n, c = input.shape[:2]
    if c % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(input.shape)} and num_groups={num_groups}"
        )
    x = input.reshape(n, num_groups, shapes.size(input.shape[1:]) // num_groups)
    y: Tensor = apply(ops.standardize, x, axis=(2,), eps=eps)
    return _affine(y.reshape(input.shape), weight, bias, _channels(input, c))


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x / (k + alpha/size Σ x²)^beta over `size` neighbouring channels (Krizhevsky et al. 2012)"""
    squares = (input * input).movedim(1, -1)
    pads = {
        "size": (size,),
        "stride": (1,),
        "low": (size // 2,),
        "high": ((size - 1) // 2,),
        "dilation": (1,),
    }
    total: Tensor = apply(ops.sum_pool, squares, **pads)
    return input / (total.movedim(-1, 1) * (alpha / size) + k).pow(beta)


def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """x / max(‖x‖ₚ, ε) along an axis"""
    y = input / _norm(input, p, dim, keepdim=True).clamp(min=eps)
    return y if out is None else out.copy_(y)
