"""Losses: Keras's published numbers, formulas in NumPy, and no broadcasting over unlike shapes."""

import inspect
import pickle

import numpy as np
import pytest

from chainrule.errors import ShapeError
from chainrule.keras import losses
from chainrule.keras.arrays import to_tensor
from chainrule.keras.context import set_keras_mask


def value(x):
    return np.asarray(x.detach().numpy())


ROWS = [[0.1, 0.7, 0.2], [0.3, 0.4, 0.3]]
# Examples printed in Keras's own documentation: class, arguments, y_true, y_pred, result.
PUBLISHED = [
    ("MeanSquaredError", {}, [[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]], 0.5),
    ("MeanAbsoluteError", {}, [[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]], 0.5),
    ("MeanAbsolutePercentageError", {}, [[2.0, 1.0], [2.0, 3.0]], [[1.0, 1.0], [1.0, 0.0]], 50.0),
    ("Huber", {}, [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]], 0.155),
    ("LogCosh", {}, [[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]], 0.108),
    ("Hinge", {}, [[0.0, 1.0], [0.0, 0.0]], [[0.6, 0.4], [0.4, 0.6]], 1.3),
    ("SquaredHinge", {}, [[0.0, 1.0], [0.0, 0.0]], [[0.6, 0.4], [0.4, 0.6]], 1.86),
    ("CategoricalHinge", {}, [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]], 1.4),
    ("KLDivergence", {}, [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]], 0.458),
    ("Poisson", {}, [[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]], 0.5),
    ("CosineSimilarity", {}, [[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]], -0.5),
    ("BinaryCrossentropy", {"from_logits": True}, [0, 1, 0, 0], [-18.6, 0.51, 2.94, -12.8], 0.865),
    (
        "CategoricalCrossentropy", {}, [[0, 1, 0], [0, 0, 1]],
        [[0.05, 0.95, 0], [0.1, 0.8, 0.1]], 1.177,
    ),
    (
        "SparseCategoricalCrossentropy", {}, [1, 2],
        [[0.05, 0.95, 0], [0.1, 0.8, 0.1]], 1.177,
    ),
    # From a run of Keras 3.15.
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True}, [[0.0, 1], [0, 0]],
     [[0.6, 0.4], [0.4, 0.6]], 0.15964),
    ("CategoricalFocalCrossentropy", {}, [[0.0, 1, 0], [1, 0, 0]], ROWS, 0.077756),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, [1, 0], ROWS, 0.564595),
    ("Dice", {}, [[0.0, 1, 0], [1, 0, 0]], ROWS, 0.5),
    ("Tversky", {"alpha": 0.3, "beta": 0.7}, [[0.0, 1, 0], [1, 0, 0]], ROWS, 0.5),
    ("Circle", {"gamma": 10.0}, [0, 0, 1, 1], [[1.0, 0], [0.6, 0.8], [0, 1], [-0.6, 0.8]], 2.39761),
    ("CTC", {}, [[1, 2, 0]], (np.arange(15).reshape(1, 5, 3) % 4 / 4).astype("f"), 2.008527),
]  # fmt: skip


@pytest.mark.parametrize("name, options, y_true, y_pred, expected", PUBLISHED)
def test_published_numbers(name, options, y_true, y_pred, expected):
    loss = getattr(losses, name)(**options)
    assert float(loss(y_true, y_pred)) == pytest.approx(expected, abs=6e-4)


def test_reductions():
    y_true, y_pred = [[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]
    assert float(losses.MeanSquaredError(reduction="sum")(y_true, y_pred)) == pytest.approx(1.0)
    np.testing.assert_allclose(
        value(losses.MeanSquaredError(reduction=None)(y_true, y_pred)), [0.5, 0.5]
    )
    with pytest.raises(ValueError, match="reduction"):
        losses.MeanSquaredError(reduction="average")


def test_sample_weights_multiply_and_the_mean_counts_every_example():
    y_true, y_pred = [[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]
    weighted = losses.MeanSquaredError()(y_true, y_pred, sample_weight=[0.7, 0.3])
    assert float(weighted) == pytest.approx(0.25)  # Keras's documented value
    by_weight = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    assert float(by_weight(y_true, y_pred, [0.7, 0.3])) == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "huber",
                                  "binary_crossentropy", "kl_divergence", "poisson"])  # fmt: skip
@pytest.mark.parametrize(
    "shapes", [((4, 1), (4, 3)), ((4, 3), (4, 1)), ((4,), (4, 3)), ((3, 3), (4, 3))]
)
def test_a_loss_over_unlike_shapes_is_an_error(name, shapes):
    y_true, y_pred = (np.full(s, 0.5, np.float32) for s in shapes)
    with pytest.raises(ShapeError) as error:
        getattr(losses, name)(y_true, y_pred)
    for part in (name, str(shapes[0]), str(shapes[1])):
        assert part in str(error.value)


def test_one_column_meets_a_row_of_numbers():
    y = np.array([1.0, 2.0, 3.0])
    loss = losses.mean_squared_error(y, y[:, None] + 1)
    np.testing.assert_allclose(value(loss), [1, 1, 1])


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_sparse_labels_may_have_an_axis_of_one(shape):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(5), 4)
    labels = np.array([0, 4, 2, 2])
    loss = losses.sparse_categorical_crossentropy(labels.reshape(shape), p)
    np.testing.assert_allclose(value(loss), -np.log(p[np.arange(4), labels]), rtol=1e-5)


