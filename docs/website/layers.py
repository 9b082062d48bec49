"""What a page says of a layer of either face: it is made, called, and asked."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

import chainrule
from chainrule import explain, keras, nn
from chainrule.errors import ChainruleError
from chainrule.explain.observe import parameters_of
from chainrule.explain.recorded import recorded
from chainrule.ir.graph import topological
from chainrule.pytree import tree_leaves
from chainrule.tensor import Tensor
from website.examples import HOLDS, LAYERS, MODULES, WITHOUT
from website.examples import Example as Making
from website.operations import Example
from website.sources import Excerpt, class_of

_FUNCTIONS = r"(?<![\w.])(randn|rand|zeros|ones|eye|tensor)\("


class Layer(NamedTuple):
    """All of a page. `face` is "nn" or "keras"; formulas are TeX; `remark` says why something is
    missing."""

    face: str
    name: str
    kind: type
    aliases: tuple[str, ...]
    topic: str
    signature: str
    source: list[Excerpt]
    example: Example
    formula: str = ""
    gradient: str = ""
    textbook: str = ""
    remark: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    ops: tuple[str, ...] = ()


def modules() -> dict[str, tuple[type, tuple[str, ...]]]:
    """Every layer of chainrule.nn, with its other names."""
    return _classes(nn, nn.Module)


def layers() -> dict[str, tuple[type, tuple[str, ...]]]:
    """Every layer of chainrule.keras.layers, with its other names."""
    return _classes(keras.layers, object)


def _classes(room: Any, base: type) -> dict[str, tuple[type, tuple[str, ...]]]:
    names: dict[type, list[str]] = {}
    for n in dir(room):
        c = getattr(room, n)
        if isinstance(c, type) and issubclass(c, base) and not n.startswith("_"):
            names.setdefault(c, []).append(n)
    found = {}
    for c, ns in names.items():
        own = c.__name__ if c.__name__ in ns else ns[0]
        found[own] = (c, tuple(n for n in ns if n != own))
    return found


def describe(face: str, name: str, kind: type, aliases: tuple[str, ...]) -> Layer:
    """Everything that a page says of a layer."""
    table = MODULES if face == "nn" else LAYERS
    known = (table[n] for n in (name, *aliases) if n in table)
    making = next(known, Making(f"{name}()", (("x", "randn(2, 4)"),)))
    plain = name in WITHOUT
    space, example = ({}, _documented(kind)) if plain else _run(face, name, making)
    topic = kind.__module__.rsplit(".", 1)[-1]
    page = Layer(face, name, kind, aliases, topic, _signature(kind), class_of(kind), example)
    if plain:
        return page._replace(remark=WITHOUT[name])
    layer = space["layer"]
    weights = dict(parameters_of(layer)) if _has_parameters(layer) else {}
    page = page._replace(
        parameters=tuple((n, "×".join(map(str, p.shape)) or "1") for n, p in weights.items())
    )
    if name in HOLDS:
        return page._replace(remark=_HOLDS)
    textbook = _textbook(layer, making, space) if weights else ""
    return page._replace(textbook=textbook, **_mathematics(layer, weights, space, making))


_HOLDS = "It holds layers or tensors for a layer that uses them, and computes nothing by itself."


def _has_parameters(layer: Any) -> bool:
    return hasattr(layer, "parameters") or hasattr(layer, "weights")


def _textbook(layer: Any, making: Making, space: dict[str, Any]) -> str:
    """Layers of one input in the notation of textbooks, which reads a batch as columns."""
    if len(making.inputs) != 1 or not making.inputs[0][0] or making.more:
        return ""
    try:
        lines = explain.math(layer, space["x"]).lines
    except (ChainruleError, ValueError):  # it has no such form
        return ""
    return (
        r"\begin{aligned}"
        + r" \\ ".join(f"{e.left} &= {e.right}" for e in lines)
        + r"\end{aligned}"
    )


def _signature(kind: type) -> str:
    """What it takes, one argument a line where they are many."""
    told = inspect.signature(kind)
    plain = str(told).rpartition(" -> ")[0] or str(told)
    if len(plain) > 70:
        parts = []
        star = any(p.kind is p.VAR_POSITIONAL for p in told.parameters.values())
        for p in told.parameters.values():
            if p.kind is p.KEYWORD_ONLY and not star:
                parts.append("*")
                star = True
            parts.append(re.sub(r"<function (\w+) at \w+>", r"\1", str(p)))
        plain = "(\n" + "".join(f"    {p},\n" for p in parts) + ")"
    return re.sub(r": '([^']*)'", r": \1", plain)


# ------------------------------------------------------------------ the program of a page


def program(face: str, making: Making) -> str:
    """Made, called, shown."""
    room = "nn" if face == "nn" else "keras.layers"
    lines = ["import chainrule as torch", f"from chainrule import {room.split('.')[0]}", ""]
    lines += ["torch.manual_seed(0)" if face == "nn" else "keras.utils.set_random_seed(0)"]
    given = []
    for name, value in making.inputs:
        text = re.sub(_FUNCTIONS, r"torch.\1(", value)
        if name:
            lines.append(f"{name} = {text}")
        else:
            given.append(text)
    named = [n for n, _ in making.inputs if n]
    arguments = ", ".join([*(given or named), *([making.more] if making.more else [])])
    lines.append(f"layer = {room}.{making.make}")
    if not making.inputs:
        return "\n".join([*lines, "print(layer)"])
    return "\n".join([*lines, f"y = layer({arguments})", "print(y)"])


def _run(face: str, name: str, making: Making) -> tuple[dict[str, Any], Example]:
    code, out = program(face, making), io.StringIO()
    space: dict[str, Any] = {"__name__": "example"}
    with contextlib.redirect_stdout(out):
        exec(compile(code, f"<{name}>", "exec"), space)
    return space, Example(code, out.getvalue().rstrip())


def _documented(kind: type) -> Example:
    """The examples of a docstring."""
    lines = [s.strip() for s in (kind.__doc__ or "").splitlines()]
    told = [i for i, s in enumerate(lines) if s.startswith((">>>", "..."))]
    if not told:
        return Example(f"help({kind.__name__})", "")
    code = "\n".join(lines[i][4:] for i in told)
    return Example(code, "\n".join(s for s in lines[told[-1] + 1 :] if s))


# ------------------------------------------------------------------ its mathematics


def _mathematics(
    layer: Any, weights: dict[str, Any], space: dict[str, Any], making: Making
) -> dict[str, Any]:
    """Formula and gradient of a call, as recorded, or why one is missing; the ops that it takes."""
    results = [t for t in tree_leaves(space.get("y")) if isinstance(t, Tensor)]
    if not results:
        return {"remark": "It works on texts outside of the graph: there is no formula."}
    inputs = {n: v for n, v in space.items() if isinstance(v, Tensor) and n not in ("y", "layer")}
    for n, x in inputs.items():
        if x.dtype.is_floating_point and not n.startswith("t") and x.is_leaf:
            x.requires_grad_()
    results = _again(space, making)
    nodes = recorded(results).nodes
    smooth = [t for t in results if t.dtype.is_floating_point]
    if all(n.op.name in ("input", "const") for n in nodes):
        if not smooth:
            return {"remark": "Its result is looked up outside of the graph: there is no formula."}
        same = {"formula": "y = x", "gradient": r"\bar{x} = \bar{y}"}
        return {**same, "remark": "It gives back what it takes."}
    names = [{k.replace("/", "."): v for k, v in weights.items()}, inputs]
    used = dict.fromkeys(n.op.name for n in topological(nodes) if n.op.name not in _SILENT)
    found = {"formula": explain.formula(results, names=names, width=70).tex, "ops": tuple(used)}
    if not smooth:
        return {**found, "remark": "Its results are whole numbers: nothing to differentiate."}
    given = [t for t in [*weights.values(), *inputs.values()] if isinstance(t, Tensor)]
    reached = _reached(smooth, [t for t in given if t.requires_grad])
    if not reached:
        return {**found, "remark": "Nothing that could be learned reaches the result."}
    total = reduce(lambda a, b: a + b, (_scalar(t, k) for k, t in enumerate(smooth, 1)))
    bars = {rf"\bar{{y}}_{{{k}}}" if len(smooth) > 1 else r"\bar{y}": t for k, t in _bars.items()}
    gradient = explain.gradient(total, reached, names=[*names, bars], width=70)
    return {**found, "gradient": gradient.tex}


_SILENT = {"input", "const", "cast", "broadcast_to", "item", "stop_gradient", "copy"}
_bars: dict[int, Tensor] = {}


def _scalar(t: Tensor, k: int) -> Tensor:
    """Σ y ȳ: any L whose gradient by y is ȳ. A scalar is its own."""
    if t.ndim == 0:
        return t
    _bars[k] = chainrule.from_numpy(np.ones(tuple(t.shape), t.dtype.np))
    return (t * _bars[k]).sum()


def _again(space: dict[str, Any], making: Making) -> list[Tensor]:
    """The call once more, now that its inputs ask for gradients."""
    _bars.clear()
    line = next(s for s in program_lines(space, making) if s.startswith("y = "))
    exec(line, space)
    return [t for t in tree_leaves(space["y"]) if isinstance(t, Tensor)]


def program_lines(space: dict[str, Any], making: Making) -> list[str]:
    """The lines of a page's program."""
    return program("nn" if "nn" in space else "keras", making).splitlines()


def _reached(results: list[Tensor], wanted: list[Tensor]) -> list[Tensor]:
    behind = recorded(results)
    alive = set(topological(behind.nodes))
    return [
        t for n, t in behind.leaves.items()
        if t is not None and n in alive and any(t is w or t.storage is w.storage for w in wanted)
    ]  # fmt: skip
