"""GradientTape: derivatives of what was recorded, as TensorFlow gives them."""

import numpy as np
import pytest

import chainrule as tf


def test_watched_tensors_and_structures() -> None:
    x, v = tf.constant([1.0, 2.0]), tf.Variable(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(x * x) * v
    found = tape.gradient(y, {"x": x, "rest": [v]})
    assert found["x"].tolist() == [6.0, 12.0] and found["rest"][0].item() == 5.0


def test_a_tape_is_used_once_unless_persistent() -> None:
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = v * v
    tape.gradient(y, v)
    with pytest.raises(RuntimeError, match="non-persistent"):
        tape.gradient(y, v)
    with tf.GradientTape(persistent=True) as tape:
        y, z = v * v, v * v * v
    assert tape.gradient(y, v).item() == 4.0 and tape.gradient(z, v).item() == 12.0
    assert tape.gradient(y, v).item() == 4.0


def test_two_tapes_over_one_computation() -> None:
    v, w = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape() as a, tf.GradientTape() as b:
        shared = v * w
        first, second = shared * 2.0, shared * 5.0
    assert a.gradient(first, v).item() == 6.0
    assert b.gradient(second, w).item() == 10.0


def test_second_derivatives() -> None:
    x = tf.Variable(3.0)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = x**3
        slope = inner.gradient(y, x)
    assert slope.item() == 27.0 and outer.gradient(slope, x).item() == 18.0


def test_unconnected_sources() -> None:
    v, other = tf.Variable(1.0), tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y = v * 2.0
    assert tape.gradient(y, other) is None
    zeros = tape.gradient(y, other, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    assert zeros.tolist() == [0.0, 0.0]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        y = v * 2.0
    assert tape.gradient(y, v) is None


def test_jacobians() -> None:
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
    assert tape.jacobian(y, x).shape == (2, 2, 2, 2)
    found = tape.batch_jacobian(y, x).numpy()
    np.testing.assert_array_equal(found, [[[2, 0], [0, 4]], [[6, 0], [0, 8]]])


def test_stop_recording_and_stop_gradient() -> None:
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = v * tf.stop_gradient(v)
        with tape.stop_recording():
            z = v * v
    assert tape.gradient(y, v).item() == 2.0
    assert not z.requires_grad


def test_a_gradient_of_the_programs_own() -> None:
    @tf.custom_gradient
    def f(x):
        return x * x, lambda upstream: upstream * 100.0

    v = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = f(v)
    assert y.item() == 9.0 and tape.gradient(y, v).item() == 100.0


def test_variables() -> None:
    v = tf.Variable([1.0, 2.0], name="v", trainable=False)
    assert v.name == "v:0" and not v.trainable and v.shape == (2,)
    v.assign_add([1.0, 1.0])
    v.assign_sub([0.5, 0.5])
    assert v.numpy().tolist() == [1.5, 2.5] and v.value().numpy().tolist() == [1.5, 2.5]
    assert tf.Variable(lambda: tf.ones(2)).shape == (2,)
    assert tf.Variable(1).dtype == tf.int32


def test_a_model_trained_by_hand() -> None:
    keras = tf.keras
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 3)).astype("f4")
    y = (x @ [[1.0], [-2.0], [0.5]]).astype("f4")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.Adam(0.1)

    @tf.function
    def step(a, b):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(a, training=True) - b))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(16).repeat(20)
    losses = [step(a, b).numpy() for a, b in data]
    assert losses[-1] < 0.01 * losses[0]


def test_modules_and_checkpoints(tmp_path) -> None:
    class Line(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable(2.0)

    line = Line()
    assert [v.item() for v in line.trainable_variables] == [2.0]
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(line=line), tmp_path, max_to_keep=1)
    manager.save()
    line.w.assign(7.0)
    tf.train.Checkpoint(line=line).restore(manager.latest_checkpoint)
    assert line.w.item() == 2.0
