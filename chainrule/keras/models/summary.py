"""The table that `model.summary()` prints, as Keras prints it."""

from __future__ import annotations

import importlib
import math
import re
import shutil
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from chainrule.keras import tree
from chainrule.keras.models.graph import Graph
from chainrule.keras.models.operations import keras_class
from chainrule.keras.settings import to_dtype
from chainrule.keras.symbolic import FunctionOp, Node
from chainrule.training.messages import is_interactive_logging_enabled, print_msg

#: Columns of `costs`, and how wide they are; those that go first where there is no room.
_COSTS = {"FLOPs": 10, "Moved": 12, "Kept": 12, "Forward": 11, "Peak": 7}
_LEAVE, _ROOM = ("Moved", "Peak"), 42


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Any = None,
    print_fn: Callable[..., Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
    costs: Any = False,
) -> None:
    """Print layers, output shapes and numbers of parameters.

    `line_length` is the width of the table (else the terminal's, at most 88, or 108 with
    connections), `positions` the ends of its columns as parts of that. `print_fn` gets the whole
    text once. `layer_range`: names (or patterns) of the first and the last layer to be shown.

    `costs` (which Keras does not have) adds what each layer takes, as `explain.summary` finds it:
    operations, bytes moved and kept for the backward pass, measured time, share of the machine's
    peak; and what a pass and a training step take. True: for a batch of one; or a batch of inputs.

    Raises ValueError where columns are too narrow, or no layer fits the range.
    """
    import rich.console  # 20 ms that a program without a table need not wait
    import rich.table

    if print_fn is None and not is_interactive_logging_enabled():
        print_fn = print_msg
    functional = model.graph is not None and not model.is_sequential
    rows = _Rows(None if not functional or _is_chain(model.graph) else model.graph.nodes)
    rows.show_trainable, rows.expand_nested = show_trainable, expand_nested
    rows.found = None if costs is False else _explained(model, None if costs is True else costs)
    layers = model._operations if functional else model.layers
    first, last = get_layer_index_bound_by_layer_name(layers, layer_range)

    header = ["Layer (type)", "Output Shape", "Param #"]
    alignment = ["left", "left", "right"]
    width, ends = 88, [0.45, 0.80, 1.0]
    if rows.nodes is not None:
        header, alignment = [*header, "Connected to"], [*alignment, "left"]
        width, ends = 108, [0.3, 0.56, 0.74, 1.0]
    ends = list(positions or ends)
    if show_trainable:
        header, alignment = [*header, "Trainable"], [*alignment, "center"]
        width, ends = width + 12, [0.9 * end for end in ends] + [1.0]
    more = dict(_COSTS) if rows.found is not None else {}
    width = line_length or min(width + sum(more.values()), shutil.get_terminal_size().columns - 4)
    for name in _LEAVE:
        if name in more and width - sum(more.values()) < _ROOM:
            del more[name]
    rows.costs = list(more)
    header, alignment = [*header, *more], [*alignment, *["right"] * len(more)]
    marks = [0, *(int(end * (width - sum(more.values()))) for end in ends)]
    for size in more.values():
        marks.append(marks[-1] + size)
    widths = [b - a for a, b in pairwise(marks)]
    if min(widths) < 4:
        raise ValueError("Insufficient console width to print summary.")
    columns = [
        rich.table.Column(name, justify=side, width=size)  # type: ignore[arg-type]  # a literal
        for name, side, size in zip(header, alignment, widths, strict=True)
    ]
    table = rich.table.Table(*columns, width=width, show_lines=True)
    for layer in layers[first:last]:
        for row in rows.of(layer):
            table.add_row(*row)

    if print_fn is None:
        console = rich.console.Console(highlight=False)
    else:
        console = rich.console.Console(highlight=False, force_terminal=False, color_system=None)
        console.begin_capture()
    console.print(_bold(f'Model: "{_escape(model.name)}"'))
    console.print(table)
    for line in (*_totals(model), *_costs(rows.found)):
        console.print(line)
    if print_fn is print_msg:
        print_msg(console.end_capture(), line_break=False)
    elif print_fn is not None:
        print_fn(console.end_capture())


def get_layer_index_bound_by_layer_name(layers: list[Any], layer_range: Any = None) -> list[int]:
    """From the first to behind the last layer that the two patterns of `layer_range` name."""
    if layer_range is None:
        return [0, len(layers)]
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ValueError(
            f"layer_range must be a list or tuple of 2 strings. Received: {layer_range}"
        )
    fits = [[i for i, one in enumerate(layers) if re.match(p, one.name)] for p in layer_range]
    if not all(fits):
        raise ValueError(
            f"Passed layer_names do not match the layer names in the model. Received: {layer_range}"
        )
    low, high = fits if min(fits[0]) <= max(fits[1]) else reversed(fits)
    return [min(low), max(high) + 1]


