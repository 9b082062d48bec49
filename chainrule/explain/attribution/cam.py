"""Grad-CAM: which maps of a convolutional layer speak for a class, and where."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule import ops
from chainrule.autodiff.relevance import reads_windows
from chainrule.autodiff.reverse import through
from chainrule.explain.attribution.gradients import guided_backprop
from chainrule.explain.attribution.result import Attribution, attribution
from chainrule.explain.attribution.subject import Subject, View, seen_through
from chainrule.explain.observe import is_keras, layers_of
from chainrule.ir.graph import depends_on, topological
from chainrule.ir.node import Node, TensorType


class Maps(NamedTuple):
    """The maps of a layer: their node, the axis of channels, and the layer's path."""

    node: Node
    channels: int
    path: str


def grad_cam(
    model: Any, x: Any, target: Any = None, *, layer: Any = None, relu: bool = True,
    upsample: bool = True, **options: Any,
) -> Attribution:  # fmt: skip
    """ReLU(Σₖ αₖ Aᵏ), αₖ the mean over places of ∂S/∂Aᵏ: the maps A that speak for a class

    layer     its path, or the layer itself. Left out: the maps of the last convolution, with what
              follows it element by element (batch norm, ReLU, the sum of a residual)
    relu      False keeps what speaks against the class
    upsample  to the size of the image, between the places of the maps; `.notes["map"]` has what
              was before

    Values: (N, H, W). Selvaraju et al. (2017), "Grad-CAM".
    """
    subject = Subject(model, x, target, **options)
    view = subject.view()
    maps = find_maps(view, model, layer)
    axes = tuple(a for a in range(1, maps.node.ndim) if a != maps.channels)
    (g,) = view.derivatives([maps.node])
    alpha = ops.mean(g, axis=axes, keepdim=True)
    heat = ops.sum(maps.node * alpha, axis=(maps.channels,), keepdim=False)
    heat = ops.relu(heat) if relu else heat
    (found,) = subject.run(view, [heat])
    size = spatial(subject)
    values = resize(found, size) if upsample and size is not None else found
    shown = [values, *[None] * (len(subject.arrays) - 1)]
    out = attribution("grad_cam", subject, shown, signed=not relu, layer=maps.path)
    out.notes["map"] = "×".join(map(str, found.shape[1:]))
    return out


def guided_grad_cam(
    model: Any, x: Any, target: Any = None, *, layer: Any = None, **options: Any
) -> Attribution:
    """Grad-CAM, element by element times guided back-propagation: where, and what there

    Selvaraju et al. (2017), "Grad-CAM".
    """
    where = grad_cam(model, x, target, layer=layer, **options)
    chosen = target if where.target is None else where.target
    out = guided_backprop(model, x, chosen, **options)
    heat, fine = where.part(), out.part()
    axis = 1 if out.channels == "first" else -1
    product = fine * np.expand_dims(heat, axis) if fine.ndim == heat.ndim + 1 else fine * heat
    out.values = (product, *out.values[1:]) if isinstance(out.values, tuple) else product
    out.method, out.layer = "guided_grad_cam", where.layer
    return out


# ---------------------------------------------------------------------- maps


def find_maps(view: View, model: Any, layer: Any) -> Maps:
    """The maps of a layer, or those of the last convolution."""
    if layer is None:
        return _last_maps(view)
    path = layer if isinstance(layer, str) else _path_of(model, layer)
    calls = [c for c in view.seen.calls if c.path == path]
    if not calls:
        known = [c.path for c in view.seen.calls if c.outputs and c.outputs[0].ndim in (3, 4, 5)]
        raise ValueError(f"no layer {path!r} was called; those with maps are {', '.join(known)}")
    (node,) = seen_through(view.seen.nodes_of(calls[-1].outputs[:1]))
    if node.ndim < 3:
        raise ValueError(f"layer {path!r} gives {node.shape}: no maps with places in them")
    return Maps(node, _channel_axis(node, model), path)


def _path_of(model: Any, layer: Any) -> str:
    for path, known in layers_of(model):
        if known is layer:
            return path
    raise ValueError(f"{type(layer).__name__} is no layer of the model")


def _channel_axis(node: Node, model: Any) -> int:
    keras = is_keras(model)
    return node.ndim - 1 if keras else 1


def _last_maps(view: View) -> Maps:
    inputs = [v.node for v in view.all]
    order = topological([view.score], below=through)
    live: set[Node] = set(depends_on(topological([view.score], below=_all), inputs))
    users: dict[Node, list[Node]] = {}
    for n in order:
        for i in set(through(n)):
            users.setdefault(i, []).append(n)
    for n in reversed(order):
        if n in live and reads_windows(n) and _has_places(n, 1):
            node, axis = _climb(n, users)
            return Maps(node, axis, _told(view, node))
    raise ValueError(
        "no convolution with maps was found between the input and the score; name a layer with "
        "layer=…, or take attention_rollout for transformers"
    )


def _all(node: Node) -> tuple[Node, ...]:
    return (*through(node), *node.inputs)


def _has_places(node: Node, channels: int) -> bool:
    return node.ndim >= 3 and any(n > 1 for a, n in enumerate(node.shape) if a not in (0, channels))


def _climb(node: Node, users: dict[Node, list[Node]]) -> tuple[Node, int]:
    """From a product to the end of what follows it, element by element."""
    axis, at = 1, node
    while True:
        after = users.get(node, [])
        if len(after) != 1:
            break
        (user,) = after
        if not isinstance(user.type, TensorType):
            break
        if user.op.name == "permute":
            node, axis = user, tuple(user.attr("order")).index(axis)
        elif _same_places(node, user) or (node is at and _ungrouped(node, user)):
            node = user
        else:
            break
    return node, axis


def _same_places(node: Node, user: Node) -> bool:
    return user.shape == node.shape and user.op.name not in ("windows", "pad", "contract")


def _ungrouped(node: Node, user: Node) -> bool:
    """The groups of a convolution, side by side again."""
    if user.op.name != "reshape" or node.ndim < 4:
        return False
    n, g, o, *rest = node.shape
    return user.shape == (n, g * o, *rest)


def _told(view: View, node: Node) -> str:
    call = view.seen.origin(node).call
    if call is not None:
        return call.path
    for user in topological([view.score]):
        if node in through(user) or node in user.inputs:
            call = view.seen.origin(user).call
            if call is not None:
                return call.path
    return ""


def spatial(subject: Subject) -> tuple[int, ...] | None:
    """Height and width of the images that are explained; the length of series."""
    x = subject.arrays[0]
    if x.dtype.kind in "iu" and x.ndim == 2:
        return x.shape[1:]
    if subject.channels is not None:
        return x.shape[2:] if subject.channels == "first" else x.shape[1:-1]
    return None


def resize(maps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(N, h, w) → (N, H, W), linear between the centres of places."""
    if maps.ndim - 1 != len(size):
        return maps
    out = maps
    for axis, n in enumerate(size, 1):
        m = out.shape[axis]
        at = np.clip((np.arange(n) + 0.5) * m / n - 0.5, 0, m - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, m - 1)
        part = (at - low).astype(out.dtype).reshape(-1, *(1,) * (out.ndim - axis - 1))
        out = np.take(out, low, axis=axis) * (1 - part) + np.take(out, high, axis=axis) * part
    return out
