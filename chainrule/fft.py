"""`torch.fft`: discrete Fourier transforms (Cooley and Tukey 1965).

    forward    y_k = c Σ_j exp(−2πi jk/n) x_j           inverse    the same with +

c is 1, 1/√n or 1/n: norm="backward" (the default) puts 1/n into the inverse, "forward" into the
forward transform, "ortho" 1/√n into both. `n` and `s` cut, or fill up with zeros, before the
transform. Real numbers have symmetric transforms, y₋ₖ = ȳₖ: `rfft` gives one half, `irfft` takes
one; `hfft` and `ihfft` are the same with the roles of signal and transform exchanged.

>>> import chainrule as torch
>>> torch.fft.rfft(torch.tensor([1.0, 0.0, -1.0, 0.0]))
tensor([0.+0.j, 2.+0.j, 0.+0.j])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import dtypes, names, ops, shapes
from chainrule.dtypes import DType
from chainrule.ir.node import Node
from chainrule.tensor.calling import public
from chainrule.tensor.creation import arange
from chainrule.tensor.functions import roll
from chainrule.tensor.handle import Tensor
from chainrule.tensor.record import apply

Sizes = Sequence[int] | None

_SCALE = {"backward": 0, "ortho": 1, "forward": 2}


def _scale(norm: str | None, forward: bool) -> int:
    scale = _SCALE.get("backward" if norm is None else norm)
    if scale is None:
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    return scale if forward else 2 - scale


# ------------------------------------------------------------------ what is recorded


def _resized(x: Node, axes: tuple[int, ...], sizes: tuple[int, ...]) -> Node:
    """Cut, or filled up with zeros, to these sizes."""
    more = [0] * x.ndim
    for a, n in zip(axes, sizes, strict=True):
        if n < x.shape[a]:
            x = ops.narrow(x, a, 0, n)
        more[a] = n - x.shape[a]
    return ops.pad(x, low=(0,) * x.ndim, high=tuple(more), value=0) if any(more) else x


def _number(x: Node) -> Node:
    return x if x.dtype.is_differentiable else ops.cast(x, dtype=dtypes.get_default_dtype())


def _to_complex(
    x: Node, *, axes: tuple[int, ...], sizes: tuple[int, ...], forward: bool, scale: int
) -> Node:
    z = _number(x)
    z = _resized(ops.cast(z, dtype=z.dtype.to_complex()), axes, sizes)
    return ops.fourier(z, axis=axes, forward=forward, scale=scale) if axes else z


def _half_of_real(
    x: Node, *, axes: tuple[int, ...], sizes: tuple[int, ...], forward: bool, scale: int
) -> Node:
    y = ops.fourier_to_complex(_resized(_number(x), axes, sizes), axis=axes, scale=scale)
    return y if forward else ops.conj(y)


def _real_of_half(
    x: Node, *, axes: tuple[int, ...], sizes: tuple[int, ...], forward: bool, scale: int
) -> Node:
    z = _number(x)
    half = (*sizes[:-1], sizes[-1] // 2 + 1)
    z = _resized(ops.cast(z, dtype=z.dtype.to_complex()), axes, half)
    z = ops.conj(z) if forward else z
    return ops.fourier_to_real(z, axis=axes, n=sizes[-1], scale=scale)


# ------------------------------------------------------------------ arguments


def _check(x: Tensor, name: str, real: bool = False) -> None:
    if x.dtype.is_floating_point and x.dtype.itemsize < 4:
        raise RuntimeError(f"Unsupported dtype {x.dtype}: convert with .float() first")
    if real and x.dtype.is_complex:
        raise RuntimeError(f"{name} expects a real input tensor, but got {x.dtype}")


def _positive(sizes: Sequence[int]) -> tuple[int, ...]:
    for n in sizes:
        if n < 1:
            raise RuntimeError(f"Invalid number of data points ({n}) specified")
    return tuple(sizes)


def _axes_and_sizes(
    x: Tensor, s: Sizes, dim: Any, name: str, halved: bool = False
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes to transform, and the size of each in the signal; `halved`: the last axis of x holds
    half of a spectrum.
    """
    if s is not None:
        s = [s] if isinstance(s, int) else list(s)
    if dim is not None:
        dims = [dim] if isinstance(dim, int) else list(dim)
        axes = tuple(shapes.axis(d, x.ndim) for d in dims)
        if len(set(axes)) != len(axes):
            raise RuntimeError("FFT dims must be unique")
        if s is not None and len(s) != len(axes):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
    elif s is not None:
        if len(s) > x.ndim:
            raise RuntimeError(
                f"Got shape with {len(s)} values but input tensor only has {x.ndim} dimensions."
            )
        axes = tuple(range(x.ndim - len(s), x.ndim))
    else:
        axes = tuple(range(x.ndim))
    if not axes and name != "fft":
        raise RuntimeError(f"{name} must transform at least one axis")
    sizes = [x.shape[a] for a in axes]
    if halved and sizes:
        sizes[-1] = 2 * (sizes[-1] - 1)
    if s is not None:
        sizes = [m if n == -1 else n for n, m in zip(s, sizes, strict=True)]
    return axes, _positive(sizes)


def _one(x: Tensor, n: int | None, dim: int) -> tuple[Sizes, tuple[int, ...]]:
    if not x.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return (None if n is None else [n]), (dim,)


def _complex(input: Tensor, s: Sizes, dim: Any, norm: str | None, forward: bool) -> Tensor:
    _check(input, "fft")
    axes, sizes = _axes_and_sizes(input, s, dim, "fft")
    scale = _scale(norm, forward)
    out: Tensor = apply(_to_complex, input, axes=axes, sizes=sizes, forward=forward, scale=scale)
    return out


