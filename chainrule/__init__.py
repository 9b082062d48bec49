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

import math as _math
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
from chainrule.names import later
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
from chainrule.toplevel import ELSEWHERE, ROOMS

float = float32
double = float64
half = float16
long = int64
int = int32
short = int16
cfloat, cdouble = complex64, complex128
default_generator = _stream("default")
inf, nan, pi, e, newaxis = _math.inf, _math.nan, _math.pi, _math.e, None

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

__getattr__ = later(__name__, ROOMS, ELSEWHERE)


def __dir__() -> list[str]:
    """All names, loaded or not."""
    return sorted({*globals(), *ROOMS, *ELSEWHERE})
