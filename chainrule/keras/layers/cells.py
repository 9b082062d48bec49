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
from chainrule.keras.random import SeedGenerator
from chainrule.keras.registry import known
from chainrule.keras.settings import to_dtype
from chainrule.keras.variables import Variable
from chainrule.runtime.random import stream
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T
from chainrule.training.tree import flatten

States = list[Tensor]
Masks = list[Tensor] | None


class DropoutRNNCell:
    """Dropout for cells: factors that are drawn once and used at all steps of a sequence.

    A cell that inherits from this one sets `dropout` and `recurrent_dropout`, asks for the factors
    with `get_dropout_mask(inputs)` and `get_recurrent_dropout_mask(state)` and multiplies by them;
    the layer that runs it has them drawn before the first step and forgotten after the last.
    `dropout_mask_count`, where it is set, is how many to draw: one for each gate, as a list.
    """

    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    dropout_mask_count: int | None = None
    seed_generator: Any = None
    _dropout_mask: Any = None
    _recurrent_dropout_mask: Any = None

    def get_dropout_mask(self, step_input: Tensor) -> Any:
        """The factors for the inputs of a step, or None."""
        if self._dropout_mask is None and self.dropout > 0:
            self._dropout_mask = self._create_dropout_mask(step_input, self.dropout)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input: Tensor) -> Any:
        """The factors for the state before a step, or None."""
        if self._recurrent_dropout_mask is None and self.recurrent_dropout > 0:
            self._recurrent_dropout_mask = self._create_dropout_mask(
                step_input, self.recurrent_dropout
            )
        return self._recurrent_dropout_mask

    def _create_dropout_mask(self, step_input: Tensor, dropout_rate: float) -> Any:
        source = getattr(self.seed_generator, "generator", None) or stream("dropout")
        ones = creation.ones(step_input.shape, dtype=step_input.dtype)

        def draw() -> Tensor:
            return drop(ones, dropout_rate, step_input.shape, source)

        count = self.dropout_mask_count
        return draw() if count is None else [draw() for _ in range(count)]

    def reset_dropout_mask(self) -> None:
        """Forget the factors for the inputs: the next call draws others."""
        self._dropout_mask = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Forget the factors for the state."""
        self._recurrent_dropout_mask = None


class RecurrentCell(DropoutRNNCell, Layer):
    """What our cells share: sizes, initial values, dropout."""

    gates = 1  # blocks of `units` columns in the kernels
    gate_axis = -1  # the axis of values on which the blocks stand side by side
    state_count = 1
    casts_integers = True

    def _set(self, arguments: dict[str, Any]) -> None:
        """Take the arguments of a constructor, by their names."""
        arguments = {k: v for k, v in arguments.items() if k not in ("self", "__class__")}
        options = arguments.pop("kwargs")
        implementation = options.pop("implementation", 2)
        Layer.__init__(self, **options)
        units = arguments.pop("units")
        if isinstance(units, bool) or int(units) != units or units < 1:
            raise ValueError(
                f"Received an invalid value for argument `units`, expected a positive integer, "
                f"got {units}."
            )
        self.units = int(units)
        kinds = {"initializer": initializers, "regularizer": regularizers,
                 "constraint": constraints, "activation": activations}  # fmt: skip
        for name, value in arguments.items():
            kind = kinds.get(name.rpartition("_")[2])
            setattr(self, name, value if kind is None else kind.get(value))
        self.dropout = min(1.0, max(0.0, self.dropout))
        self.recurrent_dropout = min(1.0, max(0.0, self.recurrent_dropout))
        if self.gates > 1:
            # As Keras: where the state is dropped, each gate has factors of its own.
            self.implementation = 1 if self.recurrent_dropout else implementation
            self.dropout_mask_count = self.gates if self.implementation == 1 else None
        self.seed: int | None
        self.seed_generator = SeedGenerator(self.seed)
        self.bias: Variable | None = None

    activation: Any
    use_bias: bool
    kernel_initializer: Any
    recurrent_initializer: Any
    bias_initializer: Any
    kernel_regularizer: Any
    recurrent_regularizer: Any
    bias_regularizer: Any
    kernel_constraint: Any
    recurrent_constraint: Any
    bias_constraint: Any

    @property
    def state_size(self) -> Any:
        return self.units if self.state_count == 1 else [self.units] * self.state_count

    @property
    def output_size(self) -> int:
        return self.units

    def build(self, input_shape: Any = None) -> None:
        self._size = last_size(self, input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self._size, self.gates * self.units),
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

    def factors(self, inputs: Tensor, state: Tensor, training: bool) -> tuple[Masks, Masks]:
        """Dropout factors for the inputs and for the state: none, one, or one for each gate."""
        if not training:
            return None, None
        return (
            _listed(self.get_dropout_mask(inputs) if self.dropout else None),
            _listed(self.get_recurrent_dropout_mask(state) if self.recurrent_dropout else None),
        )

    def project(self, inputs: Tensor, keep: Masks) -> Tensor:
        """The inputs' share of the gates, for any number of leading axes."""
        check_last(self, inputs, self._size)
        x = self._product(inputs, self.kernel.to(inputs.dtype), keep)
        bias = self._input_bias()
        return x if bias is None else x + bias.to(x.dtype)

    def _input_bias(self) -> Tensor | None:
        return self.bias

    def _product(self, x: Tensor, kernel: Tensor, keep: Masks) -> Tensor:
        """`x·kernel`, of which each block of columns sees what its factors keep of x."""
        if keep is None:
            return x @ kernel
        if x.ndim > keep[0].ndim:
            keep = [k.unsqueeze(1) for k in keep]
        if len(keep) == 1:
            return (x * keep[0]) @ kernel
        blocks = T.split(kernel, self.units, -1)
        return T.cat([(x * k) @ w for k, w in zip(keep, blocks, strict=True)], -1)

    def step(self, projected: Tensor, states: States, keep: Masks) -> tuple[Tensor, States]:
        """Output and states after a step, from the inputs' share of the gates."""
        raise NotImplementedError

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> Any:
        nested = isinstance(states, list | tuple)
        states = list(states) if nested else [states]
        keep, keep_state = self.factors(inputs, states[0], training)
        output, after = self.step(self.project(inputs, keep), states, keep_state)
        return output, after if nested else after[0]

    def get_initial_state(self, batch_size: int | None = None) -> States:
        """Zeros."""
        shape = (1 if batch_size is None else batch_size, self.units)
        return [
            creation.zeros(shape, dtype=to_dtype(self.compute_dtype))
            for _ in range(self.state_count)
        ]


