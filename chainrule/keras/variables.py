"""Variable: a parameter with Keras's manners (a name, `assign`, `trainable`), which may stand for
another tensor: in a `StatelessScope` for another value, under autocast for itself in another type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from chainrule.dtypes import promote
from chainrule.ir.node import Node
from chainrule.keras import initializers
from chainrule.keras.errors import ShapeError
from chainrule.keras.naming import auto_name, check_name, current_path
from chainrule.keras.scopes import as_tensor, get_autocast_scope, get_stateless_scope
from chainrule.keras.settings import dtype_name, floatx, to_dtype
from chainrule.tensor import Parameter, Tensor, creation, fromdata, no_grad
from chainrule.tensor import functions as T
from chainrule.tensor.handle import become
from chainrule.tensor.trace import Trace

#: Counts changes of what is trainable, so that others may keep lists of weights until it changes.
structure_version = 0


def structure_changed() -> None:
    """Somewhere a weight was made, taken away, frozen or thawed."""
    global structure_version
    structure_version += 1


#: What a handle is: taken over by a variable that stands for another tensor.
_STATE = (
    "storage", "chain", "base", "strides", "_shape", "_dtype", "node", "history", "seen_in",
    "version", "level", "leaf", "detached",
)  # fmt: skip
_AGGREGATIONS = (None, "none", "mean", "sum", "only_first_replica")


class Variable(Parameter):
    """A tensor that a layer, an optimiser or a metric owns.

    `initializer` is a value, the name of an initializer, or a callable taking `(shape, dtype)`.
    Only variables of a float type can be trained.

    >>> v = Variable(np.zeros(2), name="v")
    >>> v.assign_add([1.0, 2.0]).numpy()
    array([1., 2.], dtype=float32)
    """

    #: What it stands for now, and the states to which it returns.
    stands_for: Tensor | None = None
    _before: tuple[Any, ...] | None = None

    def __new__(
        cls,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        *args: Any,
        name: str | None = None,
        **options: Any,
    ) -> Variable:
        if isinstance(initializer, str):
            initializer = initializers.get(initializer)
        if callable(initializer) and not isinstance(initializer, Tensor):
            if shape is None:
                raise ValueError(
                    "When creating a Variable from an initializer, the `shape` argument should be "
                    f"specified. Received: initializer={initializer} and shape={shape}"
                )
            wanted = to_dtype(dtype)
            value = initializer(tuple(shape), dtype=wanted.name)
        else:
            value = initializer
            wanted = to_dtype(dtype if dtype is not None else _type_of(value))
        if isinstance(value, Tensor):
            # A copy on the host: weights are buffers from the start, never part of a step's graph.
            value = value.detach().numpy(force=True)
        array = np.array(value, dtype=wanted.np)
        return super().__new__(  # type: ignore[return-value]  # Parameter makes instances of cls
            cls,
            fromdata.from_owned(array) if array.dtype == wanted.np else creation.tensor(array),
            bool(trainable) and wanted.is_floating_point,
        )

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        layout: Any = None,
        *,
        regularizer: Any = None,
        constraint: Any = None,
        **options: Any,
    ) -> None:
        if aggregation not in _AGGREGATIONS:
            raise ValueError(
                "Invalid value for argument `aggregation`. Expected one of `None`, `'none'`, "
                "`'mean'`, `'sum'`, `'only_first_replica'`. "
                f"Received: aggregation={aggregation}"
            )
        self._manners(name or auto_name("Variable"), bool(trainable))
        self.autocast = bool(autocast)
        self.aggregation = aggregation or "none"
        self.synchronization = synchronization or "none"
        self.initializer: Any = initializer
        self.regularizer = regularizer
        self.constraint = constraint

    def _manners(self, name: str, trainable: bool) -> None:
        self._name = check_name(name)
        above = current_path()
        self.path = f"{above}/{name}" if above else name
        self._trainable = trainable
        self.autocast = True
        self.aggregation = self.synchronization = "none"
        self._regularizer: Any = None
        self._constraint: Any = None
        self._overwrite_with_gradient = False

    @classmethod
    def adopted(cls, parameter: Parameter, name: str) -> Variable:
        """A module's parameter itself, with Keras's manners from now on: the module keeps it."""
        if isinstance(parameter, Variable):
            return parameter
        variable: Variable = become(parameter, cls)
        variable._manners(name.replace("/", "_"), bool(parameter.requires_grad))
        variable.initializer = None
        return variable

    @property
    def name(self) -> str:
        return self._name

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if bool(value) == self._trainable:
            return
        self._trainable = bool(value)
        if self._dtype.is_floating_point:
            self.requires_grad_(self._trainable)
        structure_changed()

    @property
    def regularizer(self) -> Any:
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Any) -> None:
        if value is not None and not callable(value):
            raise ValueError(
                "Invalid value for attribute `regularizer`. Expected a callable, such as an "
                f"instance of `keras.regularizers.Regularizer`, or `None`. Received: {value!r}"
            )
        self._regularizer = value

    @property
    def constraint(self) -> Any:
        return self._constraint

    @constraint.setter
    def constraint(self, value: Any) -> None:
        if value is not None and not callable(value):
            raise ValueError(
                "Invalid value for attribute `constraint`. Expected a callable, such as an "
                f"instance of `keras.constraints.Constraint`, or `None`. Received: {value!r}"
            )
        self._constraint = value

    @property
    def overwrite_with_gradient(self) -> bool:
        """Whether an optimizer puts the gradient in the variable's place."""
        return self._overwrite_with_gradient

    @overwrite_with_gradient.setter
    def overwrite_with_gradient(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"`overwrite_with_gradient` must be a boolean. Received: {value!r}")
        self._overwrite_with_gradient = value

    @property
    def value(self) -> Tensor:
        """The variable itself: it is a tensor. In an `AutocastScope`, in the scope's type."""
        wanted = get_autocast_scope()
        if wanted is None or not self.autocast:
            return self
        return wanted.maybe_cast(self)

    def assign(self, value: Any) -> Variable:
        """Take the values of `value`, which must have this variable's shape."""
        scope = get_stateless_scope()
        if scope is not None:
            scope.add_update((self, value))
            return self
        if self._before is None:
            self._write(value)
        else:  # under autocast: written in the variable's own type, then read in the other
            wanted = self._dtype
            self._return()
            self._write(value)
            self._stand_for(self.to(wanted))
        return self

    def _write(self, value: Any) -> None:
        if not isinstance(value, Tensor):
            array = np.array(value, dtype=self._dtype.np)
            self._check(array.shape)
            # Known numbers are a buffer at once, not something to compute with the next step.
            self.data = fromdata.from_owned(array)
            return
        self._check(value._shape)
        with no_grad():
            self.copy_(value.detach())

    def _check(self, shape: Any) -> None:
        if tuple(shape) != tuple(self._shape):
            raise ShapeError(
                f"variable {self.path} has shape {tuple(self._shape)} and cannot take a value of "
                f"shape {tuple(shape)}: the shape of the target variable and the shape of the "
                "target value in `variable.assign(value)` must match"
            )

    def assign_add(self, value: Any) -> Variable:
        with no_grad():
            return self.assign(self + as_tensor(value, self))

    def assign_sub(self, value: Any) -> Variable:
        with no_grad():
            return self.assign(self - as_tensor(value, self))

    def numpy(self, **options: Any) -> np.ndarray:
        """A copy of the values."""
        return np.array(self.detach()._concrete())  # bfloat16 too, which `numpy` refuses

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.numpy(), dtype=dtype)

    def __repr__(self) -> str:
        return (
            f"<Variable path={self.path}, shape={tuple(self._shape)}, "
            f"dtype={dtype_name(self._dtype)}, value={self.numpy()}>"
        )

    # Keras's operators, where they are not PyTorch's: & | ^ are logical, @ promotes ------------

    def __and__(self, other: Any) -> Tensor:
        return T.logical_and(self, as_tensor(other, self))

    def __or__(self, other: Any) -> Tensor:
        return T.logical_or(self, as_tensor(other, self))

    def __xor__(self, other: Any) -> Tensor:
        return T.logical_xor(self, as_tensor(other, self))

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __matmul__(self, other: Any) -> Tensor:
        a, b = _promoted(self, as_tensor(other, self))
        return T.matmul(a, b)

    def __rmatmul__(self, other: Any) -> Tensor:
        b, a = _promoted(self, as_tensor(other, self))
        return T.matmul(a, b)

    # standing for another tensor --------------------------------------------------------------

    def _stand_for(self, tensor: Tensor) -> None:
        """Be read as `tensor` is (its value, its type, its gradient) until `_return`."""
        state = tuple(getattr(self, name) for name in _STATE)
        self._before = (state, self.stands_for, self._before)
        self._read_as(tensor)
        self.stands_for = tensor

    def _return(self) -> None:
        """Be what it was before the last `_stand_for`."""
        assert self._before is not None
        state, self.stands_for, self._before = self._before
        for name, value in zip(_STATE, state, strict=True):
            setattr(self, name, value)

    def _read_as(self, tensor: Tensor) -> None:
        for name in _STATE:
            setattr(self, name, getattr(tensor, name))

    def _enter(self, trace: Trace) -> Node:
        other = self.stands_for
        if other is None:
            return super()._enter(trace)
        node = other._enter(trace)
        self._read_as(other)
        return node

    # copies -----------------------------------------------------------------------------------

    def _facts(self) -> dict[str, Any]:
        """What a copy has besides the values."""
        left_out = ("stands_for", "_before", "_keras_mask")
        return {k: v for k, v in self.__dict__.items() if k not in left_out}

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        copied = _rebuilt(type(self), self.numpy(), self._dtype.name, dict(self._facts()))
        memo[id(self)] = copied
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuilt, (type(self), self.numpy(), self._dtype.name, self._facts())


