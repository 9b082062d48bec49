"""Scopes that say what variables are read as: other values, or other types."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.keras.settings import dtype_name, is_float_dtype, to_dtype
from chainrule.tensor import Tensor, fromdata, no_grad


def as_tensor(value: Any, like: Tensor) -> Tensor:
    """A tensor as it is; numbers in the type of `like`."""
    if isinstance(value, Tensor):
        return value
    return fromdata.from_owned(np.array(value, dtype=like._dtype.np))


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.stateless: list[StatelessScope] = []
        self.autocast: list[AutocastScope] = []


_open = _Scopes()


class StatelessScope:
    """Inside, variables have the values of `state_mapping`, and `assign` changes only what the
    scope says they are.

    >>> from chainrule.keras import Variable
    >>> v = Variable(np.zeros(2))
    >>> with StatelessScope([(v, np.ones(2))]) as scope:
    ...     _ = v.assign(v + 1.0)
    >>> v.tolist(), scope.get_current_value(v).tolist()
    ([0.0, 0.0], [2.0, 2.0])
    """

    def __init__(
        self,
        state_mapping: Iterable[tuple[Any, Any]] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ) -> None:
        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self.losses: list[Any] = []
        self.state_mapping: dict[int, Any] = {}
        self._given: list[tuple[Any, Tensor]] = []
        self._moved: list[Any] = []
        self._seeds: list[tuple[Any, Any]] = []
        for key, value in state_mapping or ():
            if not hasattr(key, "_stand_for"):
                raise ValueError(
                    "Invalid reference variable in StatelessScope: all keys in argument `mapping` "
                    f"must be Variable instances. Received instead: {key}"
                )
            self._given.append((key, self._valid(key, value)))

    def _valid(self, variable: Any, value: Any) -> Tensor:
        tensor = as_tensor(value, variable)
        if tuple(tensor._shape) != tuple(variable._shape):
            raise ValueError(
                "Invalid variable value in StatelessScope: all values in argument `mapping` must "
                "be tensors with a shape that matches the corresponding variable shape. For "
                f"variable: {variable.path} of shape {tuple(variable._shape)}, received a value of "
                f"shape {tuple(tensor._shape)}"
            )
        return tensor if tensor._dtype is variable._dtype else tensor.to(variable._dtype)

    def __enter__(self) -> StatelessScope:
        _open.stateless.append(self)
        for variable, value in self._given:
            self._put(variable, value)
        return self

    def __exit__(self, *exc: Any) -> None:
        for seed, before in reversed(self._seeds):
            self.state_mapping[id(seed)] = fromdata.from_owned(seed._known())
            seed._go_on(before)
        self._seeds.clear()
        for variable in reversed(self._moved):
            variable._return()
        self._moved.clear()
        _open.stateless.pop()

    def _put(self, variable: Any, value: Tensor) -> None:
        self.state_mapping[id(variable)] = value
        if hasattr(variable, "_go_on"):  # the state of a source of chance, which moves on by itself
            self._seeds.append((variable, variable._begin(value)))
        elif value is not variable:
            variable._stand_for(value)
            self._moved.append(variable)

    def add_update(self, update: tuple[Any, Any]) -> None:
        """`variable` has another value from now on, inside the scope."""
        variable, value = update
        with no_grad():
            tensor = as_tensor(value, variable)
            variable._check(tensor._shape)
            if tensor is variable or hasattr(tensor, "_stand_for"):
                tensor = tensor.clone()
            self._put(variable, tensor.detach().to(variable._dtype))

    def add_loss(self, loss: Any) -> None:
        self.losses.append(loss)

    def get_current_value(self, variable: Any) -> Any:
        """The value inside the scope; None if the scope does not know the variable."""
        return self.state_mapping.get(id(variable))


def get_stateless_scope() -> StatelessScope | None:
    """The scope that is open, if there is one."""
    return _open.stateless[-1] if _open.stateless else None


def in_stateless_scope() -> bool:
    return bool(_open.stateless)


class AutocastScope:
    """Inside, `variable.value` of a float variable is of type `dtype` (None: of its own)."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = None if dtype is None else dtype_name(dtype)
        if self.dtype is not None and not is_float_dtype(self.dtype):
            raise ValueError(
                "`AutocastScope` can only be used with a floating-point target dtype, such as "
                f"'float16'. Received: dtype={dtype}"
            )

    def maybe_cast(self, value: Tensor) -> Tensor:
        """A float tensor in the scope's type; others as they are."""
        if self.dtype is None or not value._dtype.is_floating_point:
            return value
        return value.to(to_dtype(self.dtype))

    def __enter__(self) -> AutocastScope:
        _open.autocast.append(self)
        return self

    def __exit__(self, *exc: Any) -> None:
        _open.autocast.pop()


def get_autocast_scope() -> AutocastScope | None:
    return _open.autocast[-1] if _open.autocast else None
