"""`tf.Variable` and `tf.Module`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from chainrule.data.elements import as_type
from chainrule.keras import naming
from chainrule.keras.variables import Variable as _Variable
from chainrule.tensor import Tensor, creation, no_grad
from chainrule.tensorflow.arrays import _scattered
from chainrule.tensorflow.convert import tensor


class Variable(_Variable):
    """A tensor whose values can be replaced; gradients can be asked for it.

    `initial_value`: numbers, a tensor, or a callable that gives one. Python's floats are float32,
    whole numbers int32.

    >>> v = Variable([1.0, 2.0])
    >>> v.assign_add([1.0, 1.0]).numpy()
    array([2., 3.], dtype=float32)
    """

    def __new__(
        cls,
        initial_value: Any = None,
        trainable: bool | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        import_scope: Any = None,
        constraint: Callable[..., Any] | None = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
        experimental_enable_variable_lifting: bool = True,
    ) -> Variable:
        return super().__new__(  # type: ignore[return-value]
            cls, _value(initial_value, dtype, shape), None, None, trainable is not False
        )

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        import_scope: Any = None,
        constraint: Callable[..., Any] | None = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
        experimental_enable_variable_lifting: bool = True,
    ) -> None:
        super().__init__(None, trainable=trainable is not False, name=_plain(name))
        self.constraint = constraint

    @property
    def name(self) -> str:
        return f"{super().name}:0"

    def assign(
        self, value: Any, use_locking: bool = False, name: Any = None, read_value: bool = True
    ) -> Variable:
        """Take the values of `value`."""
        super().assign(value)
        return self

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: Any = None, read_value: bool = True
    ) -> Variable:
        """Add `delta` to the values."""
        super().assign_add(delta)
        return self

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: Any = None, read_value: bool = True
    ) -> Variable:
        """Take `delta` from the values."""
        super().assign_sub(delta)
        return self

    def read_value(self) -> Tensor:
        """The values as a tensor."""
        out: Tensor = self * 1 if self.dtype.category else self.clone()
        return out

    def value(self) -> Tensor:  # type: ignore[override]  # a method, where Keras has a property
        """The values as a tensor."""
        return self.read_value()

    def initialized_value(self) -> Tensor:
        return self.read_value()

    def scatter_nd_update(self, indices: Any, updates: Any, name: Any = None) -> Variable:
        """`updates` in place of the entries at `indices`."""
        with no_grad():
            return self.assign(_scattered(self.detach(), indices, updates, None))

    def scatter_nd_add(self, indices: Any, updates: Any, name: Any = None) -> Variable:
        """`updates` added to the entries at `indices`."""
        with no_grad():
            return self.assign(_scattered(self.detach(), indices, updates, "sum"))


def _plain(name: str | None) -> str | None:
    return None if name is None else name.split(":")[0].replace("/", "_") or None


def _value(value: Any, dtype: Any, shape: Any) -> Tensor:
    if value is None:
        raise ValueError("initial_value must be specified.")
    if callable(value) and not isinstance(value, Tensor):
        value = value() if shape is None else _called(value, shape, dtype)
    made: Tensor = tensor(value, None if dtype is None else as_type(dtype))
    return made.detach()


def _called(value: Callable[..., Any], shape: Any, dtype: Any) -> Any:
    try:
        return value(shape, dtype=dtype or "float32")
    except TypeError:  # a function without arguments
        return value()


class Module:
    """Variables and modules among the attributes, found by `trainable_variables`.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         super().__init__(name="line")
    ...         self.w = Variable(2.0, name="w")
    ...
    ...     def __call__(self, x):
    ...         return self.w * x
    >>> len(Line().trainable_variables)
    1
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name or naming.snake_case(type(self).__name__)

    @property
    def name(self) -> str:
        return self._name

    @property
    def name_scope(self) -> Any:
        return naming.name_scope(self._name)

    @staticmethod
    def with_name_scope(method: Callable[..., Any]) -> Callable[..., Any]:
        """The method itself: names of variables are as they were given."""
        return method

    def _parts(self) -> Iterator[Any]:
        for name in sorted(vars(self)):
            yield from _found(vars(self)[name])

    @property
    def variables(self) -> tuple[Any, ...]:
        """All variables, of modules within as well."""
        seen: dict[int, Any] = {}
        for part in self._parts():
            if isinstance(part, Tensor):
                seen.setdefault(id(part), part)
            else:
                for v in part.variables:
                    seen.setdefault(id(v), v)
        return tuple(seen.values())

    @property
    def trainable_variables(self) -> tuple[Any, ...]:
        return tuple(v for v in self.variables if getattr(v, "trainable", True))

    @property
    def non_trainable_variables(self) -> tuple[Any, ...]:
        return tuple(v for v in self.variables if not getattr(v, "trainable", True))

    @property
    def submodules(self) -> tuple[Any, ...]:
        """All modules within."""
        found: list[Any] = []
        for part in self._parts():
            if not isinstance(part, Tensor):
                found += [part, *getattr(part, "submodules", ())]
        return tuple(found)


def _found(value: Any) -> Iterator[Any]:
    if isinstance(value, _Variable) or hasattr(value, "trainable_variables"):
        yield value
    elif isinstance(value, list | tuple):
        for v in value:
            yield from _found(v)
    elif isinstance(value, dict):
        for v in value.values():
            yield from _found(v)


@contextmanager
def control_dependencies(control_inputs: Any) -> Iterator[None]:
    """A block: what is computed in it comes after, as everything does."""
    yield


def zeros_initializer() -> Callable[..., Tensor]:
    """A function of (shape, dtype) that gives zeros."""
    return lambda shape, dtype="float32", **_: creation.zeros(tuple(shape), dtype=as_type(dtype))


def ones_initializer() -> Callable[..., Tensor]:
    """A function of (shape, dtype) that gives ones."""
    return lambda shape, dtype="float32", **_: creation.ones(tuple(shape), dtype=as_type(dtype))
