"""`nn.functional` beside PyTorch's: value and gradients of every function that both have, and what
both refuse.
"""

import inspect
import math
import warnings
import zlib

import numpy as np
import pytest
import torch

import chainrule

# An expression, and what its names stand for: shapes of numbers ("2 3"), of numbers in an interval
# ("0.1..0.9: 2 3"), of whole numbers below n ("5: 2 3"), of truth values ("?: 2 3"), of −1 and 1
# ("±: 2 3"); sizes with a minus sign: no gradient is asked for.
FUNCTIONS = {
    # activations
    "F.relu(x)": {"x": "3 4"},
    "F.relu6(x * 9)": {"x": "3 4"},
    "F.leaky_relu(x, 0.3)": {"x": "3 4"},
    "F.prelu(x, w)": {"x": "2 3 4", "w": "3"},
    "F.prelu(x, w) ": {"x": "2 3 4", "w": "1"},
    "F.rrelu(x)": {"x": "3 4"},
    "F.elu(x, 0.7)": {"x": "3 4"},
    "F.celu(x, 2.0)": {"x": "3 4"},
    "F.selu(x)": {"x": "0 4"},
    "F.gelu(x)": {"x": "3 4"},
    "F.gelu(x, approximate='tanh')": {"x": "3 4"},
    "F.silu(x)": {"x": "3 4"},
    "F.mish(x)": {"x": "3 4"},
    "F.sigmoid(x)": {"x": "3 4"},
    "F.tanh(x)": {"x": "3 4"},
    "F.tanhshrink(x)": {"x": "3 4"},
    "F.softsign(x)": {"x": "3 4"},
    "F.softplus(x, 2, 0.5)": {"x": "3 4"},
    "F.logsigmoid(x * 50)": {"x": "3 4"},
    "F.hardtanh(x, -0.3, 0.5)": {"x": "3 4"},
    "F.hardsigmoid(x * 4)": {"x": "3 4"},
    "F.hardswish(x * 4)": {"x": "3 4"},
    "F.hardshrink(x, 0.4)": {"x": "3 4"},
    "F.softshrink(x, 0.4)": {"x": "3 4"},
    "F.threshold(x, 0.2, -3)": {"x": "3 4"},
    "F.glu(x, 0)": {"x": "4 3"},
    "F.softmax(x, 1)": {"x": "3 4 2"},
    "F.softmax(x * 500, -1)": {"x": "3 4"},
    "F.softmax(x, 0, dtype=torch.float64)": {"x": "3"},
    "F.softmax(x, 0)": {"x": ""},
    "F.softmin(x, 1)": {"x": "3 4"},
    "F.log_softmax(x * 500, 1)": {"x": "3 4"},
    "F.log_softmax(x, 0)": {"x": "0 4"},
    "F.relu_(x * 1)": {"x": "3 4"},
    "F.relu(x * 1, inplace=True)": {"x": "3 4"},
    "F.elu_(x * 1)": {"x": "3 4"},
    "F.selu_(x * 1)": {"x": "3 4"},
    "F.celu_(x * 1, 0.5)": {"x": "3 4"},
    "F.leaky_relu_(x * 1, 0.2)": {"x": "3 4"},
    "F.hardtanh_(x * 1)": {"x": "3 4"},
    "F.threshold_(x * 1, 0.1, 2.0)": {"x": "3 4"},
    # linear maps
    "F.linear(x, w, b)": {"x": "2 3 4", "w": "5 4", "b": "5"},
    "F.linear(x, w)": {"x": "4", "w": "5 4"},
    "F.linear(x, w) ": {"x": "0 4", "w": "5 4"},
    "F.linear(x, w)  ": {"x": "3 4", "w": "4"},
    "F.bilinear(x, y, w, b)": {"x": "2 3", "y": "2 4", "w": "5 3 4", "b": "5"},
    "F.conv1d(x, w, b, 2, 1, 2, 2)": {"x": "2 4 9", "w": "6 2 3", "b": "6"},
    "F.conv2d(x, w, b, padding='same', dilation=(1, 2))": {
        "x": "2 3 5 6", "w": "4 3 3 3", "b": "4"
    },
    "F.conv2d(x, w)": {"x": "3 5 6", "w": "4 3 3 3"},
    "F.conv2d(x, w, groups=3)": {"x": "2 3 18 20", "w": "6 1 3 3"},
    "F.conv3d(x, w, stride=(1, 2, 1), padding=1)": {"x": "1 2 4 5 3", "w": "3 2 2 3 2"},
    "F.conv_transpose1d(x, w, b, 2, 1, 1, 2, 2)": {"x": "2 4 5", "w": "4 3 3", "b": "6"},
    "F.conv_transpose2d(x, w, stride=2)": {"x": "3 4 5", "w": "3 2 3 2"},
    "F.conv_transpose2d(x, w) ": {"x": "2 3 9 8", "w": "3 2 3 2"},
    "F.conv_transpose3d(x, w)": {"x": "1 2 3 2 3", "w": "2 3 2 2 2"},
    "F.unfold(x, (2, 3), padding=1, stride=2)": {"x": "2 3 5 6"},
    "F.fold(x, (5, 6), (2, 3), padding=1, stride=2)": {"x": "2 12 9"},
    # pooling
    "F.max_pool1d(x, 2, ceil_mode=True)": {"x": "2 3 7"},
    "F.max_pool2d(x, 3, 2, 1, return_indices=True)": {"x": "2 3 6 7"},
    "F.max_pool3d(x, 2, 1)": {"x": "1 2 3 4 3"},
    "F.max_pool2d_with_indices(x, 2)": {"x": "2 3 4 4"},
    "F.avg_pool1d(x, 3, 1, 1)": {"x": "2 3 7"},
    "F.avg_pool2d(x, (2, 3), divisor_override=5)": {"x": "2 3 6 7"},
    "F.avg_pool3d(x, 2, ceil_mode=True)": {"x": "1 2 3 4 5"},
    "F.lp_pool1d(x, 2, 3)": {"x": "2 3 7"},
    "F.lp_pool2d(x, 2, 3)": {"x": "2 3 7 7"},
    "F.lp_pool3d(x, 2, 2)": {"x": "2 3 4 4 4"},
    "F.adaptive_avg_pool1d(x, 3)": {"x": "2 3 7"},
    "F.adaptive_avg_pool2d(x, (3, 1))": {"x": "2 3 7 5"},
    "F.adaptive_avg_pool3d(x, 2)": {"x": "2 3 4 5 3"},
    "F.adaptive_max_pool1d(x, 3)": {"x": "2 3 7"},
    "F.adaptive_max_pool2d(x, (3, None), True)": {"x": "2 3 7 5"},
    "F.adaptive_max_pool3d(x, 2)": {"x": "2 3 4 5 3"},
    "F.adaptive_max_pool1d_with_indices(x, 3)": {"x": "2 3 7"},
    "F.adaptive_max_pool2d_with_indices(x, 3)": {"x": "2 3 7 5"},
    "F.adaptive_max_pool3d_with_indices(x, 2)": {"x": "1 2 3 4 5"},
    "F.fractional_max_pool2d(x, 3, (2, 3), _random_samples=u)": {
        "x": "2 3 7 9", "u": "0..1: -2 -3 -2"
    },
    "F.fractional_max_pool3d(x, 2, output_ratio=0.5, _random_samples=u)": {
        "x": "2 2 7 6 9", "u": "0..1: -2 -2 -3"
    },
    "F.max_unpool1d(x, i, 2)": {"x": "1 2 2", "i": "[[[0, 3], [1, 2]]]"},
    "F.max_unpool2d(x, i, 2, output_size=(3, 5))": {"x": "1 1 1 2", "i": "[[[[3, 14]]]]"},
    # normalisation
    "F.batch_norm(x, None, None, w, b, True)": {"x": "5 3 2", "w": "3", "b": "3"},
    "F.batch_norm(x, m, v, w, b)": {"x": "5 3", "m": "-3", "v": "0.1..2: -3", "w": "3", "b": "3"},
    "F.instance_norm(x)": {"x": "2 3 5"},
    "F.layer_norm(x, (3, 4), w, b)": {"x": "2 3 4", "w": "3 4", "b": "3 4"},
    "F.layer_norm(x, (4,))": {"x": "2 3 4"},
    "F.rms_norm(x, (4,), w)": {"x": "3 4", "w": "4"},
    "F.group_norm(x, 2, w, b)": {"x": "3 4 5", "w": "4", "b": "4"},
    "F.local_response_norm(x, 3)": {"x": "2 5 4"},
    "F.normalize(x)": {"x": "3 4"},
    "F.normalize(x, p=1, dim=0)": {"x": "3 4"},
    # tables
    "F.embedding(i, w, padding_idx=1)": {"i": "6: 3 4", "w": "6 5"},
    "F.embedding(i, w, scale_grad_by_freq=True)": {"i": "6: 30", "w": "6 5"},
    "F.embedding_bag(i, w, o, mode='mean')": {"i": "6: 7", "w": "6 5", "o": "[0, 2, 2, 5]"},
    "F.embedding_bag(i, w, o, mode='max')": {"i": "6: 7", "w": "6 5", "o": "[0, 3, 5]"},
    "F.embedding_bag(i, w, mode='sum', per_sample_weights=p)": {
        "i": "6: 3 4", "w": "6 5", "p": "3 4"
    },
    "F.embedding_bag(i, w, o, mode='sum', include_last_offset=True)": {
        "i": "6: 7", "w": "6 5", "o": "[0, 3, 7]"
    },
    "F.one_hot(i)": {"i": "6: 3 4"},
    "F.one_hot(i, 9)": {"i": "6: 3 4"},
    # padding, resizing, rearranging, distances
    "F.pad(x, (1, 2))": {"x": "2 3 4"},
    "F.pad(x, (1, -1, 0, 2), value=3.0)": {"x": "2 3 4"},
    "F.pad(x, (1, 2), mode='reflect')": {"x": "2 3 4"},
    "F.pad(x, (1, 2, 2, 1), mode='replicate')": {"x": "2 3 4 5"},
    "F.pad(x, (1, 2), mode='circular')": {"x": "2 3 4"},
    "F.interpolate(x, scale_factor=1.7)": {"x": "2 3 4 5"},
    "F.interpolate(x, size=(3, 7), mode='nearest-exact')": {"x": "2 3 4 5"},
    "F.interpolate(x, size=(3, 7), mode='area')": {"x": "2 3 4 5"},
    "F.interpolate(x, scale_factor=1.7, mode='bilinear', align_corners=True)": {"x": "2 3 4 5"},
    "F.interpolate(x, scale_factor=1.7, mode='bilinear', recompute_scale_factor=True)": {
        "x": "1 1 4 5"
    },
    "F.interpolate(x, size=(3, 9), mode='bilinear', antialias=True)": {"x": "1 2 7 8"},
    "F.interpolate(x, size=(3, 9), mode='bicubic', antialias=True)": {"x": "1 2 7 8"},
    "F.interpolate(x, size=(8, 9), mode='bicubic', align_corners=True)": {"x": "1 2 4 5"},
    "F.upsample_nearest(x, scale_factor=2)": {"x": "1 2 4 5"},
    "F.upsample_bilinear(x, (7, 8))": {"x": "1 2 4 5"},
    "F.pixel_shuffle(x, 2)": {"x": "2 8 3 2"},
    "F.pixel_unshuffle(x, 2)": {"x": "2 2 4 6"},
    "F.channel_shuffle(x, 3)": {"x": "2 6 4"},
    "F.affine_grid(x, (2, 3, 4, 5), align_corners=False)": {"x": "2 2 3"},
    "F.affine_grid(x, (2, 3, 4, 5), align_corners=True)": {"x": "2 2 3"},
    "F.grid_sample(x, y, align_corners=False)": {"x": "2 3 4 5", "y": "-1.3..1.3: 2 3 4 2"},
    "F.grid_sample(x, y, padding_mode='border', align_corners=True)": {
        "x": "2 3 4 5", "y": "-1.3..1.3: 2 3 4 2"
    },
    "F.grid_sample(x, y, padding_mode='reflection', align_corners=False)": {
        "x": "2 3 4 5", "y": "-1.9..1.9: 2 3 4 2"
    },
    "F.grid_sample(x, y, mode='nearest', align_corners=False)": {
        "x": "2 3 4 5", "y": "-1.3..1.3: 2 3 4 2"
    },
    "F.cosine_similarity(x, y)": {"x": "3 4", "y": "3 4"},
    "F.cosine_similarity(x, y, -1)": {"x": "3 1 4", "y": "2 4"},
    "F.pairwise_distance(x, y, 3)": {"x": "3 4", "y": "3 4"},
    "F.pdist(x)": {"x": "4 3"},
    "F.pdist(x, 1)": {"x": "4 3"},
    # attention
    "F.scaled_dot_product_attention(x, y, z)": {"x": "2 3 4 6", "y": "2 3 5 6", "z": "2 3 5 2"},
    "F.scaled_dot_product_attention(x, y, z, is_causal=True)": {
        "x": "2 4 6", "y": "2 4 6", "z": "2 4 3"
    },
    "F.scaled_dot_product_attention(x, y, z, m)": {
        "x": "2 4 6", "y": "2 5 6", "z": "2 5 3", "m": "4 5"
    },
    "F.scaled_dot_product_attention(x, y, z, m, scale=0.3)": {
        "x": "2 4 6", "y": "2 5 6", "z": "2 5 3", "m": "?: 4 5"
    },
    "F.scaled_dot_product_attention(x, y, z, enable_gqa=True)": {
        "x": "2 6 4 3", "y": "2 2 5 3", "z": "2 2 5 3"
    },
    # dropout, where nothing is random
    "F.dropout(x, 0.4, False)": {"x": "3 4"},
    "F.dropout(x, 1.0)": {"x": "3 4"},
    "F.alpha_dropout(x, 0.3)": {"x": "3 4"},
    "F.dropout2d(x, 0.4, False)": {"x": "2 3 4 4"},
}  # fmt: skip

