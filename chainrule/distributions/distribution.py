"""`Distribution`: what all of them have."""

from __future__ import annotations

import copy
import warnings
from typing import Any, ClassVar

from chainrule import names
from chainrule.distributions import constraints
from chainrule.distributions.utils import lazy_property
from chainrule.tensor import Size, Tensor, no_grad
from chainrule.tensor import functions as f

__getattr__ = names.later(__name__)


#: The shape of a single sample.
EMPTY = Size()


class Distribution:
    """batch_shape: distributions side by side. event_shape: what one sample of one of them is.

    Abstract: `log_prob` and `sample` or `rsample` are those of a kind.
    """

    has_rsample: bool = False
    has_enumerate_support: bool = False
    _validate_args: bool = __debug__
    arg_constraints: ClassVar[dict[str, Any]] = {}
    #: Attributes that `expand` repeats, and how many of their dimensions are those of an event.
    _events: ClassVar[dict[str, int]] = {}

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether parameters and values are checked unless `validate_args` says otherwise."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    def __init__(
        self,
        batch_shape: Any = EMPTY,
        event_shape: Any = EMPTY,
        validate_args: bool | None = None,
    ) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if not self._validate_args:
            return
        for name, constraint in self.arg_constraints.items():
            if constraints.is_dependent(constraint):
                continue
            if name not in self.__dict__ and isinstance(
                getattr(type(self), name, None), lazy_property
            ):
                continue  # not given, but computed from another one
            value = getattr(self, name)
            if not bool(constraint.check(value).all()):
                raise ValueError(
                    f"Expected parameter {name} "
                    f"({type(value).__name__} of shape {tuple(value.shape)}) "
                    f"of distribution {self!r} "
                    f"to satisfy the constraint {constraint!r}, "
                    f"but found invalid values:\n{value}"
                )

    # ------------------------------------------------------------------ what it is

    @property
    def batch_shape(self) -> Size:
        """The shape of the distributions side by side."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one sample of one distribution."""
        return self._event_shape

    @property
    def support(self) -> Any:
        """Where samples lie."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """Where the density is greatest."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return f.sqrt(self.variance)

    # ------------------------------------------------------------------ what it does

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Samples of shape sample_shape + batch_shape + event_shape, without gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Samples whose gradient goes to the parameters."""
        raise NotImplementedError

    def sample_n(self, n: int) -> Tensor:
        """sample((n,)), by an old name."""
        warnings.warn(
            "sample_n(n) will be deprecated. Use .sample((n,)) instead", UserWarning, stacklevel=2
        )
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability, of a value."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a sample ≤ value."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """The value below which a sample lies with this probability."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values that a discrete distribution has."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """−E log p"""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """exp of the entropy."""
        return f.exp(self.entropy())

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distributions, repeated to a batch shape."""
        new = copy.copy(self) if _instance is None else _instance
        shape = Size(batch_shape)
        for name, event in self._events.items():
            value = self.__dict__.get(name)
            if value is not None:
                tail = tuple(value.shape[value.dim() - event :]) if event else ()
                new.__dict__[name] = value.expand((*shape, *tail))
        new._batch_shape, new._event_shape = shape, self._event_shape
        return new

    # ------------------------------------------------------------------ for those who inherit

    def _extended_shape(self, sample_shape: Any = EMPTY) -> Size:
        return Size(tuple(sample_shape) + self._batch_shape + self._event_shape)

    def _validate_sample(self, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        event = len(self._event_shape)
        if value.dim() < event:
            raise ValueError(f"Expected value to have {event} dimensions, got {value.dim()}")
        if event and tuple(value.shape[-event:]) != tuple(self._event_shape):
            raise ValueError(
                f"The right-most size of value must match event_shape: {value.shape} vs "
                f"{self._event_shape}."
            )
        for i, j in zip(
            reversed(value.shape), reversed(self._batch_shape + self._event_shape), strict=False
        ):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    "Value is not broadcastable with batch_shape+event_shape: "
                    f"{value.shape} vs {self._batch_shape + self._event_shape}."
                )
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `support` to enable sample validation. Please "
                "initialize the distribution with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
            return
        if not bool(support.check(value).all()):
            raise ValueError(
                "Expected value argument "
                f"({type(value).__name__} of shape {tuple(value.shape)}) "
                f"to be within the support ({support!r}) "
                f"of the distribution {self!r}, "
                f"but found invalid values:\n{value}"
            )

    def _check(self, value: Any) -> None:
        if self._validate_args:
            self._validate_sample(value)

    def __repr__(self) -> str:
        shown = []
        for name in self.arg_constraints:
            if name in self.__dict__:
                value = self.__dict__[name]
                shown.append(f"{name}: {value if value.numel() == 1 else value.size()}")
        return f"{type(self).__name__}({', '.join(shown)})"
