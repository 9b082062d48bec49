"""First values of parameters: bounds, moments, structure; numbers depend on the seed only."""

import math

import numpy as np
import pytest

import chainrule as torch
from chainrule.nn import init


def values(function, *shape, **options):
    return function(torch.empty(*shape), **options).numpy().astype(np.float64)


def near(sample, mean, std):
    """Mean and standard deviation within five standard errors."""
    n = sample.size
    return abs(sample.mean() - mean) < 5 * std / math.sqrt(n) and abs(
        sample.std() / std - 1
    ) < 5 / (math.sqrt(n))


@pytest.mark.parametrize(
    ("nonlinearity", "param", "gain"),
    [
        ("linear", None, 1.0),
        ("conv2d", None, 1.0),
        ("sigmoid", None, 1.0),
        ("tanh", None, 5 / 3),
        ("relu", None, 2**0.5),
        ("leaky_relu", None, (2 / 1.0001) ** 0.5),
        ("leaky_relu", 5**0.5, 1 / 3**0.5),
        ("selu", None, 0.75),
    ],
)
def test_gains(nonlinearity, param, gain):
    assert init.calculate_gain(nonlinearity, param) == pytest.approx(gain)


def test_gains_refuse_what_they_do_not_know():
    with pytest.raises(ValueError, match="Unsupported nonlinearity"):
        init.calculate_gain("none")
    with pytest.raises(ValueError, match="not a valid number"):
        init.calculate_gain("leaky_relu", True)


def test_fans_count_the_window():
    assert init._calculate_fan_in_and_fan_out(torch.empty(6, 5, 3, 2)) == (30, 36)
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        init._calculate_fan_in_and_fan_out(torch.empty(3))
    with pytest.raises(ValueError, match="not supported"):
        init.kaiming_uniform_(torch.empty(2, 2), mode="fan")


# Shape (40, 50, 2): fan_in 100, fan_out 80.
@pytest.mark.parametrize(
    ("function", "options", "std"),
    [
        (init.xavier_uniform_, {}, math.sqrt(2 / 180)),
        (init.xavier_normal_, {"gain": 2.0}, 2 * math.sqrt(2 / 180)),
        (init.kaiming_uniform_, {"a": math.sqrt(5)}, 1 / math.sqrt(3 * 100)),
        (init.kaiming_normal_, {"mode": "fan_out", "nonlinearity": "relu"}, math.sqrt(2 / 80)),
        (init.uniform_, {"a": -1.0, "b": 1.0}, 1 / math.sqrt(3)),
        (init.normal_, {"std": 0.3}, 0.3),
    ],
)
def test_moments(function, options, std):
    sample = values(function, 40, 50, 2, **options)
    assert near(sample, 0.0, std)
    if "uniform" in function.__name__:
        assert np.abs(sample).max() <= math.sqrt(3) * std * (1 + 1e-6)


@pytest.mark.parametrize(("a", "b"), [(-1.0, 1.5), (1.0, 2.0), (-2.0, 2.0)])
def test_truncated_normal_has_the_moments_of_the_truncated_normal(a, b):
    def density(x):
        return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    def below(x):
        return (1 + math.erf(x / math.sqrt(2))) / 2

    sample = values(init.trunc_normal_, 20000, a=a, b=b)
    assert sample.min() >= a and sample.max() <= b
    mass = below(b) - below(a)
    mean = (density(a) - density(b)) / mass
    variance = 1 + (a * density(a) - b * density(b)) / mass - mean**2
    assert near(sample, mean, math.sqrt(variance))


def test_truncated_normal_warns_far_from_its_mean():
    with pytest.warns(UserWarning, match="mean is more than 2 std"):
        init.trunc_normal_(torch.empty(4), mean=10.0)


def test_constants():
    assert values(init.ones_, 2, 2).tolist() == [[1, 1], [1, 1]]
    assert values(init.zeros_, 2).tolist() == [0, 0]
    assert values(init.constant_, 2, val=0.3) == pytest.approx(0.3)
    assert values(init.eye_, 2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("groups", [1, 2])
def test_dirac_passes_channels_on(groups):
    weight = init.dirac_(torch.empty(4, 4 // groups, 3), groups)
    x = torch.arange(20.0).reshape(1, 4, 5)
    y = torch.nn.functional.conv1d(x, weight, padding=1, groups=groups)
    assert torch.equal(x, y)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (3, 2, 4)])
def test_orthogonal_rows_or_columns(shape):
    q = values(init.orthogonal_, *shape, gain=2.0).reshape(shape[0], -1)
    small = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    assert small == pytest.approx(4 * np.eye(len(small)), abs=1e-5)


def test_sparse_columns_have_their_share_of_zeros():
    sample = values(init.sparse_, 10, 7, sparsity=0.25)
    assert ((sample == 0).sum(axis=0) == 3).all()


def test_the_seed_decides_and_a_generator_overrides():
    torch.manual_seed(3)
    first = values(init.normal_, 4)
    torch.rand(10)  # another stream
    second = values(init.normal_, 4)
    torch.manual_seed(3)
    assert (values(init.normal_, 4) == first).all() and (values(init.normal_, 4) == second).all()
    assert not (first == second).all()
    for function in (init.normal_, init.orthogonal_, init.trunc_normal_):
        one, two = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
        a, b = values(function, 3, 3, generator=one), values(function, 3, 3, generator=two)
        assert (a == b).all()


def test_parameters_are_filled_in_place_without_a_gradient():
    weight = torch.nn.Parameter(torch.empty(3, 3))
    for function in (init.xavier_uniform_, init.orthogonal_, init.eye_, init.zeros_):
        assert function(weight) is weight
        assert weight.requires_grad and weight.is_leaf


def test_empty_tensors_are_left_alone_with_a_warning():
    with pytest.warns(UserWarning, match="zero-element"):
        init.kaiming_uniform_(torch.empty(0, 3))


def test_old_names_warn_and_work():
    with pytest.warns(FutureWarning, match=r"nn\.init\.constant_"):
        assert init.constant(torch.empty(1), 2.0).item() == 2.0
