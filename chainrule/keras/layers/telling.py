"""What an error in a layer says: the layer's path, what the axes mean, a repair (see `telling`)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from chainrule import meaning
from chainrule.errors import ShapeError
from chainrule.keras.layers.input_spec import InputSpec
from chainrule.keras.symbolic import KerasTensor
from chainrule.lines import users_lines
from chainrule.telling import Parts, tell, told
from chainrule.tensor import Tensor
from chainrule.training.tree import is_nested, leaves

_SPACE = {3: "steps", 4: "height width", 5: "depth height width"}


def tell_layer(error: Exception, layer: Any, args: Any, kwargs: Any) -> None:
    """Say on `error` which layer it comes from; called by every layer that the error passes."""
    parts = told(error)
    if parts.layer is layer:
        return
    if parts.layer is not None:
        before, gives = f"/{parts.root}{parts.before}", parts.gives
        if not parts.before:
            before, gives = _before(parts)
        path = f"/{parts.root}{parts.path}"
        tell(error, layer=layer, root=layer.name, path=path, before=before, gives=gives)
        return
    given = [*args, *kwargs.values()]
    found = meaning.Wrong()
    if isinstance(error, (ShapeError, ValueError)) and given:
        found = _diagnosis(layer, given[0])
    shown = ", ".join([*(_brief(layer, value) for value in given), *_weights(layer)])
    tell(
        error,
        layer=layer,
        root=layer.name,
        said=f" ({type(layer).__name__})" + (f", given {shown}" if shown else ""),
        problem=found.problem,
        repair=found.repair or parts.repair,
        lines=parts.lines or users_lines(),
    )


def _weights(layer: Any) -> list[str]:
    """The kernel, with its axes named."""
    kernel = getattr(layer, "kernel", None) if layer.built else None
    if kernel is None or not hasattr(kernel, "shape"):
        return []
    names = {2: "features units", 3: "kernel", 4: "kernel kernel", 5: "kernel kernel kernel"}
    rank = len(kernel.shape)
    filters = "" if rank < 3 else " channels filters"
    axes = meaning.read(names.get(rank, "") + filters, None)
    return [f"kernel {meaning.label(_short(kernel.dtype), tuple(kernel.shape), axes)}"]


def _before(parts: Parts) -> tuple[str, str]:
    """The layer whose output the innermost one takes, where a graph says so."""
    for node in getattr(parts.layer, "nodes", ())[:1]:
        for made in node.parent_nodes:
            kind = type(made.operation).__name__
            if kind != "InputLayer":
                return f"/{made.operation.name}", kind
    return "", ""


def _names(layer: Any, rank: int) -> str:
    """What so many axes are called."""
    if rank < 2 or rank not in _SPACE:
        return "batch features" if rank == 2 else ""
    if getattr(layer, "data_format", None) == "channels_first":
        return f"batch channels {_SPACE[rank]}"
    return f"batch {_SPACE[rank]} {'features' if rank == 3 else 'channels'}"


def _axes(layer: Any, rank: int) -> meaning.Axes:
    """The axes of an input, with the sizes that the layer's `input_spec` asks for."""
    spec = layer._input_spec
    if not isinstance(spec, InputSpec):
        return meaning.read(_names(layer, rank), None)
    if spec.ndim is None:
        last = spec.axes.get(-1)
        size = f"={last}" if last is not None and len(spec.axes) == 1 else ""
        return meaning.read(f"... features{size}", None)
    names = _names(layer, spec.ndim).split() or [f"axis{i}" for i in range(spec.ndim)]
    sizes = dict(spec.axes if spec.shape is None else enumerate(spec.shape))
    parts = list(names)
    for axis, n in sizes.items():
        if n is not None:
            parts[axis] = f"{names[axis]}={n}"
    return meaning.read(" ".join(parts), None)


def _diagnosis(layer: Any, x: Any) -> meaning.Wrong:
    if not _is_array(x):
        return meaning.Wrong()
    axes = _axes(layer, len(x.shape))
    return meaning.wrong(tuple(x.shape), axes, meaning.KERAS, _maker(layer, axes))


def _maker(layer: Any, axes: meaning.Axes) -> meaning.Maker:
    def made(name: str, n: int) -> str | None:
        if not layer.built or not layer.weights:
            return None
        return f"a new layer (this one was built for {axes.sizes[name]} {name})"

    return made


def _short(dtype: Any) -> str:
    name = str(getattr(dtype, "name", dtype))
    return re.sub(r"[a-z]+(?=\d)", lambda m: m[0][0], name) if name != "bool" else name


def _is_array(x: Any) -> bool:
    return isinstance(x, Tensor | KerasTensor | np.ndarray) and str(x.dtype) != "object"


def _brief(layer: Any, value: Any) -> str:
    if _is_array(value):
        shape = tuple(value.shape)
        axes = _axes(layer, len(shape))
        return meaning.label(_short(value.dtype), shape, axes)
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if is_nested(value):
        parts = list(leaves(value))
        if len(parts) <= 4:
            return f"({', '.join(_brief(layer, part) for part in parts)})"
    return type(value).__name__
