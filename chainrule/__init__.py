"""chainrule: deep learning whose subject is the chain rule.

`import chainrule as torch` runs programs written for PyTorch; `import chainrule as tf` and `from
chainrule import keras` run programs written for Keras. Operations are recorded; a training step
becomes one graph; the graph is what is shown, derived and compiled.

>>> import chainrule as torch
>>> x = torch.tensor(3.0, requires_grad=True)
>>> (x ** 2 + 2 * x).backward()
>>> x.grad
tensor(8.)
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any

from chainrule import config, devices, dtypes
from chainrule._version import __version__
from chainrule.devices import device
from chainrule.dtypes import DType as dtype
from chainrule.dtypes import (
    bfloat16,
    can_cast,
    complex64,
    complex128,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
)
from chainrule.dtypes import bool_ as bool
from chainrule.dtypes import promote as promote_types
from chainrule.flags import (
    _assert,
    _check,
    _check_index,
    _check_not_implemented,
    _check_type,
    _check_value,
    _check_with,
    _is_tracing,
    are_deterministic_algorithms_enabled,
    compile,
    compiled_with_cxx11_abi,
    get_deterministic_debug_mode,
    get_file_path,
    get_float32_matmul_precision,
    get_num_interop_threads,
    get_num_threads,
    is_deterministic_algorithms_warn_only_enabled,
    is_warn_always_enabled,
    set_deterministic_debug_mode,
    set_float32_matmul_precision,
    set_flush_denormal,
    set_num_interop_threads,
    set_num_threads,
    set_warn_always,
    typename,
    use_deterministic_algorithms,
)
from chainrule.interop import install as _install
from chainrule.layouts import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    jagged,
    layout,
    memory_format,
    preserve_format,
    sparse_bsc,
    sparse_bsr,
    sparse_coo,
    sparse_csc,
    sparse_csr,
    strided,
)
from chainrule.legacy import (
    BFloat16Tensor,
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
    get_default_device,
    is_tensor,
    set_default_device,
    set_default_tensor_type,
)
from chainrule.names import MissingName
from chainrule.runtime.random import Generator, initial_seed, manual_seed, seed
from chainrule.runtime.random import stream as _stream
from chainrule.tensor import (
    Parameter,
    Size,
    Tensor,
    enable_grad,
    flush,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from chainrule.tensor import methods as _methods
from chainrule.tensor.printing import set_printoptions

float = float32
double = float64
half = float16
long = int64
int = int32
short = int16
cfloat, cdouble = complex64, complex128
default_generator = _stream("default")
inf, nan, pi, e, newaxis = math.inf, math.nan, math.pi, math.e, None

# PyTorch's functions: each is written once, in `chainrule.tensor.functions`; here they take `out=`.
globals().update(_methods.function_forms())
globals().update(_methods.in_place_functions())

_install()  # einops, should the program use it

if TYPE_CHECKING:
    from chainrule import (
        autograd,
        datasets,
        explain,
        hub,
        keras,
        linalg,
        models,
        nn,
        optim,
        special,
        training,
        utils,
        vision,
    )
    from chainrule.serialization import load, save

#: Rooms that are loaded when a program names them: each costs time, and few programs need all.
_ROOMS = frozenset((
    "_C", "_dynamo", "accelerator", "amp", "ao", "autograd", "backends", "compiler", "cpu",
    "cuda", "datasets", "distributed", "distributions", "explain", "export", "fft", "func",
    "functional", "futures", "fx", "hub", "jit", "keras", "library", "linalg", "masked",
    "models", "monitor", "mps", "multiprocessing", "nested", "nn", "onnx", "optim", "overrides",
    "package", "profiler", "quantization", "random", "serialization", "signal", "sparse",
    "special", "storage", "testing", "torch_version", "training", "types", "utils", "version",
    "vision", "xpu",
))  # fmt: skip

#: PyTorch's functions that live in such a room, and where.
_ELSEWHERE = dict.fromkeys((
    "selu", "celu", "prelu", "rrelu", "bilinear", "pixel_shuffle", "conv1d", "conv2d", "conv3d",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "max_pool1d", "max_pool2d",
    "avg_pool1d", "cosine_similarity", "pairwise_distance", "adaptive_avg_pool1d",
    "adaptive_max_pool1d", "celu_", "channel_shuffle", "hardshrink", "max_pool1d_with_indices",
    "max_pool3d", "pdist", "pixel_unshuffle", "rms_norm", "rrelu_", "selu_", "threshold",
    "threshold_", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d",
), "nn.functional") | dict.fromkeys((
    "affine_grid_generator", "alpha_dropout", "alpha_dropout_", "batch_norm",
    "binary_cross_entropy_with_logits", "conv_tbc", "cosine_embedding_loss", "ctc_loss",
    "dropout", "dropout_", "embedding", "feature_alpha_dropout", "feature_dropout", "group_norm",
    "gru_cell", "hinge_embedding_loss", "instance_norm", "kl_div", "layer_norm", "lstm_cell",
    "margin_ranking_loss", "native_channel_shuffle", "native_norm", "poisson_nll_loss",
    "rnn_relu_cell", "rnn_tanh_cell", "triplet_margin_loss",
), "nn.functional.native") | {
    "load": "serialization", "save": "serialization", "vmap": "func",
} | dict.fromkeys((
    "autocast", "autocast_decrement_nesting", "autocast_increment_nesting", "clear_autocast_cache",
    "get_autocast_cpu_dtype", "get_autocast_dtype", "get_autocast_gpu_dtype",
    "is_autocast_available", "is_autocast_cache_enabled", "is_autocast_cpu_enabled",
    "is_autocast_enabled", "set_autocast_cache_enabled", "set_autocast_cpu_dtype",
    "set_autocast_cpu_enabled", "set_autocast_dtype", "set_autocast_enabled",
), "amp.autocast_mode") | dict.fromkeys((
    "fork_rng", "get_rng_state", "set_rng_state"), "random") | dict.fromkeys((
    "AcceleratorError", "Event", "OutOfMemoryError", "Stream", "get_device_module"), "cuda") | {
    "Future": "futures", "GradScaler": "amp", "fork": "jit", "wait": "jit",
    "to_dlpack": "utils.dlpack",
    "is_anomaly_enabled": "autograd.grads", "set_anomaly_enabled": "autograd.grads",
    "is_anomaly_check_nan_enabled": "autograd.grads"} | dict.fromkeys((
    "bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window",
), "signal.classic") | dict.fromkeys((
    "sparse_coo_tensor", "sparse_csr_tensor", "spmm"), "sparse") | dict.fromkeys((
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "frobenius_norm", "geqrf", "inverse",
    "lobpcg", "logdet", "lu", "lu_solve", "lu_unpack", "matrix_exp", "matrix_power",
    "nuclear_norm", "orgqr", "ormqr", "pca_lowrank", "pinverse", "qr", "slogdet", "svd",
    "svd_lowrank", "triangular_solve",
), "linalg.top") | dict.fromkeys((
    "constant_pad_nd", "fill", "frexp", "gcd", "gradient", "histogram", "histogramdd", "i0",
    "igamma", "igammac", "lcm", "nextafter", "nonzero_static", "resize_as_",
), "tensor.extra.top") | dict.fromkeys((
    "as_strided_scatter", "binomial", "cond", "detach", "detach_", "eig", "is_inference",
    "is_same_size", "is_signed", "lstsq", "matrix_rank", "norm_except_dim", "segment_reduce",
    "solve", "split_with_sizes", "sym_float", "sym_int", "sym_ite", "sym_max", "sym_min", "sym_not",
    "sym_sqrt", "sym_sum", "symeig", "unravel_index", "unsafe_split_with_sizes", "vander",
    "while_loop",
), "tensor.extra.rare") | dict.fromkeys((
    "alias_copy", "as_strided_copy", "detach_copy", "diagonal_copy", "expand_copy", "narrow_copy",
    "permute_copy", "select_copy", "slice_copy", "split_copy", "split_with_sizes_copy",
    "squeeze_copy", "t_copy", "transpose_copy", "unbind_copy", "unfold_copy", "unsqueeze_copy",
    "view_as_complex_copy", "view_as_real_copy", "view_copy",
), "tensor.extra.copies") | dict.fromkeys((
    "BFloat16Storage", "BoolStorage", "ByteStorage", "CharStorage", "ComplexDoubleStorage",
    "ComplexFloatStorage", "DoubleStorage", "FloatStorage", "HalfStorage", "IntStorage",
    "LongStorage", "ShortStorage", "TypedStorage", "UntypedStorage", "is_storage",
), "storage")  # fmt: skip


def __getattr__(name: str) -> Any:
    """A room, or a function of one, that nobody has named yet."""
    if name in _ROOMS:
        return importlib.import_module(f"chainrule.{name}")
    if name in _ELSEWHERE:
        found = getattr(importlib.import_module(f"chainrule.{_ELSEWHERE[name]}"), name)
        globals()[name] = found  # the next look finds it without coming here
        return found
    raise MissingName("chainrule", name, __dir__)


def __dir__() -> list[str]:
    """All names, loaded or not."""
    return sorted({*globals(), *_ROOMS, *_ELSEWHERE})
