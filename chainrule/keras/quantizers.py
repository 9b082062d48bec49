"""`keras.quantizers`: there is no quantization, and using it says so."""

from __future__ import annotations

from typing import Any


class Quantizer:
    """Keras's base class of quantizers. There are none here: weights are floats.

    Raises NotImplementedError; `dtype="float16"` or `"bfloat16"` halves a layer's weights.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            f"{type(self).__name__}: chainrule has no quantization. To halve the weights, give the "
            'layer dtype="bfloat16" or dtype="float16".'
        )
