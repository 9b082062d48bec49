"""The documents' networks as modules: what they take and give, and what their files bring back."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as torch
from chainrule import models, serialization
from chainrule.errors import DataError, ShapeError

INPUTS = {
    "mlp": ({"input_shape": [8, 8], "classes": 3}, torch.zeros(2, 8, 8), (2, 3)),
    "dcnn": ({"input_shape": [3, 9, 8], "classes": 4}, torch.zeros(2, 3, 9, 8), (2, 4)),
    "rnn": ({"input_size": 5, "num_classes": 4}, torch.zeros(2, 7, 5), (2, 4)),
    "transformer": ({"input_size": 6, "max_length": 7}, torch.zeros(2, 7).long(), (2, 6, 7)),
}


@pytest.mark.parametrize("name", models.MODELS)
def test_scores_have_the_documented_shape(name):
    arguments, x, shape = INPUTS[name]
    assert tuple(models.MODELS[name](**arguments)(x).shape) == shape


def test_the_networks_have_the_documents_sizes():
    """Parameters counted by hand from the printed layers."""
    sizes = {
        name: sum(p.numel() for p in build().parameters()) for name, build in models.MODELS.items()
    }
    assert sizes["mlp"] == 784 * 128 + 128 + 128 * 10 + 10
    assert sizes["dcnn"] == (9 * 32 + 32) + (9 * 32 * 64 + 64) + (3136 * 128 + 128) + 1290
    assert sizes["rnn"] == 4 * 50 * (10 + 50 + 2) + 4 * 50 * (50 + 50 + 2) + 2 * 50 + 2


def test_no_place_of_the_transformer_sees_a_later_one():
    model = models.Transformer(input_size=10).eval()
    x = torch.randint(0, 10, (1, 9))
    y = x.clone()
    y[0, 5:] = (y[0, 5:] + 1) % 10
    a, b = model(x).detach().numpy(), model(y).detach().numpy()
    np.testing.assert_allclose(a[..., :5], b[..., :5], rtol=1e-5, atol=1e-6)
    assert abs(a[..., 5:] - b[..., 5:]).max() > 1e-3


def test_a_sequence_that_is_too_long_says_so():
    with pytest.raises(ShapeError, match=r"65 steps.*64 positions.*max_length"):
        models.Transformer()(torch.zeros(1, 65).long())


@pytest.mark.parametrize("name", models.MODELS)
def test_a_saved_network_comes_back(name, tmp_path):
    arguments, x, _ = INPUTS[name]
    model = models.MODELS[name](**arguments).eval()
    models.save(model, tmp_path / "model.safetensors", name=name, arguments=arguments)
    again = models.load(tmp_path / "model.safetensors")
    assert type(again) is type(model) and not again.training
    np.testing.assert_array_equal(again(x).detach().numpy(), model(x).detach().numpy())


def test_files_of_another_kind_are_named(tmp_path):
    serialization.save({"w": torch.zeros(2)}, tmp_path / "other")
    with pytest.raises(DataError, match="no network of `chainrule train`"):
        models.load(tmp_path / "other")
    serialization.save({"model": "gpt", "arguments": {}, "state": {}}, tmp_path / "later")
    with pytest.raises(DataError, match=r"'gpt'.*mlp, dcnn, rnn, transformer"):
        models.load(tmp_path / "later")
