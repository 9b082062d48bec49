"""Tensors that layers register: `Parameter`, `Buffer`, and those that take a shape later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn, Self

from chainrule.dtypes import DType
from chainrule.tensor import Parameter, Tensor
from chainrule.tensor.creation import empty
from chainrule.tensor.handle import blank
from chainrule.tensor.overriding import disabled


class Buffer(Tensor):
    """A tensor that becomes a buffer when it is assigned to an attribute of a layer.

    It shares its values with `data`. `persistent=False` keeps it out of `state_dict`.

    >>> import chainrule as torch
    >>> layer = torch.nn.Module()
    >>> layer.mean = torch.nn.Buffer(torch.zeros(2))
    >>> list(layer.state_dict())
    ['mean']
    """

    persistent: bool = True
    __torch_function__ = disabled  # what is computed from it is a plain tensor

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Self:
        source = empty(0) if data is None else data.detach()
        buffer: Self = blank(cls, source.storage, source._shape, source._dtype)
        buffer.chain, buffer.base, buffer.strides = source.chain, source.base, source.strides
        buffer.persistent = persistent
        return buffer

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        super().__init__()


class _Uninitialized(Tensor):
    """A tensor with a dtype and no shape yet; `materialize` makes it `cls_to_become`. Abstract."""

    cls_to_become: ClassVar[Any] = None
    __torch_function__ = disabled

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        """Give it a shape, with unset values."""
        self.data = empty(tuple(shape), dtype=self.dtype if dtype is None else dtype, device=device)
        self.__class__ = self.cls_to_become

    @property
    def shape(self) -> NoReturn:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    @property
    def data(self) -> Tensor:
        """No elements: programs that set first values here change nothing, as in PyTorch."""
        return empty(0, dtype=self.dtype)

    @data.setter
    def data(self, value: Tensor) -> None:
        vars(Tensor)["data"].fset(self, value)

    def _enter(self, *args: Any) -> NoReturn:
        raise ValueError(
            f"Attempted to use an uninitialized {type(self).__name__}. This error happens when a "
            "lazy layer's parameters are used before its first call: call it with a dummy batch to "
            "initialize them."
        )

    _view = _concrete = _enter

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Only the dtype can change before there is a shape."""
        for value in (*args, *kwargs.values()):
            if isinstance(value, DType):
                return type(self)(self.requires_grad, dtype=value)
        return self

    def cpu(self) -> Self:
        """It has no value that could be elsewhere."""
        return self

    def detach(self) -> Self:
        """It has no gradient that could be cut."""
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copy = memo[id(self)] = _again(type(self), self.requires_grad, self.dtype)
        return copy

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _again, (type(self), self.requires_grad, self.dtype)


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter whose shape is not known yet."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Self:
        made: Any = Parameter.__new__(cls, empty(0, dtype=dtype, device=device), requires_grad)
        return made

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()


class UninitializedBuffer(_Uninitialized, Buffer):
    """A buffer whose shape is not known yet."""

    cls_to_become = Buffer

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: Any = None,
        persistent: bool = True,
    ) -> Self:
        return Buffer.__new__(cls, empty(0, dtype=dtype, device=device), persistent=persistent)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()


def _again(kind: Any, requires_grad: bool, dtype: Any) -> Any:
    return kind(requires_grad, dtype=dtype)


def is_lazy(value: object) -> bool:
    """Whether a value is a parameter or buffer without a shape."""
    return isinstance(value, _Uninitialized)


__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "is_lazy",
]