def _is_chain(graph: Graph) -> bool:
    """Whether each node follows one other, and each operation is used once."""
    nodes = graph.nodes
    used = [id(t.history[0]) for node in nodes for t in node.inputs if t.history is not None]
    operations = [id(node.operation) for node in nodes]
    return (
        len(graph.flat_inputs) == 1
        and all(len(node.inputs) <= 1 for node in nodes)
        and len(set(used)) == len(used)
        and len(set(operations)) == len(operations)
    )


class _Rows:
    """The cells of each layer; with connections if `nodes` of a graph are given."""

    show_trainable = False
    expand_nested = False
    #: What `explain.summary` has found, and which columns of it are shown.
    found: Any = None
    costs: tuple[str, ...] | list[str] = ()

    def __init__(self, nodes: list[Node] | None) -> None:
        self.nodes = nodes

    def of(self, layer: Any, level: int = 0) -> list[list[str]]:
        """The rows of a layer, and of those inside it."""
        name = _escape(f"{'   ' * level + '└ ' if level else ''}{layer.name}")
        row = [f"{name} ({_colour(33, _escape(_kind(layer)))})", _output_shape(layer),
               _count(layer)]  # fmt: skip
        if self.nodes is not None:
            row.append(self._connections(layer))
        if self.show_trainable:
            if getattr(layer, "weights", None):
                row.append(_bold(_colour(34, "Y") if layer.trainable else _colour(9, "N")))
            else:
                row.append(_bold("-"))
        if self.found is not None:
            cells = self.found.cells_of(layer)
            row += [_colour(34, cells[c]) if cells.get(c) else "" for c in self.costs]
        rows = [row]
        if self.expand_nested:
            for inner in getattr(layer, "layers", None) or ():
                rows += self.of(inner, level + 1)
        return rows

    def _connections(self, layer: Any) -> str:
        ours = {id(node) for node in self.nodes or ()}
        names = []
        for node in layer._inbound_nodes:
            for tensor in node.input_tensors if id(node) in ours else ():
                made, at, index = tensor._keras_history
                names.append(f"{made.name}[{_colour(34, at)}][{_colour(34, index)}]")
        return ", ".join(names) or "-"


def _kind(layer: Any) -> str:
    return keras_class(layer.function)[1] if isinstance(layer, FunctionOp) else type(layer).__name__


def _output_shape(layer: Any) -> str:
    if layer._inbound_nodes:
        outputs = layer._inbound_nodes[-1].output_tensors
        shapes = tree.map_structure(lambda t: _shape(t.shape), outputs)
    elif getattr(layer, "_build_shapes_dict", None):
        try:
            outputs = layer.compute_output_shape(*layer._build_shapes_dict.values())
        except NotImplementedError:
            return "?"
        shapes = tree.map_shape_structure(_shape, outputs)
    else:
        return "?"
    flat = tree.flatten(shapes)
    return flat[0] if len(flat) == 1 else str(shapes).replace("'", "")


def _shape(shape: Iterable[int | None]) -> str:
    return f"({', '.join(_colour(45 if n is None else 34, n) for n in shape)})"


def _count(layer: Any) -> str:
    if isinstance(layer, FunctionOp):
        return _colour(34, 0)
    if not layer.built:
        return f"{_colour(34, 0)} (unbuilt)"
    return _colour(34, f"{layer.count_params():,}")


def _totals(model: Any) -> Iterable[str]:
    trainable, fixed = model.trainable_weights, model.non_trainable_weights
    optimizer = model.optimizer if model.compiled else None
    slots = list(optimizer.variables) if optimizer is not None and optimizer.built else None
    parts = {
        "Total": [*trainable, *fixed, *(slots or [])],
        "Trainable": trainable,
        "Non-trainable": fixed,
    }
    if slots is not None:
        parts["Optimizer"] = slots
    for name, weights in parts.items():
        count = _colour(34, f"{count_params(weights):,}")
        yield f"{_bold(f' {name} params: ')}{count} ({_readable(weight_memory_size(weights))})"


def _explained(model: Any, x: Any) -> Any:
    """What the room above, which knows models of both faces, finds out about this one."""
    return importlib.import_module("chainrule.explain").summary(model, x)


def _costs(found: Any) -> Iterable[str]:
    """The totals below Keras's own."""
    if found is not None:
        for name, told in found.cost_totals():
            yield f"{_bold(f' {name}: ')}{_escape(told)}"


def count_params(weights: Iterable[Any]) -> int:
    """How many numbers the weights hold."""
    return sum(math.prod(w.shape) for w in weights)


def weight_memory_size(weights: Iterable[Any]) -> float:
    """How many bytes the weights need, each counted once."""
    once = {id(w): w for w in weights}.values()
    return float(sum(math.prod(w.shape) * to_dtype(w.dtype).itemsize for w in once))


def _readable(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


def _bold(text: str) -> str:
    return f"[bold]{text}[/]"


def _colour(number: int, value: object) -> str:
    return f"[color({number})]{value}[/]"


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
