"""The array API namespace has every name of the standard (2023.12) that the types allow."""

import pytest

import chainrule as torch

NAMES = """
e inf nan newaxis pi
arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like tril
triu zeros zeros_like
astype broadcast_arrays broadcast_to can_cast finfo iinfo isdtype result_type
bool int8 int16 int32 int64 uint8 float32 float64 complex64 complex128
abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert
bitwise_or bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1
floor floor_divide greater greater_equal hypot imag isfinite isinf isnan less less_equal log log1p
log2 log10 logaddexp logical_and logical_not logical_or logical_xor maximum minimum multiply
negative not_equal positive pow real remainder round sign signbit sin sinh square sqrt subtract tan
tanh trunc
take matmul matrix_transpose tensordot vecdot
concat expand_dims flip moveaxis permute_dims repeat reshape roll squeeze stack tile unstack
argmax argmin nonzero searchsorted where
unique_all unique_counts unique_inverse unique_values argsort sort
cumulative_sum max mean min prod std sum var all any
linalg fft __array_namespace_info__ __array_api_version__
"""
LINALG = """
cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank
matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm
"""
FFT = """
fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift
"""

xp = torch.ones(1).__array_namespace__()


def test_every_name_is_there():
    assert [n for n in NAMES.split() if not hasattr(xp, n)] == []
    assert [n for n in LINALG.split() if not hasattr(xp.linalg, n)] == []
    assert [n for n in FFT.split() if not hasattr(xp.fft, n)] == []


def test_versions():
    assert torch.ones(1).__array_namespace__(api_version="2022.12") is xp
    with pytest.raises(ValueError, match=r"2023\.12"):
        torch.ones(1).__array_namespace__(api_version="1999.01")


def test_names_and_defaults_are_those_of_the_standard():
    x = xp.asarray([[3.0, 1.0], [2.0, 3.0]])
    assert xp.sum(x, axis=0, keepdims=True).shape == (1, 2)
    assert float(xp.std(x)) == pytest.approx(0.8291562)  # correction 0
    assert xp.flip(x).tolist() == [[3, 2], [1, 3]]
    assert xp.cumulative_sum(x, axis=0, include_initial=True).shape == (3, 2)
    assert xp.concat([x, x], axis=None).shape == (8,)
    every = xp.unique_all(x)
    assert every.values.tolist() == [1, 2, 3] and every.counts.tolist() == [1, 1, 2]
    assert xp.reshape(x, (-1,))[every.indices].tolist() == every.values.tolist()
    assert [t.tolist() for t in xp.unstack(x)] == [[3, 1], [2, 3]]
    assert xp.matrix_transpose(x).tolist() == [[3, 2], [1, 3]]
    with pytest.raises(ValueError, match="size 2"):
        xp.squeeze(x, 0)


def test_types():
    assert xp.isdtype(xp.float32, "real floating") and not xp.isdtype(xp.bool, "numeric")
    assert xp.isdtype(xp.int8, ("integral", xp.bool))
    assert xp.result_type(xp.int8, xp.ones(1)) is xp.float32
    assert xp.can_cast(xp.int64, xp.float32) and not xp.can_cast(xp.float32, xp.int64)
    info = xp.__array_namespace_info__()
    assert info.default_dtypes()["integral"] is xp.int64
    assert set(info.dtypes(kind="bool")) == {"bool"}
