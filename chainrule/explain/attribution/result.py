"""What a method found: numbers, and how they are shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.explain.attribution import picture, shown
from chainrule.explain.attribution.subject import Subject

_TITLES = {
    "saliency": "Saliency",
    "gradient_times_input": "Gradient × input",
    "smooth_grad": "SmoothGrad",
    "integrated_gradients": "Integrated gradients",
    "guided_backprop": "Guided back-propagation",
    "deconvolution": "Deconvolution",
    "grad_cam": "Grad-CAM",
    "guided_grad_cam": "Guided Grad-CAM",
    "occlusion": "Occlusion",
    "lrp": "Layer-wise relevance propagation",
    "attention_rollout": "Attention rollout",
}


class Attribution:
    """How much each input has to do with a score.

    method        its name
    values        an array of the input's shape: a number a pixel and channel, a number a token
                  (Grad-CAM: a number a pixel); for several inputs a tuple, None where nothing is
                  attributed (a mask)
    target        the chosen output of each row; None if a function chose
    score         its value for each row
    baseline_score  where there is a baseline: the score there
    completeness  where the values should add up: the relative error of each row
    layer         the path of the layer whose maps were used
    signed        whether negative values mean something: against the score
    steps         how many gradients, samples or windows were taken
    leaks         of relevance: what went to biases and other things, by their names, as a share of
                  the score (of all rows)
    inputs        the inputs, rows first
    tokens        a text's words, row by row; put them here, or give them to what shows them
    classes       names for targets
    single        whether the model has one output only, so that there is no class to choose
    notes         whatever else is to be said
    """

    def __init__(
        self, method: str, values: Any, inputs: Sequence[np.ndarray], target: np.ndarray | None,
        score: np.ndarray, *, signed: bool = True, layer: str | None = None,
        steps: Any = None, channels: str | None = None,
    ) -> None:  # fmt: skip
        self.method, self.values, self.inputs = method, values, list(inputs)
        self.target, self.score, self.signed = target, score, signed
        self.layer, self.steps, self.channels = layer, steps, channels
        self.single = False
        self.baseline_score: np.ndarray | None = None
        self.completeness: np.ndarray | None = None
        self.leaks: dict[str, float] = {}
        self.notes: dict[str, Any] = {}
        self.tokens: Sequence[Sequence[str]] | None = None
        self.classes: Sequence[str] | None = None

    @property
    def title(self) -> str:
        """The method's name for people."""
        return _TITLES.get(self.method, self.method)

    def part(self, which: int = 0) -> np.ndarray:
        """The values of one input, of several; of the first of which there are some."""
        if not isinstance(self.values, tuple):
            return np.asarray(self.values)
        found = self.values[which]
        if found is None:
            raise ValueError(f"nothing is attributed to input {which}")
        return np.asarray(found)

    def name_of_target(self, row: int = 0) -> str:
        """The class that is explained, by its name if there are names."""
        if self.target is None:
            return "the chosen score"
        if self.single:
            return "the only output" if self.classes is None else str(self.classes[-1])
        chosen = self.target[row]
        if np.ndim(chosen) == 0 and self.classes is not None:
            return str(self.classes[int(chosen)])
        return str(chosen.tolist() if np.ndim(chosen) else int(chosen))

    def caption(self, row: int = 0, say: Callable[[str], str] = str) -> str:
        """Method, class, score, and how well the numbers add up."""
        rule = self.notes.get("rule")
        parts = [say(self.title) + (f" ({rule})" if rule else "")]
        if self.target is not None and (self.classes is not None or not self.single):
            name = self.name_of_target(row)
            parts.append(name if self.classes is not None else f"{say('class')} {name}")
        parts.append(f"{say('score')} {self.score[row]:.4g}")
        if self.layer:
            parts.append(f"{say('layer')} {self.layer}")
        if self.completeness is not None:
            off = float(self.completeness[row]) * 100
            parts.append(f"{say('sum off by')} {f'{off:.2g}' if off >= 1e-3 else '< 0.001'} %")
        return " · ".join(parts)

    def __str__(self) -> str:
        values = self.values if isinstance(self.values, tuple) else (self.values,)
        shapes = ", ".join(str(v.shape) if v is not None else "–" for v in values)
        lines = [f"{self.title} of {len(self.score)} row(s), values {shapes}"]
        for n in range(min(len(self.score), 8)):
            told = f"  {n}: target {self.name_of_target(n)}, score {self.score[n]:.6g}"
            if self.baseline_score is not None:
                told += f", at the baseline {self.baseline_score[n]:.6g}"
            if self.completeness is not None:
                told += f", sum off by {self.completeness[n]:.2e}"
            lines.append(told)
        if len(self.score) > 8:
            lines.append(f"  … and {len(self.score) - 8} more")
        if self.layer:
            lines.append(f"  layer {self.layer}")
        if self.steps is not None:
            steps = np.asarray(self.steps)
            lines.append(f"  steps {int(steps.max()) if steps.size else 0}")
        for name, share in sorted(self.leaks.items(), key=lambda kv: -abs(kv[1])):
            if abs(share) >= 5e-7:
                lines.append(f"  {share:+.4%} of the score went to {name}")
        lines += [f"  {name}: {value}" for name, value in self.notes.items()]
        return "\n".join(lines)

    __repr__ = __str__

    # ------------------------------------------------------------------ shown

    @property
    def is_text(self) -> bool:
        """Whether tokens were explained."""
        return self.inputs[0].dtype.kind in "iu" and self.inputs[0].ndim <= 2

    @property
    def is_image(self) -> bool:
        """Whether images were explained."""
        return self.inputs[0].ndim == 4 or (self.inputs[0].ndim == 3 and not self.is_text)

    def image(self, rows: Sequence[int] | int | None = None, **options: Any) -> Any:
        """A Pillow image: beside each image its values as colours, and laid over it, with a bar
        that says what the colours mean. See `chainrule.explain.attribution.picture.draw`.
        """
        return picture.draw(self, rows, **options)

    def html(self, *, lang: str = "en") -> str:
        """A page of its own: pictures, or texts whose words are coloured."""
        return shown.document(self, lang)

    def _repr_html_(self) -> str:
        return shown.fragment(self)

    def save(self, path: str | os.PathLike[str], *, lang: str = "en") -> Path:
        """Write a picture (".png") or a page (".html"), whole or not at all."""
        return shown.save(self, path, lang)

    def __rich__(self) -> Any:
        return shown.terminal(self)


def attribution(
    method: str, subject: Subject, values: Sequence[np.ndarray | None], *, signed: bool = True,
    layer: str | None = None, steps: Any = None,
) -> Attribution:  # fmt: skip
    """The result of a method about a subject."""
    given: Any = tuple(values) if len(subject.arrays) > 1 else values[0]
    out = Attribution(
        method, given, subject.arrays, subject.target, subject.score, signed=signed, layer=layer,
        steps=steps, channels=subject.channels,
    )  # fmt: skip
    out.single = subject.single
    return out
