"""What is wrong with the data themselves, before any model sees them."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.explain.reasons.finding import Found
from chainrule.explain.reasons.material import Material, array
from chainrule.pytree import tree_leaves
from chainrule.tensor import Tensor


def look_at_data(found: Found, material: Material) -> None:
    """NaN, constant inputs, features of very different size, imbalance, order."""
    _finite(found, material)
    _inputs(found, material)
    _balance(found, material)
    _order(found, material)
    rows = sum(len(array(b.y)) if isinstance(b.y, Tensor) and b.y.ndim else material.rows
               for b in material.batches)  # fmt: skip
    found.look("{rows} samples: finite, varied, balanced, in no order", rows=rows)


def _finite(found: Found, material: Material) -> None:
    for name, part in (("x", 0), ("y", 1)):
        bad = total = first = 0
        for b in material.batches:
            for t in tree_leaves(b[part]):
                if isinstance(t, Tensor) and t.dtype.is_floating_point:
                    wrong = ~np.isfinite(array(t))
                    if wrong.any() and not bad:
                        first = int(np.argwhere(wrong)[0][0]) if wrong.ndim else 0
                    bad, total = bad + int(wrong.sum()), total + wrong.size
        if bad:
            found.add(
                f"nan in {name}", "error",
                "{name} holds NaN or infinity: {count} of {total} numbers, first in sample "
                "{sample}",
                "Leave these samples out or fill them in before training (np.isfinite finds them).",
                name=name, count=bad, total=total, sample=first,
            )  # fmt: skip


def _inputs(found: Found, material: Material) -> None:
    x = material.xs()
    if x is None or x.dtype.kind != "f" or len(x) < 8 or not np.isfinite(x).all():
        return
    if x.size and not np.ptp(x.reshape(len(x), -1), axis=0).any():
        found.add(
            "identical samples", "error",
            "all {rows} samples that were looked at are the same",
            "Look at how the data are read: every index may give the same sample.",
            rows=len(x),
        )  # fmt: skip
        return
    if x.ndim == 2 and 1 < x.shape[1] <= 128:
        spread = x.std(axis=0)
        moving = spread[spread > 0]
        still = int((spread == 0).sum())
        if still * 2 >= x.shape[1]:
            found.add(
                "constant features", "warning",
                "{still} of {features} features never change",
                "Leave them out, or look at how they are read.",
                still=still, features=x.shape[1],
            )  # fmt: skip
        if len(moving) > 1 and moving.max() > 1000 * moving.min() and moving.max() > 10:
            found.add(
                "features of different size", "warning",
                "features differ in size by a factor of {ratio}: feature {large} has a standard "
                "deviation of {most}, feature {small} one of {least}",
                "Standardise each feature: subtract its mean, divide by its standard deviation "
                "(of the training data).",
                ratio=float(moving.max() / moving.min()), large=int(spread.argmax()),
                most=float(moving.max()),
                small=int(np.where(spread > 0, spread, np.inf).argmin()),
                least=float(moving.min()),
            )  # fmt: skip


def classes_of(y: Any) -> np.ndarray | None:
    """Class numbers, from numbers or one-hot rows; None where targets are no classes."""
    y = np.asarray(y)
    if not y.size or y.dtype.kind not in "iubf":
        return None
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and set(np.unique(y)) <= {0, 1} and (y.sum(axis=1) == 1).all():
        return np.asarray(y.argmax(axis=1))
    if y.ndim != 1 or (y.dtype.kind == "f" and not (y == np.rint(y)).all()):
        return None
    if len(np.unique(y)) > max(20, len(y) // 4):
        return None
    return y.astype(np.int64)


def _balance(found: Found, material: Material) -> None:
    labels = material.labels if material.labels is not None else material.ys()
    if labels is None:
        return
    classes = classes_of(labels)
    if classes is None or len(classes) < 32:
        return
    values, counts = np.unique(classes, return_counts=True)
    share = float(counts.max() / counts.sum())
    if len(values) == 1:
        found.add(
            "one class", "error" if material.labels is not None else "warning",
            "all {count} targets that were looked at are {value}",
            "Look at how the targets are read: there is nothing to tell apart.",
            count=len(classes), value=int(values[0]),
        )  # fmt: skip
    elif share >= 0.9:
        found.add(
            "imbalance", "warning",
            "{share} of the targets are class {value}: always saying so is right that often",
            "Weigh the classes (class_weight, pos_weight), sample evenly, and look at recall or "
            "the F1 score instead of accuracy.",
            share=share, value=int(values[counts.argmax()]), counts=counts.tolist(),
        )  # fmt: skip


def _order(found: Found, material: Material) -> None:
    """Batches of one class each: the data are sorted and not shuffled."""
    if not material.chosen or len(material.batches) < 2 or material.rows < 4:
        return
    groups = [classes_of(array(b.y)) if isinstance(b.y, Tensor) else None
              for b in material.batches]  # fmt: skip
    rows = material.labels
    whole = None if rows is None else classes_of(rows)
    if any(g is None for g in groups):
        _trend(found, material)
        return
    each = [g for g in groups if g is not None]
    everything = np.concatenate([*each, whole] if whole is not None else each)
    values, counts = np.unique(everything, return_counts=True)
    if len(values) < 2 or counts.max() > 0.9 * counts.sum():
        return
    share = _share(each)
    usual = float(counts.max() / counts.sum())
    rng = np.random.default_rng(0)
    at = np.cumsum([len(g) for g in each])[:-1]
    chance = max(_share(np.split(rng.permutation(everything)[: sum(map(len, each))], at))
                 for _ in range(100))  # fmt: skip
    if share > 0.8 and share > chance + 0.1:
        found.add(
            "not shuffled", "error",
            "the data come in order: in a batch {share} of the targets are one class, of all "
            "{usual}",
            "Shuffle: DataLoader(…, shuffle=True), dataset.shuffle(size of the data), or permute "
            "the arrays once.",
            share=share, usual=usual, batches=len(each),
        )  # fmt: skip


def _share(groups: list[np.ndarray]) -> float:
    """How much of a batch is its most frequent class, on average."""
    return float(np.mean([np.unique(g, return_counts=True)[1].max() / len(g) for g in groups]))


def _trend(found: Found, material: Material) -> None:
    y = material.ys()
    if y is None or y.dtype.kind != "f" or y.reshape(len(y), -1).shape[1] != 1 or len(y) < 32:
        return
    values = y.reshape(-1)
    spread = float(np.std(values))
    within = float(np.mean([np.std(array(b.y)) for b in material.batches]))
    ordered = float(np.mean(np.diff(values) >= 0))
    if spread > 0 and (ordered > 0.98 or ordered < 0.02) and within < 0.6 * spread:
        found.add(
            "not shuffled", "error",
            "the data come in order: the targets rise or fall from sample to sample",
            "Shuffle: DataLoader(…, shuffle=True), dataset.shuffle(size of the data), or permute "
            "the arrays once.",
            rising=ordered, within=within, overall=spread,
        )  # fmt: skip
