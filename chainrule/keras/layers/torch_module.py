"""A Module of the PyTorch face as a layer of this face, with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.state import State
from chainrule.keras.symbolic import in_symbolic_scope
from chainrule.keras.variables import Variable
from chainrule.nn.modules.lazy import LazyModuleMixin
from chainrule.nn.modules.module import Module
from chainrule.tensor import creation


class TorchModuleWrapper(Layer):
    """A layer that calls a Module. Its weights are the Module's parameters themselves.

    A Module that is assigned to an attribute of a layer or model is wrapped by itself. The Module
    is in training mode unless it is called with `training=False`. `output_shape` says the shape of
    the output where it cannot be found by a try. Files hold all of the Module's state.

    >>> import chainrule as torch
    >>> from chainrule import keras
    >>> module = torch.nn.Linear(3, 2)
    >>> model = keras.Sequential([keras.Input((3,)), TorchModuleWrapper(module)])
    >>> [tuple(weight.shape) for weight in model.trainable_weights], model.output_shape
    ([(2, 3), (2,)], (None, 2))
    >>> model.trainable_weights[0] is module.weight
    True
    """

    module: Module

    def __init__(
        self, module: Module, name: str | None = None, output_shape: Any = None, **kwargs: Any
    ) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"TorchModuleWrapper wraps a chainrule.nn.Module, got {module!r}")
        super().__init__(name=name, **kwargs)
        if isinstance(module, LazyModuleMixin) and module.has_uninitialized_params():
            raise ValueError(
                "LazyModules are not supported unless they are already initialized: call the "
                f"module on data first. Received: {module}"
            )
        self.__dict__["module"] = module
        self._given_output_shape = output_shape
        for path, parameter in module.named_parameters():
            self._track_variable(Variable.adopted(parameter, path.replace(".", "_")))
        self.built = True

    def call(self, inputs: Any, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        module = self.__dict__["module"]
        # Where only shapes are asked for, nothing may move: running statistics, for instance.
        module.train(training is not False and not in_symbolic_scope())
        return module(inputs, *args, **kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._given_output_shape is not None:
            return self._given_output_shape
        return super().compute_output_shape(input_shape)

    def save_own_variables(self, store: Any) -> None:
        for name, tensor in self.module.state_dict().items():
            store[name] = tensor.numpy(force=True)

    def load_own_variables(self, store: Any) -> None:
        state = {name: creation.tensor(np.asarray(store[name])) for name in store.keys()}  # noqa: SIM118  # an HDF5 group
        self.module.load_state_dict(state)

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            "TorchModuleWrapper has no config: a Module is code, which files do not carry. Build "
            "the model by its code and load the weights (save_weights, load_weights)"
        )


State.wrapper = TorchModuleWrapper
