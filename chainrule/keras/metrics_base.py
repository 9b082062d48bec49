"""Metric: a value over all batches since the last reset, summed on the graph and looked at on
request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from chainrule.keras import context, initializers
from chainrule.keras.arrays import align_ranks, to_tensor
from chainrule.keras.losses import CLASSES as LOSSES
from chainrule.keras.losses import FUNCTIONS as LOSS_FUNCTIONS
from chainrule.keras.losses.base import apply_mask
from chainrule.keras.naming import auto_name, name_scope
from chainrule.keras.registry import from_config, known, to_config
from chainrule.keras.scopes import StatelessScope
from chainrule.keras.settings import DTypePolicy, floatx, to_policy
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor import functions as T
from chainrule.training.tree import leaves


class Metric:
    """Base class: make state with `add_variable`, change it in `update_state`, compute `result`.

    >>> m = Mean()
    >>> m.update_state([1.0, 3.0])
    >>> float(m.result())
    2.0
    """

    #: Whether more is better ("up") or less ("down"); callbacks with mode="auto" ask.
    _direction: str | None = None
    #: Arguments that `get_config` gives, each kept under its name.
    _options: ClassVar[tuple[str, ...]] = ()
    _own: list[Variable]

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or auto_name(type(self).__name__)
        self._dtype_policy: DTypePolicy = to_policy(dtype or floatx())
        self._own = []

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        update = cls.__dict__.get("update_state")
        if update is not None:  # a metric is no part of what is differentiated
            cls.update_state = _without_gradients(update)  # type: ignore[method-assign]  # the wrapped one

    @property
    def dtype(self) -> str:
        """The type in which the metric computes."""
        return self._dtype_policy.compute_dtype

    @property
    def _dtype(self) -> str:
        return self.dtype

    def _check_super_called(self) -> None:
        if not hasattr(self, "_own"):
            raise RuntimeError(
                f"{type(self).__name__}.__init__() does not call super().__init__(); it must, "
                "before anything else"
            )

    def add_variable(
        self,
        shape: Any = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str | None = "sum",
        name: str | None = None,
    ) -> Variable:
        """State that `reset_state` sets back to zero."""
        self._check_super_called()
        if isinstance(shape, str):  # Keras 2's order: name first
            shape, name = (), shape
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        with name_scope(self.name, caller=self):
            variable = Variable(
                initializers.get("zeros" if initializer is None else initializer),
                shape,
                dtype,
                trainable=False,
                aggregation=aggregation,
                name=name,
            )
        self._own.append(variable)
        return variable

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = None,
        dtype: Any = None,
        name: str | None = None,
        **options: Any,
    ) -> Variable:
        """`add_variable`, by its earlier name."""
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """The state: what `add_variable` made, and variables and metrics kept as attributes, also
        in lists and dictionaries.
        """
        found = {id(v): v for v in self._own}
        inner: list[Metric] = []
        for name, value in vars(self).items():
            if name == "_own":
                continue
            for leaf in leaves(value) if isinstance(value, list | tuple | dict) else (value,):
                if isinstance(leaf, Variable):
                    found.setdefault(id(leaf), leaf)
                elif isinstance(leaf, Metric):
                    inner.append(leaf)
        for metric in inner:
            found.update((id(v), v) for v in metric.variables)
        return list(found.values())

    def reset_state(self) -> None:
        """Forget everything: all variables are zero."""
        for variable in self.variables:
            variable.assign(np.zeros(tuple(variable.shape), variable.dtype.np))

    def reset_states(self) -> None:
        """`reset_state`, by its earlier name."""
        self.reset_state()

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not define update_state")

    def result(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define result")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._check_super_called()
        self.update_state(*args, **kwargs)
        return self.result()

    # without state ------------------------------------------------------------------------------

    def stateless_update_state(
        self, metric_variables: Iterable[Any], *args: Any, **kwargs: Any
    ) -> list[Any]:
        """The values of the variables after an update that begins at `metric_variables`."""
        with StatelessScope(self._mapping(metric_variables)) as scope:
            self.update_state(*args, **kwargs)
        return self._values_in(scope)

    def stateless_result(self, metric_variables: Iterable[Any]) -> Any:
        """The result where the variables have these values."""
        with StatelessScope(self._mapping(metric_variables)):
            return self.result()

    def stateless_reset_state(self) -> list[Any]:
        """The values of the variables after a reset."""
        with StatelessScope() as scope:
            self.reset_state()
        return self._values_in(scope)

    def _mapping(self, values: Iterable[Any]) -> list[tuple[Variable, Any]]:
        values, variables = list(values), self.variables
        if len(values) != len(variables):
            raise ValueError(
                f"`metric_variables` must have a tensor for each variable of {self.name}: there "
                f"are {len(variables)}, got {len(values)}"
            )
        return list(zip(variables, values, strict=True))

    def _values_in(self, scope: StatelessScope) -> list[Any]:
        values = [(v, scope.get_current_value(v)) for v in self.variables]
        return [v if value is None else value for v, value in values]

    # configuration ------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"name": self.name, "dtype": self.dtype}
        return config | {name: to_config(getattr(self, name)) for name in self._options}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _without_gradients(update: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(self: Metric, *args: Any, **kwargs: Any) -> Any:
        with no_grad():
            return update(self, *args, **kwargs)

    wrapper.__doc__ = update.__doc__
    wrapper.__wrapped__ = update  # type: ignore[attr-defined]  # what inspect.signature looks at
    return wrapper


def samplewise(
    values: Any, sample_weight: Any, reduce: Callable[..., Tensor], dtype: Any
) -> tuple[Tensor, Any]:
    """One weighted value for each example, and its weight: `reduce` takes the axes after the
    first together.
    """
    mask = context.get_keras_mask(values)
    values = to_tensor(values, dtype).detach()
    weights = None
    if sample_weight is not None:
        weights = apply_mask(to_tensor(sample_weight, dtype).detach(), mask, values.dtype, "sum")
        values, weights = align_ranks(values, weights)
        rank = weights.ndim
        if values.ndim > rank:
            values = reduce(values, tuple(range(rank, values.ndim)))
        weights = weights.expand(values.shape)
        values = values * weights
        if rank > 1:
            weights = reduce(weights, tuple(range(1, rank)))
    if values.ndim > 1:
        values = reduce(values, tuple(range(1, values.ndim)))
    return values, weights


def _mean(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    return x.mean(axes) if x.dtype.is_floating_point else x.float().mean(axes).to(x.dtype)


def _sum(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    return x.sum(axes, dtype=x.dtype)


@known
class Sum(Metric):
    """The (weighted) sum of all values."""

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(dtype=self.dtype, name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, _ = samplewise(values, sample_weight, _sum, self.dtype)
        self.total.assign(self.total + values.sum())

    def result(self) -> Any:
        return self.total.detach() + 0


@known
class Mean(Metric):
    """The (weighted) mean of all values: each example's mean counts with its weight."""

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(dtype=self.dtype, name="total")
        self.count = self.add_variable(dtype=self.dtype, name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, weights = samplewise(values, sample_weight, _mean, self.dtype)
        self.total.assign(self.total + values.sum())
        samples = values.shape[0] if values.ndim else 1
        self.count.assign(self.count + (samples if weights is None else weights.sum()))

    def result(self) -> Any:
        with no_grad():
            return divide_no_nan(self.total, self.count)


@known
class MeanMetricWrapper(Mean):
    """The mean of a function of (y_true, y_pred)."""

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", None), dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        if self._direction is None and (fn in LOSS_FUNCTIONS or type(fn) in LOSSES):
            self._direction = "down"

    def update_state(  # type: ignore[override]  # the mean of values, made from pairs
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        mask = context.get_keras_mask(y_pred)
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        super().update_state(values, apply_mask(sample_weight, mask, self.dtype, "sum"))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"fn": to_config(self._fn)}
        return config | {name: to_config(value) for name, value in self._fn_kwargs.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        return cls(**(from_config(config) if "fn" in config else config))


def divide_no_nan(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 where b is 0."""
    zero = T.eq(b, 0)
    return (a / (b + zero.to(b.dtype))) * (~zero).to(a.dtype)
