"""A model as a drawing: in the language of Graphviz, and as a picture where `dot` is installed."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

from chainrule.keras.layers.base import Layer


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    dpi: int = 96,
    **kwargs: Any,
) -> str:
    """The graph of a model, as text that Graphviz draws."""
    lines = [f'digraph "{model.name}" {{', f"  rankdir={rankdir}; dpi={dpi};",
             '  node [shape=record, fontname="Helvetica"];']  # fmt: skip
    if model.graph is None:
        operations = model.layers
        edges = [(a.name, b.name) for a, b in pairwise(operations)]
    else:
        operations = model.graph.operations
        edges = [
            (tensor.operation.name, node.operation.name)
            for node in model.graph.nodes
            for tensor in node.inputs
            if tensor.history
        ]
    for op in operations:
        kind = type(op).__name__ if isinstance(op, Layer) else op.function
        label = f"{op.name} ({kind})" if show_layer_names else kind
        if show_shapes and op.nodes:
            outputs = op.nodes[0].outputs
            label += f"|{getattr(outputs, 'shape', '?')}"
        if show_dtype and op.nodes:
            label += f"|{getattr(op.nodes[0].outputs, 'dtype', '?')}"
        lines.append(f'  "{op.name}" [label="{{{label}}}"];')
    lines += [f'  "{a}" -> "{b}";' for a, b in dict.fromkeys(edges)]
    return "\n".join([*lines, "}"])


def plot_model(model: Any, to_file: Any = "model.png", **options: Any) -> None:
    """Draw a model to a file. A `.dot` file is text; any other format needs Graphviz's `dot`."""
    path = Path(to_file)
    text = model_to_dot(model, **options)
    if path.suffix == ".dot":
        path.write_text(text)
        return
    import shutil
    import subprocess

    program = shutil.which("dot")
    if program is None:
        warnings.warn(
            f"{path} was not drawn: install Graphviz (the program `dot`), or give a name that ends "
            "in .dot",
            stacklevel=2,
        )
        return
    subprocess.run(
        [program, f"-T{path.suffix[1:] or 'png'}", "-o", str(path)], input=text.encode(), check=True
    )
