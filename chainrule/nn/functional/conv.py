"""Linear maps: dense, bilinear, convolution and its transpose, windows as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import ops, shapes
from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.node import Node
from chainrule.tensor import Tensor, autocast
from chainrule.tensor.record import apply


def _same_type(what: str, *tensors: Tensor | Node | None) -> None:
    found = [t.dtype for t in tensors if t is not None]
    if any(d is not found[0] for d in found):
        raise DtypeError(
            f"{what}: input and parameters must have one dtype, got "
            f"{' and '.join(map(str, found))}; convert the input "
            f"with .to({found[-1]}) or the layer with layer.to({found[0]})"
        )


@autocast.lower
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b: input (…, in), weight (out, in) or (in,), bias (out,) → (…, out)"""
    if len(weight._shape) == 1:
        _same_type("linear", input, weight, bias)
        y = input.matmul(weight)
        return y if bias is None else y + bias
    out: Tensor = apply(_linear, input, weight, bias)
    return out


def _linear(x: Node, w: Node, b: Node | None) -> Node:
    _same_type("linear", x, w, b)
    if w.ndim != 2:
        raise ShapeError(f"linear: weight must be (out, in), got shape {w.shape}")
    return ops.project(x, w) if b is None else ops.linear(x, w, b)


@autocast.plain
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x₁ᵀ A x₂ + b: weight (out, in1, in2)"""
    y: Tensor = apply(_bilinear, input1, input2, weight)
    return y if bias is None else y + bias


def _bilinear(a: Node, b: Node, w: Node) -> Node:
    lead, (n, m) = a.shape[:-1], (a.shape[-1], b.shape[-1])
    a2 = ops.reshape(a, shape=(shapes.size(lead), n))
    b2 = ops.reshape(b, shape=(shapes.size(lead), m))
    half = ops.contract(a2, w, spec="ni,oij->noj")
    return ops.reshape(ops.contract(half, b2, spec="noj,nj->no"), shape=(*lead, w.shape[0]))


# ------------------------------------------------------------------ convolution


def same_padding(
    size: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Zeros before and after so that stride 1 keeps the length; the odd one goes after."""
    total = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
    return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)


def _conv(
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Tensor:
    _same_type(f"conv{n}d", input, weight, bias)
    s, d = shapes.ntuple(stride, n, "stride"), shapes.ntuple(dilation, n, "dilation")
    if min(s) < 1:
        raise RuntimeError("non-positive stride is not supported")
    if isinstance(padding, str):
        if padding == "same":
            if max(s) > 1:
                raise RuntimeError("padding='same' is not supported for strided convolutions")
            low, high = same_padding(weight.shape[2:], d)
        elif padding == "valid":
            low = high = (0,) * n
        else:
            raise RuntimeError(
                f"Invalid padding string {padding!r}, should be one of 'valid', 'same'"
            )
    else:
        low = high = shapes.ntuple(padding, n, "padding")
        if min(low) < 0:
            raise RuntimeError("negative padding is not supported")
    x = _batched(input, n, f"conv{n}d")
    y: Tensor = apply(ops.conv, x, weight, stride=s, low=low, high=high, dilation=d, groups=groups)
    return _with_bias(y, bias, n, input.ndim == n + 1)


def _batched(x: Tensor, n: int, what: str) -> Tensor:
    if x.ndim == n + 1:
        return x.unsqueeze(0)
    if x.ndim != n + 2:
        raise ShapeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {what}, but got input "
            f"of size: {list(x.shape)}"
        )
    return x


def _with_bias(y: Tensor, bias: Tensor | None, n: int, single: bool) -> Tensor:
    if bias is not None:
        y = y + bias.reshape((-1, *(1,) * n))
    return y.squeeze(0) if single else y


@autocast.lower
def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Cross-correlation over one axis: input (N, C, L), weight (O, C / groups, K)"""
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


@autocast.lower
def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Cross-correlation over two axes: input (N, C, H, W), weight (O, C / groups, KH, KW)"""
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