def _from_real(
    input: Tensor, s: Sizes, dim: Any, norm: str | None, forward: bool, name: str
) -> Tensor:
    _check(input, name, real=True)
    axes, sizes = _axes_and_sizes(input, s, dim, name)
    scale = _scale(norm, forward)
    out: Tensor = apply(_half_of_real, input, axes=axes, sizes=sizes, forward=forward, scale=scale)
    return out


def _to_real(
    input: Tensor, s: Sizes, dim: Any, norm: str | None, forward: bool, name: str
) -> Tensor:
    _check(input, name)
    axes, sizes = _axes_and_sizes(input, s, dim, name, halved=True)
    scale = _scale(norm, forward)
    out: Tensor = apply(_real_of_half, input, axes=axes, sizes=sizes, forward=forward, scale=scale)
    return out


# ------------------------------------------------------------------ complex to complex


@public
def fft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """y_k = Σ_j exp(−2πi jk/n) x_j along an axis; complex, also for real numbers."""
    return _complex(input, *_one(input, n, dim), norm, True)


@public
def ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `fft`."""
    return _complex(input, *_one(input, n, dim), norm, False)


@public
def fft2(input: Tensor, s: Sizes = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`fft` along two axes."""
    return _complex(input, s, dim, norm, True)


@public
def ifft2(input: Tensor, s: Sizes = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of `fft2`."""
    return _complex(input, s, dim, norm, False)


@public
def fftn(input: Tensor, s: Sizes = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`fft` along several axes: all of them, or the last len(s), unless `dim` names them."""
    return _complex(input, s, dim, norm, True)


@public
def ifftn(input: Tensor, s: Sizes = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `fftn`."""
    return _complex(input, s, dim, norm, False)


# ------------------------------------------------------------------ real to complex


@public
def rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The first ⌊n/2⌋ + 1 terms of `fft` of real numbers: the others are conjugates of them."""
    return _from_real(input, *_one(input, n, dim), norm, True, "rfft")


@public
def rfft2(input: Tensor, s: Sizes = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`fft2` of real numbers; of the last axis one half."""
    return _from_real(input, s, dim, norm, True, "rfft2")


@public
def rfftn(input: Tensor, s: Sizes = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`fftn` of real numbers; of the last axis one half."""
    return _from_real(input, s, dim, norm, True, "rfftn")


@public
def ihfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `hfft`: the first half of `ifft` of real numbers."""
    return _from_real(input, *_one(input, n, dim), norm, False, "ihfft")


@public
def ihfft2(input: Tensor, s: Sizes = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of `hfft2`."""
    return _from_real(input, s, dim, norm, False, "ihfft2")


@public
def ihfftn(input: Tensor, s: Sizes = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `hfftn`."""
    return _from_real(input, s, dim, norm, False, "ihfftn")


# ------------------------------------------------------------------ complex to real


@public
def irfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The n real numbers whose `rfft` is `input`; n = 2 (m − 1) for m terms unless it is given."""
    return _to_real(input, *_one(input, n, dim), norm, False, "irfft")


@public
def irfft2(input: Tensor, s: Sizes = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of `rfft2`."""
    return _to_real(input, s, dim, norm, False, "irfft2")


@public
def irfftn(input: Tensor, s: Sizes = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `rfftn`."""
    return _to_real(input, s, dim, norm, False, "irfftn")


@public
def hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """`fft`, real, of a symmetric signal of which one half is given."""
    return _to_real(input, *_one(input, n, dim), norm, True, "hfft")


@public
def hfft2(input: Tensor, s: Sizes = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`fft2`, real, of a symmetric signal of which one half is given."""
    return _to_real(input, s, dim, norm, True, "hfft2")


@public
def hfftn(input: Tensor, s: Sizes = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`fftn`, real, of a symmetric signal of which one half is given."""
    return _to_real(input, s, dim, norm, True, "hfftn")


# ------------------------------------------------------------------ frequencies


@public
def fftfreq(
    n: int, d: float = 1.0, *, dtype: DType | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Frequencies of the terms of `fft` for n samples at distance d: 0, 1, …, −2, −1 over n d.

    >>> import chainrule as torch
    >>> torch.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    whole = arange(n, dtype=dtype or dtypes.get_default_dtype(), device=device)
    whole[(n + 1) // 2 :] -= n
    out = whole / (n * d)
    return out.requires_grad_() if requires_grad else out


@public
def rfftfreq(
    n: int, d: float = 1.0, *, dtype: DType | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Frequencies of the terms of `rfft`: 0, 1, …, ⌊n/2⌋ over n d."""
    whole = arange(n // 2 + 1, dtype=dtype or dtypes.get_default_dtype(), device=device)
    out = whole / (n * d)
    return out.requires_grad_() if requires_grad else out


def _shifted(input: Tensor, dim: Any, back: bool) -> Tensor:
    if dim is None:
        dim = tuple(range(input.ndim))
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    half = [input.shape[d] // 2 if not back else (input.shape[d] + 1) // 2 for d in dims]
    return roll(input, half, dims) if dims else input


@public
def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The frequency 0 to the middle of the axes."""
    return _shifted(input, dim, back=False)


@public
def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The inverse of `fftshift`."""
    return _shifted(input, dim, back=True)


__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2",
    "ifftn", "ifftshift", "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft",
    "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

__getattr__ = names.later(__name__)
