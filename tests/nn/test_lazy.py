"""Lazy layers: no shape until the first input or state dict, an ordinary layer afterwards."""

import copy
import pickle

import pytest

import chainrule as torch
from chainrule import nn
from chainrule.nn.modules.lazy import LazyModuleMixin


class Affine(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.register_buffer("seen", torch.zeros(features))

    def forward(self, x):
        return self.weight * x + self.seen


class LazyAffine(LazyModuleMixin, Affine):
    cls_to_become = Affine

    def __init__(self, dtype=None):
        super().__init__(0)
        self.weight = nn.UninitializedParameter(dtype=dtype)
        self.seen = nn.UninitializedBuffer(dtype=dtype)

    def initialize_parameters(self, x):
        self.weight.materialize(x.shape[-1:])
        self.seen.materialize(x.shape[-1:])
        with torch.no_grad():
            self.weight.fill_(2.0)


def test_the_first_call_gives_shapes_and_turns_the_class():
    layer = LazyAffine()
    parameter = layer.weight
    assert layer.has_uninitialized_params() and repr(parameter) == "<UninitializedParameter>"
    assert layer(torch.ones(5, 3)).tolist() == [[2.0] * 3] * 5
    assert type(layer) is Affine and type(parameter) is nn.Parameter
    assert layer.weight is parameter and parameter.shape == (3,) and parameter.requires_grad
    assert not layer._forward_pre_hooks and not layer._load_state_dict_pre_hooks
    layer(torch.ones(5, 3)).sum().backward()
    assert parameter.grad.tolist() == [5.0, 5.0, 5.0]


def test_a_state_dict_gives_shapes_too():
    layer = LazyAffine()
    layer.load_state_dict({"weight": torch.full((4,), 7.0), "seen": torch.ones(4)})
    assert layer.weight.shape == (4,) and layer.weight.tolist() == [7.0] * 4
    other = LazyAffine()
    other.load_state_dict(LazyAffine().state_dict(), strict=False)


def test_uninitialized_tensors_say_so():
    layer = LazyAffine()
    with pytest.raises(RuntimeError, match="Can't access the shape"):
        _ = layer.weight.shape
    with pytest.raises(ValueError, match="uninitialized"):
        layer.weight + 1
    with pytest.raises(ValueError, match="uninitialized"):
        layer.weight.tolist()


def test_conversion_and_copies_work_before_there_is_a_shape():
    layer = LazyAffine().double()
    twins = (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)))
    for twin in twins:
        assert twin(torch.ones(2, 3, dtype=torch.float64)).dtype is torch.float64
        assert twin.weight.dtype is torch.float64 and type(twin) is Affine


def test_a_layer_that_forgets_a_member_is_an_error():
    class Forgetful(LazyAffine):
        def initialize_parameters(self, x):
            self.weight.materialize(x.shape[-1:])

    with pytest.raises(RuntimeError, match="has not been fully initialized"):
        Forgetful()(torch.ones(2, 3))


def test_a_lazy_layer_that_was_loaded_keeps_what_was_loaded():
    def net():
        return nn.Sequential(
            nn.LazyConv1d(3, 2), nn.LazyBatchNorm1d(), nn.Flatten(), nn.LazyLinear(2)
        )

    x, trained, loaded = torch.randn(4, 2, 5), net(), net()
    trained(x)
    loaded.load_state_dict(trained.state_dict())
    assert (loaded.eval()(x) == trained.eval()(x)).all()
    assert type(loaded[3]) is nn.Linear and loaded[3].in_features == 12


def test_first_values_set_before_there_is_a_shape_change_nothing():
    layer = nn.LazyLinear(1)
    assert layer.weight.data.normal_(0, 0.01).numel() == 0
    assert layer(torch.randn(3, 4)).shape == (3, 1)
