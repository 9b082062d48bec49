"""Learning rate schedules: PyTorch's classes, names and numbers.

`_base` holds the clock, `_decay` rules from one epoch to the next, `_cycles` what comes round,
`_plateau` the schedule that watches a metric, `_composite` schedules made of schedules.
"""

from chainrule import names
from chainrule.optim.lr_scheduler._base import LRScheduler, _LRScheduler
from chainrule.optim.lr_scheduler._composite import ChainedScheduler, SequentialLR
from chainrule.optim.lr_scheduler._cycles import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from chainrule.optim.lr_scheduler._decay import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from chainrule.optim.lr_scheduler._plateau import ReduceLROnPlateau

__all__ = [
    "LRScheduler",
    "_LRScheduler",
    "LambdaLR",
    "MultiplicativeLR",
    "StepLR",
    "MultiStepLR",
    "ConstantLR",
    "LinearLR",
    "ExponentialLR",
    "PolynomialLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "OneCycleLR",
    "SequentialLR",
    "ChainedScheduler",
    "ReduceLROnPlateau",
]

__getattr__ = names.later(__name__)
