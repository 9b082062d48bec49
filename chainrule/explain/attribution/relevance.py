"""Layer-wise relevance propagation of a model: what each input has done for a score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.autodiff.relevance import Relevance, Relevances
from chainrule.autodiff.reverse import derivative
from chainrule.explain.attribution.result import Attribution, attribution
from chainrule.explain.attribution.subject import Subject, View
from chainrule.ir.graph import depends_on, substitute, topological
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import registry
from chainrule.ops.core import full_like
from chainrule.ops.loop import item
from chainrule.ops.relevance import Share, base_of, pulled, stable

#: Keeps relevance from dividing by what is next to 0.
_EPSILON = 1e-6

#: name → (for products, for convolutions, whether z^B is for pixels)
RULES = ("zero", "epsilon", "gamma", "alpha_beta", "z_plus", "composite")


def lrp(
    model: Any, x: Any, target: Any = None, *, rule: str = "epsilon", epsilon: float = _EPSILON,
    gamma: float = 0.25, alpha: float = 2.0, beta: float = 1.0, pixels: str | None = None,
    low: Any = None, high: Any = None, **options: Any,
) -> Attribution:  # fmt: skip
    """R_i = Σ_j (share of i in z_j) R_j, from the score back to the inputs, which share it out

    rule        how a product z_j = Σ a_i w_ij + b_j shares out what it was given:
                "zero"        a_i w_ij / z_j: gradient × input where all else is ReLU
                "epsilon"     a_i w_ij / (z_j + ε sgn z_j)
                "gamma"       positive contributions count 1 + γ times
                "alpha_beta"  α times the positive, −β times the negative ones, α − β = 1
                "z_plus"      positive contributions alone (α = 1, β = 0)
                "composite"   γ for convolutions, ε for other products, z^B for pixels
    pixels      "z_b" ("composite" takes it by itself): for products that read an image directly,
                whose values are in [low, high],
                R_i = Σ_j (x_i w_ij − l_i w_ij⁺ − h_i w_ij⁻) / Σ_i(…) R_j
    low, high   numbers or arrays; left out, the extremes of the input

    Rules of other ops stand beside their gradients (`Op.relevance`): sums share in proportion, a
    maximum gives all to the winner, activations pass everything on, the deviation of a
    normalisation and what divides are constants, two factors get half each (a gate nothing), and a
    softmax follows its gradient, so that attention is AttnLRP. Batch norm after a product is part
    of it.

    The sum of all is the score but for what biases and a few other things take: `.leaks` names
    these, as shares of the score, `.completeness` is what all of them took, of each row.

    Bach et al. (2015); Montavon et al. (2019), "LRP: an overview"; Andéol et al. (2021); Arras et
    al. (2017) for gates; Achtibat et al. (2024), "AttnLRP".

    >>> import chainrule as torch
    >>> from chainrule import explain
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4, bias=False), torch.nn.ReLU(),
    ...                             torch.nn.Linear(4, 2, bias=False))
    >>> a = explain.attribute.lrp(model, torch.ones(1, 3), target=1)
    >>> bool(abs(a.values.sum() - a.score[0]) < 1e-4)
    True
    """
    rules = _rules(rule, epsilon, gamma, alpha, beta, pixels)
    subject = Subject(model, x, target, **options)
    view = subject.view()
    boxed = pixels is not None or (rule == "composite" and subject.channels is not None)
    first = _first_products(view) if boxed else {}
    if pixels is not None and not first:
        raise ValueError(
            'pixels="z_b" is for convolutions and products that read the input itself; there is '
            "none"
        )
    rules = Relevance(rules.dense, rules.conv, frozenset(first), _means(view))
    nodes = [v.node for v in view.all]
    d = derivative([view.score], [full_like(view.score, 1)], nodes, rules=rules)
    relevance = [
        full_like(v, 0) if g is None else v * g for v, g in zip(nodes, d.gradients, strict=True)
    ]
    lost = _lost(d.produced, d.walk, view)
    for product, k in first.items():
        if product in d.produced:
            given = d.produced[product][0]
            total = _total(d.walk, product)
            if total is not product:  # pixels get the bias's part as well
                lost["biases", -len(lost)] = _size(given, product - total)
            bounds = _bounds(subject, view, k, low, high)
            relevance[k] = relevance[k] + _box(product, nodes[k], given * total, *bounds)
    found = subject.run(view, [*relevance, *lost.values()])
    values = subject.by_rows(view, found[: len(nodes)])
    out = attribution("lrp", subject, subject.per_input(values))
    whole = float(np.sum(np.abs(subject.score), dtype=np.float64)) or 1.0
    sums: dict[str, float] = {}
    for name, value in zip(lost, found[len(nodes) :], strict=True):
        sums[name[0]] = sums.get(name[0], 0.0) + float(value)
    out.leaks = {name: value / whole for name, value in sums.items() if abs(value) > 1e-5 * whole}
    kept = sum(v.reshape(len(v), -1).sum(axis=1, dtype=np.float64) for v in values)
    out.completeness = np.abs(subject.score - kept) / np.maximum(np.abs(subject.score), 1e-12)
    out.notes["rule"] = rule + (", z^B" if first else "")
    return out


def _rules(
    rule: str, epsilon: float, gamma: float, alpha: float, beta: float, pixels: str | None
) -> Relevance:
    if rule not in RULES:
        raise ValueError(f"rule is one of {', '.join(map(repr, RULES))}, got {rule!r}")
    if pixels not in (None, "z_b"):
        raise ValueError(f'pixels is None or "z_b", got {pixels!r}')
    if rule == "alpha_beta" and abs(alpha - beta - 1) > 1e-9:
        raise ValueError(f"alpha − beta must be 1, got {alpha} − {beta}: relevance would change")
    near = Share("epsilon", epsilon=epsilon)
    one = {
        "zero": Share(),
        "epsilon": near,
        "gamma": Share("gamma", gamma=gamma),
        "alpha_beta": Share("alpha_beta", alpha=alpha, beta=beta),
        "z_plus": Share("alpha_beta", alpha=1.0, beta=0.0),
        "composite": Share("gamma", gamma=gamma),
    }[rule]
    return Relevance(near if rule == "composite" else one, one)


# ---------------------------------------------------------------------- what is lost

#: Ops whose rules lose nothing.
_WHOLE = frozenset({
    "contract", "reshape", "permute", "broadcast_to", "slice", "windows", "unwindows", "cat",
    "sum", "cast", "copy", "relu", "take", "neg", "item", "stack", "interleave", "strided",
    "take_along", "diagonal", "cumsum", "leaky_relu", "argument", "after",
})  # fmt: skip
_NAMES = {
    "add": "biases", "sub": "biases", "softmax": "softmax", "log_softmax": "log_softmax",
    "pad": "padding", "where": "masks", "scan": "loops",
}  # fmt: skip


def _lost(
    produced: dict[Node, tuple[Any, list[Node]]], walk: Any, view: View
) -> dict[tuple[str, int], Node]:
    """What nodes were given but did not pass on, Σ ȳ y − Σ x̄ x, by what took it."""
    assert isinstance(walk, Relevances)
    out: dict[tuple[str, int], Node] = {}
    inputs = {v.node for v in view.all}
    for node, (g, _) in produced.items():
        passed = walk.shares.get(node)
        if passed is None or node in inputs:
            continue
        rule = walk.share(node)
        if node.op.name in _WHOLE and not (node.op.name == "contract" and rule != Share()):
            continue
        shares = [_size(c, x) for x, c in passed.items() if isinstance(x.type, TensorType)]
        if len(shares) != len(passed):
            continue
        given = (
            [_size(part, item(node, i)) for i, part in g.items()]
            if isinstance(g, dict)
            else [_size(g, node)]
        )
        total = given[0]
        for more in given[1:]:
            total = total + more
        for share in shares:
            total = total - share
        name = _NAMES.get(node.op.name, node.op.name)
        if name == "contract":  # rules that tell signs apart give a bias more or less than it adds
            name = "ε" if rule.rule == "epsilon" else "biases"
        out[name, len(out)] = total
    return out


def _size(c: Node, x: Node) -> Node:
    """Σ c x, where c = 0 counts nothing even of −∞."""
    share = registry["where"](registry["eq"](c, 0), full_like(x, 0), c * x)
    return ops.sum(share, axis=None, keepdim=False)


def _means(view: View) -> frozenset[Node]:
    """Matrices that no training changes and that hold nothing negative: those of adaptive pooling
    and of resampling.
    """
    named = set(view.seen.names)
    return frozenset(
        n
        for n, t in view.seen.leaves.items()
        if t is not None
        and t.ndim >= 2
        and not t.requires_grad
        and t.is_floating_point()
        and n not in named
        and np.asarray(t.detach()._concrete()).min(initial=0.0) >= 0
    )


# ---------------------------------------------------------------------- pixels


def _first_products(view: View) -> dict[Node, int]:
    """Products with constants that read an input itself, and which of the variables it is."""
    rules = Relevance()
    order = topological([view.score], below=rules.through)
    inputs = {v.node: k for k, v in enumerate(view.all) if not v.tokens}
    live = depends_on(order, list(inputs))
    out: dict[Node, int] = {}
    for n in order:
        if n.op.name == "contract":
            at = [i for i in n.inputs if i in live]
            base = base_of(at[0])[0] if len(at) == 1 else None
            if base in inputs:
                out[n] = inputs[base]
    return out


def _total(walk: Any, product: Node) -> Node:
    """A product with all that is added to it: what it was given stands for that."""
    assert isinstance(walk, Relevances)
    return walk.affine(product).total


def _bounds(subject: Subject, view: View, k: int, low: Any, high: Any) -> tuple[Node, Node]:
    """The least and the greatest that a pixel may be, as inputs of the graph."""
    x = view.all[k].node
    value = subject.values()[k]
    out = []
    for given, extreme in ((low, value.min()), (high, value.max())):
        bound = extreme if given is None else given
        bound = bound.numpy() if hasattr(bound, "numpy") else np.asarray(bound)
        array = np.array(np.broadcast_to(bound, x.shape), x.dtype.np)
        out.append(ops.input(index=len(view.arrays), shape=x.shape, dtype=x.dtype))
        view.arrays.append(array)
    return out[0], out[1]


def _box(product: Node, x: Node, r: Node, low: Node, high: Node) -> Node:
    """The z^B rule: what pixels get of the relevance r of a product."""
    i = 0 if base_of(product.inputs[0])[0] is x else 1
    a, w = product.inputs[i], product.inputs[1 - i]
    maximum, minimum = registry["maximum"], registry["minimum"]
    moves: Sequence[Node] = base_of(a)[1]

    def forward(pixels: Node, weights: Node) -> Node:
        (seen,) = substitute([a], {x: pixels})
        pair = (seen, weights) if i == 0 else (weights, seen)
        return product.op.make(pair, product.attrs)

    def back(g: Node, weights: Node) -> Node:
        pair = (a, weights) if i == 0 else (weights, a)
        like = product.op.make(pair, product.attrs)
        return pulled(product.op.pull(g, like)[i], moves)

    up, down = maximum(w, 0), minimum(w, 0)
    z = product - forward(low, up) - forward(high, down)
    s = r / stable(z, _EPSILON)
    return x * back(s, w) - low * back(s, up) - high * back(s, down)
