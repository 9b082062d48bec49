"""LSTM over images: its products are convolutions (Shi et al. 2015)."""

from __future__ import annotations

from typing import Any

from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.cells import LSTMCell, Masks
from chainrule.keras.layers.convolution import back, channels_first, same_padding, to_tuple
from chainrule.keras.layers.recurrent import Cellular
from chainrule.keras.registry import known
from chainrule.keras.settings import standardize_data_format, to_dtype
from chainrule.ops.contract import conv
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T
from chainrule.tensor.record import apply


@known
class ConvLSTMCell(LSTMCell):
    """A step of an LSTM whose inputs and states are images in `rank` dimensions."""

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        if not 1 <= rank <= 3:
            raise ValueError(f"convolutions have 1 to 3 dimensions, got rank={rank}")
        self._set(locals() | {"units": filters})
        self.kernel_size = to_tuple(kernel_size, rank, "kernel_size")
        self.strides = to_tuple(strides, rank, "strides")
        self.dilation_rate = to_tuple(dilation_rate, rank, "dilation_rate")
        self.padding = str(padding).lower()
        if self.padding not in ("valid", "same"):
            raise ValueError(f"padding must be 'valid' or 'same', got {padding!r}")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                "Specifying `strides > 1` is not compatible with `dilation_rate > 1`: received "
                f"strides={self.strides} and dilation_rate={self.dilation_rate}"
            )
        self.data_format = standardize_data_format(data_format)
        self.gate_axis = -1 if self.data_format == "channels_last" else 1
        self.dropout_mask_count = self.gates

    rank: int
    filters: int

    def build(  # type: ignore[override]  # Keras names shapes by the arguments of call
        self, inputs_shape: Any, states_shape: Any = None
    ) -> None:
        self._size = inputs_shape[self.gate_axis]
        last = self.data_format == "channels_last"
        self._space = tuple(inputs_shape[1:-1] if last else inputs_shape[2:])
        if None in (self._size, *self._space):
            raise ShapeError(
                f"layer {self.name!r} needs known channels and sizes of images, got the input "
                f"shape {tuple(inputs_shape)}"
            )
        for name, size in {"": self._size, "recurrent_": self.filters}.items():
            weight = self.add_weight(
                name=f"{name}kernel",
                shape=(*self.kernel_size, size, self.gates * self.filters),
                initializer=getattr(self, f"{name or 'kernel_'}initializer"),
                regularizer=getattr(self, f"{name or 'kernel_'}regularizer"),
                constraint=getattr(self, f"{name or 'kernel_'}constraint"),
            )
            setattr(self, f"{name}kernel", weight)
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=self._bias_shape(),
                initializer=self._first_bias,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def project(self, inputs: Tensor, keep: Masks) -> Tensor:
        """The convolution of the inputs; of all steps at once where there is an axis of steps."""
        steps = inputs.ndim > self.rank + 2
        lead = tuple(inputs.shape[:2])
        if keep is not None:
            x = T.cat([inputs * (k.unsqueeze(1) if steps else k) for k in keep], self.gate_axis)
        else:
            x = inputs
        if steps:
            x = x.reshape(lead[0] * lead[1], *x.shape[2:])
        x = self._convolve(
            x, self.kernel, self.strides, self.dilation_rate, self.padding, keep is not None
        )
        if self.bias is not None:
            shape = (-1,) if self.gate_axis == -1 else (-1, *(1,) * self.rank)
            x = x + self.bias.to(x.dtype).reshape(shape)
        return x.reshape(*lead, *x.shape[1:]) if steps else x

    def _product(self, x: Tensor, kernel: Tensor, keep: Masks) -> Tensor:
        ones = (1,) * self.rank
        if keep is not None:
            x = T.cat([x * k for k in keep], self.gate_axis)
        return self._convolve(x, kernel, ones, ones, "same", keep is not None)

    def _convolve(
        self, x: Tensor, kernel: Any, strides: Any, dilation: Any, padding: str, grouped: bool
    ) -> Tensor:
        """`grouped`: the channels of x are those of each gate, side by side."""
        x = channels_first(x, self.data_format)
        pads = [(0, 0)] * self.rank
        if padding == "same":
            pads = [
                same_padding(int(n), k, s, d)
                for n, k, s, d in zip(x.shape[2:], self.kernel_size, strides, dilation, strict=True)
            ]
        weight = kernel.to(x.dtype).permute(self.rank + 1, self.rank, *range(self.rank))
        x = apply(
            conv, x, weight, stride=strides, low=tuple(a for a, _ in pads),
            high=tuple(b for _, b in pads), dilation=dilation, groups=self.gates if grouped else 1,
        )  # fmt: skip
        return back(x, self.data_format)

    def image_shape(self, inputs_shape: Any) -> tuple[int, ...]:
        """Shape of the states, without the batch, for inputs (batch, image)."""
        last = self.data_format == "channels_last"
        space = inputs_shape[1:-1] if last else inputs_shape[2:]
        sizes = []
        for n, k, s, d in zip(
            space, self.kernel_size, self.strides, self.dilation_rate, strict=True
        ):
            sizes.append(-(-n // s) if self.padding == "same" else (n - (k - 1) * d - 1) // s + 1)
        return (*sizes, self.filters) if last else (self.filters, *sizes)

    def compute_output_shape(self, inputs_shape: Any, states_shape: Any = None) -> Any:
        shape = (inputs_shape[0], *self.image_shape(inputs_shape))
        return shape, [shape, shape]

    def get_initial_state(self, batch_size: int | None = None) -> list[Tensor]:
        """Zeros."""
        last = self.data_format == "channels_last"
        image = (*self._space, self._size) if last else (self._size, *self._space)
        shape = (1 if batch_size is None else batch_size, *self.image_shape((None, *image)))
        return [creation.zeros(shape, dtype=to_dtype(self.compute_dtype)) for _ in range(2)]


class ConvLSTM(Cellular):
    """An LSTM over sequences of images in `rank` dimensions: (batch, steps, …, channels)."""

    cell_class = ConvLSTMCell

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        **kwargs: Any,
    ) -> None:
        self.ndim, self.spelled = rank + 3, "(batch, steps, image, channels)"
        self._set(locals(), name="conv_lstm_cell")

    def _output_shape(self, sequences_shape: Any) -> tuple[Any, ...]:
        shape: tuple[Any, ...] = self.cell.image_shape((None, *sequences_shape[2:]))
        return shape

    def _state_shapes(self, sequences_shape: Any) -> list[Any]:
        shape = (sequences_shape[0], *self._output_shape(sequences_shape))
        return [shape, shape]

    def _no_output(self, state: Tensor) -> Tensor:
        return creation.zeros(state.shape, dtype=state.dtype)


@known
class ConvLSTM1D(ConvLSTM):
    """An LSTM over (batch, steps, length, channels)."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        **kwargs: Any,
    ) -> None:
        self.ndim, self.spelled = 4, "(batch, steps, length, channels)"
        self._set(locals() | {"rank": 1}, name="conv_lstm_cell")


@known
class ConvLSTM2D(ConvLSTM):
    """An LSTM over (batch, steps, height, width, channels)."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        **kwargs: Any,
    ) -> None:
        self.ndim, self.spelled = 5, "(batch, steps, height, width, channels)"
        self._set(locals() | {"rank": 2}, name="conv_lstm_cell")


@known
class ConvLSTM3D(ConvLSTM):
    """An LSTM over (batch, steps, depth, height, width, channels)."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        **kwargs: Any,
    ) -> None:
        self.ndim, self.spelled = 6, "(batch, steps, depth, height, width, channels)"
        self._set(locals() | {"rank": 3}, name="conv_lstm_cell")
