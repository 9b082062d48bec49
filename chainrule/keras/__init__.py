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
    random,
    regularizers,
    saving,
    tree,
    utils,
)
from chainrule.keras.initializers import Initializer
from chainrule.keras.layers import Input, Layer
from chainrule.keras.losses import Loss
from chainrule.keras.metrics import Metric
from chainrule.keras.models import Model, Sequential
from chainrule.keras.optimizers import Optimizer
from chainrule.keras.regularizers import Regularizer
from chainrule.keras.settings import DTypePolicy
from chainrule.keras.symbolic import KerasTensor
from chainrule.keras.variables import Variable

#: The version of Keras whose behaviour this follows.
__version__ = "3.16.0"


def version() -> str:
    """The version of Keras whose behaviour this follows."""
    return __version__


__all__ = [
    "DTypePolicy", "Initializer", "Input", "KerasTensor", "Layer", "Loss", "Metric", "Model",
    "Optimizer", "Regularizer", "Sequential", "Variable", "activations", "applications", "backend",
    "callbacks", "config", "constraints", "datasets", "dtype_policies", "initializers", "layers",
    "losses", "metrics", "mixed_precision", "models", "ops", "optimizers", "preprocessing",
    "random", "regularizers", "saving", "tree", "utils", "version",
]  # fmt: skip
