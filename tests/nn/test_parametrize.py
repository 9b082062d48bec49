"""Parametrized members: computed when read, trained through, removed without a trace."""

import copy

import numpy as np
import pytest

import chainrule as torch
from chainrule import nn
from chainrule.nn.utils import parametrizations, parametrize


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).T

    def right_inverse(self, x):
        return x.triu()


class Double(nn.Module):
    def forward(self, x):
        return 2 * x


def test_the_value_is_computed_and_the_original_is_trained():
    layer = parametrize.register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
    assert torch.equal(layer.weight, layer.weight.T)
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    assert type(layer).__name__ == "ParametrizedLinear" and isinstance(layer, nn.Linear)
    layer(torch.ones(1, 3)).sum().backward()
    grad = layer.parametrizations.weight.original.grad
    assert grad.tolist() == [[1.0, 2.0, 2.0], [0.0, 1.0, 2.0], [0.0, 0.0, 1.0]]


def test_parametrizations_follow_each_other_and_can_be_assigned():
    layer = nn.Linear(2, 2)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    layer.weight = torch.tensor([[1.0, 2.0], [2.0, 3.0]])
    assert layer.weight.tolist() == [[1.0, 2.0], [2.0, 3.0]]
    parametrize.register_parametrization(layer, "weight", Double())
    assert layer.weight.tolist() == [[2.0, 4.0], [4.0, 6.0]]
    with parametrize.cached():
        assert layer.weight is layer.weight
    other = copy.deepcopy(layer)
    other.parametrizations.weight.original.data.zero_()
    assert layer.weight.tolist() == [[2.0, 4.0], [4.0, 6.0]]


@pytest.mark.parametrize("keep", [True, False])
def test_removal_leaves_an_ordinary_layer(keep):
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Double())
    original = layer.parametrizations.weight.original.detach().clone()
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=keep)
    assert type(layer) is nn.Linear and not parametrize.is_parametrized(layer)
    assert isinstance(layer.weight, nn.Parameter)
    assert torch.equal(layer.weight, original * (2 if keep else 1))


def test_a_change_of_shape_needs_unsafe():
    class Row(nn.Module):
        def forward(self, x):
            return x[:1]

    with pytest.raises(ValueError, match="may not change shape"):
        parametrize.register_parametrization(nn.Linear(2, 2), "weight", Row())
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Row(), unsafe=True)
    assert layer.weight.shape == (1, 2)
    with pytest.raises(ValueError, match="does not have a parameter"):
        parametrize.register_parametrization(layer, "none", Row())


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, nn.utils.weight_norm])
def test_weight_norm_keeps_the_weight_and_splits_its_gradient(norm):
    layer = nn.Linear(4, 3)
    before = layer.weight.detach().clone()
    norm(layer)
    assert torch.allclose(layer.weight, before)
    layer(torch.ones(1, 4)).square().sum().backward()
    named = dict(layer.named_parameters())
    g, v = (p for name, p in named.items() if name != "bias")
    # The direction's gradient is orthogonal to the direction: moving along v changes nothing.
    assert torch.allclose((v.grad * v).sum(1), torch.zeros(3), atol=1e-5)
    assert g.shape == (3, 1) and g.grad is not None


@pytest.mark.parametrize("norm", [parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_spectral_norm_brings_the_largest_singular_value_to_one(norm):
    layer = norm(nn.Linear(5, 4))
    for _ in range(60):
        layer(torch.ones(1, 5))
    layer.eval()
    layer(torch.ones(1, 5))
    weight = layer.weight.detach().numpy().astype("float64")
    gram = weight @ weight.T
    assert abs(np.linalg.eigvalsh(gram).max() - 1) < 1e-3


def test_the_older_forms_can_be_taken_off():
    for put, take in (
        (nn.utils.weight_norm, nn.utils.remove_weight_norm),
        (nn.utils.spectral_norm, nn.utils.remove_spectral_norm),
    ):
        layer = put(nn.Linear(2, 2))
        weight = layer.eval()(torch.eye(2))
        take(layer)
        assert list(layer.state_dict()) == ["bias", "weight"]
        assert torch.allclose(layer(torch.eye(2)), weight)
        with pytest.raises(ValueError, match="not found"):
            take(layer)
