"""`explain.attribute`: one function for all methods, which are its attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule.explain.attribution.attention import attention_maps, attention_rollout
from chainrule.explain.attribution.cam import grad_cam, guided_grad_cam
from chainrule.explain.attribution.gradients import (
    deconvolution,
    gradient_times_input,
    guided_backprop,
    saliency,
    smooth_grad,
)
from chainrule.explain.attribution.integrated import integrated_gradients
from chainrule.explain.attribution.occlusion import occlusion
from chainrule.explain.attribution.relevance import lrp
from chainrule.explain.attribution.result import Attribution

METHODS: dict[str, Callable[..., Attribution]] = {
    f.__name__: f
    for f in (
        saliency, gradient_times_input, smooth_grad, integrated_gradients, grad_cam,
        guided_backprop, guided_grad_cam, deconvolution, occlusion, lrp, attention_rollout,
    )
}  # fmt: skip


class Attribute:
    """How much each input has to do with an output: by any method, which are its attributes too.

    >>> import chainrule as torch
    >>> from chainrule import explain
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    >>> a = explain.attribute(model, torch.ones(2, 3), target=1)
    >>> a.values.shape, bool((a.completeness < 1e-3).all())
    ((2, 3), True)
    >>> explain.attribute.saliency(model, torch.ones(2, 3)).values.shape
    (2, 3)
    """

    saliency = staticmethod(saliency)
    gradient_times_input = staticmethod(gradient_times_input)
    smooth_grad = staticmethod(smooth_grad)
    integrated_gradients = staticmethod(integrated_gradients)
    grad_cam = staticmethod(grad_cam)
    guided_backprop = staticmethod(guided_backprop)
    guided_grad_cam = staticmethod(guided_grad_cam)
    deconvolution = staticmethod(deconvolution)
    occlusion = staticmethod(occlusion)
    lrp = staticmethod(lrp)
    attention_maps = staticmethod(attention_maps)
    attention_rollout = staticmethod(attention_rollout)

    def __call__(
        self, model: Any, x: Any, target: Any = None, method: str = "integrated_gradients", *,
        tokens: Sequence[Sequence[str]] | None = None, classes: Sequence[str] | None = None,
        **options: Any,
    ) -> Attribution:  # fmt: skip
        """Attribution of a score of `model` to the inputs `x`

        model       of either face, or any function of tensors
        x           the input, rows first; a tuple: several inputs; lists and dictionaries are one
                    argument. Whole numbers are tokens
        target      the class, one for each row or for all; None: the likeliest; a tuple of indices
                    where the output has more axes; a function of the output that gives a number a
                    row
        method      its name: one of `chainrule.explain.attribution.METHODS`
        tokens      the words of texts, for pictures; `classes`: the names of classes
        keywords    further arguments of the model, which are not explained
        normalised  whether to explain what a softmax or sigmoid at the end gives; else, as the
                    papers do, the scores before it
        batch_size  how many rows are computed at a time

        and what the method takes. The model is called in evaluation mode and given back as it was.
        """
        if method not in METHODS:
            raise ValueError(f"method is one of {', '.join(METHODS)}; got {method!r}")
        out = METHODS[method](model, x, target, **options)
        out.tokens, out.classes = tokens, classes
        return out

    def __repr__(self) -> str:
        return "explain.attribute(model, x, target=None, method='integrated_gradients', …)"


#: The one of them.
attribute = Attribute()
