"""Losses as layers, one row each."""

from __future__ import annotations

import math
from typing import Any

from chainrule import meaning
from chainrule.dtypes import DType
from chainrule.errors import ShapeError
from chainrule.nn import functional as F
from chainrule.nn.functional.loss import reduction_of
from chainrule.nn.modules.linear import Linear
from chainrule.nn.modules.module import Module
from chainrule.nn.modules.simple import FunctionLayer, layer
from chainrule.tensor import Tensor


class _Loss(FunctionLayer):
    """Abstract. Weights by class or element are buffers."""

    reduction: str
    size_average: Any
    reduce: Any

    buffers_among_settings = ("weight", "pos_weight")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.buffers_among_settings:
            if name in self.settings.parameters:
                value = self.__dict__.pop(name, None)
                self.register_buffer(name, value)
        old = {"size_average", "reduce"} & self.settings.parameters.keys()
        if any(getattr(self, name) is not None for name in old):
            self.reduction = reduction_of(self.reduction, self.size_average, self.reduce)
            self.size_average = self.reduce = None


def _row(name: str, function: Any, settings: str, doc: str) -> Any:
    return layer(name, function, settings, doc=doc, module=__name__, base=_Loss)


_OLD = "size_average reduce reduction"

_MSE = """mean (x − t)², or the sum, or each with reduction="none"

input and target of one shape, floating dtypes → a number (or that shape). Unlike shapes raise
RuntimeError: a broadcast would compare every prediction with every target.

>>> import chainrule as torch
>>> torch.nn.MSELoss()(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0]))
tensor(2.5000)
"""
_CROSS_ENTROPY = """−log softmax(x)[t], averaged over rows

x: logits (C), (N, C) or (N, C, d₁, …), not probabilities: softmax is inside. t: classes, int64,
(), (N) or (N, d₁, …), or probabilities like x. `weight` (C) weighs classes, and the mean divides by
the weights that counted; rows whose class is ignore_index count for nothing; label_smoothing ε
mixes the target with 1/C (Szegedy et al. 2016). Raises RuntimeError for shapes and dtypes that do
not fit, IndexError for classes that do not exist.

>>> import chainrule as torch
>>> loss = torch.nn.CrossEntropyLoss()
>>> loss(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0]))
tensor(0.1698)
"""
L1Loss = _row("L1Loss", F.l1_loss, _OLD, "mean |x − t|")
MSELoss = _row("MSELoss", F.mse_loss, _OLD, _MSE)
HuberLoss = _row(
    "HuberLoss", F.huber_loss, "reduction delta", "½ d² for |d| < δ, else δ (|d| − ½ δ)"
)
SmoothL1Loss = _row(
    "SmoothL1Loss", F.smooth_l1_loss, _OLD + " beta", "½ d²/β for |d| < β, else |d| − ½ β"
)
NLLLoss = _row(
    "NLLLoss", F.nll_loss, "weight size_average ignore_index reduce reduction",
    "−x[target] of log-probabilities",
)  # fmt: skip
CrossEntropyLoss = _row(
    "CrossEntropyLoss", F.cross_entropy,
    "weight size_average ignore_index reduce reduction label_smoothing",
    _CROSS_ENTROPY,
)  # fmt: skip
BCELoss = _row(
    "BCELoss", F.binary_cross_entropy, "weight " + _OLD, "−(t log p + (1 − t) log(1 − p))"
)
BCEWithLogitsLoss = _row(
    "BCEWithLogitsLoss", F.binary_cross_entropy_with_logits, "weight " + _OLD + " pos_weight",
    "BCELoss of σ(x), without overflow",
)  # fmt: skip
CTCLoss = _row(
    "CTCLoss", F.ctc_loss, "blank reduction zero_infinity",
    "−log Σ p(path) over all paths that spell the target: see functional.ctc_loss",
)  # fmt: skip
KLDivLoss = _row("KLDivLoss", F.kl_div, _OLD + " log_target", "t (log t − x)")
NLLLoss._takes = CrossEntropyLoss._takes = meaning.axes(
    input="batch classes ...", target="batch ..."
)
PoissonNLLLoss = _row(
    "PoissonNLLLoss", F.poisson_nll_loss, "log_input full size_average eps reduce reduction",
    "eˣ − t x",
)  # fmt: skip
GaussianNLLLoss = _row(
    "GaussianNLLLoss", F.gaussian_nll_loss, "full eps reduction", "½ (log var + (x − t)²/var)"
)
HingeEmbeddingLoss = _row(
    "HingeEmbeddingLoss", F.hinge_embedding_loss, "margin " + _OLD,
    "x for t = 1, max(0, margin − x) for −1",
)  # fmt: skip
SoftMarginLoss = _row("SoftMarginLoss", F.soft_margin_loss, _OLD, "log(1 + e^{−t x})")
MarginRankingLoss = _row(
    "MarginRankingLoss", F.margin_ranking_loss, "margin " + _OLD, "max(0, −t (x₁ − x₂) + margin)"
)
CosineEmbeddingLoss = _row(
    "CosineEmbeddingLoss", F.cosine_embedding_loss, "margin " + _OLD,
    "1 − cos for t = 1, max(0, cos − margin) for −1",
)  # fmt: skip
MultiMarginLoss = _row(
    "MultiMarginLoss", F.multi_margin_loss, "p margin weight " + _OLD,
    "Σ_{j ≠ t} max(0, margin − x[t] + x[j])ᵖ/C",
)  # fmt: skip
MultiLabelMarginLoss = _row(
    "MultiLabelMarginLoss", F.multilabel_margin_loss, _OLD, "Σ max(0, 1 − (x[y] − x[i]))/C"
)
MultiLabelSoftMarginLoss = _row(
    "MultiLabelSoftMarginLoss", F.multilabel_soft_margin_loss, "weight " + _OLD,
    "mean over classes of BCE with logits",
)  # fmt: skip
TripletMarginLoss = _row(
    "TripletMarginLoss", F.triplet_margin_loss, "margin p eps swap " + _OLD,
    "max(0, d(a, p) − d(a, n) + margin)",
)  # fmt: skip
TripletMarginWithDistanceLoss = _row(
    "TripletMarginWithDistanceLoss", F.triplet_margin_with_distance_loss,
    "distance_function margin swap reduction", "TripletMarginLoss with a distance of one's own",
)  # fmt: skip
NLLLoss2d = NLLLoss


