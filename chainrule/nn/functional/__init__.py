"""`torch.nn.functional`: layers without parameters of their own, as functions of tensors.

activation · conv · pooling · normalization · sparse (dropout, embedding) · loss · attention ·
vision
"""

from types import FunctionType as _FunctionType

from chainrule import names
from chainrule.nn.functional.activation import (
    celu,
    celu_,
    elu,
    elu_,
    gelu,
    glu,
    gumbel_softmax,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    hardtanh_,
    leaky_relu,
    leaky_relu_,
    log_softmax,
    logsigmoid,
    mish,
    prelu,
    relu,
    relu6,
    relu_,
    rrelu,
    rrelu_,
    selu,
    selu_,
    sigmoid,
    silu,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    swish,
    tanh,
    tanhshrink,
    threshold,
    threshold_,
)
from chainrule.nn.functional.attention import (
    multi_head_attention_forward,
    scaled_dot_product_attention,
)
from chainrule.nn.functional.conv import (
    bilinear,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    fold,
    linear,
    unfold,
)
from chainrule.nn.functional.ctc import ctc_loss
from chainrule.nn.functional.fractional import fractional_max_pool2d, fractional_max_pool3d
from chainrule.nn.functional.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cross_entropy,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    linear_cross_entropy,
    margin_ranking_loss,
    mse_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from chainrule.nn.functional.normalization import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    normalize,
    rms_norm,
)
from chainrule.nn.functional.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_with_indices,
    max_pool3d,
    max_pool3d_with_indices,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)
from chainrule.nn.functional.sparse import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    embedding,
    embedding_bag,
    feature_alpha_dropout,
    one_hot,
)
from chainrule.nn.functional.vision import (
    affine_grid,
    channel_shuffle,
    cosine_similarity,
    grid_sample,
    grid_sampler,
    grid_sampler_2d,
    grid_sampler_3d,
    interpolate,
    pad,
    pairwise_distance,
    pdist,
    pixel_shuffle,
    pixel_unshuffle,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from chainrule.tensor.overriding import overridable as _overridable

__all__ = [n for n in dir() if not n.startswith("_") and n != "names"]

# A program's own classes may say what these functions do with them.
globals().update({
    _name: _overridable(_f)
    for _name, _f in list(globals().items())
    if _name in __all__ and isinstance(_f, _FunctionType)
})  # fmt: skip

__getattr__ = names.later(__name__)
