"""`keras.src.layers.core.einsum_dense`: how Keras's tests ask for the shapes of an equation."""

from __future__ import annotations

from typing import Any

from chainrule.keras.layers.dense import EinsumDense, einsum_shapes


def _analyze_einsum_string(
    equation: str, bias_axes: str | None, input_shape: Any, output_shape: Any
) -> tuple[Any, ...]:
    kernel, bias, output, *axes = einsum_shapes(equation, bias_axes, input_shape, output_shape)
    return list(kernel), None if bias is None else list(bias), list(output), *axes


__all__ = ["EinsumDense", "_analyze_einsum_string"]
