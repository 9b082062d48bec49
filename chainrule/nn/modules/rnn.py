"""Recurrent layers: RNN, LSTM, GRU, and cells. Loops stay loops (`chainrule.ops.recurrent`)."""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

import numpy as np

from chainrule import meaning, ops
from chainrule.dtypes import DType
from chainrule.errors import ShapeError
from chainrule.ir.node import Node
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.modules.make import parameter
from chainrule.nn.modules.module import Module
from chainrule.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from chainrule.tensor import Tensor, autocast
from chainrule.tensor.creation import zeros
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import cat, stack
from chainrule.tensor.record import apply


class RNNBase(Module):
    """Layers over time, stacked and in both directions. Abstract: subclasses say `gates`.

    input (T, B, in), (B, T, in) with batch_first, (T, in) without batch, or a PackedSequence.
    Parameters as in PyTorch: weight_ih_l0 (gates · hidden, in), weight_hh_l0 (gates · hidden,
    hidden), two biases, "_reverse" for the way back; all from U(−k, k), k = 1/√hidden.
    """

    mode: ClassVar[str] = ""
    gates: ClassVar[int] = 1

    @property
    def _takes(self) -> dict[str, list[str]]:
        batched = "batch length" if self.batch_first else "length batch"
        return {"input": [f"{lead} features=input_size" for lead in (batched, "length")]}

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
        proj_size: int = 0, device: Any = None, dtype: DType | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an "
                "element being zeroed"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                "dropout expects num_layers "
                f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
                stacklevel=3,
            )
        if not isinstance(hidden_size, int):
            raise TypeError(f"hidden_size should be of type int, got: {type(hidden_size).__name__}")
        if hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if proj_size < 0 or proj_size >= hidden_size:
            raise ValueError(
                "proj_size has to be a positive integer, smaller than hidden_size, or zero to "
                "disable projections"
            )
        self.input_size, self.hidden_size, self.num_layers, self.bias = (
            input_size,
            hidden_size,
            num_layers,
            bias,
        )
        self.batch_first, self.dropout, self.bidirectional, self.proj_size = (
            batch_first,
            float(dropout),
            bidirectional,
            proj_size,
        )
        out = proj_size or hidden_size
        ways = 2 if bidirectional else 1
        g = self.gates * hidden_size
        for layer in range(num_layers):
            size = input_size if layer == 0 else out * ways
            for suffix in self._suffixes(layer):
                self.register_parameter(f"weight_ih{suffix}", parameter((g, size), dtype, device))
                self.register_parameter(f"weight_hh{suffix}", parameter((g, out), dtype))
                if bias:
                    self.register_parameter(f"bias_ih{suffix}", parameter((g,), dtype))
                    self.register_parameter(f"bias_hh{suffix}", parameter((g,), dtype))
                if proj_size:
                    self.register_parameter(
                        f"weight_hr{suffix}", parameter((proj_size, hidden_size), dtype)
                    )
        self.reset_parameters()

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def reset_parameters(self) -> None:
        """U(−k, k), k = 1/√hidden, for all."""
        k = 1.0 / math.sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -k, k)

    def flatten_parameters(self) -> None:
        """Nothing to do: parameters need no common buffer here."""

    @property
    def _all_weights(self) -> list[list[str]]:
        names = (
            ["weight_ih", "weight_hh"]
            + (["bias_ih", "bias_hh"] if self.bias else [])
            + (["weight_hr"] if self.proj_size else [])
        )
        return [
            [n + s for n in names]
            for layer in range(self.num_layers)
            for s in self._suffixes(layer)
        ]

    @property
    def _flat_weights_names(self) -> list[str]:
        """Programs that set first values go through these (d2l.ai)."""
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Tensor]:
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """Parameters by layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def extra_repr(self) -> str:
        s = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size:
            s += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            s += f", num_layers={self.num_layers}"
        if not self.bias:
            s += f", bias={self.bias}"
        if self.batch_first:
            s += f", batch_first={self.batch_first}"
        if self.dropout:
            s += f", dropout={self.dropout}"
        return s + (f", bidirectional={self.bidirectional}" if self.bidirectional else "")

    # ------------------------------------------------------------------ one direction of one layer

    def _gates_of_input(self, x: Tensor, suffix: str) -> Tensor:
        """The input's part of all gates at all steps: one product."""
        return F.linear(
            x,
            getattr(self, f"weight_ih{suffix}"),
            getattr(self, f"bias_ih{suffix}") if self.bias else None,
        )

    def _run(
        self, x: Tensor, state: tuple[Tensor, ...], mask: tuple[Tensor, ...], suffix: str,
        reverse: bool,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        raise NotImplementedError

    # ------------------------------------------------------------------ all of them

    @autocast.full
    def _forward(
        self, input: Any, hx: tuple[Tensor, ...] | None, states: int
    ) -> tuple[Any, tuple[Tensor, ...]]:
        packed = input if isinstance(input, PackedSequence) else None
        lengths = None
        if packed is not None:
            x, lengths = pad_packed_sequence(PackedSequence(packed.data, packed.batch_sizes))
        else:
            x = self._time_first(input)
        single = packed is None and input.ndim == 2
        steps, batch = x.shape[0], x.shape[1]
        if x.shape[-1] != self.input_size:
            raise ShapeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got "
                f"{x.shape[-1]} (input has shape "
                f"{tuple(input.shape) if packed is None else tuple(packed.data.shape)}, "
                f"batch_first={self.batch_first})"
            )
        start = self._start(hx, states, batch, single, x.dtype, packed)
        mask: tuple[Tensor, ...] = ()
        if lengths is not None and int(lengths.min()) < steps:
            running = np.arange(steps)[:, None] < lengths.numpy()[None, :]
            mask = (from_owned(running[:, :, None]),)
        ends: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            outs = []
            for way, suffix in enumerate(self._suffixes(layer)):
                at = layer * len(self._suffixes(layer)) + way
                y, *end = self._run(x, tuple(s[at] for s in start), mask, suffix, reverse=way == 1)
                outs.append(y)
                ends.append(tuple(end))
            x = outs[0] if len(outs) == 1 else cat(outs, -1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout)
        final = tuple(stack([e[i] for e in ends]) for i in range(states))
        if packed is not None:
            assert lengths is not None
            flat = pack_padded_sequence(x, lengths, enforce_sorted=True)
            out = PackedSequence(
                flat.data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
            )
            return out, tuple(_permuted(s, packed.unsorted_indices) for s in final)
        if single:
            return x.squeeze(1), tuple(s.squeeze(1) for s in final)
        return (x.transpose(0, 1) if self.batch_first else x), final

    def _time_first(self, input: Tensor) -> Tensor:
        if input.ndim not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.ndim}D instead"
            )
        if input.ndim == 2:
            return input.unsqueeze(1)
        return input.transpose(0, 1) if self.batch_first else input

    def _start(
        self, hx: Any, states: int, batch: int, single: bool, dtype: DType, packed: Any
    ) -> tuple[Tensor, ...]:
        n = self.num_layers * (2 if self.bidirectional else 1)
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)[:states]
        if hx is None:
            return tuple(zeros(n, batch, size, dtype=dtype) for size in sizes)
        out = []
        for name, h, size in zip(("hx", "cx"), hx, sizes, strict=False):
            if single != (h.ndim == 2):
                raise ShapeError(
                    f"For {'unbatched 2-D' if single else 'batched 3-D'} input, {name} should also "
                    f"be {2 if single else 3}-D but got {h.ndim}-D tensor"
                )
            h = h.unsqueeze(1) if single else h
            if tuple(h.shape) != (n, batch, size):
                raise ShapeError(
                    f"Expected hidden {'[0] ' if states > 1 and name == 'hx' else ''}size "
                    f"{(n, batch, size)}, got {list(h.shape)} for {name}"
                )
            out.append(_permuted(h, packed.sorted_indices) if packed is not None else h)
        return tuple(out)


