"""Whether gradients are recorded: `no_grad`, `enable_grad`, `set_grad_enabled`, `inference_mode`.

Each is a context manager and a decorator, as in PyTorch.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from chainrule.tensor.trace import state

_here = threading.local()


class _GradMode:
    """Sets the mode on entry, restores it on exit; wraps functions and generators."""

    mode = False

    def __init__(self) -> None:
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(state.grad)
        state.grad = self.mode

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        state.grad = self.before.pop()

    def fresh(self) -> _GradMode:
        return type(self)()

    def __call__(self, f: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isgeneratorfunction(f):

            @functools.wraps(f)
            def generator(*args: Any, **kw: Any) -> Any:
                it = f(*args, **kw)
                while True:
                    with self.fresh():
                        try:
                            value = next(it)
                        except StopIteration as stop:
                            return stop.value
                    yield value

            return generator

        @functools.wraps(f)
        def call(*args: Any, **kw: Any) -> Any:
            with self.fresh():
                return f(*args, **kw)

        return call


class no_grad(_GradMode):
    """Record without gradients.

    >>> import chainrule as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __new__(cls, f: Callable[..., Any] | None = None) -> Any:
        self = object.__new__(cls)
        if f is not None:  # @no_grad without parentheses
            self.__init__()  # type: ignore[misc]  # it is not called for what __new__ returns here
            return self(f)
        return self


class enable_grad(_GradMode):
    """Record with gradients, inside a no_grad block."""

    mode = True


class set_grad_enabled(_GradMode):
    """Record with or without gradients: at once as a call, restored at the end as a block."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.mode = bool(mode)
        self.outer = state.grad
        state.grad = self.mode

    def __enter__(self) -> None:
        self.before.append(self.outer)
        state.grad = self.mode

    def fresh(self) -> _GradMode:
        return set_grad_enabled(self.mode)

    def __call__(self, f: Callable[..., Any]) -> Callable[..., Any]:
        state.grad = self.outer
        return super().__call__(f)


class inference_mode(_GradMode):
    """`no_grad` under another name: here both cost the same."""

    def __new__(cls, mode: Any = True) -> Any:
        self = object.__new__(cls)
        if callable(mode):
            self.__init__()  # type: ignore[misc]  # see no_grad
            return self(mode)
        return self

    def __init__(self, mode: Any = True) -> None:
        super().__init__()
        self.mode = not mode
        self.outer: list[bool] = []

    def __enter__(self) -> None:
        super().__enter__()
        self.outer.append(is_inference_mode_enabled())
        _here.inference = not self.mode

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        super().__exit__(kind, e, tb)
        _here.inference = self.outer.pop()

    def fresh(self) -> _GradMode:
        found: _GradMode = inference_mode(not self.mode)
        return found


def is_grad_enabled() -> bool:
    """Whether gradients are recorded here."""
    return state.grad


def is_inference_mode_enabled() -> bool:
    """Whether this is inside an `inference_mode` block."""
    return bool(getattr(_here, "inference", False))
