"""Samples have the moments of their distribution, and rsample the gradient of the mean."""

import pytest

import chainrule as torch
from chainrule import distributions as d

T = torch.tensor
N = 20_000

CASES = [
    d.Normal(T([-1.0, 2.0]), T([0.5, 2.0])),
    d.LogNormal(T([0.0, 0.3]), T([0.3, 0.5])),
    d.Uniform(T([0.0, -2.0]), T([1.0, 3.0])),
    d.Exponential(T([0.5, 2.0])),
    d.Laplace(T([0.0, 1.0]), T([0.5, 1.5])),
    d.Gumbel(T([0.0, 1.0]), T([0.5, 1.5])),
    d.Gamma(T([0.5, 3.0]), T([1.0, 2.0])),
    d.Chi2(T([1.0, 4.0])),
    d.Beta(T([0.5, 2.0]), T([1.0, 3.0])),
    d.Dirichlet(T([[0.5, 1.0, 2.0]])),
    d.StudentT(T([6.0, 10.0]), T([0.0, 1.0])),
    d.HalfNormal(T([0.5, 2.0])),
    d.Weibull(T([1.0, 2.0]), T([1.5, 3.0])),
    d.Kumaraswamy(T([1.0, 2.0]), T([1.5, 3.0])),
    d.ContinuousBernoulli(T([0.2, 0.5])),
    d.Bernoulli(T([0.2, 0.7])),
    d.Geometric(T([0.3, 0.7])),
    d.Poisson(T([0.5, 4.0])),
    d.Binomial(10, T([0.3, 0.8])),
    d.NegativeBinomial(3, T([0.3, 0.5])),
    d.OneHotCategorical(T([[0.2, 0.3, 0.5]])),
    d.Multinomial(5, T([[0.2, 0.3, 0.5]])),
    d.MultivariateNormal(T([1.0, 2.0]), T([[2.0, 0.5], [0.5, 1.0]])),
    d.LowRankMultivariateNormal(T([1.0, 2.0]), T([[1.0], [0.5]]), T([0.5, 1.0])),
    d.MixtureSameFamily(d.Categorical(T([0.3, 0.7])), d.Normal(T([0.0, 3.0]), T([1.0, 0.5]))),
    d.Independent(d.Normal(torch.zeros(3), torch.ones(3)), 1),
]


@pytest.mark.parametrize("one", CASES, ids=lambda x: type(x).__name__)
def test_moments(one: d.Distribution) -> None:
    torch.manual_seed(0)
    x = one.sample((N,))
    assert x.shape == (N, *one.batch_shape, *one.event_shape) and not x.requires_grad
    assert bool(one.support.check(x).all())
    mean, variance = one.mean, one.variance
    error = (variance / N).sqrt()
    assert bool(((x.mean(0) - mean).abs() < 6 * error + 1e-6).all())
    assert torch.allclose(x.var(0), variance, rtol=0.25, atol=1e-3)
    assert one.log_prob(x[:3]).shape == (3, *one.batch_shape)
    again = one.expand((4, *one.batch_shape))
    assert again.sample().shape == (4, *one.batch_shape, *one.event_shape)
    assert repr(one)


@pytest.mark.parametrize(
    ("make", "at"),
    [
        (lambda a: d.Gamma(a, 2.0), [0.3, 1.0, 5.0, 50.0]),
        (lambda a: d.Beta(a, 2.0), [0.5, 1.0, 5.0]),
        (lambda a: d.Normal(a, 1.0), [0.0, 1.0]),
        (lambda a: d.Exponential(a), [0.5, 2.0]),
        (lambda a: d.Weibull(a, 2.0), [0.5, 2.0]),
        (lambda a: d.Chi2(a), [1.0, 4.0]),
        (lambda a: d.LogNormal(0.1, a), [0.2, 0.5]),
    ],
)
def test_gradients_of_samples_are_those_of_the_mean(make, at) -> None:
    torch.manual_seed(1)
    a, b = T(at, requires_grad=True), T(at, requires_grad=True)
    make(a).rsample((N,)).mean(0).sum().backward()
    make(b).mean.sum().backward()
    assert torch.allclose(a.grad, b.grad, rtol=0.1, atol=0.03)


def test_categorical_indices() -> None:
    torch.manual_seed(0)
    one = d.Categorical(logits=T([[0.0, 1.0, 2.0], [1.0, 0.0, 0.0]]))
    x = one.sample((N,))
    assert x.shape == (N, 2) and x.dtype is torch.int64
    assert torch.allclose((x[:, 0] == 2).float().mean(), one.probs[0, 2], atol=0.02)


def test_a_policy_gradient() -> None:
    """The usual program: sample, log_prob, backward."""
    logits = torch.zeros(4, requires_grad=True)
    policy = d.Categorical(logits=logits)
    action = policy.sample()
    (-policy.log_prob(action) * 2.0).backward()
    want = 2 * (policy.probs.detach() - torch.nn.functional.one_hot(action, 4))
    assert torch.allclose(logits.grad, want)


def test_relaxed_samples_have_gradients() -> None:
    for one in (d.RelaxedBernoulli, d.RelaxedOneHotCategorical):
        logits = torch.zeros(3, requires_grad=True)
        x = one(T(0.5), logits=logits).rsample((5,))
        assert bool(((x >= 0) & (x <= 1)).all())
        (x * T([1.0, 2.0, 3.0])).sum().backward()
        assert bool((logits.grad != 0).all())


def test_straight_through() -> None:
    logits = torch.zeros(3, requires_grad=True)
    x = d.OneHotCategoricalStraightThrough(logits=logits).rsample()
    assert sorted(x.tolist()) == [0.0, 0.0, 1.0]
    (x * T([1.0, 2.0, 3.0])).sum().backward()
    assert logits.grad.abs().sum() > 0


def test_checks_can_be_left_out() -> None:
    with pytest.raises(ValueError, match="Expected parameter scale"):
        d.Normal(0.0, -1.0)
    d.Normal(0.0, -1.0, validate_args=False)
    with pytest.raises(ValueError, match="within the support"):
        d.Bernoulli(0.5).log_prob(T(0.5))
    with pytest.raises(ValueError, match="broadcast"):
        d.Normal(torch.zeros(3), 1.0).log_prob(torch.zeros(2))
    with pytest.raises(NotImplementedError, match="No KL"):
        d.kl_divergence(d.Normal(0.0, 1.0), d.Poisson(1.0))
