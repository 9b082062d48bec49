"""Every function that PyTorch has as well: value, shape, dtype and gradient, on PyTorch's own
samples.

The samples are those of `torch.testing._internal.common_methods_invocations.op_db`: random shapes,
no axes, one
element, none. A function is compared when both have its name, so a new one is tested because it
exists. `KNOWN` says where
we differ on purpose.
"""

import inspect
import re
import warnings

import numpy as np
import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db

import chainrule as cr
from chainrule.tensor import methods

SAMPLES = 25
TOLERANCE = {
    torch.float32: 1.3e-5,
    torch.float64: 1e-7,
}  # of the value, and of the largest value beside it

#: Random results: only shape and dtype can be compared.
RANDOM = re.compile(
    r"^(rand|empty|normal|bernoulli|multinomial|new_empty|uniform|exponential|cauchy|log_normal|geometric)"
)

KNOWN = {
    (
        "polygamma",
        torch.float32,
    ): "computed in double precision: PyTorch's float32 loses digits near the poles",
    ("logcumsumexp", torch.float32): "PyTorch's gradient cancels in float32; ours is exact",
    ("cov", torch.float32): "a gradient that cancels to 0 keeps another rounding error",
    ("broadcast_shapes", None): "takes no tensor",
    ("as_strided.partial_views", None): "a view of a part of its memory arrives as a copy",
    (
        "as_strided_scatter",
        None,
    ): "PyTorch's gradient passes through an element that was overwritten",
    ("resize_", None): "PyTorch leaves new elements uninitialised",
    ("resize_as_", None): "PyTorch leaves new elements uninitialised",
}


def ours(op):
    """Our function under the op's name, or None."""
    if "." in op.name or op.name.startswith("_"):
        return None
    f = methods.public_functions().get(op.name)
    if f is None and callable(getattr(cr.Tensor, op.name, None)):
        return lambda x, *a, **k: getattr(x, op.name)(*a, **k)
    return f


def wrapped(op):
    """The callable of PyTorch; some entries reorder their arguments in a function of their own."""
    if inspect.isfunction(op.op) and op.op.__module__.startswith("torch.testing"):
        return None
    return op.op


OPS = [op for op in op_db if ours(op) is not None and wrapped(op) is not None]
PAIRS = [(op, d) for op in OPS for d in TOLERANCE if op.supports_dtype(d, "cpu")]


class Crossing:
    """From PyTorch's values to ours; one tensor used twice stays one leaf."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[torch.Tensor, cr.Tensor]] = {}

    def go(self, x):
        if isinstance(x, torch.Tensor):
            if id(x) not in self.seen:
                if x.layout is not torch.strided:
                    pytest.skip("sparse")
                array = x.detach().resolve_conj().resolve_neg().numpy().copy()
                t = cr.tensor(
                    array,
                    dtype=getattr(cr, str(x.dtype).partition(".")[2]),
                    requires_grad=x.requires_grad,
                )
                self.seen[id(x)] = (x, t)
            return self.seen[id(x)][1]
        if isinstance(x, torch.dtype):
            return getattr(cr, str(x).partition(".")[2])
        if isinstance(x, (torch.layout, torch.memory_format, torch.device)):
            return str(x).partition(".")[2] if "." in str(x) else str(x)
        if isinstance(x, (list, tuple)):
            return type(x)(self.go(i) for i in x) if not isinstance(x, torch.Size) else tuple(x)
        if isinstance(x, dict):
            return {k: self.go(v) for k, v in x.items()}
        return x

    def leaves(self):
        return [(a, b) for a, b in self.seen.values() if a.requires_grad]


def flat(x):
    if isinstance(x, (list, tuple)) and not isinstance(x, torch.Size):
        return [j for i in x for j in flat(i)]
    return [x]


def close(got, want, dtype, what):
    rtol = TOLERANCE.get(dtype.to_real() if dtype.is_complex else dtype, 0)
    finite = np.abs(want[np.isfinite(want)]) if want.dtype.kind in "fc" else np.zeros(0)
    atol = rtol * max(1.0, float(finite.max(initial=0)))
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol, equal_nan=True, err_msg=what)


def compare(got, want, random):
    pairs = list(zip(flat(got), flat(want), strict=True))
    for a, b in pairs:
        if not isinstance(b, torch.Tensor):
            assert a == b or (a != a and b != b)
            continue
        assert a.dtype.name == str(b.dtype).partition(".")[2]
        assert tuple(a.shape) == tuple(b.shape)
        if not random:
            close(a.detach().numpy(), b.detach().numpy(), b.dtype, "value")
    return [(a, b) for a, b in pairs if isinstance(b, torch.Tensor) and b.requires_grad]


def compare_gradients(outs, crossing, seed):
    rng = np.random.default_rng(seed)
    leaves = crossing.leaves()
    if not outs or not leaves:
        return
    seeds = [rng.standard_normal(tuple(b.shape)) for _, b in outs]
    torch.autograd.backward(
        [b for _, b in outs],
        [torch.tensor(s).to(b.dtype) for s, (_, b) in zip(seeds, outs, strict=True)],
    )
    cr.autograd.backward(
        [a for a, _ in outs],
        [cr.tensor(s, dtype=a.dtype) for s, (a, _) in zip(seeds, outs, strict=True)],
    )
    for x, y in leaves:
        want = np.zeros(tuple(x.shape)) if x.grad is None else x.grad.numpy(force=True)
        got = np.zeros(tuple(x.shape)) if y.grad is None else y.grad.numpy()
        close(got, want, x.dtype, "gradient")


def case_id(pair):
    op, dtype = pair
    return f"{op.name}.{op.variant_test_name or '-'}-{str(dtype).partition('.')[2]}"


@pytest.mark.parametrize("pair", PAIRS, ids=case_id)
def test_function(pair):
    op, dtype = pair
    full = f"{op.name}.{op.variant_test_name}"
    for key in ((op.name, dtype), (op.name, None), (full, None)):
        if key in KNOWN:
            pytest.skip(KNOWN[key])
    differentiable = op.supports_autograd and dtype in op.supported_backward_dtypes("cpu")
    random = bool(RANDOM.match(op.name))
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own, about its samples
        for i, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=differentiable)):
            if i >= SAMPLES:
                break
            for t in flat([sample.input, *sample.args, *sample.kwargs.values()]):
                if isinstance(t, torch.Tensor):
                    t.grad = None
            crossing = Crossing()
            given = crossing.go((sample.input, tuple(sample.args), sample.kwargs))
            if op.name.endswith("_") and differentiable:
                continue  # in place on a leaf: both refuse
            want = op.op(sample.input, *sample.args, **sample.kwargs)
            got = ours(op)(given[0], *given[1], **given[2])
            outs = compare(got, want, random)
            if differentiable and not random:
                compare_gradients(outs, crossing, i)


def test_most_functions_are_compared():
    assert len({op.name for op in OPS}) > 240
