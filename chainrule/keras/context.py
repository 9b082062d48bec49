"""What layers share during one call of the outermost layer or model: training or not, masks,
logits.

Keras hangs masks on tensors. Here a mask belongs to the call: the scope ends, and the masks (and
everything that they kept from being forgotten) end with it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chainrule.tensor import Tensor


class Scope:
    """Facts about the running call. `probing` means that only shapes are asked for."""

    __slots__ = ("_logits", "_masks", "losses", "probing", "training")

    def __init__(self, training: bool | None = None, probing: bool = False) -> None:
        self.training = training
        self.probing = probing
        self.losses: list[Tensor] = []
        # Keyed by identity; the tensors are kept so that an identity is not given to another one.
        self._masks: dict[int, tuple[Tensor, Tensor]] = {}
        self._logits: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def has_masks(self) -> bool:
        return bool(self._masks)

    def mask_of(self, tensor: Any) -> Tensor | None:
        found = self._masks.get(id(tensor))
        return found[1] if found else None

    def set_mask(self, tensor: Any, mask: Tensor | None) -> None:
        if mask is not None and isinstance(tensor, Tensor):
            self._masks[id(tensor)] = (tensor, mask)

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


_stack = _Stack()


def current() -> Scope | None:
    """The scope of the running call, if there is one."""
    return _stack.scopes[-1] if _stack.scopes else None


def get_keras_mask(tensor: Any) -> Any:
    """The mask of a tensor: of the running call, or the one that `set_keras_mask` hung on it."""
    running = current()
    found = running.mask_of(tensor) if running is not None else None
    return getattr(tensor, "_keras_mask", None) if found is None else found


def set_keras_mask(tensor: Any, mask: Any) -> None:
    """Hang a mask on a tensor; it lives as long as the tensor."""
    tensor._keras_mask = mask


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
