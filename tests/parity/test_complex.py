"""Complex numbers as in PyTorch: values, dtypes and gradients on its own samples, and how they
print.
"""

import warnings

import numpy as np
import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db

import chainrule as cr
from chainrule import fft

#: Ours differ on purpose.
KNOWN = {
    "istft": "PyTorch gives complex windows no gradient",
    "logcumsumexp": "PyTorch's gradient cancels in single precision",
    "as_strided_scatter": "PyTorch's gradient passes through an element that was overwritten",
    "einsum": "PyTorch's samples are of another form",
    "where": "as for einsum",
    "renorm": "PyTorch's gradient is NaN where a slice is 0",
}
#: No functions of their own, or their results are random, or not unique.
LEFT_OUT = (
    "cholesky", "lu", "svd", "pca", "pinverse", "qr", "geqrf", "ormqr", "triangular_solve",
    "linalg.", "nn.", "masked.", "special.", "_", "sparse.", "rand", "empty", "norm.nuc", "normal",
)  # fmt: skip
SAMPLES = 8
ROOM = 2e-4


def ours(name: str):
    room, _, plain = name.rpartition(".")
    if not room and not hasattr(torch, plain):  # `slice` is TensorFlow's
        return None
    return getattr(fft if room == "fft" else cr, plain, None) if room in ("", "fft") else None


OPS = {
    op.name: op
    for op in op_db
    if torch.complex64 in op.dtypes
    and not op.name.startswith(LEFT_OUT)
    and op.name not in KNOWN
    and callable(ours(op.name))
    and not op.variant_test_name
    and not op.name.endswith("_")
}


def translated(x, known: dict):
    """PyTorch's argument as ours; one tensor at two places is one tensor here too."""
    if isinstance(x, torch.Tensor):
        if id(x) not in known:
            t = cr.from_numpy(x.detach().resolve_conj().resolve_neg().numpy().copy())
            known[id(x)] = t.requires_grad_() if x.requires_grad else t
        return known[id(x)]
    if isinstance(x, torch.dtype):
        return getattr(cr, str(x).removeprefix("torch."))
    if isinstance(x, (torch.device, torch.layout)):
        return None
    if isinstance(x, (list, tuple)):
        return type(x)(translated(i, known) for i in x)
    return {k: translated(v, known) for k, v in x.items()} if isinstance(x, dict) else x


def tensors(x) -> list:
    if isinstance(x, (torch.Tensor, cr.Tensor)):
        return [x]
    return [t for i in x for t in tensors(i)] if isinstance(x, (list, tuple)) else []


def near(got, want) -> None:
    assert str(got.dtype).rpartition(".")[2] == str(want.dtype).rpartition(".")[2]
    a, b = got.detach().numpy(), want.detach().resolve_conj().resolve_neg().numpy()
    scale = np.abs(b[np.isfinite(b)]).max(initial=1.0) if b.dtype.kind in "fc" else 1
    np.testing.assert_allclose(a, b, rtol=ROOM, atol=ROOM * scale)


def slope(outs, like):
    """Re Σ w̄ y, with fixed w."""
    total = 0
    for k, o in enumerate(outs):
        w = np.cos(np.arange(o.numel()) + k).reshape(tuple(o.shape))
        if o.is_complex():
            w = np.asarray(w - 1j * np.sin(w), np.complex64)
            total = total + (o * like(w)).real.sum()
        else:
            total = total + (o * like(np.asarray(w, np.float32))).sum()
    return total


@pytest.mark.parametrize("name", sorted(OPS))
def test_values_and_gradients(name: str) -> None:
    op, f = OPS[name], ours(name)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grad = op.supports_autograd
        for sample in list(op.sample_inputs("cpu", torch.complex64, requires_grad=grad))[:SAMPLES]:
            args = (sample.input, *sample.args)
            for x in tensors(args):
                x.grad = None  # samples share tensors
            known = {}
            mine = translated(args, known)
            want = tensors(op(*args, **sample.kwargs))
            got = tensors(f(*mine, **translated(sample.kwargs, known)))
            assert len(got) == len(want)
            for a, b in zip(got, want, strict=True):
                near(a, b)
            moving = [k for k, o in enumerate(want) if o.requires_grad]
            if not moving or name == "angle":  # at 0 it jumps
                continue
            slope([want[k] for k in moving], torch.from_numpy).backward()
            slope([got[k] for k in moving], cr.from_numpy).backward()
            for x, y in zip(tensors(args), tensors(mine), strict=True):
                if x.requires_grad and x.grad is not None and torch.isfinite(x.grad).all():
                    near(cr.zeros_like(y) if y.grad is None else y.grad, x.grad)


PRINTED = [
    np.array([1 + 2j, 3 - 4j]), np.array(1.5 - 2j), np.array([1e-6 + 1j, 100j]),
    np.array([np.nan + 1j, complex(1, np.inf)]), np.zeros((2, 0), complex), np.array([-0.0 - 0.0j]),
    np.exp(1j * np.arange(12.0)).reshape(3, 4), np.exp(1j * np.arange(1600.0)).reshape(40, 40),
    1e5 * np.exp(1j * np.arange(24.0)).reshape(2, 3, 4),
]  # fmt: skip


@pytest.mark.parametrize("array", PRINTED, ids=range(len(PRINTED)))
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_they_print_alike(array: np.ndarray, dtype: type) -> None:
    a = array.astype(dtype)
    assert repr(cr.from_numpy(a)) == repr(torch.from_numpy(a))


RESULTS = ["float32", "float64", "int64", "bool", "complex64", "complex128"]


@pytest.mark.parametrize("left", RESULTS)
@pytest.mark.parametrize("right", RESULTS)
@pytest.mark.parametrize("shape", [(), (2,)])
def test_promotion(left: str, right: str, shape: tuple[int, ...]) -> None:
    def made(t):
        a = t.ones(2, dtype=getattr(t, left))
        return a * t.ones(shape, dtype=getattr(t, right)), a * 2j, a * 2.5

    for got, want in zip(made(cr), made(torch), strict=True):
        assert str(got.dtype).rpartition(".")[2] == str(want.dtype).rpartition(".")[2]
