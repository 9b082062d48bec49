import numpy as np
import pytest

from chainrule import keras


@pytest.fixture(autouse=True)
def fresh_session():
    """Names counted from the beginning and random numbers from a seed, in every test."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def run(rng):
    """Call a layer whose weights are filled with random numbers; (output, weights) as arrays."""

    def call(layer, *inputs, **options):
        layer(*inputs)  # builds it
        layer.set_weights([rng.normal(size=w.shape) * 0.5 for w in layer.weights])
        out = layer(*inputs, **options)
        out = [o.detach().numpy() for o in out] if isinstance(out, tuple) else out.detach().numpy()
        return out, layer.get_weights()

    return call