def test_swapping_the_two_cross_entropies_says_which_one_is_meant():
    p = np.full((4, 5), 0.2, np.float32)
    with pytest.raises(ShapeError, match="sparse_categorical_crossentropy"):
        losses.categorical_crossentropy(np.zeros(4), p)
    with pytest.raises(ShapeError, match="need categorical_crossentropy"):
        losses.sparse_categorical_crossentropy(np.eye(5)[:4], p)


def test_logits_and_probabilities_agree():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(6, 3)).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    labels = rng.integers(0, 3, 6)
    for f, y in ((losses.sparse_categorical_crossentropy, labels),
                 (losses.categorical_crossentropy, np.eye(3)[labels])):  # fmt: skip
        np.testing.assert_allclose(value(f(y, logits, from_logits=True)), value(f(y, p)), rtol=1e-5)
    np.testing.assert_allclose(
        value(losses.binary_crossentropy(np.eye(3)[labels], logits, from_logits=True)),
        value(losses.binary_crossentropy(np.eye(3)[labels], 1 / (1 + np.exp(-logits)))),
        rtol=1e-4,
    )


def test_label_smoothing():
    p = np.array([[0.7, 0.2, 0.1]])
    smooth = np.array([1.0, 0, 0]) * 0.85 + 0.15 / 3
    loss = losses.CategoricalCrossentropy(label_smoothing=0.15)([[1.0, 0, 0]], p)
    assert float(loss) == pytest.approx(-(smooth * np.log(p[0])).sum(), rel=1e-5)
    binary = losses.BinaryCrossentropy(label_smoothing=0.2)([[1.0]], [[0.7]])
    assert float(binary) == pytest.approx(-(0.9 * np.log(0.7) + 0.1 * np.log(0.3)), rel=1e-5)


def test_ignored_class_counts_as_zero():
    p = np.array([[0.5, 0.5], [0.9, 0.1]])
    loss = losses.sparse_categorical_crossentropy([-1, 0], p, ignore_class=-1)
    np.testing.assert_allclose(value(loss), [0, -np.log(0.9)], rtol=1e-5)


def test_a_loss_is_computed_in_its_own_type():
    assert losses.MeanSquaredError()(np.zeros(3), np.ones(3)).dtype.name == "float32"
    half = losses.MeanSquaredError(dtype="mixed_float16")(np.zeros(3), np.ones(3))
    assert half.dtype.name == "float16"


def test_masks_of_predictions_and_of_losses_leave_the_mean_to_the_others():
    y_pred = to_tensor([[1.0], [2.0], [4.0]])
    set_keras_mask(y_pred, to_tensor([True, False, True]))
    assert float(losses.MeanSquaredError()([[0.0], [0.0], [0.0]], y_pred)) == pytest.approx(8.5)
    p = np.array([[0.5, 0.5], [0.9, 0.1]], np.float32)
    ignoring = losses.SparseCategoricalCrossentropy(ignore_class=0)
    assert float(ignoring([0, 1], p)) == pytest.approx(-np.log(0.1), rel=1e-5)
    nothing = losses.MeanSquaredError()
    set_keras_mask(y_pred, to_tensor([False, False, False]))
    assert float(nothing([[0.0], [0.0], [0.0]], y_pred)) == 0.0


def test_signatures_are_those_of_keras():
    names = list(inspect.signature(losses.SparseCategoricalCrossentropy).parameters)
    assert names == ["from_logits", "ignore_class", "reduction", "axis", "name", "dtype"]
    assert losses.Tversky(0.2, 0.8, "sum").beta == 0.8
    with pytest.raises(ValueError, match="interval"):
        losses.CategoricalGeneralizedCrossEntropy(q=2)


def test_functions_and_objects_go_through_files():
    loss = losses.Huber(delta=0.3, name="h")
    again = losses.deserialize(losses.serialize(loss))
    assert (again.delta, again.name) == (0.3, "h")
    assert losses.deserialize(losses.serialize(losses.mean_squared_error)) is losses.get("mse")
    assert pickle.loads(pickle.dumps(loss)).delta == 0.3


def test_by_name_and_as_config():
    assert losses.get("mse") is losses.mean_squared_error
    assert losses.get(None) is None
    loss = losses.CategoricalCrossentropy(label_smoothing=0.1, from_logits=True)
    again = losses.CategoricalCrossentropy.from_config(loss.get_config())
    assert (again.label_smoothing, again.from_logits) == (0.1, True)
    with pytest.raises(ValueError, match="unknown loss 'mean_sq'"):
        losses.get("mean_sq")
    with pytest.raises(TypeError, match="from_logit"):
        losses.BinaryCrossentropy(from_logit=True)


def test_a_loss_of_ones_own():
    class Cubic(losses.Loss):
        def call(self, y_true, y_pred):
            return abs(y_true - y_pred).mean(-1) ** 3

    assert float(Cubic()([[0.0], [0.0]], [[2.0], [1.0]])) == pytest.approx(4.5)
