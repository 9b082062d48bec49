"""One step of a recurrence: `cell(inputs, states) → (output, states)`.

A cell of ours splits its step in two: `project` is the part that needs the inputs only (a layer
does it for all steps in one product), `step` is the rest.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from chainrule.keras import activations, constraints, initializers, regularizers
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.core import check_last, last_size
from chainrule.keras.layers.regularization import drop
from chainrule.keras.registry import known
from chainrule.keras.settings import to_dtype
from chainrule.keras.variables import Variable
from chainrule.ops.recurrent import gru, lstm, rnn
from chainrule.runtime.random import Generator, stream
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T
from chainrule.tensor.record import apply

States = list[Tensor]


class RecurrentCell(Layer):
    """What the cells share: sizes, initial values, dropout."""

    gates = 1  # blocks of `units` columns in the kernels
    state_count = 1
    casts_integers = True

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(units, bool) or int(units) != units or units < 1:
            raise ValueError(
                f"{type(self).__name__}: units must be a positive whole number, got {units!r}"
            )
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        self.seed = seed
        self._generator = None if seed is None else Generator(seed=int(seed))
        self.bias: Variable | None = None

    @property
    def state_size(self) -> Any:
        return self.units if self.state_count == 1 else [self.units] * self.state_count

    @property
    def output_size(self) -> int:
        return self.units

    def build(self, input_shape: Any) -> None:
        size = last_size(self, input_shape)
        self._size = size
        self.kernel = self.add_weight(
            name="kernel",
            shape=(size, self.gates * self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, self.gates * self.units),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=self._bias_shape(),
                initializer=self._first_bias,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _first_bias(self, shape: Any, dtype: Any = None) -> Any:
        return self.bias_initializer(shape, dtype=dtype)

    # one step -------------------------------------------------------------------------------------

    def project(self, inputs: Tensor) -> Tensor:
        """The inputs' share of the gates, for any number of leading axes."""
        check_last(self, inputs, self._size)
        x = inputs @ self.kernel.to(inputs.dtype)
        bias = self._input_bias()
        return x if bias is None else x + bias.to(x.dtype)

    def _input_bias(self) -> Tensor | None:
        return self.bias

    def step(self, projected: Tensor, states: States) -> tuple[Tensor, States]:
        raise NotImplementedError

    def scan(
        self, inputs: Tensor, states: States, mask: Any, reverse: bool
    ) -> tuple[Tensor, States] | None:
        """All steps as one loop of the graph: (outputs, final states), both (steps, batch, units)
        and so on.

        None where there is no such loop for these activations: then the layer goes step by step.
        """
        return None

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> Any:
        states = list(states) if isinstance(states, list | tuple) else [states]
        keep = self.masks(inputs, training)
        if keep[0] is not None:
            inputs = inputs * keep[0]
        if keep[1] is not None:
            states = [states[0] * keep[1], *states[1:]]
        return self.step(self.project(inputs), states)

    def _recurrent(self, like: Tensor) -> Tensor:
        return self.recurrent_kernel.to(like.dtype).transpose(0, 1)

    def masks(self, inputs: Tensor, training: bool) -> tuple[Tensor | None, Tensor | None]:
        """Dropout factors for one step's inputs and for the state, the same at all steps of a
        call.
        """
        if not training:
            return None, None
        generator = self._generator if self._generator is not None else stream("dropout")
        rows = inputs.shape[0]

        def factors(rate: float, size: int) -> Tensor | None:
            if rate == 0:
                return None
            ones = creation.ones((rows, size), dtype=inputs.dtype)
            return drop(ones, rate, (rows, size), generator)

        return factors(self.dropout, self._size), factors(self.recurrent_dropout, self.units)

    def get_initial_state(self, batch_size: int | None = None) -> States:
        shape = (batch_size or 1, self.units)
        return [
            creation.zeros(shape, dtype=to_dtype(self.compute_dtype))
            for _ in range(self.state_count)
        ]


@known
class SimpleRNNCell(RecurrentCell):
    """`h = activation(x·W + h·U + b)`."""

    def scan(
        self, inputs: Tensor, states: States, mask: Any, reverse: bool
    ) -> tuple[Tensor, States] | None:
        kinds = {activations.tanh: "tanh", activations.relu: "relu"}
        if self.activation not in kinds:
            return None
        ys, h = apply(
            rnn, _time_first(self.project(inputs)), states[0], self._recurrent(inputs),
            *mask, nonlinearity=kinds[self.activation], reverse=reverse,
        )  # fmt: skip
        return ys, [h]

    def step(self, projected: Tensor, states: States) -> tuple[Tensor, States]:
        h = self.activation(projected + states[0] @ self.recurrent_kernel.to(projected.dtype))
        return h, [h]


class _GatedCell(RecurrentCell):
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, **kwargs,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.implementation = 2

    @property
    def _is_standard(self) -> bool:
        return (
            self.activation is activations.tanh and self.recurrent_activation is activations.sigmoid
        )


@known
class LSTMCell(_GatedCell):
    """Gates i, f, c, o: `c = f·c + i·tanh(…)`, `h = o·tanh(c)`."""

    gates = 4
    state_count = 2

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("implementation", None)
        super().__init__(
            units, activation, recurrent_activation, use_bias, kernel_initializer,
            recurrent_initializer, bias_initializer, **kwargs,
        )  # fmt: skip
        self.unit_forget_bias = unit_forget_bias

    def _first_bias(self, shape: Any, dtype: Any = None) -> Any:
        values = np.array(self.bias_initializer(shape, dtype=dtype).numpy())
        if self.unit_forget_bias:
            values[self.units : 2 * self.units] = 1.0
        return creation.from_owned(values)

    def scan(
        self, inputs: Tensor, states: States, mask: Any, reverse: bool
    ) -> tuple[Tensor, States] | None:
        if not self._is_standard:
            return None
        ys, h, c = apply(
            lstm, _time_first(self.project(inputs)), *states, self._recurrent(inputs),
            *mask, reverse=reverse,
        )  # fmt: skip
        return ys, [h, c]

    def step(self, projected: Tensor, states: States) -> tuple[Tensor, States]:
        h, c = states
        gates = projected + h @ self.recurrent_kernel.to(projected.dtype)
        i, f, g, o = T.split(gates, self.units, -1)
        sigma = self.recurrent_activation
        c = sigma(f) * c + sigma(i) * self.activation(g)
        h = sigma(o) * self.activation(c)
        return h, [h, c]


@known
class GRUCell(_GatedCell):
    """Gates z, r, h: `h = z·h + (1 - z)·tanh(…)`; `reset_after` applies r after the product."""

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        reset_after: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("implementation", None)
        super().__init__(
            units, activation, recurrent_activation, use_bias, kernel_initializer,
            recurrent_initializer, bias_initializer, **kwargs,
        )  # fmt: skip
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        size = self.gates * self.units
        return (2, size) if self.reset_after else (size,)

    def _input_bias(self) -> Tensor | None:
        return self.bias[0] if self.bias is not None and self.reset_after else self.bias

    def scan(
        self, inputs: Tensor, states: States, mask: Any, reverse: bool
    ) -> tuple[Tensor, States] | None:
        if not (self._is_standard and self.reset_after):
            return None
        # The graph's loop has the gates in the order r, z, h.
        check_last(self, inputs, self._size)
        gx = inputs @ self._reordered(self.kernel.to(inputs.dtype))
        w = self._reordered(self.recurrent_kernel.to(inputs.dtype)).transpose(0, 1)
        if self.bias is not None:
            bias = self._reordered(self.bias.to(inputs.dtype))
            gx, b = gx + bias[0], bias[1]
        else:
            b = creation.zeros((3 * self.units,), dtype=inputs.dtype)
        ys, h = apply(gru, _time_first(gx), states[0], w, b, *mask, reverse=reverse)
        return ys, [h]

    def _reordered(self, w: Tensor) -> Tensor:
        z, r, h = T.split(w, self.units, -1)
        return T.cat((r, z, h), -1)

    def step(self, projected: Tensor, states: States) -> tuple[Tensor, States]:
        h = states[0]
        u = self.recurrent_kernel.to(projected.dtype)
        n = self.units
        x_z, x_r, x_h = T.split(projected, n, -1)
        if self.reset_after:
            inner = h @ u
            if self.bias is not None:
                inner = inner + self.bias[1].to(inner.dtype)
            h_z, h_r, h_h = T.split(inner, n, -1)
        else:
            h_z, h_r = T.split(h @ u[:, : 2 * n], n, -1)
        z = self.recurrent_activation(x_z + h_z)
        r = self.recurrent_activation(x_r + h_r)
        recurrent = r * h_h if self.reset_after else (r * h) @ u[:, 2 * n :]
        new = z * h + (1.0 - z) * self.activation(x_h + recurrent)
        return new, [new]


@known
class StackedRNNCells(Layer):
    """Cells on top of each other, as one cell."""

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        return self.cells[-1].output_size

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            if not cell.built:
                cell.build(input_shape)
                cell.built = True
            input_shape = (*input_shape[:-1], cell.output_size)
        self.built = True

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> Any:
        states = list(states)
        after: States = []
        for cell in self.cells:
            count = len(cell.state_size) if isinstance(cell.state_size, list | tuple) else 1
            own, states = states[:count], states[count:]
            more = {"training": training} if takes_training(cell) else {}
            inputs, new = cell(inputs, own, **more)
            after.extend(new if isinstance(new, list | tuple) else [new])
        return inputs, after

    def get_initial_state(self, batch_size: int | None = None) -> States:
        return [s for cell in self.cells for s in initial_state(cell, batch_size or 1)]


def takes_training(cell: Any) -> bool:
    """Whether a cell's `call` wants to know if it is trained."""
    return "training" in inspect.signature(cell.call).parameters


def _time_first(x: Tensor) -> Tensor:
    return x.transpose(0, 1)


def initial_state(cell: Any, batch_size: int) -> States:
    """Zeros of the cell's state sizes, unless the cell has its own idea."""
    if hasattr(cell, "get_initial_state"):
        states = cell.get_initial_state(batch_size=batch_size)
        return list(states) if isinstance(states, list | tuple) else [states]
    sizes = cell.state_size
    sizes = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
    dtype = to_dtype(getattr(cell, "compute_dtype", None))
    return [
        creation.zeros((batch_size, *((n,) if isinstance(n, int) else tuple(n))), dtype=dtype)
        for n in sizes
    ]
