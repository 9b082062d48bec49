"""Densities, entropies, moments and divergences are PyTorch's."""

import numpy as np
import pytest
import torch as pt
from torch import distributions as theirs

import chainrule as cr
from chainrule import distributions as ours

V = [0.3, 1.5, 2.5]  # positive numbers
P = [0.2, 0.5, 0.9]  # probabilities
ROWS = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]
MATRIX = [[2.0, 0.3, 0.1], [0.3, 1.5, 0.2], [0.1, 0.2, 1.0]]
FACTOR = [[1.0], [0.5], [-0.5]]

#: Name, parameters, values.
CASES = [
    ("Normal", {"loc": [-1.0, 0.0, 2.0], "scale": V}, [-0.5, 0.1, 3.0]),
    ("LogNormal", {"loc": [-1.0, 0.0, 2.0], "scale": V}, V),
    ("Uniform", {"low": [-1.0, 0.0, 2.0], "high": [1.0, 3.0, 4.0]}, [0.5, 1.0, 3.0]),
    ("Laplace", {"loc": [-1.0, 0.0, 2.0], "scale": V}, [-0.5, 0.1, 3.0]),
    ("Cauchy", {"loc": [-1.0, 0.0, 2.0], "scale": V}, [-0.5, 0.1, 3.0]),
    ("HalfNormal", {"scale": V}, V),
    ("HalfCauchy", {"scale": V}, V),
    ("Gumbel", {"loc": [-1.0, 0.0, 2.0], "scale": V}, [-0.5, 0.1, 3.0]),
    ("Exponential", {"rate": V}, V),
    ("Gamma", {"concentration": V, "rate": [1.0, 2.0, 0.5]}, V),
    ("InverseGamma", {"concentration": [1.5, 2.5, 3.5], "rate": V}, V),
    ("Chi2", {"df": V}, V),
    ("Beta", {"concentration1": V, "concentration0": [1.0, 2.0, 0.5]}, P),
    ("Dirichlet", {"concentration": [[0.5, 1.5, 2.0], [3.0, 1.0, 2.0]]}, ROWS),
    ("StudentT", {"df": [1.5, 2.5, 5.0], "loc": [0.0, 1.0, 2.0], "scale": V}, V),
    ("FisherSnedecor", {"df1": [1.5, 2.5, 5.0], "df2": [3.0, 5.0, 6.0]}, V),
    ("Pareto", {"scale": V, "alpha": [1.5, 2.5, 3.5]}, [1.0, 2.0, 3.0]),
    ("Weibull", {"scale": V, "concentration": [0.5, 1.5, 3.0]}, V),
    ("Kumaraswamy", {"concentration1": V, "concentration0": [1.0, 2.0, 0.5]}, P),
    ("Bernoulli", {"probs": P}, [1.0, 0.0, 1.0]),
    ("Bernoulli", {"logits": [-1.0, 0.0, 3.0]}, [1.0, 0.0, 1.0]),
    ("ContinuousBernoulli", {"probs": [0.2, 0.5, 0.9]}, [0.1, 0.5, 0.7]),
    ("Geometric", {"probs": P}, [0.0, 2.0, 1.0]),
    ("Poisson", {"rate": V}, [0.0, 2.0, 5.0]),
    ("Binomial", {"total_count": 5, "probs": P}, [0.0, 2.0, 5.0]),
    ("NegativeBinomial", {"total_count": 5, "probs": P}, [0.0, 2.0, 5.0]),
    ("Categorical", {"probs": ROWS}, [2, 0]),
    ("Categorical", {"logits": ROWS}, [2, 0]),
    ("OneHotCategorical", {"probs": ROWS}, [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
    ("Multinomial", {"total_count": 4, "probs": ROWS}, [[1.0, 1.0, 2.0], [4.0, 0.0, 0.0]]),
    ("MultivariateNormal", {"loc": [0.0, 1.0, 2.0], "covariance_matrix": MATRIX}, ROWS),
    ("MultivariateNormal", {"loc": [0.0, 1.0, 2.0], "precision_matrix": MATRIX}, ROWS),
    ("LowRankMultivariateNormal",
     {"loc": [0.0, 1.0, 2.0], "cov_factor": FACTOR, "cov_diag": [0.5, 1.0, 2.0]}, ROWS),
    ("VonMises", {"loc": [0.0, 1.0, 2.0], "concentration": V}, [0.1, -1.0, 3.0]),
    ("RelaxedBernoulli", {"temperature": [0.7], "probs": P}, [0.3, 0.4, 0.8]),
    ("RelaxedOneHotCategorical", {"temperature": [0.7], "probs": ROWS}, ROWS),
    ("LogisticNormal", {"loc": [0.0, 0.5], "scale": [1.0, 0.5]}, ROWS),
]  # fmt: skip
IDS = [f"{name}-{next(iter(p))}" for name, p, _ in CASES]
PAIRS = [
    "Normal", "LogNormal", "Uniform", "Laplace", "Cauchy", "HalfNormal", "Gumbel", "Exponential",
    "Gamma", "Beta", "Dirichlet", "Pareto", "Bernoulli", "ContinuousBernoulli", "Geometric",
    "Poisson", "Binomial", "Categorical", "OneHotCategorical", "MultivariateNormal",
    "LowRankMultivariateNormal",
]  # fmt: skip


def made(torch, kinds, name, parameters, change=1.0):
    given = {
        k: v if isinstance(v, (int, float)) else torch.tensor(v) * change
        for k, v in parameters.items()
    }
    return getattr(kinds, name)(**given), given


def close(a, b) -> None:
    np.testing.assert_allclose(
        np.asarray(a.detach().tolist()), np.asarray(b.detach().tolist()), rtol=2e-4, atol=2e-5
    )


@pytest.mark.parametrize(("name", "parameters", "value"), CASES, ids=IDS)
def test_densities(name, parameters, value) -> None:
    a, _ = made(cr, ours, name, parameters)
    b, _ = made(pt, theirs, name, parameters)
    assert a.batch_shape == b.batch_shape and a.event_shape == b.event_shape
    close(a.log_prob(cr.tensor(value)), b.log_prob(pt.tensor(value)))
    for what in ("mean", "variance", "stddev", "mode"):
        try:
            want = getattr(b, what)
        except NotImplementedError:
            continue
        if (name, what) == ("Kumaraswamy", "mode"):
            continue  # PyTorch takes the logarithm of a negative number there
        close(getattr(a, what), want)
    try:
        want = b.entropy()
    except NotImplementedError:
        return
    close(a.entropy(), want)


@pytest.mark.parametrize(("name", "parameters", "value"), CASES, ids=IDS)
def test_cumulative_distributions(name, parameters, value) -> None:
    a, _ = made(cr, ours, name, parameters)
    b, _ = made(pt, theirs, name, parameters)
    try:
        want = b.cdf(pt.tensor(value))
    except NotImplementedError:
        return
    close(a.cdf(cr.tensor(value)), want)
    try:
        want = b.icdf(pt.tensor(P))
    except NotImplementedError:
        return
    close(a.icdf(cr.tensor(P)), want)


@pytest.mark.parametrize(("name", "parameters", "value"), CASES, ids=IDS)
def test_gradients_of_densities(name, parameters, value) -> None:
    grads = []
    for torch, kinds in ((cr, ours), (pt, theirs)):
        given = {
            k: v if isinstance(v, (int, float)) else torch.tensor(v, requires_grad=True)
            for k, v in parameters.items()
        }
        d = getattr(kinds, name)(**given)
        d.log_prob(torch.tensor(value)).sum().backward()
        grads.append([v.grad for v in given.values() if hasattr(v, "grad")])
    for x, y in zip(*grads, strict=True):
        assert (x is None) == (y is None)
        if y is not None:
            close(x, y)


@pytest.mark.parametrize("name", PAIRS)
def test_divergences(name) -> None:
    (parameters,) = [p for n, p, _ in CASES if n == name][:1]
    pair = []
    for torch, kinds in ((cr, ours), (pt, theirs)):
        p, _ = made(torch, kinds, name, parameters)
        q, _ = made(torch, kinds, name, parameters, change=0.8)
        pair.append(kinds.kl_divergence(p, q))
    close(*pair)


@pytest.mark.parametrize("name", ["real", "positive", "unit_interval", "simplex", "lower_cholesky"])
@pytest.mark.parametrize("way", ["biject_to", "transform_to"])
def test_transforms_to_constraints(name, way) -> None:
    if (way, name) == ("biject_to", "lower_cholesky"):
        pytest.skip("PyTorch has none")
    x = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    results = []
    for torch, kinds in ((cr, ours), (pt, theirs)):
        t = getattr(kinds, way)(getattr(kinds.constraints, name))
        y = t(torch.from_numpy(x.copy()))
        close(t.inv(y), t.inv(y))
        results.append(y)
    close(*results)


def test_transformed_and_mixed() -> None:
    results = []
    for torch, d in ((cr, ours), (pt, theirs)):
        logistic = d.TransformedDistribution(
            d.Uniform(torch.zeros(2), torch.ones(2)),
            [d.SigmoidTransform().inv, d.AffineTransform(1.0, torch.tensor([0.5, 2.0]))],
        )
        mixture = d.MixtureSameFamily(
            d.Categorical(torch.tensor([0.3, 0.7])),
            d.Normal(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.5])),
        )
        vectors = d.MixtureSameFamily(
            d.Categorical(torch.ones(2)),
            d.Independent(d.Normal(torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.ones(2, 2)), 1),
        )
        x = torch.tensor([0.5, 1.5])
        results.append([
            logistic.log_prob(x), logistic.cdf(x), logistic.icdf(torch.tensor([0.2, 0.9])),
            mixture.log_prob(x), mixture.mean, mixture.variance, mixture.cdf(x),
            vectors.log_prob(x), vectors.mean, vectors.variance,
        ])  # fmt: skip
    for a, b in zip(*results, strict=True):
        close(a, b)


@pytest.mark.parametrize("text", [
    "Normal(torch.tensor(0.0), torch.tensor(-1.0))", "Bernoulli(torch.tensor([0.5, 1.5]))",
    "Categorical(torch.tensor([[0.5, -0.5]]))",
    "Normal(0.0, 1.0).log_prob(torch.tensor(float('nan')))",
    "Beta(torch.tensor(0.0), torch.tensor(1.0))", "Poisson(2.0).log_prob(torch.tensor(0.5))",
    "Bernoulli()", "Uniform(torch.tensor(1.0), torch.tensor(0.0))",
])  # fmt: skip
def test_errors(text: str) -> None:
    caught = []
    for torch, kinds in ((cr, ours), (pt, theirs)):
        with pytest.raises(ValueError) as error:
            eval(f"d.{text}", {"d": kinds, "torch": torch})
        caught.append(str(error.value).partition("but found")[0].replace("Independent()", ""))
    assert caught[0].split("(")[0] == caught[1].split("(")[0]