_PAIR = {"x": "3 4", "y": "3 4"}
_UNIT = {"x": "0.05..0.95: 3 4", "y": "0..1: 3 4"}
_ROWS = {"x": "5 4", "i": "4: 5"}
_IMAGE = {"x": "2 4 3 2", "i": "4: 2 3 2"}
LOSSES = {
    "F.mse_loss(x, y{r})": _PAIR,
    "F.l1_loss(x, y{r})": _PAIR,
    "F.huber_loss(x, y, delta=0.7{r})": _PAIR,
    "F.smooth_l1_loss(x, y, beta=0.3{r})": _PAIR,
    "F.smooth_l1_loss(x, y, beta=0{r})": _PAIR,
    "F.binary_cross_entropy(x, y{r})": _UNIT,
    "F.binary_cross_entropy(x, y, w{r})": {**_UNIT, "w": "0..1: -4"},
    "F.binary_cross_entropy(x, y.detach(){r})": {
        "x": "[[0., 1.], [0., 1.]]", "y": "[[0., 0.], [1., 1.]]"
    },
    "F.binary_cross_entropy_with_logits(x * 50, y{r})": {"x": "3 4", "y": "0..1: 3 4"},
    "F.binary_cross_entropy_with_logits(x, y, w, pos_weight=p{r})": {
        "x": "3 4", "y": "0..1: 3 4", "w": "0..1: -3 -1", "p": "0..3: -4"
    },
    "F.nll_loss(x, i{r})": _ROWS,
    "F.nll_loss(x, i, w{r})": {**_ROWS, "w": "0.1..2: -4"},
    "F.nll_loss(x, i, ignore_index=1{r})": _IMAGE,
    "F.cross_entropy(x, i{r})": _ROWS,
    "F.cross_entropy(x * 300, i{r})": _ROWS,
    "F.cross_entropy(x, i, w{r})": {**_ROWS, "w": "0.1..2: -4"},
    "F.cross_entropy(x, i, w, ignore_index=2, label_smoothing=0.2{r})": {
        **_IMAGE, "w": "0.1..2: -4"
    },
    "F.cross_entropy(x, i, label_smoothing=0.2{r})": {"x": "4", "i": "4: "},
    "F.cross_entropy(x, y{r})": {"x": "5 4", "y": "0..1: 5 4"},
    "F.cross_entropy(x, y, w, label_smoothing=0.1{r})": {
        "x": "2 4 3", "y": "0..1: 2 4 3", "w": "0.1..2: -4"
    },
    "F.cross_entropy(x, i, ignore_index=-100{r})": {"x": "3 4", "i": "[0, -100, 2]"},
    "F.kl_div(F.log_softmax(x, 1), y{r})": {"x": "3 4", "y": "0..1: 3 4"},
    "F.kl_div(x, y, log_target=True{r})": _PAIR,
    "F.poisson_nll_loss(x, y{r})": {"x": "3 4", "y": "0..5: -3 -4"},
    "F.poisson_nll_loss(x, y, log_input=False, full=True{r})": {
        "x": "0.1..3: 3 4", "y": "0..5: -3 -4"
    },
    "F.gaussian_nll_loss(x, y, v{r})": {**_PAIR, "v": "0.1..2: 3 4"},
    "F.gaussian_nll_loss(x, y, v, full=True{r})": {**_PAIR, "v": "0.1..2: 3 1"},
    "F.hinge_embedding_loss(x, y, 0.5{r})": {"x": "3 4", "y": "±: 3 4"},
    "F.soft_margin_loss(x, y{r})": {"x": "3 4", "y": "±: 3 4"},
    "F.margin_ranking_loss(x, y, s, 0.3{r})": {"x": "5", "y": "5", "s": "±: 5"},
    "F.cosine_embedding_loss(x, y, s, 0.2{r})": {"x": "5 4", "y": "5 4", "s": "±: 5"},
    "F.cosine_embedding_loss(x, y, s{r})": {"x": "4", "y": "4", "s": "±: "},
    "F.multi_margin_loss(x, i{r})": _ROWS,
    "F.multi_margin_loss(x, i, 2, 0.7, w{r})": {**_ROWS, "w": "0.1..2: -4"},
    "F.multilabel_margin_loss(x, i{r})": {"x": "2 4", "i": "[[3, 0, -1, 1], [1, -1, 2, 0]]"},
    "F.multilabel_margin_loss(x, i{r}) ": {"x": "4", "i": "[3, 0, -1, 1]"},
    "F.multilabel_soft_margin_loss(x, y, w{r})": {"x": "3 4", "y": "0..1: 3 4", "w": "0.1..2: -4"},
    "F.linear_cross_entropy(x, w, i, linear_bias=b{r})": {
        "x": "3 5", "w": "4 5", "b": "4", "i": "4: 3"
    },
    "F.ctc_loss(F.log_softmax(x, 2), i, (9, 7, 5), (4, 3, 0){r})": {
        "x": "9 3 6", "i": "[[1, 1, 5, 2], [3, 3, 3, 0], [2, 2, 2, 2]]"
    },
    "F.ctc_loss(F.log_softmax(x, 2), i, n, m, 5{r})": {
        "x": "9 2 6", "i": "[1, 1, 4, 2, 0]", "n": "[9, 8]", "m": "[3, 2]"
    },
    "F.ctc_loss(F.log_softmax(x, 2), i, (2, 9), (3, 1), zero_infinity=True{r})": {
        "x": "9 2 6", "i": "[[1, 2, 3], [4, 1, 1]]"
    },
    "F.ctc_loss(F.log_softmax(x, 1), i, n, m{r})": {
        "x": "9 6", "i": "[1, 1, 4]", "n": "[9]", "m": "[3]"
    },
    "F.triplet_margin_loss(x, y, z{r})": {**_PAIR, "z": "3 4"},
    "F.triplet_margin_loss(x, y, z, 0.5, p=3, swap=True{r})": {**_PAIR, "z": "3 4"},
    "F.triplet_margin_with_distance_loss(x, y, z{r})": {**_PAIR, "z": "3 4"},
    "F.triplet_margin_with_distance_loss(x, y, z, distance_function=F.l1_loss{r})": {
        **_PAIR, "z": "3 4"
    },
}  # fmt: skip
EMPTY = {
    "F.mse_loss(x, y{r})": {"x": "0 4", "y": "0 4"},
    "F.l1_loss(x, y{r})": {"x": "0 4", "y": "0 4"},
    "F.cross_entropy(x, i{r})": {"x": "0 4", "i": "4: 0"},
    "F.binary_cross_entropy(x, y{r})": {"x": "0..1: 0 4", "y": "0..1: 0 4"},
    "F.nll_loss(x, i{r})": {"x": "0 4", "i": "4: 0"},
    "F.kl_div(x, y{r})": {"x": "0 4", "y": "0 4"},
}


