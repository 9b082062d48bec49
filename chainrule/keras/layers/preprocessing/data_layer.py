"""What layers that prepare data share: they take what programs and data sets have, strings too."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.layers.base import Layer
from chainrule.keras.symbolic import KerasTensor
from chainrule.strings import as_strings, is_string
from chainrule.tensor import Tensor, fromdata


class DataLayer(Layer):
    """A layer that is called on data: arrays, lists of numbers or of strings, elements of a data
    set.
    """

    #: Whether several inputs come as a list or a tuple; else a list is one array.
    several_inputs = False

    def _output_dtype(self, tensor: Any) -> str:
        """The type of the output for an input like `tensor`."""
        return self.compute_dtype

    def _convert(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._convert(part) for name, part in value.items()}
        if isinstance(value, list | tuple) and (self.several_inputs or _has_tensors(value)):
            return type(value)(self._convert(part) for part in value)
        if is_string(value):
            return as_strings(value)
        if not isinstance(value, Tensor) and (
            isinstance(value, list | tuple | int | float) or hasattr(value, "__array__")
        ):
            array = np.asarray(value)
            if is_string(array):
                return as_strings(array)
            if array.dtype == np.float64 and not isinstance(value, np.ndarray):
                array = array.astype(np.float32)
            value = fromdata.from_owned(np.array(array))
        return self._convert_leaf(value)


class EagerLayer(DataLayer):
    """A layer that computes with NumPy or Python: it needs values, and gives no gradient."""

    def _convert_leaf(self, leaf: Any) -> Any:
        return leaf

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Any:
        shape = self.compute_output_shape(inputs.shape)
        return KerasTensor(shape, self._output_dtype(inputs))


def _has_tensors(value: Any) -> bool:
    return any(isinstance(part, Tensor) for part in value)
