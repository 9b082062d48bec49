"""What is done with a tensor while it waits for `backward`: hooks that pack and unpack it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from chainrule.tensor import Tensor, no_grad


class Packed(NamedTuple):
    """What a hook made of a tensor, and the hook that makes the tensor again."""

    value: Any
    unpack: Callable[[Any], Any]


_hooks: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]] = []
_refused: list[str] = []


class saved_tensors_hooks:
    """pack(tensor) → anything when `Function` saves a tensor, unpack(anything) → tensor when
    `backward` reads it, inside a block

    For `torch.autograd.Function` with `save_for_backward`. What the gradients of the library's own
    operations read is chosen by the compiler when a step is complete (it keeps or computes again),
    so there is no moment at which it could be handed out; to keep less use
    `chainrule.utils.checkpoint`.
    """

    def __init__(
        self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]
    ) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if _refused:
            raise RuntimeError(_refused[-1])
        _hooks.append((self.pack_hook, self.unpack_hook))

    def __exit__(self, *_: object) -> None:
        _hooks.pop()


class save_on_cpu(saved_tensors_hooks):
    """Saved tensors wait in main memory: where they are anyway."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda t: t, lambda t: t)


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """`saved_tensors_hooks` is an error with this message, inside a block."""
    _refused.append(error_message)
    try:
        yield
    finally:
        _refused.pop()


def pack(t: Tensor) -> Any:
    """A tensor as it waits: itself, or what the innermost hook makes of it."""
    if not _hooks:
        return t
    into, out_of = _hooks[-1]
    with no_grad():
        return Packed(into(t), out_of)


def unpack(kept: Any) -> Tensor:
    """The tensor again."""
    if not isinstance(kept, Packed):
        found: Tensor = kept
        return found
    made = kept.unpack(kept.value)
    if not isinstance(made, Tensor):
        raise TypeError(
            f"Output of saved tensor unpack_hook expected to be a Tensor, got {type(made).__name__}"
        )
    return made
