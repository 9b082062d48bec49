"""Attention maps, found in the graph; and what they say of tokens when layers are put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.autodiff.reverse import Rules, Walk, derivative, sum_to
from chainrule.explain.attribution import shown
from chainrule.explain.attribution.cam import resize, spatial
from chainrule.explain.attribution.result import Attribution, attribution
from chainrule.explain.attribution.subject import Subject, View
from chainrule.ir.graph import topological
from chainrule.ir.node import Node
from chainrule.ir.op import Op
from chainrule.ops.core import cast, full_like, zeros_like

#: What stands between a softmax and the product with the values.
_BETWEEN = ("where", "cast", "reshape", "permute", "broadcast_to", "mul", "copy", "slice")


class AttentionMap:
    """Who reads from whom in one layer: (N, heads, queries, keys), rows of keys sum to 1.

    path   of the layer that attends
    """

    def __init__(self, path: str, weights: np.ndarray) -> None:
        self.path, self.weights = path, weights

    @property
    def heads(self) -> int:
        """How many heads there are."""
        return int(self.weights.shape[1])

    def __repr__(self) -> str:
        n, h, t, s = self.weights.shape
        return f"<attention of {self.path or 'the model'}: {n} rows, {h} heads, {t} × {s}>"


class AttentionMaps(list[AttentionMap]):
    """The maps of all layers, first layer first. `tokens` names rows and columns of pictures."""

    def __init__(self, maps: Sequence[AttentionMap]) -> None:
        super().__init__(maps)
        self.tokens: Sequence[Sequence[str]] | None = None

    def __str__(self) -> str:
        return "\n".join(map(repr, self))

    def image(self, row: int = 0, *, tokens: Sequence[str] | None = None) -> Any:
        """A Pillow image: a row of pictures for each layer, one for each head."""
        if tokens is None and self.tokens is not None:
            tokens = self.tokens[row]
        return shown.attention_picture(self, row, tokens)

    def _repr_html_(self) -> str:
        return shown.picture_tag(self.image(), str(self))

    def save(self, path: Any, row: int = 0, *, tokens: Sequence[str] | None = None) -> Any:
        """Write the picture (".png")."""
        return shown.save_picture(self.image(row, tokens=tokens), path)


class _Opened(Rules):
    """The chain rule, with attention seen as its formula: so its weights have a gradient."""

    def opens(self, op: Op) -> bool:
        return super().opens(op) or (not op.is_primitive and op.name.startswith("attention"))

    def begin(self, order: Sequence[Node], active: set[Node]) -> Walk:
        return _Chain(active)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Opened)

    def __hash__(self) -> int:
        return hash(_Opened)


class _Chain(Walk):
    def __init__(self, active: set[Node]) -> None:
        self.active = active

    def pull(self, g: Any, node: Node) -> dict[Node, Node] | None:
        if node.op.gradient is None:
            return None
        out: dict[Node, Node] = {}
        for x, part in zip(node.inputs, node.op.pull(g, node), strict=True):
            if part is not None and x in self.active and x.dtype.is_differentiable:
                part = cast(sum_to(part, x.shape), x.dtype)
                out[x] = out[x] + part if x in out else part
        return out


def attention_maps(model: Any, x: Any, target: Any = None, **options: Any) -> AttentionMaps:
    """The weights by which every attention of the model takes its values, layer by layer

    Found in the graph: a softmax over an axis that a product with the values then sums over,
    whatever layer made it; an attention that is one op is opened.

    >>> import chainrule as torch
    >>> from chainrule import explain
    >>> layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> x = torch.zeros(1, 5, 8)
    >>> maps = explain.attribute.attention_maps(layer, x, target=lambda y: y.sum((1, 2)))
    >>> maps[0].path, maps[0].weights.shape
    ('self_attn', (1, 2, 5, 5))
    """
    subject = Subject(model, x, target, **options)
    view = subject.view()
    found = _found(view)
    arrays = subject.run(view, [n for n, _ in found])
    rows = subject.count if subject.rowwise else 1
    return AttentionMaps(
        [AttentionMap(p, _by_head(a, rows)) for (_, p), a in zip(found, arrays, strict=True)]
    )


def attention_rollout(
    model: Any, x: Any, target: Any = None, *, gradient: bool = False, position: int | None = None,
    residual: float = 0.5, **options: Any,
) -> Attribution:  # fmt: skip
    """How much of each token arrives at a place of the last layer, by attention alone

    With A the mean over heads, R = Ã_L ⋯ Ã_1, Ã = (1 − r) A + r I with rows that sum to 1, r
    (`residual`) for the way around the attention (Abnar and Zuidema 2020, "Quantifying attention
    flow in transformers").

    gradient   R ← R + Ā R from R = I, Ā the mean over heads of (∂S/∂A ∘ A)⁺: only what speaks for
               the target (Chefer, Gur and Wolf 2021, "Generic attention-model explainability")
    position   the row of R that is given: a query's place. Left out: the mean over all of them; of
               images, 0 if there is a class token before the patches

    Values: (N, tokens), of square images (N, H, W); `.notes["layers"]` says how many were put
    together.
    """
    subject = Subject(model, x, target, **options)
    view = subject.view()
    found = [(n, p) for n, p in _found(view) if n.shape[-1] == n.shape[-2]]
    if not found:
        raise ValueError("no attention of tokens to each other was found in the model")
    tokens = found[-1][0].shape[-1]
    nodes = [n for n, _ in found if n.shape[-1] == tokens]
    rows = subject.count if subject.rowwise else 1
    wanted = list(nodes)
    if gradient:
        d = derivative([view.score], [full_like(view.score, 1)], nodes, rules=_Opened())
        wanted += [
            zeros_like(n) if g is None else g for g, n in zip(d.gradients, nodes, strict=True)
        ]
    arrays = [_by_head(a, rows).astype(np.float64) for a in subject.run(view, wanted)]
    eye = np.eye(tokens)
    rolled = np.broadcast_to(eye, (rows, tokens, tokens)).copy()
    for k in range(len(nodes)):
        a = arrays[k]
        if gradient:
            mean = np.maximum(arrays[len(nodes) + k] * a, 0).mean(axis=1)
            rolled = rolled + mean @ rolled
        else:
            mean = (1 - residual) * a.mean(axis=1) + residual * eye
            rolled = (mean / mean.sum(axis=-1, keepdims=True)) @ rolled
    if gradient:
        rolled = rolled - eye
    size = spatial(subject) if subject.channels is not None else None
    if position is None and size is not None and _side(tokens) is None:
        position = 0 if _side(tokens - 1) else None
    values = rolled.mean(axis=1) if position is None else rolled[:, position]
    if size is not None and (side := _side(tokens) or _side(tokens - 1)):
        values = resize(values[:, -side * side :].reshape(rows, side, side), size)
    given = [values.astype(np.float32), *[None] * (len(subject.arrays) - 1)]
    out = attribution(
        "attention_rollout", subject, given, signed=False, layer=found[-1][1], steps=None
    )
    out.notes["layers"] = len(nodes)
    out.notes["matrix"] = f"{tokens} × {tokens}"
    return out


# ---------------------------------------------------------------------- in the graph


def _found(view: View) -> list[tuple[Node, str]]:
    """Softmaxes that a product with values sums over, with the paths of their layers."""
    below: Callable[[Node], tuple[Node, ...]] = _Opened().through
    order = topological([view.score], below=below)
    users: dict[Node, list[Node]] = {}
    for n in order:
        for i in set(below(n)):
            users.setdefault(i, []).append(n)
    out = []
    for n in order:
        if n.op.name == "softmax" and n.ndim >= 3 and n.attr("axis") in (-1, n.ndim - 1):
            product = _product(n, users)
            if product is not None:
                out.append((_last_form(n, users), _path(view, n, users)))
    return out


def _product(node: Node, users: dict[Node, list[Node]]) -> Node | None:
    stack, seen = [node], {node}
    while stack:
        n = stack.pop()
        for user in users.get(n, []):
            if user.op.name == "contract":
                left, out = user.attr("spec").split("->")
                letters = left.split(",")[user.inputs.index(n)]
                if letters[-1] not in out:
                    return user
            elif user.op.name in _BETWEEN and user not in seen:
                seen.add(user)
                stack.append(user)
    return None


def _last_form(node: Node, users: dict[Node, list[Node]]) -> Node:
    """The weights as they are used: 0 where a row may look nowhere."""
    for user in users.get(node, []):
        if user.op.name == "where" and user.inputs[2] is node and user.shape == node.shape:
            return user
    return node


def _path(view: View, node: Node, users: dict[Node, list[Node]]) -> str:
    """The layer in which it came up: of what is inside an op, that of the op."""
    stack, seen = [node], {node}
    while stack:
        n = stack.pop(0)
        call = view.seen.origin(n).call
        if call is not None:
            if not call.children and call.parent is not None and call.kind == "Softmax":
                call = call.parent
            return call.path
        for user in users.get(n, []):
            if user not in seen:
                seen.add(user)
                stack.append(user)
    return ""


def _side(tokens: int) -> int | None:
    """How many patches a square image has along a side."""
    side = round(max(tokens, 0) ** 0.5)
    return side if side > 1 and side * side == tokens else None


def _by_head(a: np.ndarray, rows: int) -> np.ndarray:
    """(N, heads, T, S) of weights whose heads may stand beside the rows."""
    t, s = a.shape[-2:]
    return np.asarray(a.reshape(rows, -1, t, s))
