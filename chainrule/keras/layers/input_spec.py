"""InputSpec: what a layer asks of its inputs, and the check with Keras's messages."""

from __future__ import annotations

from typing import Any

from chainrule.keras.errors import ShapeError
from chainrule.keras.settings import standardize_dtype, standardize_shape
from chainrule.training.tree import flatten


class InputSpec:
    """The rank, shape and type of an input, as far as they matter.

    >>> InputSpec(ndim=2, axes={-1: 3})
    InputSpec(ndim=2, axes={-1: 3})
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else standardize_dtype(dtype)
        self.shape = None if shape is None else standardize_shape(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.name = name
        self.optional = optional
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        try:
            self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        except (AttributeError, ValueError, TypeError):
            raise TypeError(
                f"Argument `axes` must be a dict with integer keys. Received: axes={axes}"
            ) from None
        if self.axes and (self.ndim is not None or self.max_ndim is not None):
            last = (self.ndim or self.max_ndim or 0) - 1
            if max(self.axes) > last:
                raise ValueError(
                    f"Axis {max(self.axes)} is greater than the maximum allowed value: {last}"
                )

    def __repr__(self) -> str:
        parts = [
            f"{name}={getattr(self, name)}"
            for name in ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
            if getattr(self, name)
        ]
        return f"InputSpec({', '.join(parts)})"

    def get_config(self) -> dict[str, Any]:
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        return cls(**config)


def assert_input_compatibility(input_spec: Any, inputs: Any, layer_name: str) -> None:
    """Raise a ValueError where `inputs` (tensors, or a structure of them) are not what the specs
    ask for.
    """
    specs = flatten(input_spec)
    if isinstance(inputs, dict) and all(spec is not None and spec.name for spec in specs):
        names = [spec.name for spec in specs]
        for name in names:
            if name not in inputs:
                raise ValueError(
                    f'Missing data for input "{name}". You passed a data dictionary with keys '
                    f"{list(inputs)}. Expected the following keys: {names}"
                )
        inputs = [inputs[name] for name in names]
    given = flatten(inputs)
    if (
        len(given) != len(specs)
        and not isinstance(inputs, list | tuple)
        and all(spec is not None and spec.name for spec in specs)
    ):
        raise ValueError(
            f"Layer '{layer_name}' expects {len(specs)} input(s), or named input(s) with keys "
            f"{[spec.name for spec in specs]}. Received: {type(inputs).__name__}"
        )
    if len(given) != len(specs):
        raise ValueError(
            f'Layer "{layer_name}" expects {len(specs)} input(s), but it received {len(given)} '
            f"input tensors. Inputs received: {given}"
        )
    for index, (x, spec) in enumerate(zip(given, specs, strict=True)):
        if spec is None or (x is None and spec.optional):
            continue
        if x is None:
            raise ValueError(
                f"The input '{spec.name}' is not optional, but None was passed. Please provide a "
                "valid tensor."
            )
        if not hasattr(x, "shape"):
            raise ValueError(
                f"Inputs to a layer should be tensors. Got '{x}' (of type {type(x)}) as input for "
                f"layer '{layer_name}'."
            )
        wrong = _mismatch(spec, x)
        if wrong is not None:
            raise ShapeError(
                f"Input {index} with name '{spec.name}' of layer '{layer_name}' is incompatible "
                f"with the layer: {wrong}"
            )


def _mismatch(spec: InputSpec, x: Any) -> str | None:
    """What is wrong with an input, or None."""
    shape = tuple(x.shape)
    rank = len(shape)
    if spec.ndim is not None and not spec.allow_last_axis_squeeze and rank != spec.ndim:
        return f"expected ndim={spec.ndim}, found ndim={rank}. Full shape received: {shape}"
    if spec.max_ndim is not None and rank > spec.max_ndim:
        return f"expected max_ndim={spec.max_ndim}, found ndim={rank}"
    if spec.min_ndim is not None and rank < spec.min_ndim:
        return f"expected min_ndim={spec.min_ndim}, found ndim={rank}. Full shape received: {shape}"
    if spec.dtype is not None and standardize_dtype(x.dtype) != spec.dtype:
        return f"expected dtype={spec.dtype}, found dtype={standardize_dtype(x.dtype)}"
    for axis, size in spec.axes.items():
        if size is not None and -rank <= axis < rank and shape[axis] not in (size, None):
            return (
                f"expected axis {axis} of input shape to have value {size}, but received input "
                f"with shape {shape}"
            )
    if spec.shape is None:
        return None
    wanted = spec.shape
    if spec.allow_last_axis_squeeze:
        if shape and shape[-1] == 1:
            shape = shape[:-1]
        if wanted and wanted[-1] == 1:
            wanted = wanted[:-1]
    # Without a rank to keep to, what is there is compared: the model says more of the rank.
    if any(a is not None and b is not None and a != b for a, b in zip(wanted, shape, strict=False)):
        return f"expected shape={spec.shape}, found shape={shape}"
    return None
