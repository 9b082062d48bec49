"""fit, evaluate, predict: what is trained, what is returned, and what is refused."""

import numpy as np
import pytest

from chainrule import compiler, keras
from chainrule.errors import DataError, ShapeError
from chainrule.keras import Input, Model, Sequential, callbacks, layers, losses, optimizers
from chainrule.keras.constraints import MaxNorm
from chainrule.tensor import creation
from chainrule.utils.data import DataLoader, TensorDataset


def array(t):
    return t.detach().numpy()


@pytest.fixture
def blobs(rng):
    y = rng.integers(0, 3, 240)
    x = (3 * np.eye(3)[y] + rng.normal(size=(240, 3))).astype("f")
    return x, y


def classifier(**options):
    model = Sequential([Input((3,)), layers.Dense(8, "relu"), layers.Dense(3, "softmax")])
    options = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy",
               "metrics": ["accuracy"]} | options  # fmt: skip
    model.compile(**options)
    return model


def test_a_model_learns(blobs):
    x, y = blobs
    model = classifier(optimizer=optimizers.Adam(0.05))
    before = model.evaluate(x, y, verbose=0)
    history = model.fit(x, y, epochs=8, batch_size=32, validation_split=0.2, verbose=0)
    assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history.epoch == list(range(8)) and model.history is history
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert loss < before[0] / 3 and accuracy > 0.9
    p = model.predict(x, verbose=0)
    assert p.shape == (240, 3)
    assert (p.argmax(-1) == y).mean() == pytest.approx(accuracy)


def test_one_step_of_gradient_descent_is_the_formula(rng):
    x, y = rng.normal(size=(8, 3)).astype("f"), rng.normal(size=(8, 2)).astype("f")
    model = Sequential([Input((3,)), layers.Dense(2)])
    model.compile(optimizers.SGD(0.1), "mse")
    w, b = model.get_weights()
    model.fit(x, y, batch_size=8, verbose=0, shuffle=False)
    error = x @ w + b - y  # d/dw mean (error²) over 8 × 2 elements
    np.testing.assert_allclose(
        model.get_weights()[0], w - 0.1 * x.T @ error / 8, rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        model.get_weights()[1], b - 0.1 * error.sum(0) / 8, rtol=1e-4, atol=1e-6
    )