class LinearCrossEntropyLoss(Module):
    """CrossEntropyLoss()(x Wᵀ + b, target), with W (num_classes · Π out_features, in_features)

    input (N, in_features) or (in_features); target classes (N, *out_features) or probabilities
    (N, num_classes, *out_features). `options` (PyTorch's chunks) are accepted.

    >>> import chainrule as torch
    >>> loss = torch.nn.LinearCrossEntropyLoss(5, 10)
    >>> loss(torch.ones(2, 5), torch.tensor([1, 3])).shape
    torch.Size([])
    """

    weight: Any

    def __init__(
        self, in_features: int, num_classes: int, *, out_features: tuple[int, ...] = (),
        bias: bool = False, device: Any = None, dtype: DType | None = None,
        reduction: str = "mean", weight: Tensor | None = None, ignore_index: int | None = None,
        label_smoothing: float = 0.0, options: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise ShapeError(
                f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}"
            )
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(
                f"expected label_smoothing to be in range [0, 1], got {label_smoothing}"
            )
        self.register_buffer("weight", weight)
        self.reduction, self.ignore_index, self.options = reduction, ignore_index, options
        self.num_classes, self.out_features = num_classes, tuple(out_features)
        self.label_smoothing = label_smoothing
        rows = num_classes * math.prod(out_features)
        self.linear = Linear(in_features, rows, bias=bias, device=device, dtype=dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        classes, bias = (self.num_classes, *self.out_features), self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape((*classes, self.linear.in_features)),
            target,
            linear_bias=None if bias is None else bias.reshape(classes),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )


__all__ = [
    name
    for name, v in list(globals().items())
    if isinstance(v, type) and issubclass(v, _Loss) and v is not _Loss
] + ["LinearCrossEntropyLoss"]
