"""`torch.distributions`: random values with their densities, and gradients through samples.

`distribution` what all have · `constraints` where values lie · `transforms` functions of values ·
`location gammas binary discrete transformed grouped multivariate_normal von_mises` the kinds · `kl`
divergences. PyTorch has a module for each kind; those stand here, too, and point to these.

>>> import chainrule as torch
>>> from chainrule.distributions import Normal
>>> scale = torch.tensor(2.0, requires_grad=True)
>>> Normal(0.0, scale).rsample((1000,)).square().mean().backward()  # E x² = σ²
>>> bool((scale.grad - 4.0).abs() < 1.0)
True
"""

from chainrule import names
from chainrule.distributions import constraints, transforms
from chainrule.distributions.binary import Bernoulli, ContinuousBernoulli, Geometric
from chainrule.distributions.constraint_registry import biject_to, transform_to
from chainrule.distributions.discrete import (
    Binomial,
    Categorical,
    Multinomial,
    NegativeBinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    Poisson,
)
from chainrule.distributions.distribution import Distribution
from chainrule.distributions.exp_family import ExponentialFamily
from chainrule.distributions.gammas import (
    Beta,
    Chi2,
    Dirichlet,
    Exponential,
    FisherSnedecor,
    Gamma,
    StudentT,
)
from chainrule.distributions.grouped import Independent, MixtureSameFamily
from chainrule.distributions.kl import kl_divergence, register_kl
from chainrule.distributions.location import Cauchy, Laplace, Normal, Uniform
from chainrule.distributions.multivariate_normal import (
    LowRankMultivariateNormal,
    MultivariateNormal,
)
from chainrule.distributions.transformed import (
    Gumbel,
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    Kumaraswamy,
    LogisticNormal,
    LogitRelaxedBernoulli,
    LogNormal,
    Pareto,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
    TransformedDistribution,
    Weibull,
)
from chainrule.distributions.transforms import (
    AbsTransform,
    AffineTransform,
    CatTransform,
    ComposeTransform,
    CumulativeDistributionTransform,
    ExpTransform,
    IndependentTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    PowerTransform,
    ReshapeTransform,
    SigmoidTransform,
    SoftmaxTransform,
    SoftplusTransform,
    StackTransform,
    StickBreakingTransform,
    TanhTransform,
    Transform,
    identity_transform,
)
from chainrule.distributions.von_mises import VonMises

__getattr__ = names.later(
    __name__,
    (
        "bernoulli", "beta", "binomial", "categorical", "cauchy", "chi2", "continuous_bernoulli",
        "dirichlet", "exponential", "fishersnedecor", "gamma", "geometric", "gumbel",
        "half_cauchy", "half_normal", "independent", "inverse_gamma", "kumaraswamy", "laplace",
        "log_normal", "logistic_normal", "lowrank_multivariate_normal", "mixture_same_family",
        "multinomial", "negative_binomial", "normal", "one_hot_categorical", "pareto", "poisson",
        "relaxed_bernoulli", "relaxed_categorical", "studentT", "transformed_distribution",
        "uniform", "weibull",
    ),
)  # fmt: skip
