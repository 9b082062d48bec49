"""Metrics: Keras's published numbers, NumPy's, and state over several batches."""

import numpy as np
import pytest

from chainrule.errors import ShapeError
from chainrule.keras import metrics

# Examples printed in Keras's own documentation.
PUBLISHED = [
    ("Accuracy", {}, [[1], [2], [3], [4]], [[0], [2], [3], [4]], 0.75),
    ("BinaryAccuracy", {}, [[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]], 0.75),
    ("CategoricalAccuracy", {}, [[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]], 0.5),
    ("SparseCategoricalAccuracy", {}, [[2], [1]], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]], 0.5),
    (
        "TopKCategoricalAccuracy", {"k": 1}, [[0, 0, 1], [0, 1, 0]],
        [[0.1, 0.9, 0.8], [0.05, 0.95, 0]], 0.5,
    ),
    (
        "SparseTopKCategoricalAccuracy", {"k": 1}, [2, 1],
        [[0.1, 0.9, 0.8], [0.05, 0.95, 0]], 0.5,
    ),
    ("MeanSquaredError", {}, [[0, 1], [0, 0]], [[1.0, 1], [0, 0]], 0.25),
    ("RootMeanSquaredError", {}, [[0, 1], [0, 0]], [[1.0, 1], [0, 0]], 0.5),
    ("MeanAbsoluteError", {}, [[0, 1], [0, 0]], [[1.0, 1], [0, 0]], 0.25),
    ("CosineSimilarity", {"axis": 1}, [[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]], 0.5),
    ("Precision", {}, [0, 1, 1, 1], [1.0, 0, 1, 1], 0.6667),
    ("Recall", {}, [0, 1, 1, 1], [1.0, 0, 1, 1], 0.6667),
    ("TruePositives", {}, [0, 1, 1, 1], [1.0, 0, 1, 1], 2.0),
    ("FalsePositives", {}, [0, 1, 0, 0], [0.0, 0, 1, 1], 2.0),
    ("TrueNegatives", {}, [0, 1, 0, 0], [1.0, 1, 0, 0], 2.0),
    ("FalseNegatives", {}, [0, 1, 1, 1], [0.0, 1, 0, 0], 2.0),
    ("AUC", {"num_thresholds": 3}, [0, 0, 1, 1], [0, 0.5, 0.3, 0.9], 0.75),
    ("MeanIoU", {"num_classes": 2}, [0, 0, 1, 1], [0, 1, 0, 1], 0.33333334),
    ("KLDivergence", {}, [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]], 0.45814306),
    # From a run of Keras 3.15.
    ("R2Score", {}, [[1], [4], [3]], [[2.0], [4], [4]], 0.5714285),
    ("PearsonCorrelation", {}, [[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]],
     0.9966997),
    ("ConcordanceCorrelation", {}, [[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]],
     0.9816317),
    ("IoU", {"num_classes": 3, "target_class_ids": [0, 2], "ignore_class": 255},
     [0, 1, 2, 255, 2], [0, 2, 2, 1, 1], 0.6666666),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}, [0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7],
     0.3333333),
    ("FBetaScore", {"beta": 2.0, "threshold": 0.5, "average": "weighted"},
     [[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]],
     0.6342269),
    ("AUC", {"multi_label": True, "label_weights": [1.0, 3.0]}, [[0, 1], [1, 0], [1, 1], [0, 0]],
     [[0.2, 0.6], [0.1, 0.4], [0.8, 0.3], [0.3, 0.9]], 0.3125),
]  # fmt: skip


@pytest.mark.parametrize("name, options, y_true, y_pred, expected", PUBLISHED)
def test_published_numbers(name, options, y_true, y_pred, expected):
    metric = getattr(metrics, name)(**options)
    metric.update_state(y_true, y_pred)
    assert float(metric.result()) == pytest.approx(expected, abs=1e-4)
    metric.reset_state()
    metric.update_state(y_true, y_pred)
    assert float(metric.result()) == pytest.approx(expected, abs=1e-4)


def test_weights():
    m = metrics.SparseCategoricalAccuracy()
    m.update_state([[2], [1]], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]], sample_weight=[0.7, 0.3])
    assert float(m.result()) == pytest.approx(0.3)
    auc = metrics.AUC(num_thresholds=3)
    auc.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9], sample_weight=[1, 0, 0, 1])
    assert float(auc.result()) == pytest.approx(1.0)


# From a run of Keras 3.15, with weights [1, 2, 1, 0.5, 1].
WEIGHTED = [
    ("AUC", {"curve": "PR"}, 0.7989485), ("AUC", {"curve": "PRGAIN"}, 0.5061728),
    ("AUC", {"summation_method": "majoring", "num_thresholds": 5}, 0.7333333),
    ("AUC", {"thresholds": [0.2, 0.7]}, 0.8666667), ("PrecisionAtRecall", {"recall": 0.6}, 1.0),
    ("RecallAtPrecision", {"precision": 0.7}, 0.6),
    ("SensitivityAtSpecificity", {"specificity": 0.5}, 0.6),
    ("SpecificityAtSensitivity", {"sensitivity": 0.5}, 1.0),
]  # fmt: skip


