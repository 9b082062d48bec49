"""keras.applications: Keras's layers in Keras's order, its weights load, and give its outputs."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import keras as ours

os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import keras as theirs

pytestmark = pytest.mark.filterwarnings("ignore")

#: Network, side of the pictures, and whether its file is legacy HDF5.
NETWORKS = [
    ("VGG19", 32, True), ("ResNet50", 64, True), ("ResNet50V2", 64, False), ("Xception", 75, False),
    ("InceptionV3", 75, True), ("MobileNetV2", 64, True), ("MobileNetV3Small", 64, False),
    ("DenseNet121", 64, False), ("EfficientNetB0", 64, False), ("ConvNeXtTiny", 64, False),
]  # fmt: skip


def layers(model: Any) -> list[Any]:
    return [
        (layer.name, type(layer).__name__, [tuple(w.shape) for w in layer.weights])
        for layer in model.layers
    ]


@pytest.mark.parametrize("name, side, legacy", NETWORKS, ids=[row[0] for row in NETWORKS])
def test_a_network_is_keras_own(name: str, side: int, legacy: bool, tmp_path: Path) -> None:
    models = []
    for keras in (theirs, ours):
        keras.backend.clear_session()
        make = getattr(keras.applications, name)
        options = {"include_top": False, "input_shape": (side, side, 3), "pooling": "avg"}
        models.append(make(weights=None, **options))
    reference, model = models
    assert model.name == reference.name and model.count_params() == reference.count_params()
    assert layers(model) == layers(reference)
    for weight in reference.weights:  # what begins as 0 or 1 would hide an exchange
        value = np.asarray(weight.value.detach())
        noise = np.random.default_rng(value.size).uniform(0.8, 1.2, value.shape)
        weight.assign((value * noise + 0.01).astype(value.dtype))
    path = str(tmp_path / ("w.h5" if legacy else "w.weights.h5"))
    (reference.save if legacy else reference.save_weights)(path)
    model.load_weights(path)
    x = np.random.default_rng(0).uniform(0, 255, (1, side, side, 3)).astype(np.float32)
    x = ours.applications.imagenet_utils.preprocess_input(x, mode="tf")
    expected = np.asarray(reference.predict(x, verbose=0))
    found = np.asarray(model.predict(x, verbose=0))
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_pixels(mode: str, data_format: str) -> None:
    x = np.random.default_rng(0).uniform(0, 255, (2, 3, 3, 3))
    modules = [k.applications.imagenet_utils for k in (ours, theirs)]
    for values in (x, x.astype(np.uint8), x[0]):
        found, expected = (m.preprocess_input(values.copy(), data_format, mode) for m in modules)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
