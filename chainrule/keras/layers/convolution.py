"""Convolutions: Keras's layouts around PyTorch's channels-first operations.

Data are (batch, space…, channels) unless `data_format="channels_first"`; kernels (space…, in /
groups, out). A layer moves the axes, computes, and moves them back; the compiler drops the moves
that meet.

Padding "same" keeps ⌈n / stride⌉ positions, with the odd element of padding at the end. "causal"
(one dimension) puts all of it before the data.
"""

from __future__ import annotations

from typing import Any, ClassVar

from chainrule.keras import activations, constraints, initializers, regularizers
from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.arguments import to_tuple
from chainrule.keras.layers.core import check_rank
from chainrule.keras.layers.input_spec import InputSpec
from chainrule.keras.layers.lora import LowRank
from chainrule.keras.registry import known
from chainrule.keras.settings import standardize_data_format
from chainrule.keras.variables import Variable
from chainrule.nn import functional as F
from chainrule.ops.contract import conv, conv_transpose
from chainrule.tensor import Tensor
from chainrule.tensor.record import apply

_SPELLED = {1: "(batch, steps, channels)", 2: "(batch, height, width, channels)",
            3: "(batch, depth, height, width, channels)"}  # fmt: skip


def channels_first(x: Tensor, data_format: str) -> Tensor:
    """(batch, channels, space…)."""
    if data_format == "channels_first":
        return x
    return x.permute(0, x.ndim - 1, *range(1, x.ndim - 1))