@pytest.mark.parametrize("name, options, expected", WEIGHTED)
def test_rates_and_areas_with_weights(name, options, expected):
    metric = getattr(metrics, name)(**options)
    metric.update_state([0, 0, 1, 1, 1], [0.1, 0.6, 0.35, 0.8, 0.9], [1, 2, 1, 0.5, 1])
    assert float(metric.result()) == pytest.approx(expected, abs=1e-5)
    again = metrics.deserialize(metrics.serialize(metric))
    assert again.get_config() == metric.get_config()


def test_steps_without_state():
    m = metrics.Mean()
    variables = m.stateless_update_state([0.0, 0.0], [1.0, 3.0])
    assert [float(v) for v in variables] == [4.0, 2.0]
    assert float(m.stateless_result(variables)) == 2.0
    assert float(m.total) == 0.0
    m.update_state(5.0)
    assert [float(v) for v in m.stateless_reset_state()] == [0.0, 0.0]
    assert float(m.result()) == 5.0


def test_variables_are_found_in_what_a_metric_keeps():
    class Two(metrics.Metric):
        def __init__(self):
            super().__init__(name="two")
            self.inner = {"a": [metrics.Mean(), metrics.Sum()]}
            self.own = self.add_variable((), "ones")

    made = Two()
    assert len(made.variables) == 4
    made.reset_state()
    assert float(made.own) == 0.0


def test_counting_by_buckets_is_counting_by_comparing():
    rng = np.random.default_rng(3)
    y, p, w = rng.integers(0, 2, (50, 2)), rng.random((50, 2)), rng.random(50)
    p[:5] = [[0.0, 1.0], [0.5, 0.25], [1.0, 0.0], [0.75, 0.5], [0.25, 0.75]]
    even, uneven = metrics.Precision([0.0, 0.25, 0.5, 0.75, 1.0]), metrics.Precision([0.25, 0.5])
    assert (even.decisions.evenly, uneven.decisions.evenly) == (True, False)
    even.update_state(y, p, w)
    uneven.update_state(y, p, w)
    np.testing.assert_allclose(even.result().numpy()[1:3], uneven.result().numpy(), rtol=1e-5)


def test_batches_add_up():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 100), rng.random(100).astype(np.float32)
    whole, parts = metrics.AUC(), metrics.AUC()
    whole.update_state(y, p)
    for rows in np.split(np.arange(100), [30, 31, 80]):
        parts.update_state(y[rows], p[rows])
    assert float(whole.result()) == pytest.approx(float(parts.result()), abs=1e-6)
    order = np.argsort(p)
    ranks = np.empty(100)
    ranks[order] = np.arange(1, 101)
    positives = y.sum()
    exact = (ranks[y == 1].sum() - positives * (positives + 1) / 2) / (
        positives * (100 - positives)
    )
    assert float(whole.result()) == pytest.approx(exact, abs=0.01)  # 200 thresholds approximate it


def test_f1_per_class_and_averaged():
    y_true = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0]], np.int32)
    y_pred = np.array([[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]], np.float32)
    m = metrics.F1Score(threshold=0.5)
    m.update_state(y_true, y_pred)
    np.testing.assert_allclose(m.result().numpy(), [0.5, 0.8, 0.6666667], rtol=1e-5)  # Keras's docs
    macro = metrics.F1Score(average="macro", threshold=0.5)
    macro.update_state(y_true, y_pred)
    assert float(macro.result()) == pytest.approx((0.5 + 0.8 + 2 / 3) / 3, rel=1e-5)


def test_a_mean_of_nothing_is_zero():
    assert float(metrics.Mean().result()) == 0.0
    assert float(metrics.Precision().result()) == 0.0


def test_unlike_shapes_are_an_error():
    with pytest.raises(ShapeError, match=r"\(3,\).*\(2, 4\)"):
        metrics.SparseCategoricalAccuracy().update_state([0, 1, 2], np.zeros((2, 4)))
    with pytest.raises(ShapeError, match="binary_accuracy"):
        metrics.BinaryAccuracy().update_state(np.zeros((2, 3)), np.zeros((2, 4), np.float32))


def test_a_metric_of_ones_own():
    class Seen(metrics.Metric):
        def __init__(self, name="seen", **kwargs):
            super().__init__(name=name, **kwargs)
            self.seen = self.add_weight(name="seen", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.seen.assign_add(float(y_true.shape[0]))

        def result(self):
            return self.seen

    m = Seen()
    m.update_state(np.zeros(3), None)
    m.update_state(np.zeros(4), None)
    assert float(m.result()) == 7.0
    m.reset_state()
    assert float(m.result()) == 0.0


def test_by_name():
    assert isinstance(metrics.get("mae"), metrics.MeanAbsoluteError)
    assert metrics.get("sparse_categorical_accuracy").name == "sparse_categorical_accuracy"
    with pytest.raises(ValueError, match="unknown metric"):
        metrics.get("accuracies")
