r"""The gradient that the chain rule derives, as formulas.

>>> import chainrule as torch
>>> from chainrule import explain
>>> x = torch.tensor([1.0, 2.0])
>>> w = torch.tensor([3.0, 4.0], requires_grad=True)
>>> print(explain.gradient(torch.tanh(w @ x), names={"x": x, "w": w}))
\begin{aligned}
z &= w^{T} x \\
L &= \tanh z \\
\frac{\partial L}{\partial z} &= 1 - L^{2} \\
\frac{\partial L}{\partial w} &= \frac{\partial L}{\partial z} x
\end{aligned}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.autodiff import derivative
from chainrule.errors import GradientError, ShapeError
from chainrule.explain.printing.formula import Expand, Formula, Subject, apart, in_order
from chainrule.explain.printing.layout import Layout
from chainrule.explain.printing.symbols import letter_for
from chainrule.explain.recorded import subjects_of
from chainrule.ir.graph import depends_on, topological
from chainrule.ir.node import Node, TensorType
from chainrule.ops import full_like
from chainrule.rewrite import merge_loops
from chainrule.tensor import Tensor


def gradient(
    y: Any, wrt: Any = None, *, names: Any = None, expand: Expand = False, width: int = 60
) -> Formula:
    """Back-propagation from the scalar y, one equation for each step of the chain rule.

    wrt     a tensor, or several (default: every input that asks for gradients)
    names, expand, width   as in `formula`; values that `names` gives a name appear on the way

    First come the values of the forward pass, then ∂L/∂· from the result back to the inputs.
    `y` is called L unless it has a name. Nothing is computed. ShapeError if y is not a scalar;
    GradientError where an op has no derivative.
    """
    (target,) = subjects_of(y)
    subject = Subject(
        [target, *subjects_of([] if wrt is None else wrt)], names, expand, opened=True
    )
    out, *asked = subject.nodes
    if not isinstance(out.type, TensorType) or out.shape:
        raise ShapeError(
            f"explain.gradient takes a scalar, got {out.type}; take .sum() of it, or one element"
        )
    inputs = asked or _trainable(subject)
    subject.names.setdefault(out, subject.letters.one("L"))

    steps = [n for n in _steps(out, inputs, subject) if n is not out and n not in inputs]
    for n, s in zip(
        [n for n in steps if n not in subject.names],
        subject.letters.several([letter_for(n) for n in steps if n not in subject.names]),
        strict=True,
    ):
        subject.names[n] = s
    wanted = [*reversed(steps), *inputs]
    found = derivative([out], [full_like(out, 1)], wanted).gradients
    pairs = [(n, g) for n, g in zip(wanted, found, strict=True) if g is not None]
    missing = [n for n, g in zip(wanted, found, strict=True) if g is None and n in asked]
    if missing:
        which = ", ".join(subject.names.get(n, repr(n)) for n in missing)
        raise GradientError(f"the result does not depend on {which}")

    forward = in_order([n for n in subject.names if n.op.name != "input"], [out])
    head = subject.names[out]
    titles = [subject.names[n] for n in forward]
    titles += [rf"\frac{{\partial {head}}}{{\partial {subject.names[n]}}}" for n, _ in pairs]
    values = merge_loops([*forward, *(g for _, g in pairs)])
    targets, shown = apart(values, titles)
    behind = set(topological([n for n, _ in targets[: len(forward)]]))
    names_now = {n: s for n, s in subject.names.items() if n.op.name == "input"} | shown

    def letter(n: Node) -> str:
        return letter_for(n) if n in behind else r"\delta"

    return Formula(Layout(names_now, subject.letters, width, letter).write(targets))


def _trainable(subject: Subject) -> list[Node]:
    found = [n for n, t in subject.leaves.items() if isinstance(t, Tensor) and t.requires_grad]
    if not found:
        raise GradientError(
            "no input asks for gradients: give wrt=, or make tensors with requires_grad=True"
        )
    return found


def _steps(out: Node, inputs: Sequence[Node], subject: Subject) -> list[Node]:
    """Where the chain rule shall stop: what is affine, activations, rows, states of loops."""
    order = topological([out])
    active = depends_on(order, inputs)
    users: dict[Node, list[Node]] = {}
    for n in order:
        for i in n.inputs:
            users.setdefault(i, []).append(n)
    named = set(subject.inner)
    return [n for n in order if n in active and (n in named or _is_step(n, users.get(n, [])))]


def _is_step(n: Node, users: list[Node]) -> bool:
    if not isinstance(n.type, TensorType) or n.op.name == "input":
        return False
    kind = letter_for(n)
    if (
        kind == "z"
        and len(users) == 1
        and letter_for(users[0]) == "z"
        and users[0].op.name == "add"
    ):
        return False  # W x + b is one step
    return kind in ("z", "a", "p", "h")
