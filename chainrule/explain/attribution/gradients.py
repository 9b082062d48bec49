"""Attribution by gradients: at the input, around it, and on the way to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.autodiff.relevance import Guided, GuidedWalk, rectified
from chainrule.autodiff.reverse import derivative
from chainrule.explain.attribution.result import Attribution, attribution
from chainrule.explain.attribution.subject import Subject, View
from chainrule.ir.graph import topological
from chainrule.ops.core import full_like
from chainrule.runtime.random import Generator


def saliency(model: Any, x: Any, target: Any = None, *, absolute: bool = True, **options: Any) -> (
    Attribution
):  # fmt: skip
    """|∂S/∂x|: how quickly the score S of a class moves with each input

    Of tokens: the length of the gradient at the embedding. `absolute=False` keeps the sign (tokens:
    the sum).

    Simonyan, Vedaldi and Zisserman (2013), "Deep inside convolutional networks".

    >>> import chainrule as torch
    >>> from chainrule import explain
    >>> weight = torch.tensor([[2.0, -3.0, 0.0]])
    >>> explain.attribute.saliency(lambda x: x @ weight.T, torch.ones(1, 3)).values
    array([[2., 3., 0.]], dtype=float32)
    """
    subject = Subject(model, x, target, **options)
    grads = _gradients(subject)
    if not absolute:
        return attribution("saliency", subject, subject.per_input(grads))
    found = subject.per_input([np.abs(g) for g in grads], _length)
    return attribution("saliency", subject, found, signed=False)


def _length(a: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(np.sqrt(np.sum(a * a, axis=axis)))


def _gradients(subject: Subject) -> list[np.ndarray]:
    values = subject.values()
    return subject.evaluate(values, np.arange(len(values[0])))[1:]


def gradient_times_input(model: Any, x: Any, target: Any = None, **options: Any) -> Attribution:
    """x ∘ ∂S/∂x: for a linear score, what each input adds to it

    Shrikumar et al. (2016), "Not just a black box".

    >>> import chainrule as torch
    >>> from chainrule import explain
    >>> weight = torch.tensor([[2.0, -3.0, 0.0]])
    >>> x = torch.tensor([[1.0, 2.0, 3.0]])
    >>> explain.attribute.gradient_times_input(lambda x: x @ weight.T, x).values
    array([[ 2., -6.,  0.]], dtype=float32)
    """
    subject = Subject(model, x, target, **options)
    products = [v * g for v, g in zip(subject.values(), _gradients(subject), strict=True)]
    return attribution("gradient_times_input", subject, subject.per_input(products))


def smooth_grad(
    model: Any, x: Any, target: Any = None, *, samples: int = 50, noise: float = 0.15,
    seed: int = 0, squared: bool = False, times_input: bool = False, **options: Any,
) -> Attribution:  # fmt: skip
    """(1/n) Σ ∂S/∂x at x + N(0, σ²): the gradient, with its small-scale wobble averaged out

    σ is `noise` times the range of each row, max x − min x. `squared`: the mean of squares;
    `times_input`: the mean gradient times x. The noise is a stream of its own: equal seeds, equal
    results.

    Smilkov et al. (2017), "SmoothGrad: removing noise by adding noise".
    """
    if samples < 1 or noise < 0:
        raise ValueError(f"samples ≥ 1 and noise ≥ 0, got {samples} and {noise}")
    subject = Subject(model, x, target, **options)
    values = subject.values()
    count = len(values[0])
    rng = Generator(seed=seed, name="attribution").numpy()
    spread = [_spread(v) * noise for v in values]
    sums = [np.zeros(v.shape, np.float64) for v in values]
    which = np.tile(np.arange(count), samples)
    step = max(1, subject.rows_for(len(which)) // count) * count
    for start in range(0, len(which), step):
        part = which[start : start + step]
        points = [
            v[part] + s[part] * rng.standard_normal((len(part), *v.shape[1:])).astype(v.dtype)
            for v, s in zip(values, spread, strict=True)
        ]
        for total, g in zip(sums, subject.evaluate(points, part)[1:], strict=True):
            np.add.at(total, part, g.astype(np.float64) ** 2 if squared else g)
    means = [(t / samples).astype(v.dtype) for t, v in zip(sums, values, strict=True)]
    if times_input:
        means = [m * v for m, v in zip(means, values, strict=True)]
    return attribution(
        "smooth_grad", subject, subject.per_input(means), signed=not squared, steps=samples
    )


def _spread(v: np.ndarray) -> np.ndarray:
    axes = tuple(range(1, v.ndim))
    return np.asarray(v.max(axis=axes, keepdims=True) - v.min(axis=axes, keepdims=True))


# ---------------------------------------------------------------------- changed rules


def guided_backprop(model: Any, x: Any, target: Any = None, **options: Any) -> Attribution:
    """The gradient, but every max(z, 0) passes on only what is positive, where z was positive

    Springenberg et al. (2014), "Striving for simplicity: the all convolutional net". The rule is
    changed in the walk over the graph: it holds for any max(z, 0), whatever layer made it.
    """
    return _by_rules("guided_backprop", Guided(), model, x, target, options)


def deconvolution(model: Any, x: Any, target: Any = None, **options: Any) -> Attribution:
    """The gradient, but every max(z, 0) passes on what is positive, whatever z was

    Zeiler and Fergus (2013), "Visualizing and understanding convolutional networks".
    """
    return _by_rules("deconvolution", Guided(forward=False), model, x, target, options)


def _by_rules(
    method: str, rules: Guided, model: Any, x: Any, target: Any, options: dict[str, Any]
) -> Attribution:
    subject = Subject(model, x, target, **options)
    values = subject.values()
    found = subject.evaluate(
        values, np.arange(len(values[0])), lambda view: view.at_variables(rules)
    )[1:]
    out = attribution(method, subject, subject.per_input(found))
    out.notes["rectified units"] = _rectified(subject.view(), rules)
    return out


def _rectified(view: View, rules: Guided) -> int:
    """How many nodes the changed rule was applied to (one for each loop that has some)."""
    free = [v.free for v in view.all]
    d = derivative([view.varied], [full_like(view.varied, 1)], free, rules=rules)
    assert isinstance(d.walk, GuidedWalk)
    loops = [n.attr("body") for n in d.produced if n.op.name == "scan"]
    inside = [b for b in loops if any(rectified(n) for n in topological(b.outputs))]
    return len(d.walk.met) + len(inside)


Method = Callable[..., Attribution]
