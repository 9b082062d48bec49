"""Faults planted in programs of Keras's face are found."""

from __future__ import annotations

import pytest
from why_programs import (
    blobs,
    dense,
    errors,
    images,
    numbers,
)

import chainrule as torch
from chainrule import config, keras, nn
from chainrule.explain import why

F, L, KL = nn.functional, keras.layers, keras.losses
Adam, SGD = torch.optim.Adam, torch.optim.SGD


@pytest.fixture(autouse=True)
def _seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    keras.utils.set_random_seed(0)
    monkeypatch.setattr(config, "backend", "reference")  # nothing here is worth compiling


# ---------------------------------------------------------------- planted faults, Keras's face


def keras_softmax_twice():
    x, y = blobs()
    loss = KL.SparseCategoricalCrossentropy(from_logits=True)
    return dense(L.Dense(16, "relu"), L.Dense(3, "softmax"), loss=loss), (x, y)


def keras_softmax_twice_one_hot():
    x, y = blobs()
    loss = KL.CategoricalCrossentropy(from_logits=True)
    model = dense(L.Dense(16, "relu"), L.Dense(3, "softmax"), loss=loss)
    return model, (x, F.one_hot(y, 3).float())


def keras_sigmoid_twice():
    x, y = blobs(k=2)
    loss = KL.BinaryCrossentropy(from_logits=True)
    return dense(L.Dense(16, "relu"), L.Dense(1, "sigmoid"), loss=loss), (x, y.float())


def keras_no_softmax():
    x, y = blobs()
    return dense(L.Dense(16, "relu"), L.Dense(3), loss="sparse_categorical_crossentropy"), (x, y)


def keras_no_sigmoid():
    x, y = blobs(k=2)
    return dense(L.Dense(16, "relu"), L.Dense(1), loss="binary_crossentropy"), (x, y.float())


def keras_softmax_of_one():
    x, y = blobs(k=2)
    model = dense(L.Dense(16, "relu"), L.Dense(1, "softmax"), loss="binary_crossentropy")
    return model, (x, y.float())


def keras_labels():
    x, y = blobs()
    model = dense(
        L.Dense(16, "relu"), L.Dense(3, "softmax"), loss="sparse_categorical_crossentropy"
    )
    return model, (x, y + 1)


def keras_one_hot():
    x, y = blobs()
    model = dense(
        L.Dense(16, "relu"), L.Dense(3, "softmax"), loss="sparse_categorical_crossentropy"
    )
    return model, (x, F.one_hot(y, 3))


def keras_numbers():
    x, y = blobs()
    model = dense(L.Dense(16, "relu"), L.Dense(3, "softmax"), loss="categorical_crossentropy")
    return model, (x, y)


def keras_minus_one():
    x, y = blobs(k=2)
    model = dense(L.Dense(16, "relu"), L.Dense(1, "sigmoid"), loss="binary_crossentropy")
    return model, (x, (2 * y - 1).float())


def keras_unscaled():
    x, y = images()
    model = dense(
        L.Conv2D(8, 3, activation="relu"), L.Flatten(), L.Dense(3, "softmax"),
        loss="sparse_categorical_crossentropy", inputs=(12, 12, 1),
    )  # fmt: skip
    x = (x - x.min()) / (x.max() - x.min()) * 255
    return model, (x.permute(0, 2, 3, 1).numpy(), y.numpy())


def keras_dead():
    x, y = blobs()
    model = dense(
        L.Dense(16, "relu", bias_initializer=keras.initializers.Constant(-50)),
        L.Dense(3, "softmax"), loss="sparse_categorical_crossentropy",
    )  # fmt: skip
    return model, (x, y)


def keras_vanishing():
    x, y = blobs()
    deep = [L.Dense(8, "sigmoid") for _ in range(14)]
    return dense(*deep, L.Dense(3, "softmax"), loss="sparse_categorical_crossentropy"), (x, y)


def keras_exploding():
    x, y = blobs()
    wide = keras.initializers.RandomNormal(stddev=4.0)
    deep = [L.Dense(8, kernel_initializer=wide) for _ in range(8)]
    loss = KL.SparseCategoricalCrossentropy(from_logits=True)
    return dense(*deep, L.Dense(3), loss=loss), (x, y)


def keras_zeros():
    x, y = blobs()
    model = dense(
        L.Dense(16, "relu", kernel_initializer="zeros"),
        L.Dense(3, "softmax", kernel_initializer="zeros"), loss="sparse_categorical_crossentropy",
    )  # fmt: skip
    return model, (x, y)


def keras_relu_at_the_end():
    return dense(L.Dense(16, "relu"), L.Dense(1, "relu"), loss="mse"), numbers()


def keras_rate_high():
    x, y = blobs()
    model = dense(
        L.Dense(16, "relu"), L.Dense(3, "softmax"), loss="sparse_categorical_crossentropy",
        optimizer=keras.optimizers.Adam(100.0),
    )  # fmt: skip
    return model, (x, y)


def keras_rate_low():
    x, y = blobs()
    model = dense(
        L.Dense(16, "relu"), L.Dense(3, "softmax"), loss="sparse_categorical_crossentropy",
        optimizer=keras.optimizers.Adam(1e-8),
    )  # fmt: skip
    return model, (x, y)


def keras_frozen():
    x, y = blobs()
    model = dense(
        L.Dense(16, "relu"), L.Dense(3, "softmax"), loss="sparse_categorical_crossentropy"
    )
    model.trainable = False
    return model, (x, y)


def keras_batch_of_one():
    x, y = blobs()
    model = dense(
        L.Dense(16, "relu"), L.BatchNormalization(), L.Dense(3, "softmax"),
        loss="sparse_categorical_crossentropy",
    )  # fmt: skip
    return model, (x[:1], y[:1])


KERAS_FAULTS = {
    keras_softmax_twice: "softmax twice",
    keras_softmax_twice_one_hot: "softmax twice",
    keras_sigmoid_twice: "sigmoid twice",
    keras_no_softmax: "logits taken for probabilities",
    keras_no_sigmoid: "logits taken for probabilities",
    keras_softmax_of_one: "softmax of one",
    keras_labels: "labels out of range",
    keras_one_hot: "one-hot for class numbers",
    keras_numbers: "class numbers for one-hot",
    keras_minus_one: "labels out of range",
    keras_unscaled: "input not scaled",
    keras_dead: "dead units",
    keras_vanishing: "vanishing gradient",
    keras_exploding: "exploding gradient",
    keras_zeros: "symmetric units",
    keras_relu_at_the_end: "activation cannot reach the targets",
    keras_rate_high: "learning rate too high",
    keras_rate_low: "learning rate too low",
    keras_frozen: "all frozen",
    keras_batch_of_one: "batch of one",
}


@pytest.mark.parametrize("plant", KERAS_FAULTS, ids=lambda f: f.__name__)
def test_faults_planted_in_keras_are_found(plant) -> None:
    model, data = plant()
    kind = KERAS_FAULTS[plant]
    reasons = why(model, data, seconds=30 if "rate" in kind else 0)
    assert kind in errors(reasons), str(reasons)
