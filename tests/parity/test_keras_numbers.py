"""Losses, metrics, optimizers, schedules and activations give the numbers that Keras gives."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pytest

from chainrule import keras as ours

os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import keras as theirs

pytestmark = pytest.mark.filterwarnings("ignore")
RNG = np.random.default_rng(0)
ROWS, CLASSES = 12, 5


def numbers(x: Any) -> np.ndarray:
    return theirs.ops.convert_to_numpy(x) if "torch" in type(x).__module__ else np.asarray(x)


def probabilities(*shape: int) -> np.ndarray:
    p = RNG.random((*shape, CLASSES)).astype("f4") + 0.05
    return p / p.sum(-1, keepdims=True)


ONE_HOT = np.eye(CLASSES, dtype="f4")[RNG.integers(0, CLASSES, ROWS)]
LABELS = RNG.integers(0, CLASSES, ROWS)
BINARY = RNG.integers(0, 2, (ROWS, CLASSES)).astype("f4")
REAL = RNG.normal(size=(2, ROWS, CLASSES)).astype("f4")
WEIGHTS = RNG.random(ROWS).astype("f4")
P = probabilities(ROWS)
SCORES = RNG.random((ROWS, CLASSES)).astype("f4")

LOSSES = {
    "MeanSquaredError": ({}, *REAL), "MeanAbsoluteError": ({}, *REAL),
    "MeanAbsolutePercentageError": ({}, *REAL), "MeanSquaredLogarithmicError": ({}, *abs(REAL)),
    "CosineSimilarity": ({}, *REAL), "Huber": ({"delta": 0.5}, *REAL), "LogCosh": ({}, *REAL),
    "Hinge": ({}, BINARY, REAL[0]), "SquaredHinge": ({}, BINARY, REAL[0]),
    "CategoricalHinge": ({}, ONE_HOT, REAL[0]), "KLDivergence": ({}, probabilities(ROWS), P),
    "Poisson": ({}, *abs(REAL)),
    "BinaryCrossentropy": ({"label_smoothing": 0.1}, BINARY, SCORES),
    "BinaryFocalCrossentropy": ({"apply_class_balancing": True, "gamma": 1.5}, BINARY, SCORES),
    "CategoricalCrossentropy": ({"from_logits": True, "label_smoothing": 0.2}, ONE_HOT, REAL[0]),
    "CategoricalFocalCrossentropy": ({"alpha": 0.3, "from_logits": True}, ONE_HOT, REAL[0]),
    "SparseCategoricalCrossentropy": ({"ignore_class": 2}, LABELS, P),
    "CategoricalGeneralizedCrossEntropy": ({"q": 0.4}, LABELS, P),
    "Dice": ({"axis": (1,)}, BINARY, SCORES),
    "Tversky": ({"alpha": 0.3, "beta": 0.8, "axis": (0,)}, BINARY, SCORES),
    "Circle": ({"gamma": 8.0}, LABELS, REAL[0] / np.linalg.norm(REAL[0], axis=1, keepdims=True)),
    "CTC": ({}, RNG.integers(1, CLASSES, (ROWS, 3)), RNG.normal(size=(ROWS, 9, CLASSES))),
}  # fmt: skip


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str, reduction: str) -> None:
    options, y_true, y_pred = LOSSES[name]
    for weights in (None, WEIGHTS) if name != "Tversky" else (None,):
        made = [
            numbers(
                getattr(k.losses, name)(reduction=reduction, **options)(y_true, y_pred, weights)
            )
            for k in (ours, theirs)
        ]
        np.testing.assert_allclose(*made, rtol=2e-5, atol=1e-6)


PAIR = (BINARY[:, 0], SCORES[:, 0])
METRICS = {
    "BinaryAccuracy": ({"threshold": 0.4}, BINARY, SCORES),
    "CategoricalAccuracy": ({}, ONE_HOT, P), "SparseCategoricalAccuracy": ({}, LABELS, P),
    "TopKCategoricalAccuracy": ({"k": 2}, ONE_HOT, P),
    "SparseTopKCategoricalAccuracy": ({"k": 3}, LABELS, P),
    "Precision": ({"thresholds": [0.2, 0.5, 0.8]}, BINARY, SCORES),
    "Recall": ({"top_k": 2}, BINARY, SCORES), "Recall ": ({"class_id": 1}, BINARY, SCORES),
    "SensitivityAtSpecificity": ({"specificity": 0.4}, *PAIR),
    "SpecificityAtSensitivity": ({"sensitivity": 0.6}, *PAIR),
    "PrecisionAtRecall": ({"recall": 0.5}, *PAIR), "RecallAtPrecision": ({"precision": 0.5}, *PAIR),
    "AUC": ({}, *PAIR), "AUC pr": ({"curve": "PR"}, *PAIR),
    "AUC gain": ({"curve": "PRGAIN", "summation_method": "majoring"}, *PAIR),
    "AUC labels": ({"multi_label": True, "label_weights": list(range(1, 6))}, BINARY, SCORES),
    "AUC uneven": ({"thresholds": [0.1, 0.3, 0.35], "from_logits": True}, BINARY, REAL[0]),
    "F1Score": ({"average": "macro"}, ONE_HOT, P),
    "FBetaScore": ({"beta": 2.0, "threshold": 0.3}, BINARY, SCORES),
    "R2Score": ({"class_aggregation": "variance_weighted_average"}, *REAL),
    "IoU": ({"num_classes": CLASSES, "target_class_ids": [0, 3], "dtype": "float32"},
            LABELS, P.argmax(1)),
    "OneHotMeanIoU": ({"num_classes": CLASSES, "dtype": "float32"}, ONE_HOT, P),
    "RootMeanSquaredError": ({}, *REAL), "CosineSimilarity": ({}, *REAL),
    "PearsonCorrelation": ({}, *REAL), "ConcordanceCorrelation": ({}, *REAL),
    "KLDivergence": ({}, probabilities(ROWS), P), "LogCoshError": ({}, *REAL),
}  # fmt: skip


@pytest.mark.parametrize("name", METRICS)
def test_metrics(name: str) -> None:
    options, y_true, y_pred = METRICS[name]
    for weights in (None, WEIGHTS):
        made = []
        for k in (ours, theirs):
            metric = getattr(k.metrics, name.split()[0])(**options)
            for rows in (slice(0, 7), slice(7, None)):
                part = None if weights is None else weights[rows]
                metric.update_state(y_true[rows], y_pred[rows], part)
            made.append(numbers(metric.result()))
        np.testing.assert_allclose(*made, rtol=2e-5, atol=1e-6)


#: Not ScheduleFreeAdamW: on PyTorch, Keras reads the old place after the new one is written there.
OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "RMSprop": {"momentum": 0.5, "centered": True}, "Adam": {"amsgrad": True, "clipnorm": 0.5},
    "AdamW": {"global_clipnorm": 0.7}, "Adadelta": {"learning_rate": 0.5},
    "Adagrad": {"clipvalue": 0.4}, "Adamax": {}, "Adafactor": {"learning_rate": 0.05},
    "Nadam": {"weight_decay": 0.1}, "Lion": {},
    "Ftrl": {"l1_regularization_strength": 0.01, "l2_regularization_strength": 0.02,
             "l2_shrinkage_regularization_strength": 0.01, "beta": 0.1},
    "Lamb": {"weight_decay": 0.01}, "Muon": {},
    "Adam averaged": {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    "SGD accumulated": {"gradient_accumulation_steps": 2, "momentum": 0.9},
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_and_their_state(name: str) -> None:
    rng = np.random.default_rng(1)
    start = [rng.normal(size=s).astype("f4") for s in ((4, 3), (3,))]
    grads = [[rng.normal(size=a.shape).astype("f4") for a in start] for _ in range(6)]
    states = []
    for k in (ours, theirs):
        options = {"learning_rate": 0.01} | OPTIMIZERS[name]
        optimizer = getattr(k.optimizers, name.split()[0])(**options)
        variables = [k.Variable(a, name=n) for a, n in zip(start, ("kernel", "bias"), strict=True)]
        for step in grads:
            tensors = [k.ops.convert_to_tensor(g) for g in step]
            optimizer.apply_gradients(zip(tensors, variables, strict=True))
        states.append([numbers(v.numpy() if k is ours else v.value.detach())
                       for v in [*variables, *optimizer.variables]])  # fmt: skip
    assert len(states[0]) == len(states[1])
    for mine, other in zip(*states, strict=True):
        np.testing.assert_allclose(mine, other, rtol=3e-4, atol=2e-6)


SCHEDULES = {
    "ExponentialDecay": (0.1, 5, 0.7, True), "InverseTimeDecay": (0.1, 5, 0.7),
    "PiecewiseConstantDecay": ([3, 8], [0.3, 0.2, 0.1]),
    "PolynomialDecay": (0.1, 6, 0.01, 2.0, True),
    "CosineDecay": (0.0, 10, 0.1, "warm", 0.2, 4), "CosineDecayRestarts": (0.1, 4, 1.7, 0.8, 0.05),
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name: str) -> None:
    mine, other = (getattr(k.optimizers.schedules, name)(*SCHEDULES[name]) for k in (ours, theirs))
    for step in range(20):
        assert float(mine(step)) == pytest.approx(float(numbers(other(step))), rel=1e-5)


@pytest.mark.parametrize("name", [n for n in dir(theirs.activations) if n not in (
    "deserialize", "get", "serialize", "threshold", "sparsemax") and n[0] != "_"])  # fmt: skip
def test_activations(name: str) -> None:
    # Not sparsemax, which gives rows of zeros in Keras on PyTorch.
    x = RNG.normal(size=(3, 6)).astype("f4") * 3
    made = [numbers(getattr(k.activations, name)(k.ops.convert_to_tensor(x)))
            for k in (ours, theirs)]  # fmt: skip
    np.testing.assert_allclose(*made, rtol=2e-5, atol=2e-6)


#: Keras forgets options of these losses.
MORE_THAN_KERAS = {"CosineSimilarity", "Huber", "SparseCategoricalCrossentropy"}


def test_configs_are_those_of_keras() -> None:
    for room, names in (("losses", LOSSES), ("metrics", METRICS), ("optimizers", OPTIMIZERS)):
        for name in {n.split()[0] for n in names} - MORE_THAN_KERAS:
            options = {
                "IoU": {"num_classes": 3, "target_class_ids": [1]},
                "OneHotMeanIoU": {"num_classes": 3}, "SensitivityAtSpecificity": {"specificity": 1},
                "SpecificityAtSensitivity": {"sensitivity": 1}, "PrecisionAtRecall": {"recall": 1},
                "RecallAtPrecision": {"precision": 1},
            }.get(name, {})  # fmt: skip
            mine, other = (
                getattr(getattr(k, room), name)(name="x", **options).get_config()
                for k in (ours, theirs)
            )
            assert mine == other, name
