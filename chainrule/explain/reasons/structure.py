"""Faults that the graph shows: between the outputs and the loss, and where no gradient flows."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from chainrule.explain.passing import Passed
from chainrule.explain.reasons.finding import Found
from chainrule.explain.reasons.material import array
from chainrule.ir.graph import depends_on, topological
from chainrule.ir.node import Node, TensorType
from chainrule.tensor import Tensor

#: What shows the numbers of its first operand, moved, cut, or with a constant factor.
_MOVES = frozenset(
    [
        "reshape",
        "permute",
        "cast",
        "copy",
        "slice",
        "broadcast_to",
        "clamp",
        "clamp_min",
        "clamp_max",
        "stop_gradient",
        "pad",
        "take",
    ]
)
_EXPECTS_LOGITS = {
    "log_softmax": ("softmax", "sigmoid"),
    "cross_entropy_rows": ("softmax", "sigmoid"),
    "binary_cross_entropy_logits": ("sigmoid", "softmax"),
    "softmax": ("softmax",),
    "sigmoid": ("sigmoid", "softmax"),
}
#: From a chosen log-probability to the loss: what is linear.
_LINEAR = frozenset(
    ["neg", "sum", "mean", "div", "mul", "where", "reshape", "cast", "add", "slice", "permute"]
)
_RANGES: dict[str, tuple[float, float]] = {
    "relu": (0.0, np.inf), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softmax": (0.0, 1.0),
    "relu6": (0.0, 6.0), "softplus": (0.0, np.inf), "exp": (0.0, np.inf),
}  # fmt: skip
#: What errors of unlike shapes say.
_UNLIKE = re.compile("same shape|same size|must match|target size|broadcast", re.IGNORECASE)
_ELEMENTWISE = frozenset(
    [
        "squared_error",
        "absolute_error",
        "huber",
        "smooth_l1",
        "sub",
        "mul",
        "binary_cross_entropy",
        "binary_cross_entropy_logits",
        "kl_pointwise",
    ]
)


def climb(n: Node) -> Node:
    """Where the numbers of a node come from, through what only shows them."""
    while True:
        if n.op.name in _MOVES and n.inputs:
            n = n.inputs[0]
        elif n.op.name == "div" and _is_its_sum(n):
            n = n.inputs[0]  # probabilities, brought to a sum of 1 again
        else:
            return n


def _is_its_sum(n: Node) -> bool:
    a, b = n.inputs
    b = climb(b)
    return b.op.name == "sum" and climb(b.inputs[0]) is climb(a)


class Structure:
    """The graph of one pass, between outputs and loss."""

    def __init__(self, passed: Passed, values: dict[Node, np.ndarray]) -> None:
        self.passed, self.values = passed, values
        self.outputs = {climb(o) for o in passed.outputs} | set(passed.outputs)
        self.order = topological([passed.loss])
        after = depends_on(self.order, set(passed.outputs) & set(self.order))
        #: What the loss computes from the outputs.
        self.after = [n for n in self.order if n in after and n not in set(passed.outputs)]

    def value(self, n: Node) -> np.ndarray:
        """Numbers of a node."""
        if n not in self.values:
            self.values.update(zip([n], self.passed.values([n]), strict=True))
        return self.values[n]


def look_at_structure(found: Found, s: Structure) -> None:
    """All of it."""
    _dependence(found, s)
    _twice(found, s)
    _probabilities(found, s)
    _broadcast(found, s)
    _activation(found, s)
    found.look("the graph from the parameters to the loss, {nodes} nodes", nodes=len(s.order))


# ------------------------------------------------------------------ what the loss depends on


def _dependence(found: Found, s: Structure) -> None:
    passed = s.passed
    if not passed.tensors:
        return
    if not passed.trainable:
        found.add(
            "all frozen", "error",
            "none of the {count} parameters can be trained: all are frozen",
            "Thaw those that should learn: requires_grad_(True), or layer.trainable = True.",
            count=len(passed.tensors),
        )  # fmt: skip
        return
    nodes = [passed.parameters[n] for n in passed.trainable]
    grads = dict(zip(passed.trainable, passed.gradient(nodes).gradients, strict=True))
    order = set(s.order)
    without = [n for n, g in grads.items() if g is None]
    if len(without) == len(grads):
        reached = any(n in order for n in nodes)
        found.add(
            "loss without model", "error",
            "the loss is cut off from the parameters: a value on the way was detached, or left the "
            "graph" if reached else "the loss does not depend on any parameter of the model",
            "Compute the loss from the model's output itself, in tensor operations: no detach(), "
            "item(), numpy(), argmax() or no_grad() on the way.",
            parameters=len(grads),
        )  # fmt: skip
        return
    if without:
        groups = sorted({n.rpartition("/" if "/" in n else ".")[0] for n in without})
        detached = [n for n in without if passed.parameters[n] in order]
        found.add(
            "no gradient", "warning",
            "{count} of {all} parameters get no gradient ({names}): " + (
                "they are detached on the way to the loss" if detached
                else "the loss does not depend on them"
            ),
            "Use these layers in forward, or freeze or remove them.",
            groups[0], count=len(without), all=len(grads),
            names=", ".join(groups[:4]) + (" …" if len(groups) > 4 else ""),
        )  # fmt: skip


# ------------------------------------------------------------------ outputs and loss


def _twice(found: Found, s: Structure) -> None:
    for n in s.order:
        expected = _EXPECTS_LOGITS.get(n.op.name)
        if expected is None:
            continue
        source = climb(n.inputs[0])
        if source.op.name not in expected:
            continue
        origin = s.passed.origin(source)
        path = origin.call.path if origin.call is not None else ""
        p = s.value(source)
        loss = {
            "cross_entropy_rows": "the cross-entropy",
            "log_softmax": "the cross-entropy",
            "binary_cross_entropy_logits": "the binary cross-entropy",
        }.get(n.op.name, n.op.name)
        kind = f"{source.op.name} twice"
        if source.op.name == "sigmoid" and n.op.name == "log_softmax":
            kind = "sigmoid before softmax"
        spoken = found.say(loss) if loss.startswith("the") else loss
        found.add(
            kind, "error",
            "{first} is applied before {loss}, which expects logits and applies its own: what it "
            "sees lies in [{low}, {high}]",
            "Leave the {first} out of the model and give logits to the loss (apply it only to show "
            "probabilities), or, in Keras, keep it and say from_logits=False.",
            path, first=source.op.name, loss=spoken, low=float(p.min(initial=1)),
            high=float(p.max(initial=0)),
        )  # fmt: skip
        return
    for n in s.order:
        if n.op.name not in ("softmax", "log_softmax") or not isinstance(n.type, TensorType):
            continue
        axis = n.attr("axis")
        axes = axis if isinstance(axis, tuple) else (axis,)
        ends_here = n in s.outputs or n in {climb(o) for o in s.passed.outputs}
        call = s.passed.origin(n).call
        path = call.path if call is not None else ""
        if ends_here and all(n.shape[a] == 1 for a in axes):
            found.add(
                "softmax of one", "error",
                "softmax over a single number is always 1: the output cannot change",
                "Use sigmoid (binary cross-entropy) for one output, or as many outputs as classes.",
                path, shape=list(n.shape),
            )  # fmt: skip
        elif ends_here and len(n.shape) == 2 and axes == (0,) and n.shape[0] > 1:
            found.add(
                "softmax over the batch", "error",
                "softmax runs over axis 0, the samples of the batch, instead of the classes",
                "Say dim=-1 (axis=-1).",
                path, shape=list(n.shape),
            )  # fmt: skip


def _probabilities(found: Found, s: Structure) -> None:
    """A loss that takes probabilities, or their logarithms, is given something else."""
    outs = {climb(o) for o in s.passed.outputs}
    outs |= set(s.passed.outputs)
    for n in s.after:
        if n.op.name in ("log", "binary_cross_entropy"):
            source = climb(n.inputs[0])
            if source.op.name == "sub" and source not in outs:
                continue  # 1 − p
            if source not in outs or source.op.name in ("softmax", "sigmoid", "exp", "clamp"):
                continue
            v = s.value(source)
            wide = v.reshape(-1, v.shape[-1]) if v.ndim else v.reshape(1, 1)
            outside = float(np.mean((v < 0) | (v > 1)))
            if outside > 0.02 and np.isfinite(v).all():
                found.add(
                    "logits taken for probabilities", "error",
                    "the loss takes logarithms of the output as if it were probabilities, but "
                    "{outside} of it lies outside [0, 1] (from {low} to {high})",
                    "Say from_logits=True (or use BCEWithLogitsLoss, CrossEntropyLoss), or end the "
                    "model with softmax or sigmoid.",
                    _path(s, source), outside=outside, low=float(v.min()), high=float(v.max()),
                    sums=float(wide.sum(axis=-1).mean()),
                )  # fmt: skip
                return
        if n.op.name == "take_along" and _is_linear_to(s, n):
            source = climb(n.inputs[0])
            if source not in outs or source.op.name in ("log_softmax", "log", "logsigmoid"):
                continue
            v = s.value(source)
            axis = n.attr("axis")
            if axis >= v.ndim or v.shape[axis] < 2:
                continue
            sums = np.exp(np.clip(v.astype(np.float64), -700, 700)).sum(axis=axis)
            off = float(np.abs(sums - 1).max())
            if off > 0.05:
                found.add(
                    "logits taken for log-probabilities", "error",
                    "NLLLoss expects log-probabilities, but exp(output) sums to {sums} instead of "
                    "1: the loss can fall without bound",
                    "Use CrossEntropyLoss on the logits, or end the model with LogSoftmax.",
                    _path(s, source), sums=float(sums.mean()),
                )  # fmt: skip
                return


def _is_linear_to(s: Structure, n: Node) -> bool:
    """Whether the loss is linear in a node, and grows when it falls."""
    reached = depends_on(s.order, [n])
    between = [m for m in s.order if m in reached and m is not n]
    names = {m.op.name for m in between}
    products = [m for m in between if m.op.name == "mul"]
    return (
        names <= _LINEAR
        and "neg" in names
        and all(sum(i in reached for i in m.inputs) == 1 for m in products)
    )


def _path(s: Structure, n: Node) -> str:
    call = s.passed.origin(n).call
    return "" if call is None else call.path


def _broadcast(found: Found, s: Structure) -> None:
    """(N, 1) against (N,) gives (N, N)."""
    y = s.passed.batch.y
    if not isinstance(y, Tensor):
        return
    targets = {n for n, t in s.passed.seen.leaves.items() if t is not None
               and t.storage is y.storage}  # fmt: skip
    outs = set(s.passed.outputs)
    of_target = depends_on(s.order, targets & set(s.order))
    of_output = depends_on(s.order, outs & set(s.order))
    for n in s.order:
        if n.op.name not in _ELEMENTWISE or len(n.inputs) != 2:
            continue
        a, b = n.inputs
        if not (a in of_output and b in of_target) and not (b in of_output and a in of_target):
            continue
        if (a in of_output and a in of_target) or (b in of_output and b in of_target):
            continue
        size = [int(np.prod(v.shape)) for v in (n, a, b)]
        if size[0] > max(size[1:]) and min(size[1:]) > 1:
            out, target = (a, b) if a in of_output else (b, a)
            found.add(
                "broadcast in the loss", "error",
                "the loss compares outputs of shape {output} with targets of shape {target}: they "
                "are spread to {spread}, so that every output is compared with every target",
                "Give both the same shape: outputs.squeeze(-1), or targets.unsqueeze(-1).",
                output=list(out.shape), target=list(target.shape), spread=list(n.shape),
            )  # fmt: skip
            return


def _activation(found: Found, s: Structure) -> None:
    """The last activation cannot reach the targets."""
    y = s.passed.batch.y
    if not isinstance(y, Tensor) or len(s.passed.outputs) != 1:
        return
    out = climb(s.passed.outputs[0])
    names = {n.op.name for n in s.after}
    crossed = names & {"log_softmax", "cross_entropy_rows", "binary_cross_entropy_logits"}
    if crossed and out.op.name == "relu":
        v = s.value(out)
        found.add(
            "relu on logits", "error",
            "the model ends with relu before the cross-entropy: {zero} of its logits are 0, and "
            "none can be negative",
            "Leave the last activation out.",
            _path(s, out), zero=float(np.mean(v == 0)),
        )  # fmt: skip
        return
    limits = _RANGES.get(out.op.name)
    if limits is None or crossed or names & {"log", "binary_cross_entropy"}:
        return
    targets = array(y)
    if targets.dtype.kind not in "fiub" or not targets.size:
        return
    low, high = limits
    outside = float(np.mean((targets < low - 1e-6) | (targets > high + 1e-6)))
    if outside > 0.02:
        found.add(
            "activation cannot reach the targets", "error",
            "the model ends with {activation}, which gives numbers in [{low}, {high}], but "
            "{outside} of the targets lie outside (from {least} to {most})",
            "End the model without an activation (linear), or scale the targets.",
            _path(s, out), activation=out.op.name, low=low, high=high, outside=outside,
            least=float(targets.min()), most=float(targets.max()),
        )  # fmt: skip


def failed_loss(found: Found, out: Any, y: Any, error: Exception) -> None:
    """The loss refused its targets: what is the matter with them?"""
    message = f"{type(error).__name__}: {error}".partition("\n")[0][:240]
    if isinstance(out, Tensor) and isinstance(y, Tensor):
        shape, target = tuple(out.shape), tuple(y.shape)
        values = array(y)
        rows = values.reshape(len(values), -1) if values.ndim else values.reshape(1, -1)
        one_hot = (
            values.ndim >= 2 and rows.shape[1] > 1 and set(np.unique(values)) <= {0, 1}
            and bool((rows.sum(axis=1) == 1).all())
        )  # fmt: skip
        if _out_of_range(found, shape, target, values):
            return
        if one_hot:
            found.add(
                "one-hot for class numbers", "error",
                "the targets are one-hot rows of shape {target}, and the loss expects class "
                "numbers ({said})",
                "Give class numbers: y.argmax(-1); or, in Keras, use categorical_crossentropy.",
                target=list(target), said=message,
            )  # fmt: skip
            return
        if (
            not y.dtype.is_floating_point
            and len(shape) == len(target) == 2
            and shape[1] > 1
            and target[1] == 1
            and _UNLIKE.search(str(error)) is None
        ):
            found.add(
                "targets of the wrong shape", "error",
                "the targets have shape {target}, and the loss expects class numbers of shape "
                "{wanted} ({said})",
                "Take the last axis away: y.squeeze(-1).",
                target=list(target), wanted=[target[0]], said=message,
            )  # fmt: skip
            return
        if (
            y.dtype.is_floating_point
            and values.size
            and (values == np.rint(values)).all()
            and (len(shape) == len(target) + 1 or target[-1:] == (1,))
        ):
            found.add(
                "targets of the wrong type", "error",
                "the targets are {dtype} numbers, and the loss expects class numbers ({said})",
                "Convert them: y.long().",
                dtype=y.dtype.name, said=message,
            )  # fmt: skip
            return
        if (
            not y.dtype.is_floating_point
            and (
                len(shape) == len(target) + 1
                or (len(shape) == len(target) and shape[-1] > 1 and target[-1] == 1)
            )
            and len(shape) > 1
            and _UNLIKE.search(str(error)) is not None
        ):
            found.add(
                "class numbers for one-hot", "error",
                "the targets are class numbers of shape {target}, the outputs have shape {output}, "
                "and the loss expects the same shape ({said})",
                "Use sparse_categorical_crossentropy (in PyTorch CrossEntropyLoss with 1-D "
                "targets), or one-hot targets: one_hot(y, classes).",
                target=list(target), output=list(shape), said=message,
            )  # fmt: skip
            return
        if not y.dtype.is_floating_point and shape == target:
            found.add(
                "targets of the wrong type", "error",
                "the targets are {dtype} numbers, and the loss expects floating-point ones "
                "({said})",
                "Convert them: y.float().",
                dtype=y.dtype.name, said=message,
            )  # fmt: skip
            return
    found.add(
        "the loss failed", "error", "the loss could not be computed: {said}",
        "Compare the shapes and types of outputs and targets with what the loss expects.",
        said=message,
    )  # fmt: skip


def _out_of_range(
    found: Found, shape: tuple[int, ...], target: tuple[int, ...], y: np.ndarray
) -> bool:
    """Class numbers for outputs (N, C, …) that name no class: the loss has refused them."""
    if y.dtype.kind not in "iu" or len(shape) < 2 or target != (shape[0], *shape[2:]):
        return False
    return _labels(found, y.reshape(-1), shape[1])


def _labels(found: Found, y: np.ndarray, count: int) -> bool:
    """Whether class numbers are outside of 0 … count - 1."""
    legal = y[y != -100]
    if not legal.size:
        return False
    low, high = float(legal.min()), float(legal.max())
    if low >= 0 and high < count:
        return False
    found.add(
        "labels out of range", "error",
        "the targets go from {low} to {high}, but the model has {count} outputs: classes are 0 to "
        "{last}",
        "Number the classes from 0: y - 1." if (low, high) == (1, count) else
        "Number the classes from 0 without gaps, or give the last layer as many outputs as there "
        "are classes.",
        low=int(low), high=int(high), count=count, last=count - 1,
    )  # fmt: skip
    return True


def look_at_targets(found: Found, passed: Passed, labels: list[Any]) -> None:
    """Class numbers that name no class, and targets that a loss cannot mean. Must be looked at
    before anything is computed: an index out of range is an error.
    """
    order = topological([passed.loss])
    names = {n.op.name for n in order}
    values = [array(y) for y in labels if isinstance(y, Tensor)]
    if not values:
        return
    y = np.concatenate([v.reshape(-1) for v in values])
    if not y.size:
        return
    chosen = [n for n in order if n.op.name in ("cross_entropy_rows", "take_along", "take")
              and _from_target(passed, n)]  # fmt: skip
    for n in chosen:
        axis = 1 if n.op.name == "cross_entropy_rows" else n.attr("axis")
        axis = axis if isinstance(axis, int) else 1
        count = n.inputs[0].shape[axis]
        legal = y[(y != -100)]
        low, high = (float(legal.min()), float(legal.max())) if legal.size else (0.0, 0.0)
        fractions = bool((legal != np.rint(legal)).any())
        if fractions:
            found.add(
                "targets of the wrong type", "error",
                "the targets have fractions (from {low} to {high}), and the loss takes them for "
                "class numbers",
                "Use a loss for numbers (MSELoss, mse), or class numbers as targets.",
                low=low, high=high,
            )  # fmt: skip
        else:
            _labels(found, y, count)
        return
    if names & {"binary_cross_entropy", "binary_cross_entropy_logits"} or _is_binary(passed, order):
        low, high = float(y.min()), float(y.max())
        if low < 0 or high > 1:
            found.add(
                "labels out of range", "error",
                "the targets go from {low} to {high}, but binary cross-entropy takes 0 and 1 (and "
                "what lies between)",
                "Map them to 0 and 1: (y > 0).float() for −1 and 1, y - 1 for 1 and 2.",
                low=low, high=high,
            )  # fmt: skip


def _is_binary(passed: Passed, order: list[Node]) -> bool:
    """−(t log p + (1 − t) log(1 − p)), written out."""
    logs = [climb(n.inputs[0]) for n in order if n.op.name == "log"]
    return any(
        n.op.name == "sub" and any(climb(i) in logs for i in n.inputs if i is not n) for n in logs
    )


def _from_target(passed: Passed, n: Node) -> bool:
    y = passed.batch.y
    if not isinstance(y, Tensor) or len(n.inputs) < 2:
        return False
    leaves = passed.seen.leaves
    index = topological([n.inputs[1]])
    return any(
        (t := leaves.get(m)) is not None and t.storage is y.storage for m in index
    ) and not any(m.op.name in ("linear", "contract") for m in index)
