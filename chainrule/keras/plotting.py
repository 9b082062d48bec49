"""A model as a drawing: in the language of Graphviz, and as a picture.

Where Graphviz is installed it draws. Otherwise an SVG, or with Pillow a PNG, is drawn here: each
layer a box below those that it needs (`chainrule.layered`).
"""

from __future__ import annotations

import html
import importlib.util
import math
import shutil
import subprocess
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from chainrule.keras.models.operations import keras_class
from chainrule.keras.models.summary import get_layer_index_bound_by_layer_name
from chainrule.keras.symbolic import FunctionOp
from chainrule.layered import Point, Size, curve, layered


@dataclass
class Box:
    """A layer: what is written in it, and the boxes that it takes its inputs from."""

    key: str
    title: str
    rows: list[str]
    trainable: bool | None
    after: list[str] = field(default_factory=list)


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    **kwargs: Any,
) -> Any:
    """The graph of a model as a `pydot.Dot`, or as text for Graphviz where pydot is missing.

    Each box has the layer's name (`show_layer_names`) and class, and on wish its activation, its
    shapes, its types, whether it is trained. `expand_nested` draws what is inside of models.
    """
    boxes = _boxes(model, _Shown(
        show_shapes, show_dtype, show_layer_names, expand_nested, show_layer_activations,
        show_trainable, kwargs.pop("layer_range", None),
    ))  # fmt: skip
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments: {kwargs}")
    text = _dot(model.name, boxes, rankdir, dpi, subgraph)
    try:
        import pydot
    except ImportError:
        return text
    return pydot.graph_from_dot_data(text)[0]


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    **kwargs: Any,
) -> Any:
    """Draw a model to a file: `.dot` (text), `.svg`, `.png`, or with Graphviz `.pdf`, ….

    In a notebook the picture is shown too. Raises ValueError for a model that is not built,
    ImportError where what a format needs is not installed: Graphviz, or Pillow for `.png`.
    """
    if not model.built:
        raise ValueError(
            "This model has not yet been built. Build the model first by calling `build()` or by "
            "calling the model on a batch of data."
        )
    path = Path(to_file)
    options = _Shown(
        show_shapes, show_dtype, show_layer_names, expand_nested, show_layer_activations,
        show_trainable, kwargs.pop("layer_range", None),
    )  # fmt: skip
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments: {kwargs}")
    boxes = _boxes(model, options)
    text = _dot(model.name, boxes, rankdir, dpi, subgraph=False)
    kind = path.suffix[1:] or "png"
    program = shutil.which("dot")
    if kind == "dot":
        path.write_text(text)
    elif program is not None:
        subprocess.run([program, f"-T{kind}", "-o", str(path)], input=text.encode(), check=True)
    elif kind == "svg":
        path.write_text(_svg(_laid_out(boxes, rankdir)))
    elif kind == "png" and importlib.util.find_spec("PIL") is not None:
        _png(_laid_out(boxes, rankdir), path, dpi / 96)
    else:
        raise ImportError(
            f"plot_model writes a .{kind} file with Graphviz, whose program `dot` is not "
            f"installed; {path.with_suffix('.svg').name} and {path.with_suffix('.dot').name} can "
            "be written without it, a .png with Pillow"
        )
    return _in_notebook(path)


def _in_notebook(path: Path) -> Any:
    """The picture for a notebook that asks for the value of its cell; None elsewhere."""
    try:
        from IPython import display  # only where a notebook runs
    except ImportError:
        return None
    if path.suffix == ".svg":
        return display.SVG(filename=str(path))
    return display.Image(filename=str(path)) if path.suffix in (".png", ".jpg") else None


# what is drawn ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shown:
    shapes: bool
    dtype: bool
    names: bool
    nested: bool
    activations: bool
    trainable: bool
    layer_range: Any = None


