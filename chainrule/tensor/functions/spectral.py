"""Transforms of short pieces of a signal: stft and its inverse (Griffin and Lim 1984)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from chainrule import dtypes, ops
from chainrule.ir.node import Node
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions.complex import view_as_real
from chainrule.tensor.handle import Tensor
from chainrule.tensor.record import apply

#: What stands before and behind a signal, as the indices that NumPy's `pad` gives them.
_PADS = {"reflect": "reflect", "replicate": "edge", "circular": "wrap", "constant": "constant"}


def _padded(input: Tensor, pad: int, mode: str) -> Tensor:
    if mode not in _PADS:
        raise NotImplementedError(f"Unrecognised padding mode {mode}: choose from {list(_PADS)}")
    n = input._shape[-1]
    if mode == "constant":
        return _call(_zeros_around, input, low=pad, high=pad)
    if pad >= n + (mode != "reflect"):
        raise RuntimeError(
            f"Padding size should be less than the corresponding input dimension, but got: padding "
            f"({pad}, {pad}) at dimension {input.ndim - 1} of input {list(input._shape)}"
        )
    kind: Any = _PADS[mode]
    at = from_owned(np.pad(np.arange(n, dtype=np.int64), pad, mode=kind))
    return _call(ops.take, input, at, axis=input.ndim - 1)


def _call(f: Any, *args: Any, **attrs: Any) -> Tensor:
    out: Tensor = apply(f, *args, **attrs)
    return out


def _zeros_around(x: Node, *, low: int, high: int) -> Node:
    none = (0,) * (x.ndim - 1)
    return ops.pad(x, low=(*none, low), high=(*none, high), value=0)


def _frames(x: Node, w: Node | None, *, n: int, hop: int, onesided: bool, normalized: bool) -> Node:
    """Windows of the last axis, transformed: (…, L) → (…, frequencies, frames)."""
    pieces = ops.windows(x, size=(n,), stride=(hop,), dilation=(1,))
    pieces = pieces if w is None else pieces * w
    last, scale = (pieces.ndim - 1,), int(normalized)
    if onesided:
        y = ops.fourier_to_complex(pieces, axis=last, scale=scale)
    else:
        z = ops.cast(pieces, dtype=pieces.dtype.to_complex())
        y = ops.fourier(z, axis=last, forward=True, scale=scale)
    return ops.swap(y, -1, -2)


def _signal(
    y: Node, w: Node, *, n: int, hop: int, onesided: bool, real: bool, normalized: bool
) -> tuple[Node, Node]:
    """Frames added up where they overlap, and the sum of squares of the windows there."""
    z = ops.swap(y, -1, -2)
    last, scale = z.ndim - 1, 1 if normalized else 2
    if not real:
        pieces = ops.fourier(z, axis=(last,), forward=False, scale=scale)
    else:
        half = z if onesided else ops.narrow(z, last, 0, n // 2 + 1)
        pieces = ops.fourier_to_real(half, axis=(last,), n=n, scale=scale)
    length = n + hop * (z.shape[-2] - 1)
    squares = ops.broadcast_to(w * w, shape=(z.shape[-2], n))

    def added(v: Node) -> Node:
        return ops.unwindows(v, shape=(length,), stride=(hop,), dilation=(1,))

    return added(pieces * w), added(squares)


def _window(
    window: Tensor | None, win_length: int, n_fft: int, what: str, like: dtypes.DType
) -> Tensor | None:
    """The window, in the middle of n_fft numbers."""
    if window is None:
        if win_length == n_fft:
            return None
        window = from_owned(np.ones(win_length, like.to_real().np))
    if window._shape != (win_length,):
        raise RuntimeError(
            f"{what}: expected a 1D window tensor of size equal to win_length={win_length}, but "
            f"got window with size {list(window._shape)}"
        )
    before = (n_fft - win_length) // 2
    if win_length == n_fft:
        return window
    return _call(_zeros_around, window, low=before, high=n_fft - win_length - before)


def _lengths(n_fft: int, hop: int | None, win: int | None, what: str) -> tuple[int, int]:
    hop = n_fft // 4 if hop is None else hop
    win = n_fft if win is None else win
    if hop <= 0:
        raise RuntimeError(f"{what}: expected hop_length > 0, but got hop_length={hop}")
    if not 0 < win <= n_fft:
        raise RuntimeError(f"{what}: expected 0 < win_length <= n_fft, but got win_length={win}")
    return hop, win


def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, pad_mode: str = "reflect",
    normalized: bool = False, onesided: bool | None = None, return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """Fourier transforms of windows of a signal

    (L,) or (B, L) → (B?, frequencies, frames): frame m is the transform of w_j x_{j + m·hop}.
    Frequencies are n_fft // 2 + 1 for real signals, n_fft for others or with onesided=False.
    center=True puts n_fft // 2 elements around the signal, so that frame m stands around m·hop.

    >>> import chainrule as torch
    >>> w = torch.hann_window(16)
    >>> torch.stft(torch.ones(64), 16, window=w, return_complex=True).shape
    torch.Size([9, 17])
    """
    if center and align_to_window is not None:
        raise RuntimeError("stft align_to_window should only be set when center = false")
    is_complex = input._dtype.is_complex or (window is not None and window._dtype.is_complex)
    if return_complex is None:
        if not is_complex:
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs, and will "
                "further require that return_complex=True in a future PyTorch release."
            )
        return_complex = True
    if not input._dtype.is_differentiable:
        raise RuntimeError("stft: expected a tensor of floating point or complex values")
    if input.ndim not in (1, 2):
        raise RuntimeError(f"stft: expected a 1D or 2D tensor, but got {input.ndim}D tensor")
    hop, win = _lengths(n_fft, hop_length, win_length, "stft")
    if center:
        input = _padded(input, n_fft // 2, pad_mode)
    elif align_to_window:
        input = _padded(input, (n_fft - win) // 2, "constant")
    if not 0 < n_fft <= input._shape[-1]:
        raise RuntimeError(f"stft: expected 0 < n_fft < {input._shape[-1]}, but got n_fft={n_fft}")
    w = _window(window, win, n_fft, "stft", input._dtype)
    onesided = not is_complex if onesided is None else onesided
    if onesided and is_complex:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    out = _call(_frames, input, w, n=n_fft, hop=hop, onesided=onesided, normalized=bool(normalized))
    return out if return_complex else view_as_real(out)


def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, normalized: bool = False,
    onesided: bool | None = None, length: int | None = None, return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """The signal whose `stft` is nearest to `input` in the sense of least squares

    (B?, frequencies, frames) complex → (B?, L). Raises RuntimeError where the windows leave a gap.
    """
    if not input._dtype.is_complex:
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    if input.ndim not in (2, 3) or not input.numel():
        raise RuntimeError(
            "istft: expected a tensor with 2 or 3 dimensions and elements, but got "
            f"{list(input._shape)}"
        )
    hop, win = _lengths(n_fft, hop_length, win_length, "istft")
    rows, count = input._shape[-2:]
    onesided = rows != n_fft if onesided is None else onesided
    want = n_fft // 2 + 1 if onesided else n_fft
    if rows != want:
        raise RuntimeError(
            f"istft: expected the frequency dimension (3rd to the last) of the input tensor to "
            f"match n_fft {'/ 2 + 1 ' if onesided else ''}when onesided={onesided}, but got {rows}"
        )
    if return_complex and onesided:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    if not return_complex and window is not None and window._dtype.is_complex:
        raise RuntimeError("Complex windows are incompatible with return_complex=False")
    w = _window(window, win, n_fft, "istft", input._dtype)
    if w is None:
        w = from_owned(np.ones(n_fft, input._dtype.to_real().np))
    y, envelope = apply(
        _signal, input, w, n=n_fft, hop=hop, onesided=onesided, real=not return_complex,
        normalized=bool(normalized),
    )  # fmt: skip
    whole = n_fft + hop * (count - 1)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else whole - start
    _no_gap(w, hop, count, start, min(end, whole))
    y = y[..., start : min(end, whole)] / envelope[start : min(end, whole)]
    if end > whole:
        warnings.warn(
            "The length of signal is shorter than the length parameter. Result is being padded "
            "with zeros in the tail. Please check your center and hop_length settings.",
            stacklevel=2,
        )
        y = _call(_zeros_around, y, low=0, high=end - whole)
    out: Tensor = y
    return out


def _no_gap(w: Tensor, hop: int, count: int, start: int, end: int) -> None:
    squares = np.abs(w._concrete()) ** 2
    total = np.zeros(len(squares) + hop * (count - 1), squares.dtype)
    for m in range(count):
        total[m * hop : m * hop + len(squares)] += squares
    least = total[start:end].min(initial=np.inf)
    if least <= 1e-11:
        raise RuntimeError(
            f"istft: window overlap add min: {least}: between the windows there are gaps; take a "
            "smaller hop_length, or center=True for windows that end in zeros"
        )
