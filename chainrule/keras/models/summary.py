"""The table that `model.summary()` prints: Keras's columns, with parameter counts and sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.core import InputLayer
from chainrule.keras.variables import Variable
from chainrule.training.tree import flatten, is_nested


def summary(
    model: Any,
    line_length: int | None = None,
    positions: Any = None,
    print_fn: Callable[..., Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> None:
    """Print layers, output shapes and numbers of parameters."""
    write = print_fn or print
    headers = ["Layer (type)", "Output Shape", "Param #"]
    connected = model.graph is not None and not model.is_sequential
    if connected:
        headers.append("Connected to")
    if show_trainable:
        headers.append("Trainable")
    layers = [
        layer
        for layer in model.layers
        if not (model.is_sequential and isinstance(layer, InputLayer))
    ]
    if layer_range is not None:
        names = [layer.name for layer in layers]
        layers = layers[names.index(layer_range[0]) : names.index(layer_range[1]) + 1]
    rows: list[list[str]] = []
    for layer in layers:
        _add_rows(rows, layer, model, connected, show_trainable, expand_nested, "")
    lines = [f'Model: "{model.name}"', *_table(headers, rows, line_length), *_totals(model)]
    write("\n".join(lines))


def _add_rows(
    rows: list[list[str]],
    layer: Layer,
    model: Any,
    connected: bool,
    show_trainable: bool,
    expand: bool,
    indent: str,
) -> None:
    row = [f"{indent}{layer.name} ({type(layer).__name__})", _output_shape(layer), _count(layer)]
    if connected:
        row.append(_connections(layer, model) if not indent else "-")
    if show_trainable:
        row.append("Y" if layer.trainable_weights else "N" if layer.weights else "-")
    rows.append(row)
    if expand and hasattr(layer, "layers"):
        for inner in layer.layers:
            _add_rows(rows, inner, model, connected, show_trainable, expand, f"{indent}  └ ")


def _output_shape(layer: Layer) -> str:
    if not layer.nodes:
        return "?"
    outputs = layer.nodes[0].outputs
    if is_nested(outputs):
        return ", ".join(str(t.shape) for t in flatten(outputs) if hasattr(t, "shape"))
    return str(outputs.shape)


def _count(layer: Layer) -> str:
    if not layer.built:
        return "0 (unbuilt)"
    return f"{layer.count_params():,}"


def _connections(layer: Layer, model: Any) -> str:
    ours = {id(node) for node in model.graph.nodes}
    names = []
    for node in layer.nodes:
        if id(node) not in ours:
            continue
        for tensor in node.inputs:
            made, index = tensor.history if tensor.history else (None, 0)
            if made is not None:
                names.append(f"{made.operation.name}[{made.operation.nodes.index(made)}][{index}]")
    return ", ".join(names) or "-"


def _table(headers: list[str], rows: list[list[str]], line_length: int | None) -> list[str]:
    widths = [
        max(len(header), *(len(row[i]) for row in rows)) if rows else len(header)
        for i, header in enumerate(headers)
    ]
    least = [31, 22, 13, 16, 9]
    widths = [max(w, least[i]) for i, w in enumerate(widths)]
    if line_length is not None:
        widths[0] += max(line_length - sum(widths) - 3 * len(widths) - 1, 0)

    def cells(values: list[str], bar: str) -> str:
        parts = [
            f" {v:>{w}} " if headers[i] == "Param #" else f" {v:<{w}} "
            for i, (v, w) in enumerate(zip(values, widths, strict=True))
        ]
        return bar + bar.join(parts) + bar

    def rule(left: str, middle: str, right: str, line: str) -> str:
        return left + middle.join(line * (w + 2) for w in widths) + right

    lines = [rule("┏", "┳", "┓", "━"), cells(headers, "┃"), rule("┡", "╇", "┩", "━")]
    for index, row in enumerate(rows):
        if index:
            lines.append(rule("├", "┼", "┤", "─"))
        lines.append(cells(row, "│"))
    lines.append(rule("└", "┴", "┘", "─"))
    return lines


def _totals(model: Any) -> list[str]:
    trainable, fixed = model.trainable_weights, model.non_trainable_weights
    optimizer: list[Any] = []
    compiled = getattr(model, "optimizer", None)
    if compiled is not None and compiled.built:
        optimizer = list(compiled.variables)
    everything = [*trainable, *fixed, *optimizer]
    lines = [
        f" Total params: {_sizes(everything)}",
        f" Trainable params: {_sizes(trainable)}",
        f" Non-trainable params: {_sizes(fixed)}",
    ]
    if optimizer:
        lines.append(f" Optimizer params: {_sizes(optimizer)}")
    return lines


def _sizes(variables: list[Variable]) -> str:
    count = sum(int(np.prod(tuple(v.shape))) for v in variables)
    size = float(sum(int(np.prod(tuple(v.shape))) * v.dtype.itemsize for v in variables))
    units = ["B", "KB", "MB", "GB", "TB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{count:,} ({size:.2f} {units[0]})"
