"""The Keras face: Keras 3's names, defaults and numbers over chainrule's tensors.

>>> from chainrule import keras
>>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu")])
>>> model.output_shape
(None, 3)
"""

from chainrule.keras import (
    activations,
    applications,
    backend,
    callbacks,
    config,
    constraints,
    datasets,
    dtype_policies,
    initializers,
    layers,
    losses,
    metrics,
    mixed_precision,
    models,
    ops,
    optimizers,
    preprocessing,
    quantizers,
    random,
    regularizers,
    saving,
    testing,
    tree,
    utils,
)
from chainrule.keras.context import RematScope, device, remat
from chainrule.keras.initializers import Initializer
from chainrule.keras.layers import Input, InputSpec, Layer
from chainrule.keras.losses import Loss
from chainrule.keras.metrics import Metric
from chainrule.keras.models import Model, Sequential
from chainrule.keras.models.function import Function
from chainrule.keras.naming import name_scope
from chainrule.keras.optimizers import Optimizer
from chainrule.keras.quantizers import Quantizer
from chainrule.keras.regularizers import Regularizer
from chainrule.keras.scopes import StatelessScope
from chainrule.keras.settings import DTypePolicy
from chainrule.keras.symbolic import KerasTensor, Operation, SymbolicScope
from chainrule.keras.variables import Variable

#: The version of Keras whose behaviour this follows.
__version__ = "3.16.0"


def version() -> str:
    """The version of Keras whose behaviour this follows."""
    return __version__


__all__ = [
    "DTypePolicy", "Function", "Initializer", "Input", "InputSpec", "KerasTensor", "Layer", "Loss",
    "Metric", "Model", "Operation", "Optimizer", "Quantizer", "Regularizer", "RematScope",
    "Sequential", "StatelessScope", "SymbolicScope", "Variable", "activations", "applications",
    "backend", "callbacks", "config", "constraints", "datasets", "device", "dtype_policies",
    "initializers", "layers", "losses", "metrics", "mixed_precision", "models", "name_scope", "ops",
    "optimizers", "preprocessing", "quantizers", "random", "regularizers", "remat", "saving",
    "testing", "tree", "utils", "version",
]  # fmt: skip