def _permuted(h: Tensor, order: Tensor | None) -> Tensor:
    return h if order is None else h.index_select(1, order)


class RNN(RNNBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu

    >>> import chainrule as torch
    >>> y, h = torch.nn.RNN(10, 20, batch_first=True)(torch.ones(3, 5, 10))
    >>> y.shape, h.shape
    (torch.Size([3, 5, 20]), torch.Size([1, 3, 20]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh",
        *args: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        self.nonlinearity = nonlinearity
        super().__init__(input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity = nonlinearity

    def _run(
        self, x: Tensor, state: tuple[Tensor, ...], mask: tuple[Tensor, ...], suffix: str,
        reverse: bool,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        gx = self._gates_of_input(x, suffix)
        if self.bias:
            gx = gx + getattr(self, f"bias_hh{suffix}")
        w = getattr(self, f"weight_hh{suffix}")
        return apply(
            ops.rnn, gx, state[0], w, *mask, nonlinearity=self.nonlinearity, reverse=reverse
        )

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        y, (h,) = self._forward(input, None if hx is None else (hx,), 1)
        return y, h


class LSTM(RNNBase):
    """c' = σ(f) c + σ(i) tanh(g), h' = σ(o) tanh(c'); i, f, g, o = W_ih x + b_ih + W_hh h + b_hh

    x (T, B, in), (B, T, in) with batch_first, (T, in) without a batch, or a PackedSequence; the
    state (h, c), each (layers · directions, B, hidden), zeros unless given → y (T, B, directions ·
    hidden): h' of every step of the last layer, and (h, c) after the last step. `num_layers` are
    stacked, with `dropout` between them in training; `bidirectional` adds a way back, whose h'
    stand behind the others; `proj_size` makes h' shorter: W_hr h' (Sak et al. 2014). Parameters
    from U(−k, k), k = 1/√hidden. Raises RuntimeError for other sizes of input or state.

    Hochreiter and Schmidhuber, "Long short-term memory" (1997); Gers et al. (2000) for f.

    >>> import chainrule as torch
    >>> y, (h, c) = torch.nn.LSTM(10, 20, num_layers=2)(torch.ones(5, 3, 10))
    >>> y.shape, h.shape, c.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]), torch.Size([2, 3, 20]))
    """

    gates = 4

    def _run(
        self, x: Tensor, state: tuple[Tensor, ...], mask: tuple[Tensor, ...], suffix: str,
        reverse: bool,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        gx = self._gates_of_input(x, suffix)
        if self.bias:
            gx = gx + getattr(self, f"bias_hh{suffix}")
        w = getattr(self, f"weight_hh{suffix}")
        if self.proj_size:
            return apply(
                ops.lstm_projected,
                gx,
                *state,
                w,
                getattr(self, f"weight_hr{suffix}"),
                *mask,
                reverse=reverse,
            )
        return apply(ops.lstm, gx, *state, w, *mask, reverse=reverse)

    def forward(
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        y, (h, c) = self._forward(input, hx, 2)
        return y, (h, c)


class GRU(RNNBase):
    """h' = (1 − z) n + z h, n = tanh(W_in x + b_in + r (W_hn h + b_hn))

    r, z = σ(W x + b + W' h + b'). Shapes, settings, first values and errors as for LSTM; the state
    is h alone. r stands outside the product with W_hn, as in cuDNN and PyTorch.

    Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014).

    >>> import chainrule as torch
    >>> y, h = torch.nn.GRU(10, 20, batch_first=True)(torch.ones(3, 5, 10))
    >>> y.shape, h.shape
    (torch.Size([3, 5, 20]), torch.Size([1, 3, 20]))
    """

    gates = 3

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__(*args, **kwargs)

    def _run(
        self, x: Tensor, state: tuple[Tensor, ...], mask: tuple[Tensor, ...], suffix: str,
        reverse: bool,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        w = getattr(self, f"weight_hh{suffix}")
        b = getattr(self, f"bias_hh{suffix}") if self.bias else zeros(w.shape[0], dtype=w.dtype)
        return apply(
            ops.gru, self._gates_of_input(x, suffix), state[0], w, b, *mask, reverse=reverse
        )

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        y, (h,) = self._forward(input, None if hx is None else (hx,), 1)
        return y, h


# ------------------------------------------------------------------ cells: one step


class RNNCellBase(Module):
    """One step. Abstract: subclasses say `gates`."""

    gates: ClassVar[int] = 1
    _takes = meaning.axes(input="batch? features=input_size", hx="batch? features=hidden_size")

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
        dtype: DType | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        g = self.gates * hidden_size
        self.weight_ih = parameter((g, input_size), dtype, device)
        self.weight_hh = parameter((g, hidden_size), dtype)
        self.register_parameter("bias_ih", parameter((g,), dtype) if bias else None)
        self.register_parameter("bias_hh", parameter((g,), dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """U(−k, k), k = 1/√hidden, for all."""
        k = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for p in self.parameters():
            init.uniform_(p, -k, k)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + (
            "" if self.bias else f", bias={self.bias}"
        )

    def _step(
        self, input: Tensor, states: tuple[Tensor, ...] | None, count: int, op: Any, **attrs: Any
    ) -> tuple[Tensor, ...]:
        if input.ndim not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 1D or 2D, got {input.ndim}D instead"
            )
        single = input.ndim == 1
        x = input.unsqueeze(0) if single else input
        if x.shape[1] != self.input_size:
            raise ShapeError(
                f"{type(self).__name__}: input_size is {self.input_size}, the input has shape "
                f"{tuple(input.shape)}"
            )
        if states is None:
            states = tuple(zeros(x.shape[0], self.hidden_size, dtype=x.dtype) for _ in range(count))
        elif single:
            states = tuple(s.unsqueeze(0) for s in states)
        for s in states:
            if tuple(s.shape) != (x.shape[0], self.hidden_size):
                raise ShapeError(
                    f"{type(self).__name__}: expected hidden state of shape "
                    f"{(x.shape[0], self.hidden_size)}, got {tuple(s.shape)}"
                )
        out = self._apply_step(op, x, states, attrs)
        return tuple(o.squeeze(0) for o in out) if single else out

    def _apply_step(
        self, op: Any, x: Tensor, states: tuple[Tensor, ...], attrs: dict[str, Any]
    ) -> tuple[Tensor, ...]:
        gx = F.linear(x, self.weight_ih, self.bias_ih)
        if self.bias_hh is not None:
            gx = gx + self.bias_hh
        out = apply(op, gx, *states, self.weight_hh, **attrs)
        return out if isinstance(out, tuple) else (out,)


def _rnn_step(gx: Node, h: Node, w: Node, *, nonlinearity: str) -> Node:
    return ops.rnn_step(gx, h, w, nonlinearity)


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu"""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
        device: Any = None, dtype: DType | None = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    @autocast.full
    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(
            input, None if hx is None else (hx,), 1, _rnn_step, nonlinearity=self.nonlinearity
        )[0]

    def extra_repr(self) -> str:
        return super().extra_repr() + (
            "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        )


class LSTMCell(RNNCellBase):
    """One step of LSTM: c' = σ(f) c + σ(i) tanh(g), h' = σ(o) tanh(c'); gives (h', c')."""

    gates = 4

    @autocast.full
    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        h, c = self._step(input, hx, 2, ops.lstm_step)
        return h, c


class GRUCell(RNNCellBase):
    """One step of GRU: h' = (1 − z) n + z h, from x (B, in) and h (B, hidden)."""

    gates = 3

    @autocast.full
    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, None if hx is None else (hx,), 1, ops.gru_step)[0]

    def _apply_step(
        self, op: Any, x: Tensor, states: tuple[Tensor, ...], attrs: dict[str, Any]
    ) -> tuple[Tensor, ...]:
        b = (
            self.bias_hh
            if self.bias_hh is not None
            else zeros(self.weight_hh.shape[0], dtype=x.dtype)
        )
        return (apply(op, F.linear(x, self.weight_ih, self.bias_ih), *states, self.weight_hh, b),)