class Shown(Variable):
    """A variable whose value is kept elsewhere: looked up when it is read, so that a change there
    costs nothing; assigning to it changes what is kept. Subclasses say how.
    """

    def _known(self) -> np.ndarray:
        """What is kept now."""
        raise NotImplementedError

    def _go_on(self, value: Any) -> None:
        """Keep `value` from now on."""
        raise NotImplementedError

    def refresh(self) -> Self:
        """Have the value of now."""
        if self.stands_for is None:
            self.data = fromdata.from_owned(self._known())
        return self

    def _write(self, value: Any) -> None:
        self._go_on(value)
        self.refresh()

    def _begin(self, value: Any) -> np.ndarray:
        """Go on from `value` for a while; gives where to go on after it."""
        before = self._known()
        if value is not self:
            self._go_on(value)
        return before

    def numpy(self, **options: Any) -> np.ndarray:
        self.refresh()
        return super().numpy()

    def detach(self) -> Tensor:
        self.refresh()
        return super().detach()  # type: ignore[misc]  # hung on tensors by methods.py

    def _concrete(self) -> np.ndarray:
        self.refresh()
        return super()._concrete()

    def _enter(self, trace: Trace) -> Node:
        self.refresh()
        return super()._enter(trace)


def _rebuilt(cls: type[Variable], array: Any, dtype: str, facts: dict[str, Any]) -> Variable:
    made = Variable.__new__(cls, array, dtype=dtype, trainable=facts["_trainable"])
    made.__dict__.update(facts)
    return made


def _type_of(value: Any) -> Any:
    """Keras's type of a value: Python's and NumPy's default numbers are floatx and int32."""
    if isinstance(value, Variable | Tensor):
        return value.dtype
    plain = not isinstance(value, np.ndarray | np.generic)
    kind = np.asarray(value).dtype
    if kind == np.float64:
        return floatx()
    return "int32" if plain and kind == np.int64 else kind


def _promoted(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the type that they meet in."""
    if a._dtype is b._dtype:
        return a, b
    meet = promote(a._dtype, b._dtype)
    return a.to(meet), b.to(meet)


@contextmanager
def computed_as(dtype: str, variables: Iterable[Variable]) -> Iterator[None]:
    """Inside, the float variables that allow it are read in another type: mixed precision."""
    wanted = to_dtype(dtype)
    moved = []
    for variable in variables:
        if variable.autocast and variable._dtype.is_floating_point:
            variable._stand_for(variable.to(wanted))
            moved.append(variable)
    try:
        yield
    finally:
        for variable in reversed(moved):
            variable._return()
