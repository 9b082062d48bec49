"""`torch.utils`: data loading, and helpers that are loaded when they are named."""

from chainrule import names
from chainrule.utils import data

__all__ = ["data"]

__getattr__ = names.later(
    __name__,
    ("_pytree", "backcompat", "benchmark", "bottleneck", "checkpoint", "collect_env",
     "cpp_extension", "deterministic", "dlpack", "flop_counter", "hooks", "mobile_optimizer",
     "model_zoo", "tensorboard"),
)  # fmt: skip