def _losses():
    for table in (LOSSES, EMPTY):
        for text, given in table.items():
            for how in ("none", "mean", "sum"):
                yield text.replace("{r}", f", reduction='{how}'"), given
    yield "F.kl_div(x, y, reduction='batchmean')", {"x": "3 4", "y": "0..1: 3 4"}
    yield "F.kl_div(x, y, reduction='batchmean') ", {"x": "4", "y": "0..1: 4"}


CASES = [*FUNCTIONS.items(), *_losses()]


def values(text, given, dtype):
    """Arrays by name, and which of them take gradients."""
    rng = np.random.default_rng(zlib.crc32(f"{text}{given}".encode()))
    out = {}
    for name, what in given.items():
        if what.startswith("["):
            a = np.array(eval(what))
            out[name] = a.astype(dtype) if a.dtype.kind == "f" else a, a.dtype.kind == "f"
            continue
        kind, _, sizes = what.rpartition(":")
        fixed = "-" in sizes
        size = tuple(abs(int(n)) for n in sizes.split())
        if kind == "?":
            a = rng.random(size) < 0.7
            a[..., 0] = True
            out[name] = a, False
        elif kind == "±":
            out[name] = rng.choice([-1.0, 1.0], size).astype(dtype), False
        elif ".." in kind:
            low, high = map(float, kind.split(".."))
            out[name] = rng.uniform(low, high, size).astype(dtype), not fixed
        elif kind:
            out[name] = rng.integers(0, int(kind), size), False
        else:
            out[name] = np.asarray(rng.standard_normal(size)).astype(dtype), not fixed
    return out