def _boxes(model: Any, shown: _Shown, prefix: str = "") -> list[Box]:
    """The boxes of a model from the first to the last."""
    graph = getattr(model, "graph", None)
    if graph is None:
        layers = _within(model.layers, shown)
        boxes = [_box(layer, shown, prefix) for layer in layers]
        for before, box in pairwise(boxes):
            box.after = [before.key]
        return boxes
    operations = _within(
        model.layers if getattr(model, "is_sequential", False) else graph.operations, shown
    )
    chosen = {id(op): _box(op, shown, prefix) for op in operations}
    for node in graph.nodes:
        after = chosen.get(id(node.operation))
        for tensor in node.inputs if after is not None else ():
            source = chosen.get(id(tensor.operation))
            if source is not None and after is not None and source.key not in after.after:
                after.after.append(source.key)
    found: list[Box] = []
    ends: dict[str, str] = {}  # a model that is drawn with its inside → its last box
    for op in operations:
        box = chosen[id(op)]
        box.after = [ends.get(key, key) for key in box.after]
        if shown.nested and getattr(op, "layers", None):
            inside = _boxes(op, _Shown(**{**vars(shown), "layer_range": None}), f"{box.key}/")
            for first in inside:
                if not first.after:
                    first.after = list(box.after)
            ends[box.key] = inside[-1].key
            found += inside
        else:
            found.append(box)
    return found


def _within(layers: list[Any], shown: _Shown) -> list[Any]:
    first, last = get_layer_index_bound_by_layer_name(layers, shown.layer_range)
    return list(layers[first:last])


def _box(op: Any, shown: _Shown, prefix: str) -> Box:
    kind = keras_class(op.function)[1] if isinstance(op, FunctionOp) else type(op).__name__
    rows = []
    activation = getattr(op, "activation", None)
    if shown.activations and activation is not None:
        rows.append(f"Activation: {getattr(activation, '__name__', activation)}")
    node = op._inbound_nodes[-1] if op._inbound_nodes else None
    if shown.shapes:
        inputs = [t.shape for t in node.inputs] if node is not None else []
        outputs = [t.shape for t in node.output_tensors] if node is not None else []
        if inputs:
            rows.append(f"Input shape: {_one(inputs)}")
        rows.append(f"Output shape: {_one(outputs) if outputs else '?'}")
    if shown.dtype:
        types = [str(t.dtype) for t in node.output_tensors] if node is not None else []
        rows.append(f"Output dtype: {_one(types) if types else '?'}")
    trained = None
    if shown.trainable and getattr(op, "weights", None):
        trained = bool(op.trainable)
        rows.append("Trainable" if trained else "Non-trainable")
    title = f"{op.name} ({kind})" if shown.names else kind
    return Box(f"{prefix}{op.name}", title, rows, trained)


def _one(items: list[Any]) -> str:
    return str(items[0]) if len(items) == 1 else ", ".join(map(str, items))


def _dot(name: str, boxes: list[Box], rankdir: str, dpi: int, subgraph: bool) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [f"{'subgraph' if subgraph else 'digraph'} {quoted(name)} {{",
             f"  rankdir={rankdir}; dpi={dpi};",
             '  node [shape=box, fontname="Helvetica"];']  # fmt: skip
    for box in boxes:
        label = "\\n".join(quoted(part)[1:-1] for part in (box.title, *box.rows))
        lines.append(f'  {quoted(box.key)} [label="{label}"];')
    for box in boxes:
        lines += [f"  {quoted(before)} -> {quoted(box.key)};" for before in box.after]
    return "\n".join([*lines, "}"])


# the picture --------------------------------------------------------------------------------------

_TITLE, _ROW, _PAD, _GAP = 26.0, 18.0, 12.0, 44.0  # pixels
_LETTER = 7.2  # width of a letter of 12 pixels, about
_FILL = {True: "#e3f1e4", False: "#f3e6e4", None: "#ffffff"}  # trained, not trained, not said


