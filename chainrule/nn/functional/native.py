"""Functions that `torch` has under the names of `nn.functional`, with other arguments: the order of
weights and running values, `train`, reductions as numbers (0 none, 1 mean, 2 sum).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.tensor.functions import norm, permute, relu, split, tanh

_REDUCTIONS = ("none", "mean", "sum")


def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:  # fmt: skip
    """Rows of `weight`"""
    pad = None if padding_idx == -1 else padding_idx
    return F.embedding(indices, weight, pad, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


def batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, training: bool, momentum: float, eps: float, cudnn_enabled: bool,
) -> Tensor:  # fmt: skip
    """`nn.functional.batch_norm`"""
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, use_input_stats: bool, momentum: float, eps: float,
    cudnn_enabled: bool,
) -> Tensor:  # fmt: skip
    """`nn.functional.instance_norm`"""
    return F.instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5, cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """`nn.functional.group_norm`"""
    return F.group_norm(input, num_groups, weight, bias, eps)


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    bias: Tensor | None = None, eps: float = 1e-5, cudnn_enable: bool = True,
) -> Tensor:  # fmt: skip
    """`nn.functional.layer_norm`"""
    return F.layer_norm(input, normalized_shape, weight, bias, eps)


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.dropout`"""
    return F.dropout(input, p, train)


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`dropout` in place"""
    return F.dropout(input, p, train, True)


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.dropout` of whole channels"""
    return F.dropout2d(input, p, train)


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.alpha_dropout`"""
    return F.alpha_dropout(input, p, train)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`alpha_dropout` in place"""
    return F.alpha_dropout(input, p, train, True)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.feature_alpha_dropout`"""
    return F.feature_alpha_dropout(input, p, train)


def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """`nn.functional.channel_shuffle`"""
    return F.channel_shuffle(input, groups)


def native_norm(
    input: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Tensor:
    """`torch.norm`"""
    return norm(input, 2 if p is None else p, dim, keepdim, dtype=dtype)


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """A convolution over time: input (T, N, C), weight (K, C, O) → (T', N, O)"""
    x, w = permute(input, 1, 2, 0), permute(weight, 2, 1, 0)
    return permute(F.conv1d(x, w, bias, 1, pad), 2, 0, 1)


def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """`nn.functional.affine_grid`"""
    return F.affine_grid(theta, list(size), align_corners)


# ------------------------------------------------------------------ one step of a recurrent layer

_Hidden = tuple[Tensor, ...] | list[Tensor]


def _gates(x: Tensor, h: Tensor, w: Sequence[Any]) -> Tensor:
    w_ih, w_hh, b_ih, b_hh = w
    return F.linear(x, w_ih, b_ih) + F.linear(h, w_hh, b_hh)


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """h' = tanh(W x + b + U h + c)"""
    return tanh(_gates(input, hx, (w_ih, w_hh, b_ih, b_hh)))


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """h' = relu(W x + b + U h + c)"""
    return relu(_gates(input, hx, (w_ih, w_hh, b_ih, b_hh)))


def lstm_cell(
    input: Tensor, hx: _Hidden, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """(h', c') of a long short-term memory"""
    h, c = hx
    i, f, g, o = split(_gates(input, h, (w_ih, w_hh, b_ih, b_hh)), h.shape[-1], -1)
    c = F.sigmoid(f) * c + F.sigmoid(i) * tanh(g)
    return F.sigmoid(o) * tanh(c), c


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """h' of a gated recurrent unit"""
    n = hx.shape[-1]
    xr, xz, xn = split(F.linear(input, w_ih, b_ih), n, -1)
    hr, hz, hn = split(F.linear(hx, w_hh, b_hh), n, -1)
    r, z = F.sigmoid(xr + hr), F.sigmoid(xz + hz)
    new = tanh(xn + r * hn)
    return new + z * (hx - new)


# ------------------------------------------------------------------ losses


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None,
    reduction: int = 1,
) -> Tensor:  # fmt: skip
    """`nn.functional.binary_cross_entropy_with_logits`"""
    return F.binary_cross_entropy_with_logits(
        input, target, weight, reduction=_REDUCTIONS[reduction], pos_weight=pos_weight
    )


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """`nn.functional.cosine_embedding_loss`"""
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=_REDUCTIONS[reduction])


def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: int = 1, zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """`nn.functional.ctc_loss`"""
    return F.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, _REDUCTIONS[reduction],
        zero_infinity,
    )  # fmt: skip


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 1
) -> Tensor:
    """`nn.functional.hinge_embedding_loss`"""
    return F.hinge_embedding_loss(input, target, margin, reduction=_REDUCTIONS[reduction])


def kl_div(
    input: Tensor, target: Tensor, reduction: int = 1, *, log_target: bool = False
) -> Tensor:
    """`nn.functional.kl_div`"""
    return F.kl_div(input, target, reduction=_REDUCTIONS[reduction], log_target=log_target)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """`nn.functional.margin_ranking_loss`"""
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=_REDUCTIONS[reduction])


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int
) -> Tensor:
    """`nn.functional.poisson_nll_loss`"""
    return F.poisson_nll_loss(
        input, target, log_input, full, eps=eps, reduction=_REDUCTIONS[reduction]
    )


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
    eps: float = 1e-6, swap: bool = False, reduction: int = 1,
) -> Tensor:  # fmt: skip
    """`nn.functional.triplet_margin_loss`"""
    return F.triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=_REDUCTIONS[reduction]
    )


__all__ = [
    "affine_grid_generator", "alpha_dropout", "alpha_dropout_", "batch_norm",
    "binary_cross_entropy_with_logits", "conv_tbc", "cosine_embedding_loss", "ctc_loss", "dropout",
    "dropout_", "embedding", "feature_alpha_dropout", "feature_dropout", "group_norm", "gru_cell",
    "hinge_embedding_loss", "instance_norm", "kl_div", "layer_norm", "lstm_cell",
    "margin_ranking_loss", "native_channel_shuffle", "native_norm", "poisson_nll_loss",
    "rnn_relu_cell", "rnn_tanh_cell", "triplet_margin_loss",
]  # fmt: skip