@autocast.lower
def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Cross-correlation over three axes"""
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def _conv_transpose(
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    _same_type(f"conv_transpose{n}d", input, weight, bias)
    s, p, d = (
        shapes.ntuple(v, n, w)
        for v, w in ((stride, "stride"), (padding, "padding"), (dilation, "dilation"))
    )
    extra = shapes.ntuple(output_padding, n, "output_padding")
    if any(e >= max(a, b) for e, a, b in zip(extra, s, d, strict=True)):
        raise RuntimeError(
            f"output padding must be smaller than either stride or dilation, got {extra} with "
            f"stride {s}, dilation {d}"
        )
    x = _batched(input, n, f"conv_transpose{n}d")
    y: Tensor = apply(
        ops.conv_transpose,
        x,
        weight,
        stride=s,
        padding=p,
        output_padding=extra,
        dilation=d,
        groups=groups,
    )
    return _with_bias(y, bias, n, input.ndim == n + 1)


@autocast.lower
def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The transpose of conv1d: weight (C, O / groups, K)"""
    return _conv_transpose(
        1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@autocast.lower
def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The transpose of conv2d: weight (C, O / groups, KH, KW)"""
    return _conv_transpose(
        2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@autocast.lower
def conv_transpose3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The transpose of conv3d"""
    return _conv_transpose(
        3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


# ------------------------------------------------------------------ windows as columns


def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Windows as columns: (N, C, H, W) → (N, C · KH · KW, windows)"""
    k, d, p, s = (shapes.ntuple(v, 2, "unfold") for v in (kernel_size, dilation, padding, stride))
    x = _batched(input, 2, "unfold")
    y: Tensor = apply(_unfold, x, size=k, dilation=d, padding=p, stride=s)
    return y.squeeze(0) if input.ndim == 3 else y


def _unfold(x: Node, *, size: Any, dilation: Any, padding: Any, stride: Any) -> Node:
    if any(padding):
        x = ops.pad(x, low=(0, 0, *padding), high=(0, 0, *padding), value=0.0)
    w = ops.windows(x, size=size, stride=stride, dilation=dilation)  # (N, C, OH, OW, KH, KW)
    n, c, oh, ow, kh, kw = w.shape
    return ops.reshape(ops.permute(w, order=(0, 1, 4, 5, 2, 3)), shape=(n, c * kh * kw, oh * ow))


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
    stride: Any = 1,
) -> Tensor:  # fmt: skip
    """The transpose of unfold: overlapping columns are added up"""
    out, k, d, p, s = (
        shapes.ntuple(v, 2, "fold") for v in (output_size, kernel_size, dilation, padding, stride)
    )
    x = input.unsqueeze(0) if input.ndim == 2 else input
    y: Tensor = apply(_fold, x, out=out, size=k, dilation=d, padding=p, stride=s)
    return y.squeeze(0) if input.ndim == 2 else y


def _fold(x: Node, *, out: Any, size: Any, dilation: Any, padding: Any, stride: Any) -> Node:
    whole = tuple(a + 2 * b for a, b in zip(out, padding, strict=True))
    counts = tuple(
        shapes.window_count(a, k, s, d)
        for a, k, s, d in zip(whole, size, stride, dilation, strict=True)
    )
    n, ck, length = x.shape
    if ck % shapes.size(size) or length != shapes.size(counts):
        raise ShapeError(
            f"fold: columns {x.shape} do not fit output_size {out}: expected (N, C · "
            f"{shapes.size(size)}, {shapes.size(counts)})"
        )
    w = ops.reshape(x, shape=(n, ck // shapes.size(size), *size, *counts))
    y = ops.unwindows(
        ops.permute(w, order=(0, 1, 4, 5, 2, 3)), shape=whole, stride=stride, dilation=dilation
    )
    if any(padding):
        stop = (*y.shape[:2], *(a + b for a, b in zip(out, padding, strict=True)))
        y = ops.slice(y, start=(0, 0, *padding), stop=stop, step=(1,) * 4)
    return y
