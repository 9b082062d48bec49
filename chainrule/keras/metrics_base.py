"""Metric: a value over all batches since the last reset, summed on the graph and looked at on
request.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.keras import initializers
from chainrule.keras.losses import align_ranks, to_tensor
from chainrule.keras.naming import auto_name
from chainrule.keras.registry import known, to_config
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor import functions as T


class Metric:
    """Base class: make state with `add_variable`, change it in `update_state`, compute `result`.

    >>> m = Mean()
    >>> m.update_state([1.0, 3.0])
    >>> float(m.result())
    2.0
    """

    #: Whether more is better ("up") or less ("down"); callbacks with mode="auto" ask.
    direction: str | None = None

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or auto_name(type(self).__name__)
        self._dtype = dtype
        self._own: list[Variable] = []

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        update = cls.__dict__.get("update_state")
        if update is not None:  # a metric is no part of what is differentiated
            cls.update_state = _without_gradients(update)  # type: ignore[method-assign]  # the wrapped one

    @property
    def dtype(self) -> Any:
        return self._dtype or "float32"

    def add_variable(
        self,
        shape: Any = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """State that `reset_state` sets back to its initial value."""
        if isinstance(shape, str):  # Keras 2's order: name first
            shape, name = (), shape
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        variable = Variable(
            initializers.get(initializer), shape, dtype or "float32", trainable=False, name=name
        )
        self._own.append(variable)
        return variable

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        name: str | None = None,
        **options: Any,
    ) -> Variable:
        if isinstance(shape, str) and initializer == "zeros" and name is None:
            shape, name = (), shape
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """The state, also of metrics kept as attributes."""
        inner = [v for m in vars(self).values() if isinstance(m, Metric) for v in m.variables]
        return [*self._own, *inner]

    def reset_state(self) -> None:
        """Forget everything."""
        for variable in self._own:
            start = variable.initializer(tuple(variable.shape), dtype=variable.dtype)
            variable.assign(start.numpy())
        for inner in vars(self).values():
            if isinstance(inner, Metric):
                inner.reset_state()

    reset_states = reset_state

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not define update_state")

    def result(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define result")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        config = {"name": self.name, "dtype": self._dtype}
        for parameter in inspect.signature(type(self).__init__).parameters:
            if parameter not in ("self", "name", "dtype", "kwargs", "args") and hasattr(
                self, parameter
            ):
                config[parameter] = to_config(getattr(self, parameter))
        return config

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


def weighted(values: Tensor, sample_weight: Any) -> tuple[Tensor, Any]:
    """Values times weights, and how much they count in all."""
    values = values.detach()
    if sample_weight is None:
        return values, float(np.prod(tuple(values.shape)))
    weights = to_tensor(sample_weight, values.dtype).detach()
    values, weights = align_ranks(values, weights)
    if values.ndim > weights.ndim:
        if weights.ndim:  # one weight per example: the mean over the other axes
            values = values.mean(tuple(range(weights.ndim, values.ndim)))
        else:
            return values * weights, weights * float(np.prod(tuple(values.shape)))
    return values * weights, weights.sum() if weights.ndim else weights


class Averaged(Metric):
    """What is a weighted mean in the end: `_count` values, with their weights."""

    def __init__(self, name: str | None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def _count(self, values: Any, sample_weight: Any = None) -> None:
        values, count = weighted(_floats(values), sample_weight)
        self.total.assign(self.total + values.sum())
        self.count.assign(self.count + count)

    def result(self) -> Any:
        with no_grad():
            return divide_no_nan(self.total, self.count)


@known
class Mean(Averaged):
    """The (weighted) mean of all values."""

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        self._count(values, sample_weight)


@known
class Sum(Metric):
    """The (weighted) sum of all values."""

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        self.total.assign(self.total + weighted(_floats(values), sample_weight)[0].sum())

    def result(self) -> Any:
        return self.total.detach() + 0.0


@known
class MeanMetricWrapper(Averaged):
    """The mean of a function of (y_true, y_pred)."""

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", "metric"), dtype)
        self.fn = fn
        self._kwargs = kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._count(self.fn(y_true, y_pred, **self._kwargs), sample_weight)

    def get_config(self) -> dict[str, Any]:
        config = {"name": self.name, "dtype": self._dtype}
        config |= {name: to_config(value) for name, value in self._kwargs.items()}
        if type(self) is MeanMetricWrapper:
            config["fn"] = to_config(self.fn)
        return config


def divide_no_nan(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 where b is 0."""
    zero = T.eq(b, 0.0)
    return (a / (b + zero.to(b.dtype))) * (~zero).to(a.dtype)


def _floats(values: Any) -> Tensor:
    values = to_tensor(values)
    return values if values.dtype.is_floating_point else values.float()