@dataclass
class _Picture:
    """Where the boxes are, and lines between them, in pixels."""

    width: float
    height: float
    boxes: list[tuple[Box, float, float, float, float]]  # x, y, width, height
    edges: list[list[Point]]
    flat: bool  # from left to right, or from top to bottom


def _laid_out(boxes: list[Box], rankdir: str) -> _Picture:
    """Boxes in layers, in the direction that is asked for."""
    sizes = {
        b.key: (max(map(len, [b.title, *b.rows])) * _LETTER + 2 * _PAD,
                _TITLE + _ROW * len(b.rows) + (6.0 if b.rows else 0.0))
        for b in boxes
    }  # fmt: skip
    flat = rankdir in ("LR", "RL")
    laid = layered(
        {key: Size(h, w) if flat else Size(w, h) for key, (w, h) in sizes.items()},
        [(before, b.key) for b in boxes for before in b.after if before in sizes],
        gap=2 * _PAD,
        rank_gap=_GAP,
    )
    laid = laid.turned() if flat else laid
    width, height = laid.width + 2 * _PAD, laid.height + 2 * _PAD
    places = {key: (x + _PAD, y + _PAD) for key, (x, y) in laid.places.items()}
    lines = [[(x + _PAD, y + _PAD) for x, y in line] for line in laid.lines]
    if rankdir in ("RL", "BT"):  # the same picture from the other side
        places = {
            key: (width - x - sizes[key][0], y) if flat else (x, height - y - sizes[key][1])
            for key, (x, y) in places.items()
        }
        lines = [[(width - x, y) if flat else (x, height - y) for x, y in line] for line in lines]
    return _Picture(width, height, [(b, *places[b.key], *sizes[b.key]) for b in boxes], lines, flat)


def _svg(picture: _Picture) -> str:
    width, height = f"{picture.width:.0f}", f"{picture.height:.0f}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, sans-serif" '
        'font-size="12"><defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" '
        'markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for edge in picture.edges:
        lines.append(
            f'<path d="{curve(edge, flat=picture.flat)}" fill="none" stroke="#444" '
            'marker-end="url(#tip)"/>'
        )
    for box, x, y, w, h in picture.boxes:
        middle = f'x="{x + w / 2:.1f}" text-anchor="middle"'
        lines.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="3" '
            f'fill="{_FILL[box.trainable]}" stroke="#444"/>'
            f'<text {middle} y="{y + 17:.1f}" font-weight="bold">{html.escape(box.title)}</text>'
        )
        for i, row in enumerate(box.rows):
            at = y + _TITLE + 12 + i * _ROW
            lines.append(f'<text {middle} y="{at:.1f}">{html.escape(row)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _png(picture: _Picture, path: Path, scale: float) -> None:
    from PIL import Image, ImageDraw, ImageFont

    def scaled(*numbers: float) -> list[float]:
        return [scale * n for n in numbers]

    size = (math.ceil(scale * picture.width), math.ceil(scale * picture.height))
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(12 * scale)
    for edge in picture.edges:
        draw.line([tuple(scaled(*point)) for point in edge], "#444444", max(1, round(scale)))
        (x, y), (px, py) = edge[-1], edge[-2]
        dx, dy = (
            (math.copysign(6, x - px), 0.0) if picture.flat else (0.0, math.copysign(6, y - py))
        )
        tip = [(x, y), (x - dx + dy / 2, y - dy + dx / 2), (x - dx - dy / 2, y - dy - dx / 2)]
        draw.polygon([tuple(scaled(*point)) for point in tip], "#444444")
    for box, x, y, w, h in picture.boxes:
        draw.rectangle(scaled(x, y, x + w, y + h), _FILL[box.trainable], "#444444",
                       max(1, round(scale)))  # fmt: skip
        for i, text in enumerate([box.title, *box.rows]):
            at = y + (13 if i == 0 else _TITLE + 8 + (i - 1) * _ROW)
            draw.text((scale * (x + w / 2), scale * at), text, "black", font, "mm")
    image.save(path)