def back(x: Tensor, data_format: str) -> Tensor:
    """The inverse of `channels_first`."""
    if data_format == "channels_first":
        return x
    return x.permute(0, *range(2, x.ndim), 1)


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Elements to put before and after, so that ⌈size / stride⌉ positions result.

    >>> same_padding(28, 3, 1), same_padding(28, 3, 2)
    ((1, 1), (0, 1))
    """
    span = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2


def pad_flat(pads: list[tuple[int, int]]) -> list[int]:
    """Pairs per axis, first axis first, in the order that `F.pad` wants (last axis first)."""
    return [n for pair in reversed(pads) for n in pair]


class Convolution(LowRank):
    """What the convolutions share."""

    rank: ClassVar[int] = 2
    casts_integers = True

    def __init__(
        self,
        filters: int | None,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if filters is not None and (int(filters) != filters or filters < 1):
            raise ValueError(
                "Invalid value for argument `filters`. Expected a strictly positive value. "
                f"Received filters={filters}."
            )
        if groups <= 0:
            raise ValueError(
                f"The number of groups must be a positive integer. Received: groups={groups}."
            )
        if filters is not None and filters % groups:
            raise ValueError(
                "The number of filters must be evenly divisible by the number of groups. "
                f"Received: groups={groups}, filters={filters}."
            )
        self.filters = filters
        self.groups = groups
        self._prepare_lora(lora_rank, lora_alpha)
        self.kernel_size = to_tuple(kernel_size, self.rank, "kernel_size")
        self.strides = to_tuple(strides, self.rank, "strides")
        self.dilation_rate = to_tuple(dilation_rate, self.rank, "dilation_rate")
        self.padding = str(padding).lower()
        allowed = ("valid", "same", "causal") if self.rank == 1 else ("valid", "same")
        if self.padding not in allowed:
            raise ValueError(
                f"The `padding` argument must be one of {allowed}. Received: padding={padding}"
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
                f"strides={self.strides} and dilation_rate={self.dilation_rate}"
            )
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Variable | None = None

    @property
    def channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def _channels(self, input_shape: Any) -> int:
        check_rank(self, input_shape, self.rank + 2, _SPELLED[self.rank])
        channels = input_shape[self.channel_axis]
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self.channel_axis: channels})
        if channels is None:
            raise ShapeError(
                f"layer {self.name!r} needs a known number of channels, got the input shape "
                f"{tuple(input_shape)}"
            )
        return int(channels)

    def _add_bias(self, size: int) -> None:
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(size,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                "The number of input channels must be evenly divisible by the number of groups. "
                f"Received groups={self.groups}, but the input has {channels} channels (full input "
                f"shape is {tuple(input_shape)})."
            )
        self._kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, channels // self.groups, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self._add_bias(int(self.filters or 0))
        self.built = True
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    @property
    def kernel(self) -> Any:
        """(space…, in / groups, out), with what LoRA has learned."""
        return self._adapted_kernel()

    def _convolve(
        self, x: Tensor, weight: Tensor, groups: int, bias: Tensor | None = None
    ) -> Tensor:
        """`x` channels first, `weight` (out, in / groups, space…)."""
        pads = self._pads(tuple(x.shape[2:]))
        spans = [(k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation_rate, strict=True)]
        if any(a + int(n) + b < k for n, (a, b), k in zip(x.shape[2:], pads, spans, strict=True)):
            raise ShapeError(
                "Computed output size would be zero or negative. "
                f"Layer {self.name!r} ({type(self).__name__}) has a kernel of {self.kernel_size}, "
                f"which is larger than its input of shape {tuple(back(x, self.data_format).shape)}",
                repair="padding='same', a smaller kernel, a larger input, or fewer layers that "
                "shrink before it",
            )
        x = apply(
            conv,
            x,
            weight.to(x.dtype),
            stride=self.strides,
            low=tuple(before for before, _ in pads),
            high=tuple(after for _, after in pads),
            dilation=self.dilation_rate,
            groups=groups,
        )
        if bias is not None:
            x = x + bias.to(x.dtype).reshape(1, -1, *(1,) * self.rank)
        return x

    def _pads(self, sizes: tuple[int, ...]) -> list[tuple[int, int]]:
        if self.padding == "valid":
            return [(0, 0)] * self.rank
        if self.padding == "causal":
            return [((self.kernel_size[0] - 1) * self.dilation_rate[0], 0)]
        return [
            same_padding(int(n), k, s, d)
            for n, k, s, d in zip(
                sizes, self.kernel_size, self.strides, self.dilation_rate, strict=True
            )
        ]

    def convolution_op(self, inputs: Any, kernel: Any) -> Tensor:
        """The convolution alone, without bias and activation; a subclass may have its own."""
        weight = kernel.permute(self.rank + 1, self.rank, *range(self.rank))
        x = self._convolve(channels_first(inputs, self.data_format), weight, self.groups, None)
        return back(x, self.data_format)

    def call(self, inputs: Tensor) -> Tensor:
        if type(self).convolution_op is not Convolution.convolution_op:
            x = channels_first(self.convolution_op(inputs, self.kernel), self.data_format)
            if self.bias is not None:
                x = x + self.bias.to(x.dtype).reshape(1, -1, *(1,) * self.rank)
            return self.activation(back(x, self.data_format))
        x = channels_first(inputs, self.data_format)
        weight = self.kernel.permute(self.rank + 1, self.rank, *range(self.rank))
        x = self._convolve(x, weight, self.groups, self.bias)
        return self.activation(back(x, self.data_format))


@known
class Conv1D(Convolution):
    """Convolution over one axis: (batch, n, in) → (batch, m, filters)."""

    rank = 1


@known
class Conv2D(Convolution):
    """Convolution over two axes: (batch, h, w, in) → (batch, h', w', filters).

    >>> import numpy as np
    >>> Conv2D(8, 3, padding="same")(np.zeros((1, 28, 28, 1))).shape
    torch.Size([1, 28, 28, 8])
    """

    rank = 2


@known
class Conv3D(Convolution):
    """Convolution over three axes: (batch, d, h, w, in) → (batch, d′, h′, w′, filters)."""

    rank = 3


class _Depthwise(Convolution):
    """Each channel by itself, `depth_multiplier` outputs per channel."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            None, kernel_size, strides, padding, data_format, dilation_rate, 1, activation,
            use_bias, "glorot_uniform", bias_initializer, None, bias_regularizer,
            activity_regularizer, None, bias_constraint, **kwargs,
        )  # fmt: skip
        if depth_multiplier is None or depth_multiplier < 1:
            raise ValueError(
                "Invalid value for argument `depth_multiplier`. Expected a strictly positive "
                f"value. Received depth_multiplier={depth_multiplier}."
            )
        self.depth_multiplier = int(depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)

    def build(self, input_shape: Any) -> None:
        self._in_channels = self._channels(input_shape)
        self._kernel = self._add_depthwise("kernel")
        self._add_bias(self._in_channels * self.depth_multiplier)
        self.built = True

    def _add_depthwise(self, name: str) -> Variable:
        return self.add_weight(
            name=name,
            shape=(*self.kernel_size, self._in_channels, self.depth_multiplier),
            initializer=self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )

    def _depthwise(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        apart = kernel.permute(self.rank, self.rank + 1, *range(self.rank))
        weight = apart.reshape(self._in_channels * self.depth_multiplier, 1, *self.kernel_size)
        return self._convolve(x, weight, self._in_channels, bias)

    def call(self, inputs: Tensor) -> Tensor:
        x = self._depthwise(channels_first(inputs, self.data_format), self._kernel, self.bias)
        return self.activation(back(x, self.data_format))


@known
class DepthwiseConv1D(_Depthwise):
    """`depth_multiplier` kernels for each channel: (batch, n, c) → (batch, m, c·multiplier)."""

    rank = 1


@known
class DepthwiseConv2D(_Depthwise):
    """`depth_multiplier` kernels for each channel of (batch, h, w, c), which do not mix."""

    rank = 2


class _Separable(_Depthwise):
    """A convolution per channel, then a mixture of the channels at each position."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate,
            activation, use_bias, depthwise_initializer, bias_initializer, depthwise_regularizer,
            bias_regularizer, activity_regularizer, depthwise_constraint, bias_constraint,
            **kwargs,
        )  # fmt: skip
        if filters is None or filters < 1:
            raise ValueError(
                "Invalid value for argument `filters`. Expected a strictly positive value. "
                f"Received filters={filters}."
            )
        self.filters = int(filters)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def build(self, input_shape: Any) -> None:
        self._in_channels = self._channels(input_shape)
        self.depthwise_kernel = self._add_depthwise("depthwise_kernel")
        self.pointwise_kernel = self.add_weight(
            name="pointwise_kernel",
            shape=(*(1,) * self.rank, self._in_channels * self.depth_multiplier, self.filters),
            initializer=self.pointwise_initializer,
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )
        self._add_bias(int(self.filters or 0))
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        x = channels_first(inputs, self.data_format)
        x = self._depthwise(x, self.depthwise_kernel, None)
        weight = self.pointwise_kernel.permute(self.rank + 1, self.rank, *range(self.rank))
        once = {"stride": (1,) * self.rank, "dilation": (1,) * self.rank}
        none = (0,) * self.rank
        x = apply(conv, x, weight.to(x.dtype), low=none, high=none, groups=1, **once)
        if self.bias is not None:
            x = x + self.bias.to(x.dtype).reshape(1, -1, *(1,) * self.rank)
        return self.activation(back(x, self.data_format))


@known
class SeparableConv1D(_Separable):
    """DepthwiseConv1D, then a product over channels: (batch, n, c) → (batch, m, filters)."""

    rank = 1


@known
class SeparableConv2D(_Separable):
    """DepthwiseConv2D, then a product over channels, with many fewer weights than Conv2D."""

    rank = 2


class _Transpose(Convolution):
    """The transposed convolution: the gradient of a convolution with respect to its input."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, 1, activation,
            use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, **kwargs,
        )  # fmt: skip
        if output_padding is None:
            self.output_padding = None
        else:
            self.output_padding = to_tuple(
                output_padding, self.rank, "output_padding", allow_zero=True
            )
            for axis, (added, stride) in enumerate(
                zip(self.output_padding, self.strides, strict=True)
            ):
                if added >= stride:
                    raise ValueError(
                        "`output_padding` must be strictly less than `strides` for all "
                        f"dimensions. At dimension {axis}, `output_padding` is {added} but "
                        f"`strides` is {stride}. Received: output_padding={self.output_padding}, "
                        f"strides={self.strides}"
                    )

    def build(self, input_shape: Any) -> None:
        self._kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, self.filters, self._channels(input_shape)),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self._add_bias(int(self.filters or 0))
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        x = channels_first(inputs, self.data_format)
        sizes = [int(n) for n in x.shape[2:]]
        weight = self.kernel.permute(self.rank + 1, self.rank, *range(self.rank))
        none = (0,) * self.rank
        x = apply(
            conv_transpose,
            x,
            weight.to(x.dtype),
            stride=self.strides,
            padding=none,
            output_padding=none,
            dilation=self.dilation_rate,
            groups=1,
        )
        # The full result is cut (or filled up with zeros) to the part that Keras keeps.
        cuts = [self._cut(axis, n, int(m)) for axis, (n, m) in
                enumerate(zip(sizes, x.shape[2:], strict=True))]  # fmt: skip
        if any(cut != (0, 0) for cut in cuts):
            x = F.pad(x, pad_flat(cuts))
        if self.bias is not None:
            x = x + self.bias.to(x.dtype).reshape(1, -1, *(1,) * self.rank)
        return self.activation(back(x, self.data_format))

    def _cut(self, axis: int, size: int, full: int) -> tuple[int, int]:
        stride = self.strides[axis]
        span = (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1
        more = None if self.output_padding is None else self.output_padding[axis]
        if self.padding == "valid":
            added = max(stride - span, 0) if more is None else more
            return 0, (size - 1) * stride + span + added - full
        if more is None:
            wanted = size * stride
        else:
            wanted = (size - 1) * stride + span - 2 * (span // 2) + more
        before = max((size - 1) * stride + span - wanted, 0) // 2
        return -before, wanted - (full - before)


@known
class Conv1DTranspose(_Transpose):
    """The transpose of Conv1D, larger by `strides`: (batch, n, in) → (batch, m, filters)."""

    rank = 1


@known
class Conv2DTranspose(_Transpose):
    """Transposed convolution over two axes: strides enlarge the image."""

    rank = 2


@known
class Conv3DTranspose(_Transpose):
    """The transpose of Conv3D, which enlarges by `strides`."""

    rank = 3


Convolution3DTranspose = Conv3DTranspose
Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose
