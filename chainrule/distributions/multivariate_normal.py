"""Normal vectors, by a covariance matrix, its inverse, or its Cholesky factor."""

from __future__ import annotations

from typing import Any, ClassVar

from chainrule import linalg, names
from chainrule.distributions import constraints
from chainrule.distributions.distribution import EMPTY, Distribution
from chainrule.distributions.utils import LOG_2PI, lazy_property
from chainrule.tensor import Tensor
from chainrule.tensor import functions as f
from chainrule.tensor.creation import eye, randn

__getattr__ = names.later(__name__)


def _transposed(x: Tensor) -> Tensor:
    return f.transpose(x, -2, -1)


def half_log_det(lower: Tensor) -> Tensor:
    """Σ log of the diagonal."""
    return f.log(f.diagonal(lower, 0, -2, -1)).sum(-1)


def mahalanobis(lower: Tensor, x: Tensor) -> Tensor:
    """xᵀ (L Lᵀ)⁻¹ x, over batches that broadcast."""
    column = x.unsqueeze(-1)
    shape = f.broadcast_shapes(tuple(lower.shape[:-2]), tuple(column.shape[:-2]))
    n = x.shape[-1]
    solved = linalg.solve_triangular(
        lower.expand((*shape, n, n)), column.expand((*shape, n, 1)), upper=False
    )
    return (solved.squeeze(-1) ** 2).sum(-1)


class MultivariateNormal(Distribution):
    """exp(−½ (x − μ)ᵀ Σ⁻¹ (x − μ)) / √|2π Σ|; give one of Σ, Σ⁻¹ and L with Σ = L Lᵀ."""

    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    _events: ClassVar = {
        "loc": 1, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2,
        "_unbroadcasted_scale_tril": 2,
    }  # fmt: skip
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = {
            "covariance_matrix": covariance_matrix,
            "scale_tril": scale_tril,
            "precision_matrix": precision_matrix,
        }
        if sum(v is not None for v in given.values()) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be "
                "specified."
            )
        ((name, matrix),) = [(k, v) for k, v in given.items() if v is not None]
        if matrix.dim() < 2:
            raise ValueError(
                f"{name} must be at least two-dimensional, with optional leading batch dimensions"
            )
        batch = f.broadcast_shapes(tuple(matrix.shape[:-2]), tuple(loc.shape[:-1]))
        setattr(self, name, matrix.expand((*batch, *matrix.shape[-2:])))
        self.loc = loc.expand((*batch, loc.shape[-1]))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = scale_tril
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = linalg.cholesky(covariance_matrix)
        else:  # the inverse of a Cholesky factor, by the factor of the matrix turned around
            turned = linalg.cholesky(f.flip(precision_matrix, (-2, -1)))
            inverse = _transposed(f.flip(turned, (-2, -1)))
            unit = eye(precision_matrix.shape[-1], dtype=precision_matrix.dtype)
            self._unbroadcasted_scale_tril = linalg.solve_triangular(
                inverse, unit.expand(precision_matrix.shape), upper=False
            )

    @lazy_property
    def scale_tril(self) -> Tensor:
        """L"""
        n = self._event_shape[0]
        return self._unbroadcasted_scale_tril.expand((*self._batch_shape, n, n))

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """Σ"""
        lower = self.scale_tril
        return f.matmul(lower, _transposed(lower))

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """Σ⁻¹"""
        return linalg.inv(self.covariance_matrix)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        squares = (self._unbroadcasted_scale_tril**2).sum(-1)
        return squares.expand((*self._batch_shape, *self._event_shape))

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        noise = randn(tuple(self._extended_shape(sample_shape)), dtype=self.loc.dtype)
        moved = f.matmul(self._unbroadcasted_scale_tril, noise.unsqueeze(-1)).squeeze(-1)
        return self.loc + moved

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        lower = self._unbroadcasted_scale_tril
        distance = mahalanobis(lower, value - self.loc)
        return -0.5 * (self._event_shape[0] * LOG_2PI + distance) - half_log_det(lower)

    def entropy(self) -> Tensor:
        n = self._event_shape[0]
        found = 0.5 * n * (1.0 + LOG_2PI) + half_log_det(self._unbroadcasted_scale_tril)
        return found.expand(self._batch_shape) if self._batch_shape else found


class LowRankMultivariateNormal(Distribution):
    """Normal vectors with covariance W Wᵀ + D, W = `cov_factor` of few columns, D = `cov_diag`."""

    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    _events: ClassVar = {
        "loc": 1, "cov_factor": 2, "cov_diag": 1, "covariance_matrix": 2, "scale_tril": 2,
        "precision_matrix": 2, "_capacitance": 2,
    }  # fmt: skip
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        n = loc.shape[-1]
        if cov_factor.dim() < 2 or cov_factor.shape[-2] != n:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {n} x m")
        if cov_diag.shape[-1] != n:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {n}")
        batch = f.broadcast_shapes(
            tuple(loc.shape[:-1]), tuple(cov_factor.shape[:-2]), tuple(cov_diag.shape[:-1])
        )
        self.loc = loc.expand((*batch, n))
        self.cov_factor = cov_factor.expand((*batch, *cov_factor.shape[-2:]))
        self.cov_diag = cov_diag.expand((*batch, n))
        super().__init__(batch, (n,), validate_args=validate_args)
        scaled = _transposed(self.cov_factor) / self.cov_diag.unsqueeze(-2)
        unit = eye(self.cov_factor.shape[-1], dtype=loc.dtype)
        self._capacitance = linalg.cholesky(f.matmul(scaled, self.cov_factor) + unit)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:
        """The diagonal of the covariance."""
        return (self.cov_factor**2).sum(-1) + self.cov_diag

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """W Wᵀ + D"""
        product = f.matmul(self.cov_factor, _transposed(self.cov_factor))
        return product + f.diag_embed(self.cov_diag)

    @lazy_property
    def scale_tril(self) -> Tensor:
        """Its Cholesky factor."""
        return linalg.cholesky(self.covariance_matrix)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """Its inverse."""
        return linalg.inv(self.covariance_matrix)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        shape = tuple(self._extended_shape(sample_shape))
        few = randn((*shape[:-1], self.cov_factor.shape[-1]), dtype=self.loc.dtype)
        own = randn(shape, dtype=self.loc.dtype)
        moved = f.matmul(self.cov_factor, few.unsqueeze(-1)).squeeze(-1)
        return self.loc + moved + f.sqrt(self.cov_diag) * own

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        difference = value - self.loc
        scaled = _transposed(self.cov_factor) / self.cov_diag.unsqueeze(-2)
        few = f.matmul(scaled, difference.unsqueeze(-1)).squeeze(-1)
        # Woodbury: (W Wᵀ + D)⁻¹ = D⁻¹ − D⁻¹ W (1 + Wᵀ D⁻¹ W)⁻¹ Wᵀ D⁻¹
        distance = (difference**2 / self.cov_diag).sum(-1) - mahalanobis(self._capacitance, few)
        return -0.5 * (self._event_shape[0] * LOG_2PI + self._log_det() + distance)

    def _log_det(self) -> Tensor:
        return 2 * half_log_det(self._capacitance) + f.log(self.cov_diag).sum(-1)

    def entropy(self) -> Tensor:
        return 0.5 * (self._event_shape[0] * (1.0 + LOG_2PI) + self._log_det())
