"""Forward mode with dual numbers (`torch.autograd.forward_ad`).

A dual is a tensor under a name of its own, whose tangent is remembered; what is computed from it is
recorded as ever. `unpack_dual` derives J v from that (`chainrule.func.transforms`), so a dual has a
gradient (`requires_grad`), and under no_grad it has no tangent.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, NamedTuple

from chainrule.func.transforms import directional
from chainrule.tensor import Tensor, levels
from chainrule.tensor.handle import node_of
from chainrule.tensor.trace import grad_mode


class UnpackedDualTensor(NamedTuple):
    """A value, and its derivative in the direction of the tangents (None: it has none)."""

    primal: Tensor
    tangent: Tensor | None


class _Level:
    """Duals that were made since `enter_dual_level`."""

    def __init__(self) -> None:
        self.names = levels.Grad()
        self.duals: list[Tensor] = []
        self.tangents: list[Tensor] = []


_open: list[_Level] = []


def enter_dual_level() -> int:
    """Begin: duals can be made."""
    if _open:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _open.append(_Level())
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End: duals are ordinary tensors."""
    if not _open or level not in (None, 0):
        raise RuntimeError(
            f"Trying to exit a forward AD level that was not the last one that was created: {level}"
        )
    _open.pop()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A tensor with a tangent: the direction that derivatives are taken in.

    >>> import chainrule as torch
    >>> import chainrule.autograd.forward_ad as fwAD
    >>> with fwAD.dual_level():
    ...     x = fwAD.make_dual(torch.tensor(3.0), torch.tensor(1.0))
    ...     fwAD.unpack_dual(x ** 2).tangent
    tensor(6.)
    """
    if not _open:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )
    for t, what in ((tensor, "primal"), (tangent, "tangent")):
        if not (t.dtype.is_floating_point or t.dtype.is_complex):
            raise ValueError(f"Expected {what} to be floating point or complex, but got: {t.dtype}")
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            f"Expected tangent to have the shape of the primal, {list(tensor.shape)}, but got "
            f"{list(tangent.shape)}"
        )
    here = _open[-1]
    with grad_mode(True):
        dual = here.names.enter(tensor)
    here.duals.append(dual)
    here.tangents.append(tangent)
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """(value, tangent) of what was computed from duals."""
    if not _open:
        return UnpackedDualTensor(tensor, None)
    here = _open[-1]
    for dual, tangent in zip(here.duals, here.tangents, strict=True):
        if tensor is dual:
            return UnpackedDualTensor(levels.given_back(node_of(tensor), 1), tangent)
    if not tensor.level or not here.duals:
        return UnpackedDualTensor(tensor, None)
    (found,) = directional([tensor], here.duals, here.tangents)
    if found is None:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(
        levels.given_back(node_of(tensor), 1), levels.given_back(node_of(found), found.level)
    )


class dual_level:
    """A block in which duals can be made."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        exit_dual_level()


__all__: list[Any] = [
    "UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual",
    "unpack_dual",
]  # fmt: skip
