"""Recurrent layers: a cell, run over axis 1 of (batch, steps, features)."""

from __future__ import annotations

import inspect
from typing import Any

from chainrule.keras import context
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.cells import (
    GRUCell,
    LSTMCell,
    RecurrentCell,
    SimpleRNNCell,
    StackedRNNCells,
    States,
    initial_state,
    takes_training,
)
from chainrule.keras.layers.core import check_rank
from chainrule.keras.registry import known
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor import functions as T


@known
class RNN(Layer):
    """Runs `cell` over the steps.

    Gives the last output (batch, units), or with `return_sequences` all of them (batch, steps,
    units); with `return_state` also the final states. Where a mask is False a step changes nothing
    and repeats the output before.
    """

    supports_masking = True
    casts_integers = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("time_major", None)
        super().__init__(**kwargs)
        self.cell = StackedRNNCells(cell) if isinstance(cell, list | tuple) else cell
        for name in ("call", "state_size"):
            if not hasattr(self.cell, name):
                raise ValueError(f"a cell needs {name}, which {cell!r} has not")
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.states: Any = None
        self._cell_takes_training = takes_training(self.cell)

    @property
    def state_size(self) -> Any:
        return self.cell.state_size

    def build(self, sequences_shape: Any) -> None:
        check_rank(self, sequences_shape, 3, "(batch, steps, features)")
        shape = (sequences_shape[0], *sequences_shape[2:])
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build(shape)
            self.cell.built = True
        self.built = True

    def compute_output_shape(self, sequences_shape: Any) -> Any:
        check_rank(self, sequences_shape, 3, "(batch, steps, features)")
        batch, steps = sequences_shape[0], sequences_shape[1]
        size = self.cell.output_size
        output = (batch, steps, size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return output
        sizes = self.cell.state_size
        flat = [n for n in (sizes if isinstance(sizes, list | tuple) else [sizes])]
        return [output, *((batch, n) for n in flat)]

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        check_rank(self, tuple(sequences.shape), 3, "(batch, steps, features)")
        if isinstance(mask, list | tuple):
            mask = mask[0]
        states = self._first_states(sequences, initial_state)
        given = initial_state is not None or (self.stateful and self.states is not None)
        done = None
        if mask is None or not (given or self.zero_output_for_mask):
            done = self._scan(sequences, states, mask, training)
        if done is None:
            if self.go_backwards:
                sequences = T.flip(sequences, (1,))
                mask = None if mask is None else T.flip(mask, (1,))
            outputs, states = self._run(sequences, states, mask, training)
            done = outputs if self.return_sequences else outputs[:, -1], states
        output, states = done
        self._keep(states)
        return (output, *states) if self.return_state else output

    def _scan(
        self, sequences: Tensor, states: States, mask: Any, training: bool
    ) -> tuple[Tensor, States] | None:
        """One loop in the graph instead of a program as long as the sequence, where the cell has
        one.
        """
        cell = self.cell
        if not isinstance(cell, RecurrentCell) or (training and cell.recurrent_dropout):
            return None
        keep, _ = cell.masks(sequences[:, 0], training)
        if keep is not None:
            sequences = sequences * keep.unsqueeze(1)
        steps = () if mask is None else (mask.transpose(0, 1).unsqueeze(-1),)
        found = cell.scan(sequences, states, steps, self.go_backwards)
        if found is None:
            return None
        outputs, states = found
        if not self.return_sequences:
            return states[0], states
        outputs = outputs.transpose(0, 1)
        return (T.flip(outputs, (1,)) if self.go_backwards else outputs), states

    def _first_states(self, sequences: Tensor, given: Any) -> States:
        if given is not None:
            return list(given) if isinstance(given, list | tuple) else [given]
        if self.stateful and self.states is not None:
            return list(self.states)
        return initial_state(self.cell, int(sequences.shape[0]))

    def _run(
        self, sequences: Tensor, states: States, mask: Any, training: bool
    ) -> tuple[Tensor, States]:
        own = self.cell if isinstance(self.cell, RecurrentCell) else None
        keep_state = None
        if own is not None:
            keep, keep_state = own.masks(sequences[:, 0], training)
            if keep is not None:
                sequences = sequences * keep.unsqueeze(1)
            sequences = own.project(sequences)
        outputs: list[Tensor] = []
        output = None
        for t in range(int(sequences.shape[1])):
            x = sequences[:, t]
            before = states
            if own is not None:
                if keep_state is not None:
                    before = [states[0] * keep_state, *states[1:]]
                new, after = own.step(x, before)
            else:
                more = {"training": training} if self._cell_takes_training else {}
                new, after = self.cell(x, states, **more)
                after = list(after) if isinstance(after, list | tuple) else [after]
            if mask is not None:
                now = mask[:, t].unsqueeze(-1)
                repeated = (
                    output if output is not None and not self.zero_output_for_mask else 0.0 * new
                )
                new = T.where(now, new, repeated)
                after = [T.where(now, a, s) for a, s in zip(after, states, strict=True)]
            output, states = new, after
            outputs.append(new)
        if not self.return_sequences:
            outputs = outputs[-1:]
        return T.stack(outputs, 1), states

    def _keep(self, states: States) -> None:
        running = context.current()
        if not self.stateful or (running is not None and running.probing):
            return
        with no_grad():
            self.states = [state.detach() for state in states]

    def reset_states(self) -> None:
        """Forget the state that a stateful layer carries from call to call."""
        self.states = None

    reset_state = reset_states

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        mask = previous_mask[0] if isinstance(previous_mask, list | tuple) else previous_mask
        return mask if self.return_sequences else None


class _Cellular(RNN):
    """A layer whose cell takes the same arguments."""

    cell_class: type[RecurrentCell]
    _own = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll",
            "zero_output_for_mask")  # fmt: skip

    def _make(self, cell_options: dict[str, Any], kwargs: dict[str, Any]) -> None:
        own = {name: kwargs.pop(name) for name in self._own if name in kwargs}
        for name in ("use_cudnn", "implementation"):
            kwargs.pop(name, None)
        activity = kwargs.pop("activity_regularizer", None)
        dtype = kwargs.get("dtype")
        cell_arguments = inspect.signature(RecurrentCell.__init__).parameters
        for name in list(kwargs):
            if name in cell_arguments and name not in ("self", "kwargs"):
                cell_options[name] = kwargs.pop(name)
        cell = self.cell_class(dtype=dtype, **cell_options)
        super().__init__(cell, activity_regularizer=activity, **own, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """What the layer itself has not (units, activation, kernel_initializer …) its cell has."""
        cell = self.__dict__.get("cell")
        if cell is None or name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(cell, name)

    def get_config(self) -> dict[str, Any]:
        cell = self.cell.get_config()
        for name in ("name", "dtype", "trainable"):
            cell.pop(name)
        config = super().get_config() | cell
        config |= {name: getattr(self, name) for name in self._own}
        return config


@known
class SimpleRNN(_Cellular):
    """The fully connected recurrence `h = tanh(x·W + h·U + b)`."""

    cell_class = SimpleRNNCell

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        self._make(
            {
                "units": units,
                "activation": activation,
                "use_bias": use_bias,
                "kernel_initializer": kernel_initializer,
                "recurrent_initializer": recurrent_initializer,
                "bias_initializer": bias_initializer,
            },
            kwargs,
        )


@known
class LSTM(_Cellular):
    """Long short-term memory.

    >>> import numpy as np
    >>> LSTM(4)(np.zeros((2, 5, 3), "float32")).shape
    torch.Size([2, 4])
    """

    cell_class = LSTMCell

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
        self._make(
            {
                "units": units,
                "activation": activation,
                "recurrent_activation": recurrent_activation,
                "use_bias": use_bias,
                "kernel_initializer": kernel_initializer,
                "recurrent_initializer": recurrent_initializer,
                "bias_initializer": bias_initializer,
                "unit_forget_bias": unit_forget_bias,
            },
            kwargs,
        )


@known
class GRU(_Cellular):
    """Gated recurrent unit."""

    cell_class = GRUCell

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
        self._make(
            {
                "units": units,
                "activation": activation,
                "recurrent_activation": recurrent_activation,
                "use_bias": use_bias,
                "kernel_initializer": kernel_initializer,
                "recurrent_initializer": recurrent_initializer,
                "bias_initializer": bias_initializer,
                "reset_after": kwargs.pop("reset_after", True),
            },
            kwargs,
        )