def flat(result):
    return [t for r in result for t in flat(r)] if isinstance(result, (tuple, list)) else [result]


def ran(lib, text, given):
    names = {}
    for name, (array, moves) in given.items():
        t = lib.from_numpy(array.copy())
        names[name] = t.requires_grad_() if moves else t
    outs = flat(eval(text.strip(), {"F": lib.nn.functional, "torch": lib, **names}))
    rng = np.random.default_rng(1)
    total = 0.0
    for o in outs:
        if o.is_floating_point() and o.requires_grad:
            w = lib.from_numpy(np.asarray(rng.standard_normal(tuple(o.shape)))).to(o.dtype)
            total = total + (o * w).sum()
    if not isinstance(total, float):
        total.backward()
    return outs, [names[n].grad for n, (_, moves) in given.items() if moves]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("text", "given"), CASES, ids=[t for t, _ in CASES])
def test_value_and_gradients(text, given, dtype):
    single = (
        dtype == "float32" or "celu" in text or "hardsigmoid" in text
    )  # PyTorch rounds 1/α, 1/6
    close = {"rtol": 5e-4, "atol": 5e-5} if single else {"rtol": 1e-8, "atol": 1e-9}
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # PyTorch's remarks on reduction="mean" of kl_div and the like
        arrays = values(text, given, dtype)
        (ours, our_grads), (theirs, their_grads) = (
            ran(lib, text, arrays) for lib in (chainrule, torch)
        )
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        assert str(a.dtype).rpartition(".")[2] == str(b.dtype).rpartition(".")[2]
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), **close)
    for a, b in zip(our_grads, their_grads, strict=True):
        if a is None or b is None:
            assert (a is None or not a.numpy().any()) and (b is None or not b.numpy().any())
        else:
            np.testing.assert_allclose(a.numpy(), b.numpy(), **close)


