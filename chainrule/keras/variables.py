"""Variable: a parameter with Keras's manners (a name, `assign`, `trainable`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.keras.naming import auto_name
from chainrule.keras.settings import dtype_name, to_dtype
from chainrule.tensor import Parameter, Tensor, creation, no_grad


class Variable(Parameter):
    """A tensor that a layer, an optimiser or a metric owns.

    `initializer` is a value, or a callable taking `(shape, dtype)`. Only variables of a float type
    can be trained.

    >>> v = Variable(np.zeros(2), name="v")
    >>> v.assign_add([1.0, 2.0]).numpy()
    array([1., 2.], dtype=float32)
    """

    def __new__(
        cls,
        initializer: Any,
        shape: tuple[int, ...] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        name: str | None = None,
        **options: Any,
    ) -> Variable:
        wanted = to_dtype(dtype)
        if callable(initializer) and not isinstance(initializer, Tensor):
            if shape is None:
                raise ValueError("a variable with a callable initializer needs a shape")
            value = initializer(tuple(shape), dtype=wanted.name)
        else:
            value = initializer
            if dtype is None and not isinstance(value, float | list | tuple):
                kind = value.dtype if isinstance(value, Tensor) else np.asarray(value).dtype
                wanted = wanted if np.dtype("f8") == kind else to_dtype(kind)
        if isinstance(value, Tensor):
            # A copy on the host: weights are buffers from the start, never part of a step's graph.
            value = value.detach().numpy()
        array = np.array(value, dtype=wanted.np)
        return super().__new__(  # type: ignore[return-value]  # Parameter makes instances of cls
            cls, creation.from_owned(array), trainable and wanted.is_floating_point
        )

    def __init__(
        self,
        initializer: Any,
        shape: tuple[int, ...] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        name: str | None = None,
        *,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> None:
        self.label = name or auto_name("variable")
        self.owner = ""
        self._trainable = trainable
        self.initializer = initializer
        self.regularizer = regularizer
        self.constraint = constraint

    @property
    def name(self) -> str:
        return self.label

    @property
    def path(self) -> str:
        """`layer/variable`."""
        return f"{self.owner}/{self.label}" if self.owner else self.label

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        if self.dtype.is_floating_point:
            self.requires_grad_(self._trainable)

    @property
    def value(self) -> Variable:
        """The variable itself: it is a tensor."""
        return self

    def assign(self, value: Any) -> Variable:
        """Take the values of `value`, which must have this variable's shape."""
        if not isinstance(value, Tensor):
            array = np.array(value, dtype=self.dtype.np)
            self._check(array.shape)
            # Known numbers are a buffer at once, not something to compute with the next step.
            self.data = creation.from_owned(array)
            return self
        self._check(value.shape)
        with no_grad():
            self.copy_(value.detach())
        return self

    def _check(self, shape: Any) -> None:
        if tuple(shape) != tuple(self.shape):
            raise ShapeError(
                f"variable {self.path} has shape {tuple(self.shape)} and cannot take a value of "
                f"shape {tuple(shape)}"
            )

    def assign_add(self, value: Any) -> Variable:
        with no_grad():
            return self.assign(self + _as_tensor(value, self))

    def assign_sub(self, value: Any) -> Variable:
        with no_grad():
            return self.assign(self - _as_tensor(value, self))

    def numpy(self, **options: Any) -> np.ndarray:
        """A copy of the values."""
        return np.array(self.detach().numpy())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.numpy(), dtype=dtype)

    def __repr__(self) -> str:
        return (
            f"<Variable path={self.path}, shape={tuple(self.shape)}, "
            f"dtype={dtype_name(self.dtype)}, value={self.numpy()}>"
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        copied = Variable(
            self.numpy(),
            dtype=self.dtype,
            trainable=self._trainable,
            name=self.label,
            regularizer=self.regularizer,
            constraint=self.constraint,
        )
        copied.owner = self.owner
        memo[id(self)] = copied
        return copied


def _as_tensor(value: Any, like: Tensor) -> Tensor:
    if isinstance(value, Tensor):
        return value
    return creation.from_owned(np.array(value, dtype=like.dtype.np))
