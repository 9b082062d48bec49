"""What layers share during one call of the outermost layer or model (training or not, logits), the
masks of tensors, and what is computed again instead of kept.

A mask hangs on its tensor, as Keras has it, and lives as long as the tensor.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from chainrule.tensor import Tensor
from chainrule.utils.checkpoint import checkpoint


class Scope:
    """Facts about the running call. `probing` means that only shapes are asked for."""

    __slots__ = ("_logits", "entered", "losses", "probing", "training", "values")

    def __init__(self, training: bool | None = None, probing: bool = False) -> None:
        self.training = training
        self.probing = probing
        self.entered = False  # whether a layer is being called
        self.values: dict[str, Any] = {}  # what layers pass on besides `training`
        self.losses: list[tuple[Any, Tensor]] = []  # what was added, by which layer
        self._logits: dict[int, tuple[Tensor, Tensor]] = {}

    def forget_losses(self, count: int) -> None:
        """Take back all added losses but the first `count`."""
        for layer, loss in self.losses[count:]:
            layer._losses[:] = [own for own in layer._losses if own is not loss]
        del self.losses[count:]

    def mask_of(self, tensor: Any) -> Tensor | None:
        return get_keras_mask(tensor)

    def set_mask(self, tensor: Any, mask: Tensor | None) -> None:
        if mask is not None:
            set_keras_mask(tensor, mask)

    def logits_of(self, tensor: Any) -> Tensor | None:
        """What softmax or sigmoid made `tensor` from: a loss is exact on logits, not on
        probabilities.
        """
        found = self._logits.get(id(tensor))
        return found[1] if found else None

    def set_logits(self, tensor: Tensor, logits: Tensor) -> None:
        self._logits[id(tensor)] = (tensor, logits)


class _Stack(threading.local):
    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.remat: list[RematScope] = []
        self.call = 0


_stack = _Stack()


def current() -> Scope | None:
    """The scope of the running call, if there is one."""
    return _stack.scopes[-1] if _stack.scopes else None


def begin_call(number: int) -> None:
    """An outermost layer is called."""
    _stack.call = number


def call_number() -> int:
    """The number of the running call of an outermost layer, or of the last one."""
    return _stack.call


def get_keras_mask(tensor: Any) -> Any:
    """The mask that hangs on a tensor, or None."""
    return getattr(tensor, "_keras_mask", None)


def set_keras_mask(tensor: Any, mask: Any) -> None:
    """Hang a mask on a tensor; None takes it off.

    >>> from chainrule.tensor import creation
    >>> x = creation.zeros((2, 3))
    >>> set_keras_mask(x, creation.ones((2,)))
    >>> get_keras_mask(x).tolist()
    [1.0, 1.0]
    """
    if mask is not None:
        tensor._keras_mask = mask
    elif hasattr(tensor, "_keras_mask"):
        del tensor._keras_mask


@contextmanager
def scope(training: bool | None = None, *, probing: bool = False) -> Iterator[Scope]:
    """A new scope, seen by every layer called inside."""
    made = Scope(training, probing)
    _stack.scopes.append(made)
    try:
        yield made
    finally:
        _stack.scopes.pop()


@contextmanager
def inherit(training: bool | None) -> Iterator[Scope]:
    """The running scope, with `training` replaced if it is given; a new scope if there is none."""
    outer = current()
    if outer is None:
        with scope(training) as made:
            yield made
        return
    before = outer.training
    if training is not None:
        outer.training = training
    try:
        yield outer
    finally:
        outer.training = before


@contextmanager
def device(device_name: str) -> Iterator[None]:
    """Compute on a device inside: "cpu" and "cpu:0" are the one there is.

    Raises ValueError for others.
    """
    kind = str(device_name).lower().removeprefix("/device:").partition(":")[0]
    if kind != "cpu":
        raise ValueError(f"there is no device {device_name!r}: chainrule computes on the 'cpu'")
    yield


# computed again instead of kept -------------------------------------------------------------


class RematScope:
    """Layers made inside forget what they compute and compute it again for the gradient.

    `mode`: "full", "activations" (only their activation functions), "larger_than" (where the output
    has more than `output_size_threshold` elements), "list_of_layers" (those of `layer_names`), or
    None.
    """

    def __init__(
        self,
        mode: str | None = "full",
        output_size_threshold: int = 1024,
        layer_names: list[str] | None = None,
    ) -> None:
        if mode not in ("full", "activations", "larger_than", "list_of_layers", None):
            raise ValueError(
                f"Invalid mode '{mode}'. Supported modes are: 'full', 'activations', "
                "'larger_than', 'list_of_layers' and None."
            )
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = layer_names or []

    def __enter__(self) -> RematScope:
        _stack.remat.append(self)
        return self

    def __exit__(self, *exc: Any) -> None:
        _stack.remat.pop()


def get_current_remat_mode() -> RematScope | None:
    """The innermost `RematScope` that is open."""
    return _stack.remat[-1] if _stack.remat else None


def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that computes what `f` computes, and again when the gradient needs it."""

    @functools.wraps(f, assigned=("__name__", "__qualname__", "__doc__"))
    def again(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(f, *args, use_reentrant=False, **kwargs)

    return again
