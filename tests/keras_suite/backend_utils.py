"""`keras.src.backend.common.backend_utils`: shapes that Keras's tests compute by themselves."""

from __future__ import annotations

from typing import Any

from chainrule.keras import layers


def compute_conv_transpose_output_shape(
    input_shape: Any,
    kernel_size: Any,
    filters: int,
    strides: Any,
    padding: str,
    output_padding: Any = None,
    data_format: str = "channels_last",
    dilation_rate: Any = 1,
) -> list[Any]:
    """What a transposed convolution makes of a shape."""
    rank = len(input_shape) - 2
    kind = getattr(layers, f"Conv{rank}DTranspose")
    size = kernel_size if isinstance(kernel_size, int) else tuple(kernel_size)[:rank]
    layer = kind(filters, size, strides, padding, output_padding, data_format, dilation_rate)
    return list(layer.compute_output_shape(tuple(input_shape)))


def _around(span: int, stride: int, padding: str, more: int | None) -> tuple[int, int]:
    """Zeros before and after the spread input of a transposed convolution, of one axis."""
    if padding == "valid":
        return span - 1, span - 1 + (max(stride - span, 0) if more is None else more)
    total = stride + span - 2 if more is None else 2 * ((span + 1) // 2) - 2 + more
    before = min((total + 1) // 2, span - 1)
    return before, total - before


def compute_conv_transpose_padding_args_for_jax(
    input_shape: Any,
    kernel_shape: Any,
    strides: Any,
    padding: str,
    output_padding: Any,
    dilation_rate: Any,
) -> list[tuple[int, int]]:
    """The zeros around the input along each axis."""
    rank = len(input_shape) - 2

    def each(value: Any) -> list[Any]:
        return list(value) if isinstance(value, list | tuple) else [value] * rank

    sizes = zip(
        kernel_shape[:rank], each(strides), each(output_padding), each(dilation_rate), strict=True
    )
    return [_around((k - 1) * d + 1, s, padding.lower(), more) for k, s, more, d in sizes]