def _listed(factors: Any) -> Masks:
    return [factors] if isinstance(factors, Tensor) else factors


@known
class SimpleRNNCell(RecurrentCell):
    """`h = activation(x·W + h·U + b)`."""

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
        self._set(locals())

    def step(self, projected: Tensor, states: States, keep: Masks) -> tuple[Tensor, States]:
        kernel = self.recurrent_kernel.to(projected.dtype)
        h = self.activation(projected + self._product(states[0], kernel, keep))
        return h, [h]


@known
class LSTMCell(RecurrentCell):
    """Gates i, f, c, o: `c = f·c + i·tanh(…)`, `h = o·tanh(c)`."""

    gates = 4
    state_count = 2
    recurrent_activation: Any
    unit_forget_bias: bool

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
        self._set(locals())

    def _first_bias(self, shape: Any, dtype: Any = None) -> Any:
        values = np.array(self.bias_initializer(shape, dtype=dtype).numpy())
        if self.unit_forget_bias:
            values[self.units : 2 * self.units] = 1.0
        return fromdata.from_owned(values)

    def step(self, projected: Tensor, states: States, keep: Masks) -> tuple[Tensor, States]:
        h, c = states
        kernel = self.recurrent_kernel.to(projected.dtype)
        gates = projected + self._product(h, kernel, keep)
        i, f, g, o = T.split(gates, self.units, self.gate_axis)
        sigma = self.recurrent_activation
        c = sigma(f) * c + sigma(i) * self.activation(g)
        h = sigma(o) * self.activation(c)
        return h, [h, c]


