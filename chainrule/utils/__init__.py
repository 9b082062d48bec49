"""`torch.utils`: data loading, and helpers that are loaded when they are named."""

from chainrule import names
from chainrule.utils import data

__all__ = ["data"]

__getattr__ = names.later(
    __name__,
    ("_pytree", "benchmark", "checkpoint", "collect_env",
     "cpp_extension", "deterministic", "dlpack", "hooks",
     "model_zoo", "tensorboard"),
)  # fmt: skip
