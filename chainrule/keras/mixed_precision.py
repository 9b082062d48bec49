"""`keras.mixed_precision`: the type to compute in, beside the type of the weights."""

from chainrule.keras.optimizers import LossScaleOptimizer
from chainrule.keras.settings import DTypePolicy, dtype_policy, set_dtype_policy

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]
