"""chainrule: deep learning whose subject is the chain rule.

`import chainrule as torch` runs programs written for PyTorch; `import chainrule as tf` and `from chainrule import keras` run
programs written for Keras. Operations are recorded; a training step becomes one graph; the graph is what is shown, derived
and compiled.

>>> import chainrule as torch
>>> x = torch.tensor(3.0, requires_grad=True)
>>> (x ** 2 + 2 * x).backward()
>>> x.grad
tensor(8.)
"""

from __future__ import annotations

from typing import Any

from chainrule import config, devices, dtypes
from chainrule._version import __version__
from chainrule.devices import device
from chainrule.dtypes import (
    DType as dtype,
    bfloat16, finfo, float16, float32, float64, get_default_dtype, iinfo, int8, int16, int32, int64, set_default_dtype,
    uint8,
)  # fmt: skip
from chainrule.dtypes import bool_ as bool
from chainrule.runtime.random import (
    Generator, initial_seed, manual_seed, seed,
)  # fmt: skip
from chainrule.tensor import (
    Parameter, Size, Tensor, enable_grad, flush, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad,
    set_grad_enabled,
)  # fmt: skip
from chainrule.tensor import creation as _creation
from chainrule.tensor import methods as _methods
from chainrule.tensor.printing import set_printoptions

float = float32
double = float64
half = float16
long = int64
int = int32
short = int16

globals().update({name: _methods.with_out(f) for name, f in _methods.public_functions().items()})
globals().update({name: getattr(_creation, name) for name in _creation.__all__})


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
