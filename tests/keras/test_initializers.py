"""Initial values: their distributions, and that a seed fixes them."""

import numpy as np
import pytest

from chainrule.keras import initializers, layers, utils

KERNEL = (200, 100)
DEVIATIONS = {
    "glorot_uniform": np.sqrt(2 / 300),
    "glorot_normal": np.sqrt(2 / 300),
    "he_normal": np.sqrt(2 / 200),
    "he_uniform": np.sqrt(2 / 200),
    "lecun_normal": np.sqrt(1 / 200),
    "lecun_uniform": np.sqrt(1 / 200),
    "random_normal": 0.05,
    "random_uniform": 0.1 / np.sqrt(12),
    "truncated_normal": 0.05 * 0.8796,
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_mean_and_deviation(name):
    values = initializers.get(name)(KERNEL).numpy()
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(0, abs=4 * DEVIATIONS[name] / np.sqrt(values.size))
    assert values.std() == pytest.approx(DEVIATIONS[name], rel=0.02)


def test_limits():
    limit = np.sqrt(6 / 300)
    assert abs(initializers.GlorotUniform()(KERNEL).numpy()).max() <= limit
    assert abs(initializers.TruncatedNormal(stddev=1.0)(KERNEL).numpy()).max() <= 2


def test_a_seeded_initializer_gives_the_same_values_at_every_call():
    a = initializers.GlorotUniform(seed=5)
    first, second = a(KERNEL).numpy(), a(KERNEL).numpy()
    np.testing.assert_array_equal(first, second)
    assert (first != initializers.GlorotUniform(seed=6)(KERNEL).numpy()).any()
    assert (
        initializers.HeNormal()(KERNEL).numpy() != initializers.HeNormal()(KERNEL).numpy()
    ).any()


def test_a_global_seed_repeats_a_whole_model():
    def weights():
        utils.set_random_seed(7)
        dense = layers.Dense(4)
        dense(np.zeros((1, 3)))
        return dense.get_weights()[0]

    np.testing.assert_array_equal(weights(), weights())


def test_fans_of_a_convolution_count_its_window():
    values = initializers.HeNormal()((3, 3, 16, 32)).numpy()
    assert values.std() == pytest.approx(np.sqrt(2 / 144), rel=0.03)


@pytest.mark.parametrize("shape", [(6, 6), (10, 4), (4, 10), (3, 3, 2, 5)])
def test_orthogonal(shape):
    q = initializers.Orthogonal()(shape).numpy().reshape(-1, shape[-1])
    smaller = q @ q.T if q.shape[0] < q.shape[1] else q.T @ q
    np.testing.assert_allclose(smaller, np.eye(len(smaller)), atol=1e-5)


def test_constants_and_wrong_names():
    np.testing.assert_array_equal(initializers.Constant(3)((2,)).numpy(), [3, 3])
    np.testing.assert_array_equal(initializers.Identity(2.0)((2, 2)).numpy(), 2 * np.eye(2))
    np.testing.assert_array_equal(initializers.get("ones")((2,)).numpy(), [1, 1])
    with pytest.raises(ValueError, match="unknown initializer 'glorot'"):
        initializers.get("glorot")
    with pytest.raises(ValueError, match="mode"):
        initializers.VarianceScaling(mode="fan")


def test_configs():
    made = initializers.VarianceScaling(2.0, "fan_out", "uniform", seed=3)
    again = initializers.get(initializers.serialize(made))
    np.testing.assert_array_equal(again(KERNEL).numpy(), made(KERNEL).numpy())