# ---- what both refuse, with the same type of error


REFUSED = {
    "F.linear(x, y) ": {"x": "", "y": "5 3"},
    "F.max_unpool1d(x, i, 2, output_size=(7,))": {"x": "1 1 2", "i": "[[[0, 3]]]"},
    "F.linear(x, y)": {"x": "3 4", "y": "5 3"},
    "F.conv2d(x, y)": {"x": "2 3 5 5", "y": "4 2 3 3"},
    "F.conv2d(x, y) ": {"x": "5 5", "y": "4 2 3 3"},
    "F.conv2d(x, y, stride=0)": {"x": "2 3 5 5", "y": "4 3 3 3"},
    "F.conv2d(x, y, padding=-1)": {"x": "2 3 5 5", "y": "4 3 3 3"},
    "F.conv2d(x, y, padding='same', stride=2)": {"x": "2 3 5 5", "y": "4 3 3 3"},
    "F.conv2d(x, y, padding='half')": {"x": "2 3 5 5", "y": "4 3 3 3"},
    "F.conv2d(x, y)  ": {"x": "2 3 2 2", "y": "4 3 3 3"},
    "F.conv_transpose2d(x, y, output_padding=3)": {"x": "2 3 5 5", "y": "3 3 3 3"},
    "F.max_pool2d(x, 3, padding=2)": {"x": "2 3 5 5"},
    "F.max_pool2d(x, 9)": {"x": "2 3 5 5"},
    "F.max_pool2d(x, 2)": {"x": "5 5"},
    "F.avg_pool2d(x, 2, divisor_override=0)": {"x": "2 3 5 5"},
    "F.cross_entropy(x, i)": {"x": "5 4", "i": "4: 6"},
    "F.cross_entropy(x, i) ": {"x": "5 4", "i": "4: 5 1"},
    "F.cross_entropy(x, i)  ": {"x": "2 3", "i": "[0, 3]"},
    "F.cross_entropy(x, i, label_smoothing=2.0)": {"x": "2 3", "i": "[0, 1]"},
    "F.nll_loss(x, i)": {"x": "2 3", "i": "[0, -1]"},
    "F.mse_loss(x, y, reduction='median')": {"x": "3", "y": "3"},
    "F.mse_loss(x, y)": {"x": "3", "y": "4"},
    "F.binary_cross_entropy(x, y)": {"x": "0..1: 3", "y": "0..1: 3 1"},
    "F.binary_cross_entropy_with_logits(x, y)": {"x": "3", "y": "3 1"},
    "F.huber_loss(x, y, delta=0)": {"x": "3", "y": "3"},
    "F.smooth_l1_loss(x, y, beta=-1)": {"x": "3", "y": "3"},
    "F.gaussian_nll_loss(x, y, -y * y)": {"x": "3", "y": "3"},
    "F.triplet_margin_loss(x, x, y, margin=0)": {"x": "2 3", "y": "2 3"},
    "F.dropout(x, 1.5)": {"x": "3"},
    "F.dropout(x, -0.1)": {"x": "3"},
    "F.glu(x)": {"x": "3 3"},
    "F.glu(x) ": {"x": ""},
    "F.prelu(x, y)": {"x": "2 3", "y": "4"},
    "F.softshrink(x, -1.0)": {"x": "3"},
    "F.layer_norm(x, (3,))": {"x": "2 4"},
    "F.group_norm(x, 3)": {"x": "2 4 5"},
    "F.batch_norm(x, None, None, training=True)": {"x": "1 4"},
    "F.batch_norm(x, None, None)": {"x": "2 4"},
    "F.instance_norm(x)": {"x": "2 4 1"},
    "F.embedding(x, y)": {"x": "3", "y": "4 2"},
    "F.embedding(i, y)": {"i": "[0, 4]", "y": "4 2"},
    "F.embedding(i, y, padding_idx=4)": {"i": "[0, 1]", "y": "4 2"},
    "F.embedding_bag(i, y)": {"i": "[0, 1]", "y": "4 2"},
    "F.embedding_bag(i, y, mode='median')": {"i": "[[0, 1]]", "y": "4 2"},
    "F.one_hot(i, 2)": {"i": "[0, 2]"},
    "F.pad(x, (1,))": {"x": "3"},
    "F.pad(x, (1, 1, 1, 1))": {"x": "3"},
    "F.pad(x, (3, 1), mode='reflect')": {"x": "2 3"},
    "F.pad(x, (1, 1), mode='mirror')": {"x": "2 3"},
    "F.pixel_shuffle(x, 2)": {"x": "1 3 2 2"},
    "F.pixel_unshuffle(x, 2)": {"x": "1 3 3 2"},
    "F.channel_shuffle(x, 2)": {"x": "1 3 2 2"},
    "F.pdist(x)": {"x": "2 3 4"},
    "F.interpolate(x)": {"x": "1 1 2 2"},
    "F.interpolate(x, size=3, mode='linear')": {"x": "1 1 2 2"},
    "F.interpolate(x, size=3, align_corners=True)": {"x": "1 1 2 2"},
    "F.scaled_dot_product_attention(x, x, x, x, is_causal=True)": {"x": "2 2"},
    "F.cosine_embedding_loss(x, y, x)": {"x": "3", "y": "3"},
    "F.margin_ranking_loss(x, y, x)": {"x": "3", "y": "3 1"},
}