def test_the_loss_of_an_epoch_counts_examples_not_batches():
    model = Sequential([Input((1,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizers.SGD(0.0), "mse", metrics=["mae"])
    y = np.array([1.0] * 4 + [3.0])
    history = model.fit(np.ones((5, 1)), y, batch_size=4, verbose=0, shuffle=False)
    assert history.history["loss"] == [pytest.approx((4 * 1 + 9) / 5)]
    assert history.history["mae"] == [pytest.approx((4 * 1 + 3) / 5)]


def test_every_step_after_the_first_is_found_not_built(blobs):
    x, y = blobs
    model = Sequential([layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dropout(0.2),
                        layers.Dense(3, "softmax")])  # fmt: skip
    rate = optimizers.schedules.ExponentialDecay(0.01, 1, 0.99)
    model.compile(optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    counts = []
    count = callbacks.LambdaCallback(on_train_batch_begin=lambda *a: counts.append(compiler.built))
    model.fit(x, y, epochs=2, batch_size=40, verbose=0, callbacks=[count])
    assert counts[1] - counts[0] == 1  # one program is the whole step
    assert (
        counts[5] == counts[1] and counts[-1] == counts[6]
    )  # and the only one (then: the metrics)


def test_what_fit_accepts(blobs):
    x, y = blobs
    hot = keras.utils.to_categorical(y)
    classifier().fit(creation.tensor(x), creation.tensor(y), verbose=0)
    classifier().fit(x.tolist(), y.tolist(), verbose=0)
    classifier(loss="categorical_crossentropy").fit(x, hot, verbose=0)
    classifier().fit(x.astype("float64"), y[:, None], verbose=0)
    classifier().fit(
        DataLoader(TensorDataset(creation.tensor(x), creation.tensor(y)), 32), verbose=0
    )
    batches = [(x[:16], y[:16]), (x[16:32], y[16:32])]
    history = classifier().fit(
        batches and iter(batches * 4), steps_per_epoch=2, epochs=3, verbose=0
    )
    assert len(history.history["loss"]) == 3

    class Halves(keras.utils.Sequence):
        ended = 0

        def __len__(self):
            return 2

        def __getitem__(self, i):
            return x[i::2], y[i::2]

        def on_epoch_end(self):
            self.ended += 1

    halves = Halves()
    classifier().fit(halves, epochs=3, verbose=0, validation_data=halves)
    assert halves.ended == 3


def test_all_ways_to_name_loss_and_metrics(blobs):
    x, y = blobs
    for options in (
        {"loss": losses.SparseCategoricalCrossentropy(), "metrics": ["acc"]},
        {"loss": "crossentropy", "metrics": [keras.metrics.SparseCategoricalAccuracy()]},
        {"loss": keras.losses.sparse_categorical_crossentropy, "metrics": ["crossentropy"]},
        {"optimizer": {"class_name": "SGD", "config": {"learning_rate": 0.1}}},
        {"metrics": [keras.metrics.sparse_categorical_accuracy], "jit_compile": True},
        {"weighted_metrics": ["accuracy"], "metrics": None},
    ):
        logs = classifier(**options).evaluate(x, y, verbose=0, return_dict=True)
        assert len(logs) == 2 and "loss" in logs
    names = {
        "acc": "acc", "accuracy": "accuracy", "mse": "mse",
    }  # fmt: skip
    model = Sequential([Input((3,)), layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=list(names))
    logs = model.evaluate(x, y > 1, verbose=0, return_dict=True)
    assert sorted(logs) == ["acc", "accuracy", "loss", "mse"]
    assert logs["accuracy"] == pytest.approx(
        ((model.predict(x, verbose=0)[:, 0] > 0.5) == (y > 1)).mean()
    )


def test_weights_of_classes_and_samples(blobs):
    x, y = blobs
    by_class = classifier(optimizer=optimizers.SGD(0.0))
    logs = by_class.fit(x, y, class_weight={1: 3.0, 2: 0.0}, verbose=0, batch_size=240).history
    p = by_class.predict(x, verbose=0)
    each = -np.log(p[np.arange(240), y])
    weights = np.array([1.0, 3.0, 0.0])[y]
    assert logs["loss"][0] == pytest.approx((each * weights).mean(), rel=1e-4)
    again = by_class.evaluate(x, y, sample_weight=weights, verbose=0, batch_size=240)
    assert again[0] == pytest.approx((each * weights).mean(), rel=1e-4)
    assert again[1] == pytest.approx((p.argmax(-1) == y).mean())  # plain metrics ignore weights


def test_several_inputs_and_outputs(rng):
    a, b = Input((4,), name="a"), Input((3,), name="b")
    x = layers.concatenate([a, b])
    model = Model(
        [a, b], [layers.Dense(1, name="size")(x), layers.Dense(3, "softmax", name="kind")(x)]
    )
    data = {"a": rng.normal(size=(20, 4)), "b": rng.normal(size=(20, 3))}
    targets = {"size": rng.normal(size=(20, 1)), "kind": rng.integers(0, 3, 20)}
    model.compile(
        "sgd",
        {"size": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"size": 0.5, "kind": 2.0},
        metrics={"kind": ["accuracy"]},
    )
    logs = model.evaluate(data, targets, verbose=0, return_dict=True)
    assert sorted(logs) == ["kind_accuracy", "kind_loss", "loss", "size_loss"]
    assert logs["loss"] == pytest.approx(0.5 * logs["size_loss"] + 2 * logs["kind_loss"], rel=1e-5)
    model.fit([data["a"], data["b"]], list(targets.values()), verbose=0, validation_split=0.5)
    out = model.predict(data, verbose=0)
    assert [o.shape for o in out] == [(20, 1), (20, 3)]
    with pytest.raises(ValueError, match=r"(?s)'colour'.*'size', 'kind'"):
        model.fit(data, {"colour": targets["size"]}, verbose=0)


def test_steps_on_one_batch(blobs):
    x, y = blobs
    model = classifier(optimizer=optimizers.SGD(0.5))
    first = model.test_on_batch(x, y)
    for _ in range(20):
        logs = model.train_on_batch(x, y, return_dict=True)
    model.reset_metrics()
    assert model.test_on_batch(x, y)[0] < first[0] and set(logs) == {"loss", "accuracy"}
    assert model.predict_on_batch(x[:5]).shape == (5, 3)


def test_a_step_of_ones_own(blobs):
    x, y = blobs

    class Custom(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)
            self.seen = keras.metrics.Mean(name="seen")

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, y = data
            logits = self(x, training=True)
            loss = losses.sparse_categorical_crossentropy(y, logits, from_logits=True).mean()
            self.zero_grad()
            loss.backward()
            self.optimizer.apply(
                [w.value.grad for w in self.trainable_weights], self.trainable_weights
            )
            self.seen.update_state(loss)
            return {"seen": self.seen.result()}

        @property
        def metrics(self):
            return [self.seen]

    model = Custom()
    model.compile(optimizer=optimizers.Adam(0.05))
    history = model.fit(x, y, epochs=5, verbose=0).history
    assert list(history) == ["seen"] and history["seen"][-1] < history["seen"][0] / 2


def test_losses_from_layers_are_added(rng):
    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(7.0 * (x * 0 + 1).mean())
            return x

    model = Sequential([Input((2,)), Penalty(), layers.Dense(1, kernel_regularizer="l2")])
    model.compile(optimizers.SGD(0.0), "mse")
    x, y = rng.normal(size=(4, 2)).astype("f"), rng.normal(size=(4, 1)).astype("f")
    w, b = model.get_weights()
    want = ((x @ w + b - y) ** 2).mean() + 7 + 0.01 * (w**2).sum()
    assert model.evaluate(x, y, verbose=0) == pytest.approx(want, rel=1e-5)
    assert model.fit(x, y, verbose=0).history["loss"][0] == pytest.approx(want, rel=1e-5)


def test_constraints_hold_after_every_step(blobs):
    x, y = blobs
    model = Sequential([Input((3,)), layers.Dense(4, kernel_constraint="non_neg"),
                        layers.Dense(3, "softmax", kernel_constraint=MaxNorm(0.5))])  # fmt: skip
    model.compile(optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    model.fit(x, y, verbose=0)
    first, _, second, _ = model.get_weights()
    assert (first >= 0).all() and (np.linalg.norm(second, axis=0) <= 0.5 + 1e-5).all()


def test_frozen_layers_stay(blobs):
    x, y = blobs
    model = classifier()
    model.layers[0].trainable = False
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[2] != after[2]).any()
    model.layers[0].trainable = True
    model.fit(x, y, verbose=0)
    assert (before[0] != model.get_weights()[0]).any()


def test_mask_of_the_output_weighs_the_loss():
    ids = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    y = np.arange(8.0).reshape(2, 4, 1)
    model = Sequential([layers.Embedding(4, 1, mask_zero=True, input_length=4)])
    model.compile(optimizers.SGD(0.0), "mse")
    p = array(model(ids))
    kept = ids != 0
    want = ((p - y)[..., 0][kept] ** 2).mean()
    assert model.evaluate(ids, y, verbose=0) == pytest.approx(want, rel=1e-5)


def test_wrong_use_is_refused_with_names_and_shapes(blobs):
    x, y = blobs
    with pytest.raises(ValueError, match=r"`compile\(\)` before calling `fit\(\)`"):
        Sequential([layers.Dense(1)]).fit(x, y)
    with pytest.raises(ValueError, match="unknown loss 'sparse_crossentropy'"):
        classifier(loss="sparse_crossentropy")
    with pytest.raises(ValueError, match="unknown optimizer"):
        classifier(optimizer="adamx")
    with pytest.raises(ValueError, match=r"write metrics=\['accuracy'\]"):
        classifier(metrics="accuracy")
    model = classifier()
    with pytest.raises(ShapeError, match=r"x of shape \(240, 3\), y of shape \(100,\)"):
        model.fit(x, y[:100])
    with pytest.raises(DataError, match="empty"):
        model.fit(x[:0], y[:0])
    with pytest.raises(DataError, match="x is missing"):
        model.fit()
    with pytest.raises(ShapeError, match=r"value 3.*\(32, 2\)"):
        model.fit(x[:, :2], y, verbose=0)
    with pytest.raises(ShapeError, match="categorical_crossentropy"):
        model.fit(x, np.eye(3)[y], verbose=0)
    with pytest.raises(TypeError, match="must be numbers"):
        model.fit(np.array([[1], [1, 2]], dtype=object), [0, 1], verbose=0)
    with pytest.raises(ValueError, match="batch_size"):
        model.fit(x, y, batch_size=0)
    with pytest.raises(ValueError, match="validation_split"):
        model.fit(x, y, validation_split=1.5)
    with pytest.raises(TypeError, match="forget to call"):
        model.fit(x, y, callbacks=[callbacks.EarlyStopping])
    with pytest.raises(ValueError, match="needs targets"):
        model.fit(x, verbose=0)
    with pytest.warns(UserWarning, match="ran out"):
        model.fit(iter([(x, y)]), steps_per_epoch=3, verbose=0)
    with pytest.raises(DataError, match="ran out"):
        model.fit(iter([]), steps_per_epoch=3, verbose=0)
    bad = Sequential([Input((3,)), layers.Dense(2)])
    bad.compile("sgd", "mse")
    with pytest.raises(ShapeError, match=r"mean_squared_error.*\(32,\).*\(32, 2\)"):
        bad.fit(x, y, verbose=0)


def test_an_interrupt_keeps_model_and_history(blobs):
    x, y = blobs
    model = classifier()

    def interrupt(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    stop = callbacks.LambdaCallback(on_epoch_begin=lambda e, logs=None: interrupt(e, logs))
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=5, verbose=0, callbacks=[stop])
    assert len(model.history.history["loss"]) == 2
    assert model.predict(x, verbose=0).shape == (240, 3)
    model.fit(x, y, verbose=0)


def test_an_interrupt_in_the_middle_of_a_step(blobs):
    x, y = blobs
    model = classifier()
    batches = []

    class Stop(callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            batches.append(batch)
            if len(batches) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, verbose=1, callbacks=[Stop()])
    assert np.isfinite(model.evaluate(x, y, verbose=0)[0])


def test_equal_seeds_train_equally(blobs):
    x, y = blobs

    def final():
        keras.utils.set_random_seed(3)
        model = Sequential(
            [Input((3,)), layers.Dense(8, "relu"), layers.Dropout(0.3), layers.Dense(3, "softmax")]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=2, verbose=0)
        return model.get_weights()

    for a, b in zip(final(), final(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_class_that_does_not_exist_is_told_with_the_ranges_of_the_batch():
    model = Sequential([Input((4,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(IndexError, match="7") as told:
        model.fit(np.ones((8, 4)), np.full(8, 7), verbose=0)
    assert "targets int64[8] from 7 to 7" in "".join(told.value.__notes__)