@known
class GRUCell(RecurrentCell):
    """Gates z, r, h: `h = z·h + (1 - z)·tanh(…)`; `reset_after` applies r after the product."""

    gates = 3
    recurrent_activation: Any
    reset_after: bool

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
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
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._set(locals())

    def _bias_shape(self) -> tuple[int, ...]:
        size = self.gates * self.units
        return (2, size) if self.reset_after else (size,)

    def _input_bias(self) -> Tensor | None:
        return self.bias[0] if self.bias is not None and self.reset_after else self.bias

    def step(self, projected: Tensor, states: States, keep: Masks) -> tuple[Tensor, States]:
        h, n = states[0], self.units
        kernel = self.recurrent_kernel.to(projected.dtype)
        x_z, x_r, x_h = T.split(projected, n, -1)
        if self.reset_after:
            inner = self._product(h, kernel, keep)
            if self.bias is not None:
                inner = inner + self.bias[1].to(inner.dtype)
            h_z, h_r, h_h = T.split(inner, n, -1)
        else:
            gates = keep if keep is None or len(keep) == 1 else keep[:2]
            h_z, h_r = T.split(self._product(h, kernel[:, : 2 * n], gates), n, -1)
        z = self.recurrent_activation(x_z + h_z)
        r = self.recurrent_activation(x_r + h_r)
        if self.reset_after:
            recurrent = r * h_h
        else:
            kept = h if keep is None else h * keep[-1]
            recurrent = (r * kept) @ kernel[:, 2 * n :]
        new = z * h + (1.0 - z) * self.activation(x_h + recurrent)
        return new, [new]


@known
class StackedRNNCells(Layer):
    """Cells on top of each other, as one cell; its states are a list of theirs."""

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells = list(cells)
        for cell in self.cells:
            check_cell(cell)

    @property
    def state_size(self) -> list[Any]:
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        return output_size(self.cells[-1])

    def build(self, input_shape: Any = None) -> None:
        for cell in self.cells:
            build_cell(cell, input_shape)
            input_shape = (*input_shape[:-1], output_size(cell))
        self.built = True

    def call(self, inputs: Tensor, states: Any, training: bool = False, **kwargs: Any) -> Any:
        after: list[Any] = []
        for cell, own in zip(self.cells, states, strict=True):
            nested = isinstance(own, list | tuple)
            inputs, new = call_cell(cell, inputs, list(own) if nested else [own], training)
            if not nested and isinstance(new, list | tuple) and len(new) == 1:
                new = new[0]
            after.append(new)
        return inputs, after[0] if len(after) == 1 else after

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The initial states of all cells, a part for each."""
        found = []
        for cell in self.cells:
            states = initial_state(cell, batch_size or 1)
            single = isinstance(cell.state_size, int) and not hasattr(cell, "get_initial_state")
            found.append(states[0] if single else states)
        return found


def check_cell(cell: Any) -> None:
    """Refuse what cannot be a step of a recurrence."""
    for name in ("call", "state_size"):
        if name not in dir(cell):
            raise ValueError(
                f"a cell needs `call(inputs, states)` and `state_size`: {cell!r} has no `{name}`"
            )


def build_cell(cell: Any, input_shape: Any) -> None:
    """Make a cell's weights for inputs of a step."""
    if isinstance(cell, Layer) and not cell.built:
        cell.build(input_shape)
        cell.built = True


def call_cell(cell: Any, inputs: Tensor, states: Any, training: bool) -> Any:
    """One step of any cell."""
    more = {"training": training} if takes_training(cell) else {}
    return (cell if callable(cell) else cell.call)(inputs, states, **more)


def takes_training(cell: Any) -> bool:
    """Whether a cell's `call` wants to know if it is trained."""
    return "training" in inspect.signature(cell.call).parameters


def output_size(cell: Any) -> Any:
    """The size of a cell's output; of its first state where it does not say."""
    found = getattr(cell, "output_size", None)
    if found is not None:
        return found
    size = cell.state_size
    return size[0] if isinstance(size, list | tuple) else size


def initial_state(cell: Any, batch_size: int) -> list[Any]:
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


def draw_factors(cell: Any, inputs: Tensor, states: Any, training: bool) -> None:
    """Have the dropout factors of a cell that is not ours drawn, before its first step."""
    if isinstance(cell, StackedRNNCells):
        for inner, own in zip(cell.cells, states, strict=True):
            draw_factors(inner, inputs, own, training)
            size = (int(inputs.shape[0]), output_size(inner))
            inputs = creation.zeros(size, dtype=inputs.dtype)
    elif isinstance(cell, DropoutRNNCell) and (training or not isinstance(cell, RecurrentCell)):
        cell.get_dropout_mask(inputs)
        cell.get_recurrent_dropout_mask(flatten(states)[0])


def forget_factors(cell: Any) -> None:
    """After the last step."""
    if isinstance(cell, StackedRNNCells):
        for inner in cell.cells:
            forget_factors(inner)
    elif isinstance(cell, DropoutRNNCell):
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
