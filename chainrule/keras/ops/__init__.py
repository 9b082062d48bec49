"""`keras.ops`: NumPy's names, and those of networks, on tensors and on symbolic tensors.

A room by ideas: `making`, `elementwise`, `reductions`, `shaping`, `choosing`, `linear` (products
and matrices), `control` (loops, writing at places), `nn`, `spectral`, `image`; `promotion` says in
which type numbers meet. `numpy`, `linalg`, `math` and `core` list, once, the names that Keras keeps
there: all are names of this room, too.
"""

from chainrule.keras.ops import core, image, linalg, math, nn, numpy
from chainrule.keras.ops.choosing import getitem
from chainrule.keras.ops.core import *
from chainrule.keras.ops.einops import rearrange
from chainrule.keras.ops.elementwise import polar
from chainrule.keras.ops.linalg import *
from chainrule.keras.ops.math import *
from chainrule.keras.ops.nn import (
    adaptive_average_pool,
    adaptive_max_pool,
    average_pool,
    batch_normalization,
    binary_crossentropy,
    categorical_crossentropy,
    celu,
    conv,
    conv_transpose,
    ctc_decode,
    ctc_loss,
    depth_to_space,
    depthwise_conv,
    dot_product_attention,
    elu,
    fold,
    gelu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    layer_normalization,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    max_pool,
    moments,
    multi_hot,
    normalize,
    one_hot,
    psnr,
    relu,
    relu6,
    rms_normalization,
    selu,
    separable_conv,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    space_to_depth,
    sparse_categorical_crossentropy,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    swish,
    tanh_shrink,
    threshold,
    unfold,
)
from chainrule.keras.ops.numpy import *

__all__ = [
    *core.__all__, *linalg.__all__, *math.__all__, *numpy.__all__,
    "adaptive_average_pool", "adaptive_max_pool", "average_pool", "batch_normalization",
    "binary_crossentropy", "categorical_crossentropy", "celu", "conv", "conv_transpose", "core",
    "ctc_decode", "ctc_loss", "depth_to_space", "depthwise_conv", "dot_product_attention", "elu",
    "fold", "gelu", "getitem", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish",
    "hard_tanh", "image", "layer_normalization", "leaky_relu", "linalg", "log_sigmoid",
    "log_softmax", "math", "max_pool", "moments", "multi_hot", "nn", "normalize", "numpy",
    "one_hot", "polar", "psnr", "rearrange", "relu", "relu6", "rms_normalization", "selu",
    "separable_conv", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign",
    "space_to_depth", "sparse_categorical_crossentropy", "sparse_plus", "sparse_sigmoid",
    "sparsemax", "squareplus", "swish", "tanh_shrink", "threshold", "unfold",
]  # fmt: skip