def error(lib, text, given):
    try:
        outs, _ = ran(lib, text, given)
        [o.detach().numpy() for o in outs]
    except Exception as e:
        return type(e), str(e)
    return None, ""


@pytest.mark.parametrize(("text", "given"), REFUSED.items(), ids=REFUSED)
def test_both_refuse(text, given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arrays = values(text, given, "float32")
        (ours, message), (theirs, _) = (error(lib, text, arrays) for lib in (chainrule, torch))
    assert theirs is not None, "PyTorch computes this"
    assert ours is not None and issubclass(ours, theirs), (
        f"{theirs.__name__} expected, got {ours}: {message}"
    )


def test_every_function_that_both_have_is_in_the_tables():
    def functions(lib):
        members = vars(lib.nn.functional).items()
        return {
            n
            for n, f in members
            if callable(f) and not n.startswith("_") and not inspect.isclass(f)
        }

    text = " ".join([*FUNCTIONS, *LOSSES])
    called = {n for n in functions(torch) if f"F.{n}(" in text}
    random = {"gumbel_softmax", "dropout1d", "dropout3d", "feature_alpha_dropout", "rrelu_"}
    same_as = {
        "upsample", "max_pool1d_with_indices", "max_pool3d_with_indices", "max_unpool3d",
        "multi_head_attention_forward",
    }  # fmt: skip
    assert functions(torch) & functions(chainrule) - called - random - same_as == set()


def test_the_constant_of_gelu_is_exact():
    x = chainrule.tensor(1.0, dtype=chainrule.float64)
    want = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
    assert abs(chainrule.nn.functional.gelu(x).item() - want) < 1e-15
