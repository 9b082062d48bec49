"""From a constraint to a transform whose values meet it: `biject_to` by a bijection, `transform_to`
by a function that is easy to optimise through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule import names
from chainrule.distributions import constraints as c
from chainrule.distributions import transforms as t

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]

__getattr__ = names.later(__name__)

Factory = Callable[[Any], t.Transform]


class ConstraintRegistry:
    """Functions from constraints of a kind to transforms.

    >>> from chainrule.distributions import constraints
    >>> biject_to(constraints.positive)
    ExpTransform()
    """

    def __init__(self) -> None:
        self._registry: dict[type, Factory] = {}

    def register(self, constraint: Any, factory: Factory | None = None) -> Any:
        """Add one; also a decorator."""
        if factory is None:
            return lambda made: self.register(constraint, made)
        kind = constraint if isinstance(constraint, type) else type(constraint)
        if not issubclass(kind, c.Constraint):
            raise TypeError(
                f"Expected constraint to be either a Constraint subclass or instance, but got "
                f"{constraint}"
            )
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint: Any) -> t.Transform:
        """The transform for a constraint. Raises NotImplementedError if there is none."""
        factory = self._registry.get(type(constraint))
        if factory is None:
            raise NotImplementedError(f"Cannot transform {type(constraint).__name__} constraints")
        return factory(constraint)


biject_to, transform_to = ConstraintRegistry(), ConstraintRegistry()


def _above(constraint: Any) -> t.Transform:
    if isinstance(constraint.lower_bound, float) and constraint.lower_bound == 0.0:
        return t.ExpTransform()
    return t.ComposeTransform([t.ExpTransform(), t.AffineTransform(constraint.lower_bound, 1)])


def _below(constraint: Any) -> t.Transform:
    return t.ComposeTransform([t.ExpTransform(), t.AffineTransform(constraint.upper_bound, -1)])


def _between(constraint: Any) -> t.Transform:
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and (low, high) == (0, 1):
        return t.SigmoidTransform()
    return t.ComposeTransform([t.SigmoidTransform(), t.AffineTransform(low, high - low)])


for _registry in (biject_to, transform_to):
    _registry.register(c.real, lambda _: t.identity_transform)
    _registry.register(c.greater_than, _above)
    _registry.register(c.greater_than_eq, _above)
    _registry.register(c.less_than, _below)
    _registry.register(c.interval, _between)
    _registry.register(c.half_open_interval, _between)
    _registry.register(c.lower_cholesky, lambda _: t.LowerCholeskyTransform())
    _registry.register(c.positive_definite, lambda _: t.PositiveDefiniteTransform())

biject_to.register(
    c.independent,
    lambda i: t.IndependentTransform(biject_to(i.base_constraint), i.reinterpreted_batch_ndims),
)
transform_to.register(
    c.independent,
    lambda i: t.IndependentTransform(transform_to(i.base_constraint), i.reinterpreted_batch_ndims),
)
biject_to.register(c.simplex, lambda _: t.StickBreakingTransform())
transform_to.register(c.simplex, lambda _: t.SoftmaxTransform())
biject_to.register(
    c.cat,
    lambda k: t.CatTransform([biject_to(x) for x in k.cseq], k.dim, k.lengths),
)
transform_to.register(
    c.cat,
    lambda k: t.CatTransform([transform_to(x) for x in k.cseq], k.dim, k.lengths),
)
biject_to.register(c.stack, lambda k: t.StackTransform([biject_to(x) for x in k.cseq], k.dim))
transform_to.register(c.stack, lambda k: t.StackTransform([transform_to(x) for x in k.cseq], k.dim))
