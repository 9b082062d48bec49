"""`torch.nn`: layers, containers, parameters, initialisation, functional forms."""

from chainrule import names
from chainrule.nn import functional, init, modules, parameter, utils
from chainrule.nn.modules import *  # noqa: F403  the list of layers stands once, in modules/__init__.py
from chainrule.nn.modules import Module as Module
from chainrule.nn.parallel import DataParallel
from chainrule.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [n for n in dir() if not n.startswith("_") and n != "names"]


__getattr__ = names.later(
    __name__,
    ("attention", "common_types", "grad", "intrinsic", "parallel", "qat", "quantizable",
     "quantized"),
    also="chainrule.tensorflow.nn",
)  # fmt: skip
