"""Recurrent layers: a cell, run over axis 1 of (batch, steps, …).

However long the sequence is, a layer is one loop of the graph (`chainrule.tensor.loops`): the cell
is recorded for one step. Only a cell that draws random numbers at every step is recorded step by
step.
"""

from __future__ import annotations

import inspect
from typing import Any

from chainrule.keras import context
from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.cells import (
    GRUCell,
    LSTMCell,
    RecurrentCell,
    SimpleRNNCell,
    StackedRNNCells,
    build_cell,
    call_cell,
    check_cell,
    draw_factors,
    forget_factors,
    initial_state,
    output_size,
)
from chainrule.keras.layers.core import check_rank
from chainrule.keras.registry import from_config as object_from_config
from chainrule.keras.registry import known, to_config
from chainrule.keras.settings import to_dtype
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, creation, no_grad
from chainrule.tensor import functions as T
from chainrule.tensor.loops import Step, scan
from chainrule.training.tree import flatten, map_leaves, pack_like

_OPTIONS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll",
            "zero_output_for_mask")  # fmt: skip


@known
class RNN(Layer):
    """Runs `cell` over the steps.

    Gives the last output (batch, units), or with `return_sequences` all of them (batch, steps,
    units); with `return_state` also the final states. Where a mask is False a step changes nothing
    and repeats the output before, or gives zeros with `zero_output_for_mask`. A `stateful` layer
    starts each batch with the states that the batch before ended with. `unroll` changes nothing:
    the compiler chooses how a loop runs.
    """

    supports_masking = True
    casts_integers = True
    #: Dimensions of the inputs, and how their shape is spelled in messages.
    ndim = 3
    spelled = "(batch, steps, features)"

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
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        check_cell(cell)
        kwargs.pop("time_major", None)
        super().__init__(**kwargs)
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        #: The states that a stateful layer carries from call to call. They are no weights.
        self._kept: Any = None

    @property
    def state_size(self) -> list[Any]:
        size = self.cell.state_size
        if not isinstance(size, int | list | tuple):
            raise ValueError(
                f"state_size of a cell must be a whole number or a list of them, got {size!r}"
            )
        return list(size) if isinstance(size, list | tuple) else [size]

    @property
    def states(self) -> Any:
        """The states of a stateful layer, as variables; None before the first call."""
        return None if self._kept is None else self._kept.states

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        check_rank(self, sequences_shape, self.ndim, self.spelled)
        build_cell(self.cell, (sequences_shape[0], *sequences_shape[2:]))
        if self.stateful:
            if sequences_shape[0] is None:
                raise ValueError(
                    f"layer {self.name!r} is stateful and needs a fixed batch size: give "
                    f"Input(batch_shape=...), got the input shape {sequences_shape}"
                )
            self._kept = _Kept(self, int(sequences_shape[0]))
        self.built = True

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The states before the first step: zeros, or what the cell says."""
        return initial_state(self.cell, batch_size)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        batch, steps = sequences_shape[0], sequences_shape[1]
        output = self._output_shape(sequences_shape)
        output = (batch, steps, *output) if self.return_sequences else (batch, *output)
        if not self.return_state:
            return output
        return output, *self._state_shapes(sequences_shape)

    def _output_shape(self, sequences_shape: Any) -> tuple[Any, ...]:
        return (output_size(self.cell),)

    def _state_shapes(self, sequences_shape: Any) -> list[Any]:
        return [map_leaves(lambda n: (sequences_shape[0], n), size) for size in self.state_size]

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        check_rank(self, tuple(sequences.shape), self.ndim, self.spelled)
        if isinstance(mask, list | tuple):
            mask = flatten(mask)[0]
        given = initial_state is not None or self.stateful
        states = self._first_states(sequences, initial_state)
        try:
            output, states = self._run(sequences, states, mask, bool(training), given)
        finally:
            forget_factors(self.cell)
        if self._kept is not None:
            self._kept.take(states)
        return (output, *states) if self.return_state else output

    def _first_states(self, sequences: Tensor, given: Any) -> list[Any]:
        batch = int(sequences.shape[0])
        if given is None:
            if self._kept is not None:
                self._kept.check(batch)
                given = self._kept.states
            else:
                given = self.get_initial_state(batch_size=batch)
        given = list(given) if isinstance(given, list | tuple) else [given]
        dtype = to_dtype(getattr(self.cell, "compute_dtype", self.compute_dtype))
        return [
            map_leaves(lambda s: (s if isinstance(s, Tensor) else creation.tensor(s)).to(dtype), x)
            for x in given
        ]

    # the loop -------------------------------------------------------------------------------------

    def _run(
        self, sequences: Tensor, states: list[Any], mask: Any, training: bool, given: bool
    ) -> tuple[Tensor, list[Any]]:
        """The output, and the states after the last step."""
        one, x = self._one_step(sequences, states, training)
        carry = flatten(states)
        count = len(carry)
        own = isinstance(self.cell, RecurrentCell)  # its output is its first state
        repeats = mask is not None and not self.zero_output_for_mask
        carries_output = repeats and (given or not own)
        if carries_output:
            carry = [*carry, self._no_output(carry[0])]

        def step(before: list[Tensor], now: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
            output, after = one(now[0], pack_like(states, before[:count]))
            after = flatten(after)
            if len(now) > 1:
                last = before[-1] if carries_output else before[0] if repeats else None
                output = _hold(now[1], output, last)
                after = [_hold(now[1], a, b) for a, b in zip(after, before, strict=False)]
            return [*after, output] if carries_output else after, [output]

        xs = [x.transpose(0, 1)]
        if mask is not None:
            mask = mask if isinstance(mask, Tensor) else creation.tensor(mask)
            xs.append(mask.bool().transpose(0, 1))
        ends, outputs = self._loop(step, carry, xs)
        after = pack_like(states, ends[:count])
        if self.return_sequences:
            output = outputs.transpose(0, 1)
            return (T.flip(output, (1,)) if self.go_backwards else output), after
        if own and not carries_output and not (mask is not None and self.zero_output_for_mask):
            return ends[0], after
        return outputs[0 if self.go_backwards else -1], after

    def _loop(
        self, step: Step, carry: list[Tensor], xs: list[Tensor]
    ) -> tuple[list[Tensor], Tensor]:
        running = context.current()
        losses = len(running.losses) if running is not None else 0
        found = scan(step, carry, xs, reverse=self.go_backwards)
        if found is not None and (running is None or len(running.losses) == losses):
            return found[0], found[1][0]
        if running is not None:
            running.forget_losses(losses)
        steps = range(int(xs[0].shape[0]))
        stacked: list[Tensor] = []
        for t in reversed(steps) if self.go_backwards else steps:
            after, (output,) = step(carry, [x[t] for x in xs])
            carry = list(after)
            stacked.append(output)
        if self.go_backwards:
            stacked.reverse()
        return carry, T.stack(stacked)

    def _one_step(self, sequences: Tensor, states: list[Any], training: bool) -> tuple[Any, Tensor]:
        """A step of the cell, and the sequences that it takes: for a cell of ours the inputs'
        share of the gates, which is computed for all steps at once.
        """
        cell = self.cell
        if isinstance(cell, RecurrentCell):
            keep, keep_state = cell.factors(sequences[:, 0], states[0], training)
            projected = cell.project(sequences, keep)
            return (lambda x, before: cell.step(x, before, keep_state)), projected
        draw_factors(cell, sequences[:, 0], states, training)

        def one(x: Tensor, before: Any) -> tuple[Tensor, Any]:
            output, after = call_cell(cell, x, before, training)
            return output, after if isinstance(after, list | tuple) else [after]

        return one, sequences

    def _no_output(self, state: Tensor) -> Tensor:
        """What stands for the output before the first step."""
        size = output_size(self.cell)
        shape = (int(state.shape[0]), size) if isinstance(size, int) else state.shape
        return creation.zeros(shape, dtype=state.dtype)

    # state from call to call ----------------------------------------------------------------------

    def reset_state(self) -> None:
        """Forget the state that a stateful layer carries from call to call."""
        if self._kept is not None:
            self._kept.reset()

    reset_states = reset_state

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        found = flatten(previous_mask)
        mask = found[0] if found and self.return_sequences else None
        if self.return_state:
            return [mask, *(None for _ in self.state_size)]
        return mask

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config |= {name: getattr(self, name) for name in _OPTIONS}
        config["cell"] = to_config(self.cell)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        return cls(object_from_config(config.pop("cell")), **config)


def _hold(now: Tensor, new: Tensor, old: Tensor | None) -> Tensor:
    """`new` for the sequences that still run, `old` (or zeros) for the others."""
    now = now.reshape(-1, *(1,) * (new.ndim - 1))
    return T.where(now, new, 0.0 * new if old is None else old)


class _Kept:
    """The states of a stateful layer between calls."""

    def __init__(self, layer: RNN, batch_size: int) -> None:
        self.batch_size = batch_size
        self.states = map_leaves(
            lambda s: Variable(
                s, dtype=layer.variable_dtype, trainable=False, name=f"{layer.name}_state"
            ),
            layer.get_initial_state(batch_size=batch_size),
        )

    def check(self, batch: int) -> None:
        running = context.current()
        if batch != self.batch_size and not (running is not None and running.probing):
            raise ShapeError(
                "If an RNN is stateful, the batch size of the input sequences must be the same as "
                f"the batch size of the initial state: expected {self.batch_size}, received {batch}"
            )

    def take(self, states: Any) -> None:
        running = context.current()
        if running is not None and running.probing:
            return
        with no_grad():
            for variable, state in zip(flatten(self.states), flatten(states), strict=True):
                variable.assign(state)

    def reset(self) -> None:
        for variable in flatten(self.states):
            variable.assign(creation.zeros(variable.shape, dtype=variable.dtype))


class Cellular(RNN):
    """A layer whose cell takes the same arguments."""

    cell_class: type[Any]
    #: Arguments of the layer that are none of the cell.
    _own = (*_OPTIONS, "activity_regularizer", "use_cudnn")

    def _set(self, arguments: dict[str, Any], **more: Any) -> None:
        """Take the arguments of a constructor, by their names."""
        arguments = {k: v for k, v in arguments.items() if k not in ("self", "__class__")}
        options = arguments.pop("kwargs")
        own = {name: arguments.pop(name) for name in self._own if name in arguments}
        use_cudnn = own.pop("use_cudnn", None)  # SimpleRNN has none
        if "implementation" in options:
            more["implementation"] = options.pop("implementation")
        shared = {"dtype": options.get("dtype"), "trainable": options.get("trainable", True)}
        RNN.__init__(self, self.cell_class(**arguments, **shared, **more), **own, **options)
        if use_cudnn is not None:
            self.use_cudnn = use_cudnn

    def __getattr__(self, name: str) -> Any:
        """What the layer itself has not (units, activation, kernel_initializer …) its cell has."""
        cell = self.__dict__.get("cell")
        if cell is None or name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(cell, name)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["cell"]
        for name, parameter in inspect.signature(type(self).__init__).parameters.items():
            if name not in ("self", "use_cudnn") and parameter.kind is not parameter.VAR_KEYWORD:
                config[name] = to_config(getattr(self, name))
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return Layer.from_config.__func__(cls, config)  # type: ignore[attr-defined]  # past RNN's


@known
class SimpleRNN(Cellular):
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
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._set(locals(), name="simple_rnn_cell")


@known
class LSTM(Cellular):
    """Long short-term memory: `c = σ(f)·c + σ(i)·tanh(g)`, `h = σ(o)·tanh(c)` at every step.

    i, f, g, o are the four parts of `x·kernel + h·recurrent_kernel + bias`. Shape: (batch, steps,
    n) → (batch, units), or (batch, steps, units) with `return_sequences`. Hochreiter and
    Schmidhuber (1997).

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
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        self._set(locals(), name="lstm_cell")


@known
class GRU(Cellular):
    """Gated recurrent unit: `h = z·h + (1 − z)·tanh(x·W + r·(h·U + c) + b)` at every step.

    z and r are `sigmoid(x·W + h·U + b)` with their own columns (`reset_after=False` applies r to h
    before the product). Shape: (batch, steps, n) → (batch, units), or (batch, steps, units) with
    `return_sequences`. Cho et al. (2014).
    """

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
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        self._set(locals(), name="gru_cell")
