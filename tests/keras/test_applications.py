"""keras.applications: sizes, names and errors; the numbers are a run of Keras 3.15."""

import json

import numpy as np
import pytest

from chainrule.errors import DataError
from chainrule.keras import Input, applications, layers
from chainrule.keras.applications import imagenet_utils
from chainrule.keras.applications.base import divisible

#: Parameters with the classifier for 1000 classes, number of layers.
SIZES = {"MobileNet": (4253864, 91), "MobileNetV3Small": (2554968, 164)}
#: Parameters without classifier.
BARE = {"MobileNetV2": 2257984, "EfficientNetB0": 4049571, "EfficientNetV2B0": 5919312}


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name):
    model = getattr(applications, name)(weights=None)
    assert (model.count_params(), len(model.layers)) == SIZES[name]
    assert model.output_shape == (None, 1000)


@pytest.mark.parametrize("name", BARE)
def test_features(name):
    model = getattr(applications, name)(
        weights=None, include_top=False, input_shape=(64, 64, 3), pooling="avg"
    )
    assert model.count_params() == BARE[name] and model.output_shape == (None, 1280)


def test_names_of_layers_and_weights():
    model = applications.MobileNetV2(weights=None, include_top=False, alpha=0.35)
    names = [layer.name for layer in model.layers]
    assert names[1:5] == ["Conv1", "bn_Conv1", "Conv1_relu", "expanded_conv_depthwise"]
    assert model.name == "mobilenetv2_0.35_None" and names[-1] == "out_relu"
    assert [w.shape for w in model.get_layer("block_1_expand").weights] == [(1, 1, 8, 48)]


def test_every_network_is_found_and_absent_ones_are_told():
    for name in applications.__all__:
        assert hasattr(applications, name)
    with pytest.raises(AttributeError, match="it has ConvNeXtBase"):
        _ = applications.LeNet


def test_a_network_on_a_tensor_of_a_program():
    image = Input((40, 40, 4))
    x = layers.Conv2D(3, 1)(image)
    model = applications.MobileNetV2(weights=None, include_top=False, input_tensor=x, alpha=0.35)
    assert model.input_shape == (None, 40, 40, 4) and model.output_shape == (None, 2, 2, 1280)


def test_wrong_arguments():
    make = applications.MobileNetV2
    for options, message in (
        ({"weights": "nowhere.h5"}, "`weights` argument"),
        ({"classes": 10}, "should be 1000"),
        ({"weights": None, "input_shape": (16, 16, 3)}, "at least 32x32"),
        ({"weights": None, "input_shape": (None, None, 3)}, "static"),
        ({"input_shape": (100, 100, 3)}, "should be"),
        ({"include_top": True, "classifier_activation": "relu"}, "softmax"),
    ):
        with pytest.raises(ValueError, match=message):
            make(**options)


def test_weights_without_a_network(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(DataError, match=r"(?s)URL fetch failure.*no network.*put the file at"):
        applications.MobileNetV2(alpha=0.35)


def test_pixels():
    x = np.array([[[255, 0, 127.5]]])
    tf = imagenet_utils.preprocess_input(x.copy(), mode="tf")
    np.testing.assert_allclose(tf, [[[1, -1, 0]]])
    np.testing.assert_allclose(
        applications.vgg16.preprocess_input(x.copy()), [[[127.5 - 103.939, -116.779, 255 - 123.68]]]
    )
    np.testing.assert_allclose(
        applications.densenet.preprocess_input(x.copy()),
        [[[(1 - 0.485) / 0.229, -0.456 / 0.224, (0.5 - 0.406) / 0.225]]],
    )
    assert applications.efficientnet.preprocess_input(x) is x and x[0, 0, 0] == 255
    assert np.shares_memory(imagenet_utils.preprocess_input(x), x)  # as in Keras
    with pytest.raises(ValueError, match="mode"):
        imagenet_utils.preprocess_input(x, mode="other")


def test_names_of_classes(monkeypatch, tmp_path):
    index = {str(i): [f"n{i}", f"thing {i}"] for i in range(1000)}
    (tmp_path / "index.json").write_text(json.dumps(index))
    monkeypatch.setattr(imagenet_utils, "get_file", lambda *a, **k: str(tmp_path / "index.json"))
    imagenet_utils._class_index.cache_clear()
    scores = np.zeros((1, 1000))
    scores[0, [5, 7]] = 0.25, 0.75
    decoded = imagenet_utils.decode_predictions(scores, top=2)
    imagenet_utils._class_index.cache_clear()
    assert decoded == [[("n7", "thing 7", 0.75), ("n5", "thing 5", 0.25)]]
    with pytest.raises(ValueError, match="1000"):
        imagenet_utils.decode_predictions(np.zeros((1, 10)))


def test_numbers_of_channels():
    assert [divisible(n) for n in (1, 11.2, 12, 36)] == [8, 16, 16, 40]
