"""The vocabulary: one op, one place.

`elementwise movement reduce index contract random loop` hold the primitives and the formulas next
to them; `activations norms losses pooling attention recurrent updates` hold composites: formulas
over the former.
"""

from chainrule.ops.core import (
    cast,
    const,
    convert,
    full_like,
    input,
    level,
    op,
    primitive,
    zeros_like,
)
from chainrule.ops.elementwise import (
    abs,
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    ceil,
    clamp,
    clamp_max,
    clamp_min,
    copy,
    cos,
    cosh,
    div,
    eq,
    erf,
    erfinv,
    exp,
    expm1,
    floor,
    floor_divide,
    fmod,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    lerp,
    lgamma,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    lt,
    maximum,
    minimum,
    mul,
    ne,
    neg, passing_to,
    polygamma,
    pow,
    reciprocal,
    remainder,
    round,
    rsqrt,
    shift_left,
    shift_right,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    stop_gradient,
    sub,
    tan,
    tanh,
    trunc,
    where,
)
from chainrule.ops.movement import (
    broadcast_to, cat, diagonal, diagonal_update, expand_dims, flip, full, index_axis, iota, narrow, pad, permute,
    reshape, slice, slice_update, stack, swap, triangle, unwindows, windows,
)  # fmt: skip
from chainrule.ops.index import one_hot, put, scatter, take, take_along
from chainrule.ops.reduce import (
    all_, amax, amin, any_, argmax, argmin, argsort, cummax_index, cumprod, cumsum, logsumexp, mean, prod,
    running_argmax, sort, sum, var,
)  # fmt: skip
from chainrule.ops.contract import contract, conv, conv_transpose, linear, matmul, project
from chainrule.ops.ctc import ctc_paths
from chainrule.ops.random import random_integers, random_normal, random_uniform
from chainrule.ops.loop import boundary, item, items, make_scan, scan
from chainrule.ops.activations import (
    elu, gelu, glu, hardshrink, hardsigmoid, hardswish, hardtanh, leaky_relu, log_sigmoid, log_softmax, mish, norm2,
    prelu, relu, sigmoid, silu, softmax, softplus, softshrink, softsign, threshold,
)  # fmt: skip
from chainrule.ops.norms import rms_standardize, standardize
from chainrule.ops.pooling import max_pool, max_pool_places, sum_pool
from chainrule.ops.attention import attention, attention_biased
from chainrule.ops.attention import scores as attention_scores
from chainrule.ops.attention import weights as attention_weights
from chainrule.ops.recurrent import gru, gru_step, lstm, lstm_projected, lstm_step, rnn, rnn_step
from chainrule.ops.losses import (
    absolute_error, binary_cross_entropy, binary_cross_entropy_logits, cross_entropy_rows, huber, kl_pointwise,
    smooth_l1, squared_error,
)  # fmt: skip
